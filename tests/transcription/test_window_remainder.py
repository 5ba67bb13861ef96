"""Speech that a window's text leaves for the next window: it is decoded, once, in its place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Heard, Row, RowResult
from spt_whisper.transcription.segments import split_segments
from spt_whisper.transcription.window_remainder import decode_to_the_end
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.words import AlignedWord
from tests.tiny_model import tiny_tokenizer

TOKENS = Tokens(tiny_tokenizer())
TIMED = DecodingOptions(timestamps=True)


class OneSecondAtATime:
    """Writes a letter for each second, and stops after two where more follow, as Whisper does in front of a sentence.

    The letter of a second is told by its loudness: 0.01 is `a`, 0.02 is `b`.
    """

    def __init__(self) -> None:
        self.batches: list[list[Row]] = []

    def listen(self, rows: Sequence[Row], window_seconds: float) -> list[Heard]:
        raise NotImplementedError

    def decode_batch(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        self.batches.append([*rows])
        return [self._decoded(row) for row in rows]

    def _decoded(self, row: Row) -> RowResult:
        seconds = [float(part.mean()) for part in row.waveform.split(SAMPLE_RATE)]
        letters = [f" {chr(96 + round(100 * loud))}" if loud else "" for loud in seconds]
        written: list[int] = []
        words = []
        for second, letter in enumerate(letters[:2]):
            written += [TOKENS.timestamp(second), *TOKENS.encode(letter.strip())]
            written += [TOKENS.timestamp(second + 1)]
            words += [AlignedWord(letter, second, second + 1.0, 1.0)]
        if len(letters) > 2:
            written += [TOKENS.timestamp(2)]
        text = TOKENS.decode(written)
        found = Hypothesis(tuple(written) if text else (), text, "end", -0.5)
        return RowResult(found, row.languages or ("es",), tuple(words) if text else ())


def speech(*loud: int) -> torch.Tensor:
    return torch.cat([torch.full((SAMPLE_RATE,), 0.01 * own) for own in loud])


def test_what_is_left_is_decoded_in_its_place_until_nothing_is() -> None:
    engine = OneSecondAtATime()
    rows = [Row(speech(1, 2, 3, 4, 5)), Row(speech(7, 8))]
    long, short = decode_to_the_end(engine, TOKENS, rows, 10.0, TIMED)
    segments = split_segments(long.hypothesis.tokens, TOKENS, 5.0)
    assert [(s.start, s.end, s.text) for s in segments] == [
        (float(second), second + 1.0, letter) for second, letter in enumerate("abcde")
    ]
    assert [(word.start, word.text) for word in long.words] == [
        (float(second), f" {letter}") for second, letter in enumerate("abcde")
    ]
    assert long.hypothesis.mean_log_probability == pytest.approx(-0.5)
    assert short == engine._decoded(rows[1])
    assert [len(batch) for batch in engine.batches] == [2, 1, 1]
    assert engine.batches[1][0].languages == ("es",)  # heard already


@pytest.mark.parametrize("until", [2.0, 2.4])
def test_silence_that_is_left_is_not_decoded(until: float) -> None:
    engine = OneSecondAtATime()
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 0), speech_until=until)], 10.0, TIMED)
    assert len(engine.batches) == 1


def test_a_rest_without_text_leaves_the_row_as_it_is() -> None:
    engine = OneSecondAtATime()
    (found,) = decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 0))], 10.0, TIMED)
    assert [s.text for s in split_segments(found.hypothesis.tokens, TOKENS, 3.0)] == ["a", "b"]
    assert len(engine.batches) == 2


def test_without_timestamps_nothing_is_left() -> None:
    engine = OneSecondAtATime()
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 3))], 10.0, DecodingOptions())
    assert len(engine.batches) == 1
