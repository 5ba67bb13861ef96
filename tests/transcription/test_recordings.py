"""Segments into the transcript of their recording."""

from __future__ import annotations

import pytest

from spt_whisper.transcription.pieces import End
from spt_whisper.transcription.recordings import transcript_of
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcript import Segment


@pytest.mark.parametrize(
    ("said", "languages", "prompt"),
    [
        ([(2, "es", None), (3, "qu", "kichwa"), (1.5, "es", None)], "es qu", None),
        ([(4, "es", None), (3, "en", "P"), (3, "it", "P")], "es en it", "P"),
        ([(3, "es", None), (3, "it", None), (4, "es", "P")], "es it", None),
        ([(4, "it", "P"), (3, "es", "P"), (3, "es", None)], "es it", "P"),
        ([(1, "zh+en", "P"), (2, "en", None)], "en zh", None),
        ([(2, "zh+en", "P"), (2, "es", None)], "zh en es", "P"),  # as they came
        ([], "", None),
    ],
)
def test_languages_and_prompt_are_those_of_the_most_time(
    said: list[tuple[float, str, str | None]], languages: str, prompt: str | None
) -> None:
    segments, start = list[Segment](), 0.0
    for seconds, codes, own in said:
        end = start + seconds
        segments.append(Segment(start, end, "a", languages=tuple(codes.split("+")), prompt=own))
        start = end
    found = transcript_of(End(0, Request("a.wav"), start), segments)
    assert (found.languages, found.prompt) == (tuple(languages.split()), prompt)
