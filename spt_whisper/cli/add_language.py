"""`spt-whisper add-language`: teach a bank one more language, and show that the others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.cli.parser import command_parser, instantiate, show_progress


def main(arguments: Sequence[str]) -> int:
    """Trains what the language gets, adds it, and prints the hashes of everything older before and after."""
    from spt_whisper.training.expansion_settings import ExpansionConfig

    parser = command_parser(
        "add-language",
        "Add a language to a bank: spt-whisper add-language CODE --bank DIR --corpus.root DIR",
    )
    parser.add_argument("language", type=str, help="the language, as its corpus names it")
    parser.add_class_arguments(ExpansionConfig, None, skip={"language"})
    parser.add_argument(
        "--resume", type=bool, default=False, help="go on from the last checkpoint in the output"
    )
    settings = instantiate(parser, arguments)
    resume = settings.pop("resume")

    from rich.console import Console
    from rich.table import Table

    from spt_whisper.training.expansion import add_language

    show_progress()
    result = add_language(ExpansionConfig(**vars(settings)), resume)
    table = Table("what is older", "SHA-256 before", "SHA-256 after")
    for name, before, after in (
        (f"{result.older_files} files", result.before.files, result.after.files),
        ("their transcripts", result.before.transcripts, result.after.transcripts),
        ("Whisper's weights", result.before.weights, result.after.weights),
    ):
        table.add_row(name, before[:16], after[:16])
    console = Console(markup=False)
    console.print(table)
    console.print(
        f"language: {result.folder}, {result.trained_parameters:,} parameters trained (start: {result.init})",
        soft_wrap=True,
    )
    return 0
