"""The page: audio and a choice of prompt in, both transcripts out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import gradio

from spt_whisper.demo.choices import Choice
from spt_whisper.demo.comparison import Comparer
from spt_whisper.demo.rendering import comparison_html, complaint_html
from spt_whisper.errors import InputError

_FILES = "gradio_api/file="  # where Gradio serves what was uploaded, relative to the page
_KEPT_SECONDS = 3600  # an upload is deleted after this time
_SWEPT_SECONDS = 300  # how often that is looked for
_INTRO = """<h1>SPT-Whisper</h1>
<p>What bare Whisper writes, and what a soft prompt makes of it. Everything stays on the machine that runs this page.</p>"""

logger = logging.getLogger(__name__)


def build_page(comparer: Comparer, choices: Sequence[Choice]) -> gradio.Blocks:
    """Returns the page.

    Args:
        comparer: what transcribes.
        choices: what may be put on; where there are none, the page shows bare Whisper alone.
    """

    def transcribe(audio: str | None, number: int | None) -> str:
        if audio is None:
            return complaint_html("No audio yet: record some, or drop a file.")
        choice = None if number is None else choices[number]
        path = Path(audio)
        try:
            comparison = comparer.compare(path, choice)
        except InputError as error:
            logger.info("%s", error)
            return complaint_html(str(error).replace(audio, path.name))
        return comparison_html(comparison, choice, path, f"{_FILES}{audio}")

    numbered = [(choice.label, number) for number, choice in enumerate(choices)]
    with gradio.Blocks(
        title="SPT-Whisper",
        analytics_enabled=False,
        delete_cache=(_SWEPT_SECONDS, _KEPT_SECONDS),
    ) as page:
        gradio.HTML(_INTRO, elem_classes="intro", js_on_load=None)
        with gradio.Row():
            audio = gradio.Audio(
                label="Speech: record it, or drop a file",
                sources=["upload", "microphone"],
                type="filepath",
                editable=False,
                buttons=[],
                elem_id="speech",
                scale=2,
            )
            with gradio.Column(min_width=260):
                choice = gradio.Dropdown(
                    numbered,
                    value=0 if numbered else None,
                    label="Prompt",
                    interactive=True,
                    filterable=False,
                    visible=bool(numbered),
                )
                button = gradio.Button("Transcribe", variant="primary")
        result = gradio.HTML(js_on_load=_template("player.js"))
        button.click(
            transcribe,
            [audio, choice],
            result,
            api_visibility="private",
            concurrency_limit=1,  # a prompt is hooked into the model that all requests share
        )
        audio.clear(lambda: "", None, result, api_visibility="private")
    # Gradio would copy any file, and fetch any address, that a client names
    for component in (audio, choice):
        component.async_move_resource_to_block_cache = _uploaded  # type: ignore[method-assign, assignment]
    return page


def page_style() -> str:
    """Returns the page's own CSS."""
    return _template("page.css")


async def _uploaded(path: str | Path | None) -> str | None:
    """Returns `path`; refuses what was not uploaded to the page."""
    folder = Path(gradio.utils.get_upload_folder()).resolve()
    if path is None or Path(path).resolve().is_relative_to(folder):
        return None if path is None else str(path)
    raise gradio.Error("Only what was uploaded to this page is read.", print_exception=False)


def _template(name: str) -> str:
    return files("spt_whisper.demo").joinpath("templates", name).read_text(encoding="utf-8")
