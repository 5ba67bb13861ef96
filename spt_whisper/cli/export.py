"""`spt-whisper export`: write a prompt or an adapted model as another engine reads it."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.cli import DONE
from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.export.settings import ExportConfig


def main(arguments: Sequence[str]) -> int:
    """Writes the folder, and says where the lines that use it are."""
    parser = command_parser(
        "export",
        "Write a prompt or an adapted model for other engines: spt-whisper export P --format ctranslate2 --output DIR",
    )
    parser.add_argument("source", type=str, help="a prompt, a bank, an adapted model, or a Whisper")
    parser.add_class_arguments(ExportConfig, None, skip={"source"})
    settings = instantiate(parser, arguments)

    from spt_whisper.export.formats import export

    show_progress()
    folder = export(ExportConfig(**vars(settings)))
    print(f"export: {folder}; how to run it: {folder / 'README.md'}")
    return DONE
