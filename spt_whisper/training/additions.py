"""What a language gets in a bank: its part over the shared vectors, or a whole prompt. A new form is a row of `FORMS`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.language_aware import LanguageAwarePrompt, start_part, widened
from spt_whisper.prompts.language_part import LanguagePart
from spt_whisper.prompts.places import LANGUAGE_VECTOR
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.text.normalization import TextProcessing
from spt_whisper.training.batch import Example, collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.methods.lapt import LanguageAwareLearner, single_tokens
from spt_whisper.training.methods.learner import Learner, Setup
from spt_whisper.training.methods.soft_prompt import soft_prompt
from spt_whisper.training.preparation import PreparedData
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import LoopConfig, Recipe
from spt_whisper.training.start import LanguageSound, expected_embedding
from spt_whisper.training.window_batches import by_window

logger = logging.getLogger(__name__)
_TRIED = 32  # utterances on which two starts are compared
_BATCH = 8


@dataclass(frozen=True)
class Addition:
    """What a language learns, at its start."""

    learner: Learner
    init: str  # where it starts
    member: Callable[[PromptCard], LanguagePart | Prompt]  # what it ends as in the bank


@dataclass(frozen=True)
class Form:
    """One kind of addition."""

    like: Callable[[Bank], Prompt]  # the prompt whose base, windows and spelling it takes
    settings: Callable[[ExpansionConfig, Bank], Mapping[str, Any]]  # of the recipe: what is learned
    start: Callable[[ExpansionConfig, Setup, PreparedData, Bank], Addition]


def form_of(config: ExpansionConfig, bank: Bank) -> Form:
    """Returns the form that a new language of the bank gets.

    Raises:
        InputError: a part is wanted of a bank without shared vectors, or a whole prompt that starts from a part or has a rank.
    """
    name = config.form
    if name == "auto":
        name = "whole" if config.rank is None and config.init == "auto" else "part"
    if name == "part" and not bank.parts:
        raise InputError(
            f"form: the prompts of bank {bank.folder} share nothing to which a part could be added; "
            "wanted whole, or a bank of method lapt"
        )
    if name == "whole" and config.init != "auto":
        raise InputError(
            f"init: found {config.init!r}; a whole prompt starts from scratch, so leave init out"
        )
    if name == "whole" and config.rank is not None:
        raise InputError(f"rank: found {config.rank}; a whole prompt has none, so leave rank out")
    return FORMS[name]


def recipe_of(config: ExpansionConfig, bank: Bank, form: Form) -> Recipe:
    """Returns the addition as a recipe: what the bank settles, and what the settings add."""
    like = form.like(bank)
    return Recipe(
        corpus=config.corpus,
        model=config.model or like.card.base,
        output=config.output or f"runs/add-{config.language}",
        languages={config.language: config.tokens} if config.tokens else [],
        # those that its recipe allowed: the new language may need one that the others did not
        window_seconds=like.card.recipe.get("window_seconds", list(like.card.windows)),
        text=TextProcessing.of_card(like.card.text),
        **{setting.name: getattr(config, setting.name) for setting in fields(LoopConfig)},
        **form.settings(config, bank),
    )


def start_of(
    config: ExpansionConfig, recipe: Recipe, prepared: PreparedData, bank: Bank, form: Form
) -> Addition:
    """Returns what the language learns, at its start."""
    generator = torch.Generator().manual_seed(recipe.seed)
    codes = {config.language: prepared.builder.codes[config.language]}
    setup = Setup(recipe, prepared.listener, prepared.train, codes, generator)
    return form.start(config, setup, prepared, bank)


def nearest_language(bank: Bank, heard: LanguageSound) -> str:
    """Returns the language with a part that sounds most alike to bare Whisper (cosine of mean log-posteriors)."""

    def likeness(language: str) -> float:
        key = bank.card(language).key
        if key is None:
            return -1.0
        other = torch.tensor(key.log_posterior)
        return float(torch.cosine_similarity(heard.log_posterior, other, dim=0))

    return max(bank.parts, key=likeness)


def _whole(config: ExpansionConfig, setup: Setup, prepared: PreparedData, bank: Bank) -> Addition:
    """What `fit` would train on the language alone."""
    learner = soft_prompt(setup)

    def member(card: PromptCard) -> Prompt:
        return learner.made(replace(card, languages=(config.language,)))

    return Addition(learner, "anew", member)


def _part(config: ExpansionConfig, setup: Setup, prepared: PreparedData, bank: Bank) -> Addition:
    """The language's part over frozen shared vectors, from the start that has the lowest loss."""
    single_tokens(setup)
    recipe, heard, shared = setup.recipe, setup.hear(config.language), _shared(bank)
    token = expected_embedding(prepared.whisper, heard)
    zero = start_part(recipe.prompt, recipe.lapt, prepared.whisper.shape, setup.generator, token)

    def learner(part: dict[str, Tensor]) -> LanguageAwareLearner:
        vectors = SoftPrompt(recipe.prompt, shared.vectors).requires_grad_(False)
        prompt = LanguageAwarePrompt(vectors, recipe.lapt, {config.language: part})
        return LanguageAwareLearner(prompt, setup, {config.language: heard})

    starts = {"zero": learner(zero)}
    if config.init != "zero":
        name = nearest_language(bank, heard) if config.init in ("auto", "nearest") else config.init
        if name not in bank.parts:
            raise InputError(
                f"init: found {name!r}; wanted auto, zero, nearest or one of {', '.join(bank.parts)}"
            )
        own = {key: value for key, value in zero.items() if key == LANGUAGE_VECTOR}
        like = bank.parts[name]
        too_wide = like.aware.low_rank and like.aware.rank > recipe.lapt.rank
        if too_wide and config.init != "auto":
            raise InputError(
                f"init: the part of {name} has rank {like.aware.rank}; wanted zero, or a rank of {like.aware.rank} or more"
            )
        if not too_wide:
            starts[name] = learner({**widened(like.tensors, zero), **own})
        if config.init != "auto":
            del starts["zero"]
    losses = {name: _loss(start, recipe, prepared) for name, start in starts.items()}
    for name, loss in losses.items():
        logger.info("start %s: loss %.3f before training", name, loss)
    best = min(losses, key=lambda name: losses[name])
    return Addition(starts[best], best, partial(starts[best].part, config.language))


def _loss(learner: LanguageAwareLearner, recipe: Recipe, prepared: PreparedData) -> float:
    """Mean loss over the first utterances of dev (of train where there is no dev)."""
    examples: list[Example] = (prepared.dev or prepared.train)[:_TRIED]
    data = ExampleSet(examples, prepared.builder, {})
    tuner = PromptTuner(prepared.whisper, learner, recipe.optimizer).eval()
    losses, device = [], prepared.whisper.device
    tuner.to(device)
    for indices in by_window(range(len(examples)), lambda index: examples[index].window, _BATCH):
        items = [data[Draw(0, index)] for index in indices]
        batch = collate(items, prepared.builder.tokens.end).to(device)
        losses.append(tuner.loss_on(batch) * len(items))
    learner.cpu()
    return sum(losses) / len(examples)


def _shared(bank: Bank) -> Prompt:
    assert bank.shared is not None, "a bank with parts was read with what they share"
    return bank.shared


def _like_others(bank: Bank) -> Prompt:
    return bank.shared or next(iter(bank.prompts.values()))


def _part_settings(config: ExpansionConfig, bank: Bank) -> dict[str, Any]:
    aware = max((part.aware for part in bank.parts.values()), key=lambda aware: aware.rank)
    if config.rank is not None:
        if not aware.low_rank:
            raise InputError(
                f"rank: found {config.rank}; the parts of this bank are {aware.combine}, so leave rank out"
            )
        aware = replace(aware, rank=config.rank)
    return {"method": "lapt", "prompt": _shared(bank).config.folded, "lapt": aware}


def _whole_settings(config: ExpansionConfig, bank: Bank) -> dict[str, Any]:
    return {"method": "prompt", "prompt": _like_others(bank).config}


FORMS = {
    "part": Form(_shared, _part_settings, _part),
    "whole": Form(_like_others, _whole_settings, _whole),
}
