"""`spt-whisper compare`: recipes side by side, in one table and one picture."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.cli import DONE, SOME_FAILED
from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.evaluation.comparison.settings import CompareConfig
from spt_whisper.printable import WIDE, printable
from spt_whisper.training.recipe import Recipe

if TYPE_CHECKING:  # scipy takes a second to import, and help needs none
    from spt_whisper.evaluation.comparison.compare import RecipeComparison

_USAGE = (
    "Fit and score recipes side by side: spt-whisper compare RECIPE.yaml ... [--base BASE.yaml] [--seeds N]. "
    "What is finished is kept in the store and not done again. Any flag of `spt-whisper fit` is laid over every recipe."
)
_OWN_FLAGS = {"-h", "--help", "--base", *(f"--{setting.name}" for setting in fields(CompareConfig))}


def main(arguments: Sequence[str]) -> int:
    """Runs what is not in the store yet, prints a table, and writes it beside a picture."""
    paths = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    own, shared = _split(arguments[len(paths) :])
    parser = command_parser("compare", _USAGE)
    parser.add_argument("recipes", nargs="+", type=str, help="recipes in YAML, before any flag")
    parser.add_argument(
        "--base", type=str, default=None, help="recipe that each of the others is laid over"
    )
    parser.add_class_arguments(CompareConfig, None)
    settings = instantiate(parser, [*paths, *own])
    if settings.recipes != paths:
        parser.error(f"recipes: found {' '.join(settings.recipes)} after a flag, wanted in front")
    config = CompareConfig(**{key.name: settings[key.name] for key in fields(CompareConfig)})

    from spt_whisper.evaluation.comparison.compare import NamedRecipe, compare

    recipes = [NamedRecipe(Path(path).stem, _recipe(path, settings.base, shared)) for path in paths]
    show_progress()
    return _report(compare(recipes, config, prepare=show_progress), Path(config.store))


def _split(flags: Sequence[str]) -> tuple[list[str], list[str]]:
    """Flags, each with its values, for this command and for every recipe."""
    own: list[str] = []
    shared: list[str] = []
    target = shared
    for token in flags:
        if token.startswith("--") or token == "-h":
            name = token.partition("=")[0].partition(".")[0]
            target = own if name in _OWN_FLAGS else shared
        target.append(token)
    return own, shared


def _recipe(path: str, base: str | None, flags: Sequence[str]) -> Recipe:
    """The recipe at `path`, over the base where there is one, under the flags."""
    parser = command_parser(f"compare {path}", _USAGE)
    parser.add_class_arguments(Recipe, None)
    files = [path] if base is None else [base, path]
    configs = itertools.chain.from_iterable(("--config", file) for file in files)
    return Recipe(**vars(instantiate(parser, [*configs, *flags])))


def _report(comparison: RecipeComparison, store: Path) -> int:
    """Prints and writes what came of it, and returns 0, or 1 where some runs failed."""
    from rich.console import Console

    from spt_whisper.evaluation.comparison.picture import draw_comparison
    from spt_whisper.evaluation.comparison.table import comparison_table, write_markdown

    failed = [failure.name for failure in comparison.failures]
    if comparison.rows:
        table, picture = store / "table.md", store / "compare.png"
        write_markdown(comparison.rows, failed, table)
        draw_comparison(comparison.rows, picture)
        console = Console(width=WIDE, markup=False)
        console.print(comparison_table(comparison.rows))
        console.print(f"table: {table}, picture: {picture}", soft_wrap=True)
    for failure in comparison.failures:
        line = printable(f"{failure.name} failed: {failure.reason}")
        print(f"spt-whisper compare: {line}", file=sys.stderr)
    return SOME_FAILED if failed else DONE
