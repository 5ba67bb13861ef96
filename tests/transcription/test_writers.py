"""Transcripts as text, compared letter by letter with what openai-whisper's writers lay out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.transcription.writers import WRITERS
from spt_whisper.whisper.words import AlignedWord

TRANSCRIPT = Transcript(
    audio="clips/a.wav",
    duration=3700.0,
    segments=(
        Segment(0.0, 2.5, " Ñuka --> 你好 "),
        Segment(59.9996, 61.0, "tab\there\nnew line"),
        Segment(3599.9994, 3661.042, "A & B"),
    ),
    languages=("qug", "es"),
    prompt="kichwa",
)
EMPTY = Transcript("a.wav", 1.0, (), (), None)

EXPECTED = {
    "txt": "Ñuka --> 你好\ntab here new line\nA & B\n",
    "srt": (
        "1\n00:00:00,000 --> 00:00:02,500\nÑuka -> 你好\n\n"
        "2\n00:01:00,000 --> 00:01:01,000\ntab here new line\n\n"
        "3\n00:59:59,999 --> 01:01:01,042\nA & B\n\n"
    ),
    "vtt": (
        "WEBVTT\n\n"
        "00:00.000 --> 00:02.500\nÑuka --&gt; 你好\n\n"
        "01:00.000 --> 01:01.000\ntab here new line\n\n"
        "59:59.999 --> 01:01:01.042\nA &amp; B\n\n"
    ),
    "tsv": (
        "start\tend\ttext\n"
        "0\t2500\tÑuka --> 你好\n"
        "60000\t61000\ttab here new line\n"
        "3599999\t3661042\tA & B\n"
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_layout(name: str) -> None:
    assert WRITERS[name](TRANSCRIPT) == EXPECTED[name]


@pytest.mark.parametrize(
    ("text", "srt", "vtt"),
    [
        ("a ---> b", "a -> b", "a ---&gt; b"),
        ("a ----->-> b -- > c", "a ->-> b -- > c", "a -----&gt;-&gt; b -- &gt; c"),
        ("<unk> I <3 you", "<unk> I <3 you", "&lt;unk&gt; I &lt;3 you"),
        ('AT&amp;T\'s "&"', 'AT&amp;T\'s "&"', 'AT&amp;amp;T\'s "&amp;"'),
    ],
)
def test_a_player_shows_a_cue_as_it_was_said(text: str, srt: str, vtt: str) -> None:
    transcript = replace(TRANSCRIPT, segments=(Segment(0.0, 1.0, text),))
    assert WRITERS["srt"](transcript) == f"1\n00:00:00,000 --> 00:00:01,000\n{srt}\n\n"
    assert WRITERS["vtt"](transcript) == f"WEBVTT\n\n00:00.000 --> 00:01.000\n{vtt}\n\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n\n"), ("tsv", "start\tend\ttext\n")],
)
def test_a_transcript_without_speech(name: str, expected: str) -> None:
    assert WRITERS[name](EMPTY) == expected


BARE: dict[str, object] = {"languages": [], "prompt": None}


def test_json() -> None:
    text = WRITERS["json"](TRANSCRIPT)
    assert "Ñuka" in text
    fields = json.loads(text)
    assert fields == {
        "text": "Ñuka --> 你好 tab\there\nnew line A & B",
        "segments": [
            {"id": 0, "start": 0.0, "end": 2.5, "text": " Ñuka --> 你好 ", **BARE},
            {"id": 1, "start": 60.0, "end": 61.0, "text": "tab\there\nnew line", **BARE},
            {"id": 2, "start": 3599.999, "end": 3661.042, "text": "A & B", **BARE},
        ],
        "language": "qug",
        "languages": ["qug", "es"],
        "duration": 3700.0,
        "prompt": "kichwa",
    }
    empty = json.loads(WRITERS["json"](EMPTY))
    assert (empty["text"], empty["segments"], empty["language"]) == ("", [], None)


def test_json_tells_what_was_used_on_a_segment_and_how_sure_the_choice_was() -> None:
    segment = Segment(0.0, 1.0, "wasi", (), ("es",), "andes/qug", 0.75)
    transcript = replace(TRANSCRIPT, segments=(segment,))
    (fields,) = json.loads(WRITERS["json"](transcript))["segments"]
    assert (fields["languages"], fields["prompt"], fields["confidence"]) == (
        ["es"],
        "andes/qug",
        0.75,
    )


def test_json_holds_the_words_of_a_segment_that_has_them() -> None:
    words = (AlignedWord(" Ñuka", 0.1, 0.5, 0.75), AlignedWord(" wasi.", 0.5, 0.9, 1.0))
    transcript = replace(TRANSCRIPT, segments=(Segment(0.0, 1.0, "Ñuka wasi.", words),))
    assert json.loads(WRITERS["json"](transcript))["segments"] == [
        {
            "id": 0,
            "start": 0.0,
            "end": 1.0,
            "text": "Ñuka wasi.",
            **BARE,
            "words": [
                {"word": " Ñuka", "start": 0.1, "end": 0.5, "probability": 0.75},
                {"word": " wasi.", "start": 0.5, "end": 0.9, "probability": 1.0},
            ],
        }
    ]


def test_text_of_a_transcript() -> None:
    assert TRANSCRIPT.text == "Ñuka --> 你好 tab\there\nnew line A & B"
    assert EMPTY.text == ""
