"""Words in the segments that hold them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.transcription.piece_router import PromptedPiece
from spt_whisper.transcription.pieces import Piece
from spt_whisper.transcription.recordings import segments_in
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.segments import split_segments, with_words
from spt_whisper.transcription.transcript import Segment
from spt_whisper.transcription.windows import SpeechWindow
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.words import AlignedWord, split_words
from tests.tiny_model import tiny_tokenizer

TOKENS = Tokens(tiny_tokenizer())


@pytest.mark.parametrize(
    "texts",
    [
        (" one two.", " three"),
        (" one", "  ", " \"two", " three\" ... "),
        ("你好", "(再见)"),
        (" a", ")", " b"),
        (" ñ",),
        (),
    ],
)  # fmt: skip
def test_each_segment_has_the_words_of_its_text(texts: tuple[str, ...]) -> None:
    written: list[int] = []
    for second, text in enumerate(texts):
        letters = TOKENS.tokenizer.encode(text, add_special_tokens=False)
        written += [TOKENS.timestamp(second), *letters, TOKENS.timestamp(second + 1)]
    words = [
        AlignedWord(word.text, 0.02 * word.first, 0.02 * word.after, 1.0)
        for word in split_words(written, TOKENS)
    ]
    segments = with_words(split_segments(written, TOKENS, 10.0), words)
    assert [segment.text for segment in segments] == [t.strip() for t in texts if t.strip()]
    for segment in segments:
        assert "".join(word.text for word in segment.words).strip() == segment.text
    assert [word for segment in segments for word in segment.words] == words


def test_text_without_timestamps_is_one_segment_with_all_words() -> None:
    written = TOKENS.tokenizer.encode(" one two", add_special_tokens=False)
    words = [AlignedWord(" one", 0.0, 0.5, 1.0), AlignedWord(" two", 0.5, 0.9, 1.0)]
    (segment,) = with_words(split_segments(written, TOKENS, 1.0), words)
    assert segment.words == tuple(words)


def test_segments_end_with_the_audio_and_never_before_they_start() -> None:
    a, b, c = (TOKENS.encode(text) for text in "abc")
    times = [TOKENS.timestamp(seconds) for seconds in (0.0, 3.0, 3.0, 2.0)]
    written = [times[0], *a, times[1], times[2], *b, times[3], *c]
    found = [(s.start, s.end, s.text) for s in split_segments(written, TOKENS, 2.5)]
    assert found == [(0.0, 2.5, "a"), (2.5, 2.5, "b"), (2.0, 2.5, "c")]


def test_what_lies_outside_a_span_keeps_its_times() -> None:
    for segment in (Segment(0.0, 0.5, "a"), Segment(2.5, 2.5, "a")):
        assert segment.within(2.0, 3.0) == segment


def test_a_word_outside_a_span_stands_where_its_segment_begins_or_ends() -> None:
    times = [(0.0, 1.5), (1.5, 2.4), (2.4, 3.2), (3.2, 4.0)]
    words = tuple(AlignedWord(" a", *pair, 1.0) for pair in times)
    found = Segment(0.0, 4.0, "a a a a", words).within(2.0, 3.0)
    assert (found.start, found.end) == (2.0, 3.0)
    assert [(word.start, word.end) for word in found.words] == [
        (2.0, 2.0), (2.0, 2.4), (2.4, 3.0), (3.0, 3.0),
    ]  # fmt: skip
    outside = Segment(0.0, 1.0, "a", (AlignedWord(" a", 0.2, 0.9, 1.0),))
    assert outside.within(2.0, 3.0) == outside


def test_nothing_begins_before_the_windows_speech_or_ends_behind_it() -> None:
    """Two seconds of silence, two of speech, one of silence; Whisper counts all of it to the text."""
    frames = np.array([(0.0, 0.0)] * 62 + [(1.0, 1.0)] * 63 + [(0.0, 0.0)] * 31)
    window = SpeechWindow(10.0, torch.zeros(5 * 16_000), frames)
    first, second = (TOKENS.encode(text) for text in (" one", " two"))
    written = (TOKENS.timestamp(0), *first, TOKENS.timestamp(3), *second, TOKENS.timestamp(5))
    words = (AlignedWord(" one", 0.0, 2.4, 1.0), AlignedWord(" two", 3.0, 5.0, 1.0))
    result = RowResult(Hypothesis(written, " one two", "end"), ("es",), words)
    own = PromptedPiece(Piece(0, Request("a.wav"), window), Row(window.waveform))
    found = segments_in(own, result, TOKENS)
    begin, end = 62 * 0.032, 125 * 0.032
    times = [(10 + begin, 13.0), (13.0, 10 + end)]
    assert [(s.start, s.end) for s in found] == [pytest.approx(pair) for pair in times]
    times = [(10 + begin, 12.4), (13.0, 10 + end)]
    assert [(s.words[0].start, s.words[0].end) for s in found] == [pytest.approx(p) for p in times]
