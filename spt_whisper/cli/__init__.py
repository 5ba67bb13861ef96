"""The command line: a table of commands, one file each, imported only when used."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spt_whisper import __version__
from spt_whisper.errors import InputError, TerminatedError
from spt_whisper.printable import printable

DONE, SOME_FAILED, WRONG_CALL, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

# what the system says in fewer words than a user needs
_FAULTS = {
    errno.EEXIST: "is a file, wanted a folder; name another",
    errno.ENOTDIR: "a file stands in place of a folder; name another path",
    errno.EISDIR: "is a folder, wanted a file; name another",
    errno.EACCES: "no permission; name another path, or change its permissions",
    errno.EROFS: "can only be read; name another path",
    errno.EDQUOT: "your share of the disk is used up; free some space, or name another place",
    errno.EFBIG: "larger than a file may be here; name another place",
    errno.ENOSPC: "the disk is full; free some space, or name another place",
}

COMMANDS = {
    "fit": "train a prompt, a bank or a baseline as a recipe says",
    "add-language": "teach a bank one more language, and leave the others as they are",
    "compare": "fit and score recipes side by side, and go on where an earlier call stopped",
    "evaluate": "score a corpus with bare Whisper and with a prompt, a bank or an adapted model",
    "data": "check a corpus, or prepare one as a manifest",
    "recipes": "list the recipes, or copy one",
    "prompt": "show, list, average and push prompts",
    "export": "write a prompt or an adapted model for other engines",
    "transcribe": "turn audio into text, with any prompt",
    "demo": "show bare Whisper and prompts side by side in the browser",
    "serve": "answer OpenAI clients over HTTP, with prompts as models",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status.

    0: done. 1: some inputs failed. 2: the call was wrong. 130: interrupted (Ctrl-C). 143: asked to end
    (SIGTERM); training has kept a checkpoint.
    """
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
    call, rest = split_call(sys.argv[1:] if arguments is None else arguments)
    chosen = parser.parse_args(call)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # UTF-8, as all files are, since transcripts are of any script; paths may have other bytes
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        command = importlib.import_module(f"spt_whisper.cli.{chosen.command.replace('-', '_')}")
        status = int(command.main(rest))
        if sys.stdout is not None:  # closed by `>&-`
            sys.stdout.flush()
        return status
    except InputError as error:
        print(f"spt-whisper {chosen.command}: {printable(error)}", file=sys.stderr)
        return WRONG_CALL
    except BrokenPipeError:  # the reader of standard output left early, as `head` does
        _drop_output()
        return SOME_FAILED
    except (OSError, UnicodeDecodeError) as error:
        _drop_output()
        print(f"spt-whisper {chosen.command}: {printable(_fault(error, rest))}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print(f"spt-whisper {chosen.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except TerminatedError as end:
        print(f"spt-whisper {chosen.command}: {end}", file=sys.stderr)
        return TERMINATED


def split_call(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns what stands up to the first name, and all behind it, of which argparse would swallow a `--`."""
    words = [place for place, word in enumerate(arguments) if not word.startswith("-")]
    behind = words[0] + 1 if words else len(arguments)
    return list(arguments[:behind]), list(arguments[behind:])


def _fault(error: OSError | UnicodeDecodeError, arguments: Sequence[str]) -> str:
    """Says in one line which file is at fault, and how."""
    if isinstance(error, UnicodeDecodeError):
        paths = [Path(argument.rpartition("=")[2]) for argument in arguments]
        named = [path for path in paths if path.is_file() and path.read_bytes() == error.object]
        place = str(named[0]) if named else "a file"
        return f"{place}: byte {error.start} is not UTF-8; save the file as UTF-8"
    fault = _FAULTS.get(error.errno or 0) or " ".join((error.strerror or str(error)).split())
    place = error.filename2 or error.filename
    return f"{place}: {fault}" if place else fault


def _drop_output() -> None:
    """Drops what standard output no longer takes; else Python would try again, and complain, at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
