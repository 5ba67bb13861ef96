"""Language-aware prompt tuning: shared vectors and a small part of each language. Method `lapt`, and `add-language`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, check_replaceable, language_folder, new_bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.language_aware import LanguageAwarePrompt, start_part
from spt_whisper.prompts.language_part import PART_METHOD, LanguagePart, write_part
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.training.learning_rates import part_rate, rates_of
from spt_whisper.training.methods.learner import Languages, Learner, Setup
from spt_whisper.training.start import LanguageSound, expected_embedding


class LanguageAwareLearner(Learner):
    """Trains shared vectors and parts of languages, or, over frozen shared vectors, one part."""

    def __init__(
        self, prompt: LanguageAwarePrompt, setup: Setup, heard: dict[str, LanguageSound]
    ) -> None:
        """Takes the prompt at its start, and how its languages sound to bare Whisper."""
        super().__init__()
        self.prompt, self.setup, self.heard = prompt, setup, heard
        self.on_encoder = prompt.shared.config.on_encoder

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns each row's vectors; mixed speech goes by its main language."""
        return self.prompt([row[0] for row in languages])

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields the shared parameters and those of the parts, each with its rate."""
        shared, aware = self.prompt.shared, self.prompt.aware
        yield from rates_of(shared, width)
        for site, parameter in self.prompt.parts_by_site():
            yield parameter, part_rate(site, shared.config, aware, width)

    def part(self, language: str, card: PromptCard) -> LanguagePart:
        """Returns what a language has learned, as it is written."""
        own = replace(
            card,
            languages=(language,),
            language_tokens=self.setup.tokens[language],
            key=self.heard[language].key(),
            method=PART_METHOD,
        )
        tensors = {
            name: tensor.detach().float().cpu().clone()
            for name, tensor in self.prompt.part(language).items()
        }
        return LanguagePart(self.prompt.aware, tensors, own)

    def check_output(self, output: Path) -> None:
        """Refuses a bank that has languages which the new one would lack."""
        check_replaceable(output / "bank", list(self.heard))

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/bank`, whole or not at all: the shared part, and a folder for each language."""
        folder, config = output / "bank", self.prompt.shared.config
        with new_bank(folder, list(self.heard)) as made:
            shared = Prompt(config, self.prompt.shared.fold(), card)
            shared.save_pretrained(made / SHARED_FOLDER)
            for language in self.heard:
                part = self.part(language, card)
                write_part(language_folder(made, language), part, made / SHARED_FOLDER, config)
        return folder

    @property
    def stored_parameters(self) -> int:
        """How many parameters the bank holds."""
        shared = self.prompt.shared.fold().named_tensors().values()
        parts = [t for language in self.heard for t in self.prompt.part(language).values()]
        return sum(tensor.numel() for tensor in [*shared, *parts])


def language_aware(setup: Setup) -> LanguageAwareLearner:
    """Builds shared vectors and a part for each language of the corpus (our reading of arXiv 2506.21577)."""
    recipe = setup.recipe
    recipe.lapt.check(recipe.prompt)
    single_tokens(setup)
    shared = setup.soft_prompt(recipe.prompt, setup.examples, next(iter(setup.tokens.values())))
    heard = {language: setup.hear(language) for language in setup.tokens}
    parts = {
        language: start_part(
            recipe.prompt,
            recipe.lapt,
            setup.whisper.shape,
            setup.generator,
            expected_embedding(setup.whisper, own),
        )
        for language, own in heard.items()
    }
    return LanguageAwareLearner(LanguageAwarePrompt(shared, recipe.lapt, parts), setup, heard)


def single_tokens(setup: Setup) -> None:
    """Refuses a language with several Whisper tokens where a soft token is to stand for it.

    Raises:
        InputError: names the language.
    """
    for language, codes in setup.tokens.items():
        if setup.recipe.lapt.soft_token and len(codes) != 1:
            raise InputError(
                f"languages.{language}: found {'+'.join(codes)}; wanted one token, whose place the soft token takes"
            )
