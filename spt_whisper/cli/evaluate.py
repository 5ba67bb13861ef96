"""`spt-whisper evaluate`: score a corpus with bare Whisper and with a prompt, a bank or an adapted model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spt_whisper.atomic import check_writable
from spt_whisper.cli.parser import command_parser, instantiate, recipe_first, show_progress
from spt_whisper.errors import InputError
from spt_whisper.evaluation.settings import EvaluateConfig

_LESS_MEMORY = "lower batch_size or processes, or take a smaller model"
_BESIDE = (".html", ".png")  # the page and the picture, under the report's name


def main(arguments: Sequence[str]) -> int:
    """Scores, prints a table and writes the report."""
    parser = command_parser(
        "evaluate", "Score a corpus: WER and CER with bootstrap 95 % intervals."
    )
    parser.add_class_arguments(EvaluateConfig, None)
    settings = instantiate(parser, recipe_first(arguments))
    show_progress()
    run(EvaluateConfig(**vars(settings)))
    return 0


def run(config: EvaluateConfig) -> None:
    """Scores bare Whisper and what was learned on the same utterances under the same guards."""
    from rich.console import Console

    from spt_whisper.evaluation.detail_tables import detail_tables
    from spt_whisper.evaluation.evaluate import evaluate, scored_utterances
    from spt_whisper.evaluation.html import write_html
    from spt_whisper.evaluation.picture import draw_report
    from spt_whisper.evaluation.table import report_table
    from spt_whisper.memory import naming_shortage

    output = _output(config)
    if not config.output:
        _check_corpus(output, config)
    check_writable(output.parent)
    page, picture = (output.with_suffix(suffix) for suffix in _BESIDE)
    utterances = scored_utterances(config)
    with naming_shortage("decoding", _LESS_MEMORY):
        report = evaluate(config, utterances)
    report.write(output)
    draw_report(report, picture)
    write_html(report, page, utterances)
    console = Console(markup=False)
    console.print(report_table(report))
    for table in detail_tables(report):
        console.print(table)
    console.print(f"report: {output}, page: {page}, picture: {picture}", soft_wrap=True)


def _output(config: EvaluateConfig) -> Path:
    from spt_whisper.evaluation.report import REPORT_FILE

    output = Path(config.output) if config.output else _default_output(config)
    if output.suffix in _BESIDE:
        raise InputError(
            f"output: found {output}, wanted the name of the JSON file; "
            "the page and the picture get the same name with .html and .png"
        )
    return output if output.suffix == ".json" else output / REPORT_FILE


def _check_corpus(output: Path, config: EvaluateConfig) -> None:
    """Refuses to replace, under a name that the user did not give, the scores of another corpus, or what is none of evaluate's.

    Raises:
        InputError: says what the file holds.
    """
    from spt_whisper.evaluation.report import Report

    if not output.exists():
        return
    try:
        found = Report.read(output).settings["corpus"]
        held = found["root"], found["subset"]
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f"{output}: is no report of evaluate; name another by --output") from error
    if held != (Path(config.corpus.root).resolve().name, config.corpus.subset):
        raise InputError(
            f"{output}: holds the scores of {', '.join(filter(None, held))}; name another by --output"
        )


def _default_output(config: EvaluateConfig) -> Path:
    from spt_whisper.evaluation.report import report_name, report_of

    scored = config.prompt or config.bank or config.model
    if scored and Path(scored).is_dir():
        return report_of(Path(scored), config.part)
    return Path(report_name(config.part))
