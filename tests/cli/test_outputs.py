"""Transcripts on standard output: nothing in them steers a terminal, and a pipe gets them as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spt_whisper.cli.outputs import Job, Printed
from spt_whisper.transcription.files import AudioFile
from spt_whisper.transcription.transcript import Segment, Transcript


@pytest.mark.parametrize(
    ("terminal", "printed"),
    [(True, "a\\x1b]0;owned\\x07 ñ\n"), (False, "a\x1b]0;owned\x07 ñ\n")],
)
def test_a_text_cannot_steer_a_terminal(
    terminal: bool,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    segment = Segment(0.0, 1.0, "a\x1b]0;owned\x07 ñ")
    said = Transcript("a.wav", 1.0, (segment,), ("es",), "a stranger's")
    job = Job(AudioFile(Path("a.wav"), "a"), ("txt",))
    Printed(("txt",), named=False).give(job, said)
    assert capsys.readouterr().out == printed
