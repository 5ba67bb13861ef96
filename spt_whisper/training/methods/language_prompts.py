"""A whole prompt for each language: methods `language_prompts` and `spt4asr`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import check_replaceable, language_folder, new_bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.joining import join_prompts
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.prompts.vectors import PromptVectors, concatenate, stack
from spt_whisper.training.learning_rates import rates_of
from spt_whisper.training.methods.learner import Languages, Learner, Setup
from spt_whisper.training.methods.soft_prompt import with_language_tokens
from spt_whisper.training.slot_dropout import SLOT_DROPOUT
from spt_whisper.whisper.capture import Turn


class LanguagePromptsLearner(Learner):
    """Trains one prompt for each language; an utterance of several gets theirs one after the other."""

    def __init__(self, prompts: Mapping[str, SoftPrompt], setup: Setup) -> None:
        """Takes the prompts at their start, by language."""
        super().__init__()
        self.languages = tuple(prompts)
        self.prompts = nn.ModuleList(prompts.values())
        self.setup = setup
        self.slot_dropout = SLOT_DROPOUT
        self.on_encoder = any(prompt.config.on_encoder for prompt in prompts.values())

    def prompt_of(self, language: str) -> SoftPrompt:
        """Returns the prompt of a language."""
        prompt = self.prompts[self.languages.index(language)]
        assert isinstance(prompt, SoftPrompt)
        return prompt

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns each row's prompts, one behind the other."""
        made = {language: self.prompt_of(language)() for row in languages for language in row}
        joined = {row: concatenate([made[language] for language in row]) for row in set(languages)}
        return stack([joined[row] for row in languages])

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields each parameter with the rate of its site."""
        for language in self.languages:
            yield from rates_of(self.prompt_of(language), width)

    def check_output(self, output: Path) -> None:
        """Refuses a bank that has languages which the new one would lack."""
        check_replaceable(output / "bank", self.languages)

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/bank` with a folder for each language."""
        folder = output / "bank"
        with new_bank(folder, self.languages) as made:
            for language in self.languages:
                self._prompt(language, card).save_pretrained(language_folder(made, language))
        return folder

    def _prompt(self, language: str, card: PromptCard) -> Prompt:
        own = replace(
            card,
            languages=(language,),
            language_tokens=self.setup.tokens[language],
            key=self.setup.hear(language).key(),
        )
        prompt = self.prompt_of(language)
        return Prompt(prompt.config, prompt.fold(), own, language)

    @property
    def stored_parameters(self) -> int:
        """How many parameters the folded prompts hold."""
        return sum(self.prompt_of(language).fold().parameter_count for language in self.languages)


class MixedPromptLearner(LanguagePromptsLearner):
    """The same for code-switching: every window gets the prompts of all languages, so they end as one prompt."""

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns all prompts one behind the other, R = 1."""
        return concatenate([self.prompt_of(language)() for language in self.languages])

    def check_output(self, output: Path) -> None:
        """Refuses a folder that is no prompt's."""
        Learner.check_output(self, output)

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/prompt`."""
        members = [
            Prompt(
                self.prompt_of(language).config,
                self.prompt_of(language).fold(),
                replace(card, languages=(language,), language_tokens=(language,)),
            )
            for language in self.languages
        ]
        joined = join_prompts(members, str(output / "prompt"))
        card = replace(card, language_tokens=joined.card.language_tokens)
        return Prompt(joined.config, joined.vectors, card).save_pretrained(output / "prompt")


def language_prompts(setup: Setup) -> LanguagePromptsLearner:
    """Builds a prompt for each language of the corpus (after Li et al., arXiv 2309.09443)."""
    config = setup.recipe.prompt
    _no_decoder_input(config, setup.recipe.method)
    if "language" in config.sites:
        config = with_language_tokens(config, 1)
        _own_tokens(setup.tokens)
    prompts = {
        language: setup.soft_prompt(config, setup.examples_in(language), codes, Turn(number, len(setup.tokens)))
        for number, (language, codes) in enumerate(setup.tokens.items())
    }  # fmt: skip
    return LanguagePromptsLearner(prompts, setup)


def spt4asr(setup: Setup) -> MixedPromptLearner:
    """Builds attention prompts on both sides through a residual MLP, one set for each language of the mix.

    Our reading of SPT4ASR (Yang et al., Interspeech 2025, arXiv 2506.21576), "a combination of SPT variants"; both
    language tokens stand in front of the text as in PromptingWhisper (Peng et al., Interspeech 2023).
    """
    recipe = setup.recipe
    codes = recipe.languages if isinstance(recipe.languages, list) else []
    if len(codes) < 2 or len(set(codes)) < len(codes):
        raise InputError(
            f"languages: found {recipe.languages}; spt4asr wants the Whisper tokens of the mix as a list, each once, such as [zh, en]"
        )
    length = recipe.prompt.length
    if isinstance(length, dict) and "attention" not in length:
        raise InputError(f"prompt.length: names {sorted(length)}, spt4asr wants attention")
    config = replace(
        recipe.prompt,
        site="attention",
        length=length if isinstance(length, int) else length["attention"],
        parameterization="residual_mlp",
    )
    # refused here, and not when the run has ended, where all of them together are too long
    replace(config, length=config.length_at("attention") * len(codes))
    prompts = {
        code: setup.soft_prompt(config, setup.examples, codes, Turn(number, len(codes)))
        for number, code in enumerate(codes)
    }
    return MixedPromptLearner(prompts, setup)


def _own_tokens(tokens: Mapping[str, Sequence[str]]) -> None:
    """Refuses languages that share a Whisper token where each is to learn one of its own."""
    codes = [code for found in tokens.values() for code in found]
    if len(set(codes)) < len(tokens) or len(codes) > len(tokens):
        found = ", ".join(f"{language}: {'+'.join(own)}" for language, own in tokens.items())
        raise InputError(
            f"languages: found {found}; where tokens are learned, wanted one for each language, and no two the same"
        )


def _no_decoder_input(config: PromptConfig, method: str) -> None:
    if config.decoder_positions:
        raise InputError(
            f"method {method}: decoder input prompts of several languages have no common place; "
            "take a site attention, cross or feed_forward"
        )
