"""What a method gives to the training loop: parameters, the vectors made from them, and the files they end as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.folders import check_target
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.training.batch import Example, windows_of
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.start import LanguageSound, Listener, capture_examples, language_start
from spt_whisper.whisper.capture import ALONE, Turn
from spt_whisper.whisper.loading import FrozenWhisper

Languages = tuple[str, ...]  # of one utterance, as its corpus names them


@dataclass(frozen=True)
class Setup:
    """What a learner is built from."""

    recipe: Recipe
    listener: Listener
    examples: Sequence[Example]
    tokens: dict[str, tuple[str, ...]]
    """Corpus language -> codes of the Whisper tokens that stand for it."""
    generator: torch.Generator

    @property
    def whisper(self) -> FrozenWhisper:
        """The frozen model."""
        return self.listener.whisper

    def examples_in(self, language: str) -> list[Example]:
        """Returns the training examples in which a language is spoken."""
        return [example for example in self.examples if language in example.utterance.languages]

    def hear(self, language: str) -> LanguageSound:
        """Returns how a language sounds to bare Whisper."""
        utterances = [example.utterance for example in self.examples_in(language)]
        return self.listener.hear(utterances, windows_of(self.examples)[-1])

    def start(
        self,
        config: PromptConfig,
        examples: Sequence[Example],
        codes: Sequence[str],
        turn: Turn = ALONE,
    ) -> PromptVectors:
        """Returns the vectors from which a prompt starts, captured from examples where its recipe says so.

        Args:
            config: the prompt.
            examples: speech and text in the language.
            codes: Whisper's tokens for it.
            turn: which of several prompts, that stand side by side, this is.
        """
        captured: dict[str, Tensor] = {}
        if config.start == "capture":
            captured |= capture_examples(self.whisper, config, examples, turn)
        if "language" in config.sites:
            captured |= language_start(self.listener, examples, codes)
        return start_vectors(config, self.whisper.shape, self.generator, captured)

    def soft_prompt(
        self,
        config: PromptConfig,
        examples: Sequence[Example],
        codes: Sequence[str],
        turn: Turn = ALONE,
    ) -> SoftPrompt:
        """Returns a prompt at its start; see `start`."""
        return SoftPrompt(config, self.start(config, examples, codes, turn), self.generator)


class Learner(nn.Module):
    """What trains: the parameters in here that ask for a gradient, which is also what a checkpoint holds."""

    on_encoder: bool  # whether the encoder's states depend on what trains
    slot_dropout: float = 0.0  # in runs of many epochs, where the recipe names none

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns the vectors of a batch with gradient, one entry of `languages` a row (R = rows, or 1 for all)."""
        raise NotImplementedError

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields what trains, but for Whisper's own weights, with the highest learning rate that suits it.

        Args:
            width: of Whisper, D.
        """
        raise NotImplementedError

    def check_output(self, output: Path) -> None:
        """Refuses, before anything trains, a run's folder in which `write` would replace what is somebody else's.

        Raises:
            InputError: names the folder.
        """
        check_target(output / "prompt", "prompt")

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes what was learned into the run's folder; returns what `evaluate` takes."""
        raise NotImplementedError

    @property
    def trained_parameters(self) -> int:
        """How many parameters train."""
        return sum(parameter.numel() for parameter in self.trained())

    @property
    def stored_parameters(self) -> int:
        """How many parameters the result holds."""
        raise NotImplementedError

    def trained(self) -> list[nn.Parameter]:
        """Returns the parameters that train."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def model_weights(self) -> list[nn.Parameter]:
        """Returns those of the parameters that are Whisper's own, which want a lower learning rate."""
        return []
