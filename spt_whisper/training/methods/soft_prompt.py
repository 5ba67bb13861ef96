"""One soft prompt for all utterances: methods `prompt` and `slct`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.training.learning_rates import rates_of
from spt_whisper.training.methods.learner import Languages, Learner, Setup
from spt_whisper.training.slot_dropout import SLOT_DROPOUT


class PromptLearner(Learner):
    """Trains a `SoftPrompt`; every row gets the same vectors."""

    def __init__(self, prompt: SoftPrompt) -> None:
        """Takes the prompt at its start."""
        super().__init__()
        self.prompt = prompt
        self.on_encoder = prompt.config.on_encoder
        self.slot_dropout = SLOT_DROPOUT

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns the prompt's vectors, R = 1."""
        return self.prompt()

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields each parameter with the rate of its site."""
        return rates_of(self.prompt, width)

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/prompt`."""
        return self.made(card).save_pretrained(output / "prompt")

    def made(self, card: PromptCard) -> Prompt:
        """Returns what was learned, as it is written."""
        return Prompt(self.prompt.config, self.prompt.fold(), card)

    @property
    def stored_parameters(self) -> int:
        """How many parameters the folded prompt holds."""
        return self.prompt.fold().parameter_count


def soft_prompt(setup: Setup) -> PromptLearner:
    """Builds the prompt that the recipe describes (both papers: input and deep prompts on either side)."""
    return PromptLearner(prompt_for_all(setup))


def soft_language_code(setup: Setup) -> PromptLearner:
    """Builds a learned language token and nothing else (SLCT: Qian et al., Interspeech 2024, arXiv 2407.06800)."""
    config = replace(
        setup.recipe.prompt, side="decoder", site="language", length=1, parameterization="none", gate=False
    )  # fmt: skip
    return PromptLearner(prompt_for_all(setup, config))


def prompt_for_all(setup: Setup, config: PromptConfig | None = None) -> SoftPrompt:
    """Returns one prompt at its start, for every language of the corpus together."""
    codes = one_token_sequence(setup)
    config = with_language_tokens(config or setup.recipe.prompt, len(codes))
    return setup.soft_prompt(config, setup.examples, codes)


def one_token_sequence(setup: Setup) -> tuple[str, ...]:
    """Returns the language tokens that all utterances share.

    Raises:
        InputError: they differ, so that one prompt could not say which to use.
    """
    found = {example.codes for example in setup.examples}
    if len(found) > 1:
        raise InputError(
            f"method {setup.recipe.method}: the utterances have different language tokens "
            f"({', '.join(sorted('+'.join(codes) for codes in found))}); give languages as one list, or take method lapt"
        )
    return found.pop()


def with_language_tokens(config: PromptConfig, count: int) -> PromptConfig:
    """Returns the configuration with as many language vectors as there are language tokens."""
    if "language" not in config.sites or config.length_at("language") == count:
        return config
    lengths = {site: config.length_at(site) for site in config.sites}
    return replace(config, length={**lengths, "language": count})
