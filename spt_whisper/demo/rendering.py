"""A comparison as HTML: two columns of segments, their differences marked, each column's srt in a link."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from spt_whisper.demo.choices import Choice
from spt_whisper.demo.comparison import Comparison
from spt_whisper.demo.differences import Marked, Stretch, differences
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.transcription.writers import to_srt

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Line:
    """One segment as the page shows it."""

    segment: Segment
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Column:
    """One transcript as the page shows it."""

    title: str
    transcript: Transcript
    marked: Marked | None
    """None: there is nothing to compare it with."""
    srt_name: str
    """What the browser calls the file."""

    @property
    def lines(self) -> list[Line]:
        """The segments, with what differs in them."""
        segments = self.transcript.segments
        if self.marked is None:
            return [Line(segment, (Stretch(segment.text, False),)) for segment in segments]
        return [Line(*pair) for pair in zip(segments, self.marked.segments, strict=True)]

    @property
    def srt(self) -> str:
        """The transcript as a `data:` address, so that no file of it is written."""
        content = base64.b64encode(to_srt(self.transcript).encode()).decode("ascii")
        return f"data:application/x-subrip;base64,{content}"


def comparison_html(
    comparison: Comparison, choice: Choice | None, audio: Path, address: str
) -> str:
    """Returns the result of one recording.

    Args:
        comparison: what was heard.
        choice: what was on.
        audio: the file, for the names of downloads.
        address: where the page finds it, relative to itself.
    """
    columns = _columns(comparison, choice, audio.stem)
    template = _templates().get_template("comparison.html")
    return template.render(comparison=comparison, columns=columns, address=quote(address))


def complaint_html(line: str) -> str:
    """Returns one line that says what is wrong."""
    return _templates().get_template("complaint.html").render(line=line)


def _columns(comparison: Comparison, choice: Choice | None, stem: str) -> list[Column]:
    bare, prompted = comparison.bare, comparison.prompted
    if choice is None or prompted is None:
        return [Column("Bare Whisper", bare, None, f"{stem}.srt")]
    here, there = differences(_texts(bare), _texts(prompted))
    return [
        Column("Bare Whisper", bare, here, f"{stem}.bare.srt"),
        Column(choice.label, prompted, there, f"{stem}.prompted.srt"),
    ]


def _texts(transcript: Transcript) -> Sequence[str]:
    return [segment.text for segment in transcript.segments]


@cache
def _templates() -> Environment:
    from spt_whisper.templates import page_templates

    return page_templates("spt_whisper.demo", clock=_clock, language=_language, per_cent=_per_cent)


def _clock(seconds: float) -> str:
    """`1:02.4`."""
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _language(code: str) -> str:
    """`Spanish` for Whisper's code `es`."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return LANGUAGES.get(code, code).title()


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"
