"""`spt-whisper data`: check whether a corpus is fit to train on, or prepare one as a manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

from spt_whisper.cli import DONE, SOME_FAILED
from spt_whisper.cli.parser import command_parser, instantiate, run_action, show_progress
from spt_whisper.corpora import CorpusConfig
from spt_whisper.evaluation.data.settings import CheckConfig, PrepareConfig

Config = TypeVar("Config", CheckConfig, PrepareConfig)


def main(arguments: Sequence[str]) -> int:
    """Runs a sub-command and returns its exit status."""
    return run_action(
        "data", "Look at a corpus before training, or bring it into shape.", ACTIONS, arguments
    )


def check(arguments: Sequence[str]) -> int:
    """Say what a corpus holds and what is wrong with it; status 1 where it is unfit to train on."""
    config = _parse("check", check.__doc__, CheckConfig, arguments)

    from rich.console import Console

    from spt_whisper.evaluation.data.check import check_corpus
    from spt_whisper.evaluation.data.table import check_tables

    result = check_corpus(config)
    console = Console(markup=False)
    for table in check_tables(result):
        console.print(table)
    if config.output:
        result.write(config.output)
        console.print(f"report: {config.output}", soft_wrap=True)
    return DONE if result.fit_to_train else SOME_FAILED


def prepare(arguments: Sequence[str]) -> int:
    """Write a split of any corpus as a manifest, with its audio as 16 kHz FLAC or Opus if wanted."""
    config = _parse("prepare", prepare.__doc__, PrepareConfig, arguments)

    from rich.console import Console

    from spt_whisper.evaluation.data.prepare import prepare_manifest

    result = prepare_manifest(config)
    Console(markup=False).print(
        f"manifest: {config.output}, {result.utterances:,} utterances; audio: {result.converted:,} "
        f"converted, {result.kept:,} kept as they were, {result.failed:,} failed and left out",
        soft_wrap=True,
    )
    return SOME_FAILED if result.failed else DONE


ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {"check": check, "prepare": prepare}


def _parse(
    action: str, description: str | None, settings: type[Config], arguments: Sequence[str]
) -> Config:
    """Builds `settings` of a corpus folder, flags for the rest of `CorpusConfig`, and its own flags."""
    parser = command_parser(f"data {action}", description or "")
    parser.add_argument("root", metavar="CORPUS", type=str, help="folder of the corpus")
    parser.add_class_arguments(CorpusConfig, None, skip={"root"})
    parser.add_class_arguments(settings, None, skip={"corpus"})
    values = vars(instantiate(parser, arguments))
    show_progress()
    names = [field.name for field in dataclasses.fields(CorpusConfig)]
    corpus = CorpusConfig(**{name: values.pop(name) for name in names})
    return settings(corpus=corpus, **values)
