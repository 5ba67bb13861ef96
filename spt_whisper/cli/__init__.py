"""The command line: a table of commands, one file each, imported only when used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from spt_whisper import __version__
from spt_whisper.errors import InputError

DONE, SOME_FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "fit": "train a prompt, a bank or a baseline as a recipe says",
    "add-language": "teach a bank one more language, and leave the others as they are",
    "compare": "fit and score recipes side by side, and go on where an earlier call stopped",
    "evaluate": "score a corpus with bare Whisper and with a prompt, a bank or an adapted model",
    "data": "check a corpus, or prepare one as a manifest",
    "recipes": "list the recipes, or copy one",
    "prompt": "show, list and average prompts",
    "transcribe": "turn audio into text, with any prompt",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status: 0 done, 1 some inputs failed, 2 the call was wrong."""
    table = "\n".join(f"  {name:<12} {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="spt-whisper",
        description="Teach frozen Whisper new languages with soft prompts.",
        epilog=f"commands:\n{table}\n\nspt-whisper COMMAND --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"spt-whisper {__version__}")
    parser.add_argument(
        "command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below"
    )
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help="what the command takes"
    )
    chosen = parser.parse_args(arguments)
    try:
        command = importlib.import_module(f"spt_whisper.cli.{chosen.command.replace('-', '_')}")
        return int(command.main(chosen.rest))
    except InputError as error:
        print(f"spt-whisper {chosen.command}: {error}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print(f"spt-whisper {chosen.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
