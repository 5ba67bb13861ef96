"""`spt-whisper demo`: a page in the browser that shows bare Whisper and a prompt side by side."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.demo.settings import DemoConfig
from spt_whisper.demo.uploads import private_uploads
from spt_whisper.errors import InputError


def main(arguments: Sequence[str]) -> int:
    """Serves the page until Ctrl-C."""
    parser = command_parser(
        "demo", "Bare Whisper and prompts side by side in the browser: record or drop audio."
    )
    parser.add_argument(
        "--prompt", nargs="+", type=str, default=[], help="folders or hub ids of prompts; the page offers each of them",
    )  # fmt: skip
    parser.add_class_arguments(DemoConfig, None, skip={"prompt"})
    settings = instantiate(parser, arguments)
    show_progress()
    run(DemoConfig(**vars(settings)))
    return 0


def run(config: DemoConfig) -> None:
    """Serves the page; what a user has named wrongly is said before the weights are loaded.

    Raises:
        InputError: Gradio is not installed, or an input is wrong.
    """
    with private_uploads():
        try:
            from spt_whisper.demo.server import listen, page_app, serve
        except ModuleNotFoundError as error:
            raise InputError(
                f"demo: {error.name} is not installed; pip install '.[demo]' in the clone"
            ) from error
        from spt_whisper.demo.choices import read_choices
        from spt_whisper.demo.comparison import load_comparer

        choices = read_choices(config.prompt, config.bank)
        with listen(config.host, config.port) as listener:
            comparer = load_comparer(config, choices)
            app = page_app(comparer, choices, config.host, config.max_megabytes)
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"http://{shown}:{port}/ (Ctrl-C ends it)", flush=True)
            serve(app, listener)
