"""`spt-whisper serve`: an HTTP service with OpenAI's interface, whose models are prompts and banks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from spt_whisper.cli import DONE, WRONG_CALL
from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.errors import InputError
from spt_whisper.serving.settings import ServeConfig


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or Ctrl-C."""
    parser = command_parser(
        "serve", "Serve prompts: spt-whisper serve [--prompt P1 P2 ...] [--bank DIR] [--port 8000]"
    )
    parser.add_argument(
        "--prompt", nargs="+", type=str, default=[], metavar="[NAME=]DIR",
        help="folders or hub ids of prompts; each is a model by its folder's name, or by NAME",
    )  # fmt: skip
    parser.add_argument(
        "--prompts-folder", "--prompts_folder", type=str, default=None, metavar="DIR",
        help="folder of prompts; new and changed ones are taken without a restart",
    )  # fmt: skip
    parser.add_class_arguments(ServeConfig, None, skip={"prompt", "prompts_folder"})
    config = ServeConfig(**vars(instantiate(parser, arguments)))
    if find_spec("litserve") is None:
        raise InputError("serve: LitServe is not installed; pip install '.[serve]' in the clone")
    show_progress()
    from spt_whisper.serving.server import serve

    return DONE if serve(config) else WRONG_CALL
