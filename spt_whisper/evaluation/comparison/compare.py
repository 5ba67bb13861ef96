"""Fit and score recipes side by side, each with several seeds, and go on where an earlier call stopped."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spt_whisper.atomic import check_writable
from spt_whisper.child_processes import spawned_pool
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.errors import InputError
from spt_whisper.evaluation.comparison.machine import this_machine
from spt_whisper.evaluation.comparison.run_key import (
    RunParts,
    hash_corpus,
    hash_recordings,
    hashed_settings,
)
from spt_whisper.evaluation.comparison.run_store import (
    RunScores,
    RunStore,
    StoredRun,
    run_scores,
)
from spt_whisper.evaluation.comparison.settings import CompareConfig, Scoring
from spt_whisper.evaluation.comparison.summary import RecipeSummary, summarize
from spt_whisper.evaluation.settings import ZERO_SHOT, EvaluateConfig
from spt_whisper.prompts.card import MIX
from spt_whisper.training.recipe import Recipe

if TYPE_CHECKING:  # torch and Lightning, loaded only where something is fitted or scored
    from spt_whisper.training.run import FitResult

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe as one row of the comparison; its own seed is not used."""

    name: str
    recipe: Recipe

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.+-]*", self.name):  # it is part of files' names
            raise InputError(
                f"recipe name {self.name!r}: wanted letters, digits and any of _ . + - only; rename it"
            )


@dataclass(frozen=True)
class Failure:
    """A run, or all runs of a recipe, that could not be made."""

    name: str  # "lora", "lora seed 1"
    reason: str


@dataclass(frozen=True)
class RecipeComparison:
    """What came of it."""

    rows: list[RecipeSummary]  # of the recipes with a finished run, in their order
    failures: list[Failure]


@dataclass(frozen=True)
class _Run:
    """One recipe with one seed, to be fitted and scored."""

    name: str
    recipe: Recipe
    parts: RunParts
    scoring: Scoring
    fit_again: bool  # though there is a fit that has ended

    def __str__(self) -> str:
        return f"{self.name} seed {self.recipe.seed}"


def compare(
    recipes: Sequence[NamedRecipe],
    config: CompareConfig,
    prepare: Callable[[], None] | None = None,
) -> RecipeComparison:
    """Fits and scores what the store does not have yet, one run after the other, and sums up all.

    Args:
        recipes: what to compare.
        config: seeds, store and scoring.
        prepare: called first in the process of each run, to set up its log; importable by name.

    Raises:
        InputError: two recipes have one name, or a file of the store is broken.
        OSError: the store cannot be written.
    """
    twice = [name for name, count in Counter(named.name for named in recipes).items() if count > 1]
    if twice:
        raise InputError(f"recipe {twice[0]!r} appears twice; give each one file name")
    check_writable(Path(config.store))
    store = RunStore(Path(config.store))
    runs, failures = _planned(recipes, config, prepare)
    # all are read before the first is fitted, so that a broken file is told at once
    found = {} if config.fit_again else {run.parts.key: store.find(run.parts.key) for run in runs}
    finished = {key: stored for key, stored in found.items() if stored}
    for number, run in enumerate(runs, start=1):
        if run.parts.key in finished:
            continue
        logger.info("run %d of %d: %s", number, len(runs), run)
        try:
            made = _in_fresh_process(_fit_and_score, run, prepare)
        except Exception as error:  # whatever a run dies of, the others go on
            failures.append(_failure(str(run), error))
            continue
        store.write(made)
        finished[run.parts.key] = made
    return RecipeComparison(_rows(recipes, runs, finished), failures)


def _planned(
    recipes: Sequence[NamedRecipe], config: CompareConfig, prepare: Callable[[], None] | None
) -> tuple[list[_Run], list[Failure]]:
    """All runs, every recipe's first seed before the second, and the recipes that cannot be run."""
    fingerprint = cache(lambda model: _in_fresh_process(_fingerprint, model, prepare))
    planned: list[_Run] = []
    failures: list[Failure] = []
    for named in recipes:
        try:
            planned += _runs(named, config, fingerprint(named.recipe.model))
        except Exception as error:  # a corpus or model that cannot be read stops its recipe alone
            failures.append(_failure(named.name, error))
    return sorted(planned, key=lambda run: run.recipe.seed), failures


def _fingerprint(model: str) -> str:
    from spt_whisper.whisper.loading import FrozenWhisper

    return FrozenWhisper.from_pretrained(model).fingerprint


def _runs(named: NamedRecipe, config: CompareConfig, fingerprint: str) -> Iterator[_Run]:
    """One recipe with each seed, in an output folder of its own."""
    augment = named.recipe.data.augment
    parts = RunParts(
        recipe=hashed_settings(asdict(named.recipe)),
        seed=0,
        scoring=asdict(config.scoring),
        model=fingerprint,
        data=hash_corpus(named.recipe.corpus),
        recordings=hash_recordings({"noise": augment.noise, "rooms": augment.rooms}),
    )
    # bare Whisper fits nothing, and so does not depend on the seed
    for seed in range(1 if named.recipe.method == ZERO_SHOT else config.seeds):
        seeded = replace(parts, seed=seed)
        output = Path(named.recipe.output) / f"{named.name}-{seed}-{seeded.key[:12]}"
        recipe = replace(named.recipe, seed=seed, output=str(output))
        yield _Run(named.name, recipe, seeded, config.scoring, config.fit_again)


def _failure(name: str, error: Exception) -> Failure:
    expected = isinstance(error, InputError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    logger.error("%s failed: %s", name, reason, exc_info=None if expected else error)
    return Failure(name, " ".join(reason.split()))


def _in_fresh_process(
    work: Callable[[_Argument], _Result], argument: _Argument, prepare: Callable[[], None] | None
) -> _Result:
    """Calls `work` in a process of its own: peak memory is measured per process, and a crash ends only that one.

    A pool of one process, not a call of `spt-whisper fit`: settings, results and errors come and go as objects. On Linux a
    process starts with its parent's peak memory, so this one never loads a model.
    """
    with spawned_pool(1, prepare) as pool:
        return pool.submit(work, argument).result()


def _fit_and_score(run: _Run) -> StoredRun:
    fitted = None if run.recipe.method == ZERO_SHOT else _fit(run)
    return StoredRun(
        key=run.parts.key,
        name=run.name,
        seed=run.recipe.seed,
        recipe={**run.parts.recipe, "model": Path(run.recipe.model).name},
        machine=this_machine(),
        scores=_score(run, fitted),
        numbers=fitted.numbers if fitted else None,
        file_size=_size(fitted.folder) if fitted else 0,
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _fit(run: _Run) -> FitResult:
    """What the run made, trained as far as an earlier call has not."""
    from spt_whisper.training.resuming import is_unfinished
    from spt_whisper.training.run import finished_fit, fit

    ended = None if run.fit_again else finished_fit(run.recipe)
    return ended or fit(run.recipe, resume=is_unfinished(run.recipe))


def _size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _score(run: _Run, fitted: FitResult | None) -> RunScores:
    """Scores what was fitted on the test part, or bare Whisper, by the same `evaluate` as the command's."""
    from spt_whisper.evaluation.evaluate import evaluate

    recipe = run.recipe
    codes = recipe.languages
    config = EvaluateConfig(
        corpus=recipe.corpus,
        model=recipe.model,
        languages=_asked(codes)
        if isinstance(codes, list)
        else _tokens_of_corpus(recipe.corpus, codes),
        windows=[recipe.longest_window],
        **vars(run.scoring),
    )
    if fitted:
        # an artifact is called like the setting that takes its folder: prompt, bank or model
        made: dict[str, Any] = {fitted.artifact: str(fitted.folder)}
        if recipe.method == "full_with_prompts":  # the prompt's base is the model trained beside it
            made["model"] = None
        config = replace(config, zero_shot=False, **made)
    report = evaluate(config)
    (system,) = report.systems
    return run_scores(system, report.normalizer)


def _asked(codes: list[str]) -> list[str]:
    """How bare Whisper is asked where all of `codes` stand in front of every text: by each of them, and by all at once."""
    return [*codes, MIX.join(codes)] if codes else []


def _tokens_of_corpus(corpus: CorpusConfig, codes: Mapping[str, list[str]]) -> list[str]:
    """The tokens that a recipe names for the languages which the test part is in."""
    spoken = {code for utterance in read_split(corpus, "test") for code in utterance.languages}
    return sorted({*chain(*(codes.get(language, []) for language in spoken))})


def _rows(
    recipes: Sequence[NamedRecipe], runs: Sequence[_Run], finished: dict[str, StoredRun]
) -> list[RecipeSummary]:
    """One for each recipe with a finished run; all but the first recipe's are compared with that one's."""
    rows: list[RecipeSummary] = []
    first: list[StoredRun] = []
    for place, named in enumerate(recipes):
        keys = [run.parts.key for run in runs if run.name == named.name]
        own = [finished[key] for key in keys if key in finished]
        if own:
            rows.append(summarize(named.name, own, first))
        if place == 0:
            first = own
    return rows
