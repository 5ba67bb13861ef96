"""Speech that a window's text leaves for the next window: it is decoded, once, in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from spt_whisper import Whisper
from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Heard, Row, RowResult
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.transcription.segments import split_segments
from spt_whisper.transcription.window_remainder import decode_to_the_end
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.decoding.hypothesis import StopReason
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.words import AlignedWord
from tests.tiny_model import tiny_tokenizer, tiny_whisper

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
    assert list(long.hypothesis.tokens) == [
        token
        for second, letter in enumerate("abcde")
        for token in (
            TOKENS.timestamp(second), *TOKENS.encode(letter), TOKENS.timestamp(second + 1),
        )
    ]  # fmt: skip
    assert [(word.start, word.end, word.text) for word in long.words] == [
        (float(second), second + 1.0, f" {letter}") for second, letter in enumerate("abcde")
    ]
    assert long.hypothesis.mean_log_probability == pytest.approx(-0.5)
    assert short == engine._decoded(rows[1])
    assert [len(batch) for batch in engine.batches] == [2, 1, 1]
    assert engine.batches[1][0].languages == ("es",)  # heard already


@pytest.mark.parametrize(("until", "passes"), [(2.0, 1), (2.4, 1), (2.5, 2)])
def test_silence_that_is_left_is_not_decoded(until: float, passes: int) -> None:
    engine = OneSecondAtATime()
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 0), speech_until=until)], 10.0, TIMED)
    assert len(engine.batches) == passes


@pytest.mark.parametrize(("seconds", "told"), [(18, []), (21, ["3.0 s of speech have no text"])])
def test_a_window_is_gone_back_to_eight_times_at_most(
    seconds: int, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    engine = OneSecondAtATime()
    row = Row(speech(*range(1, seconds + 1)))
    (found,) = decode_to_the_end(engine, TOKENS, [row], 30.0, TIMED)
    assert [len(batch) for batch in engine.batches] == [1] * 9
    assert len(split_segments(found.hypothesis.tokens, TOKENS, 20.0)) == 18
    assert [message.split(":")[0] for message in caplog.messages] == told


def test_a_rest_without_text_leaves_the_row_as_it_is() -> None:
    engine = OneSecondAtATime()
    row = Row(speech(1, 2, 0))
    (found,) = decode_to_the_end(engine, TOKENS, [row], 10.0, TIMED)
    assert found == engine._decoded(row)
    assert len(engine.batches) == 2


def test_without_timestamps_nothing_is_left() -> None:
    engine = OneSecondAtATime()
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 3))], 10.0, DecodingOptions())
    assert len(engine.batches) == 1


class Scripted(OneSecondAtATime):
    """Gives one result after the other."""

    def __init__(self, *found: RowResult) -> None:
        super().__init__()
        self.found = [*found]

    def _decoded(self, row: Row) -> RowResult:
        return self.found.pop(0)


def written(*parts: float | str, mean: float = 0.0, temperature: float = 0.0) -> RowResult:
    """Times and texts; what has a temperature was cut short."""
    tokens: list[int] = []
    for part in parts:
        tokens += TOKENS.encode(part) if isinstance(part, str) else [TOKENS.timestamp(part)]
    stopped_by: StopReason = "budget" if temperature else "end"
    text = TOKENS.decode(tokens)
    return RowResult(Hypothesis(tuple(tokens), text, stopped_by, mean, 0.0, temperature), ("es",))


def test_the_rest_is_the_audio_from_there_on_and_is_listened_to_anew() -> None:
    engine = Scripted(written(0.0, "a", 1.5, 1.5), written(0.0, "b", 1.0))
    heard = Heard(torch.zeros(4), torch.zeros(8), torch.zeros(150, 8), "es")
    row = Row(torch.arange(3 * SAMPLE_RATE), heard=heard, speech_until=2.5)
    decode_to_the_end(engine, TOKENS, [row], 10.0, TIMED)
    (rest,) = engine.batches[1]
    assert torch.equal(rest.waveform, row.waveform[3 * SAMPLE_RATE // 2 :])
    assert (rest.speech_seconds, rest.heard) == (1.0, None)


def test_the_rest_of_a_row_with_a_prompt_is_in_the_prompts_language() -> None:
    shape, config = ModelShape(8, 2, 2), PromptConfig(length=1)
    card = PromptCard("openai/whisper-tiny", "f" * 64, shape, ("qug",), ("es",), (10.0,))
    prompt = Prompt(config, start_vectors(config, shape, torch.Generator()), card)
    engine = Scripted(written(0.0, "a", 1.0, 1.0), written(0.0, "b", 1.0))
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2), prompt)], 10.0, TIMED)
    (rest,) = engine.batches[1]
    assert rest.prompt is prompt
    assert rest.languages is None  # the prompt's


def test_figures_are_of_both_texts() -> None:
    first = written(0.0, "a", 1.0, 1.0, mean=-0.5)
    rest = written(0.0, "bcd", 1.0, mean=-2.0, temperature=0.4)
    row = Row(speech(1, 2))
    (found,) = decode_to_the_end(Scripted(first, rest), TOKENS, [row], 10.0, TIMED)
    assert found.hypothesis.text == "abcd"
    assert (found.hypothesis.stopped_by, found.hypothesis.temperature) == ("budget", 0.4)
    assert found.hypothesis.mean_log_probability == pytest.approx((5 * -0.5 + 6 * -2.0) / 11)


def test_the_higher_temperature_of_both_texts_is_told_and_the_silence_of_the_first() -> None:
    first, rest = written(0.0, "a", 1.0, 1.0, temperature=0.4), written(0.0, "b", 1.0)
    rest = replace(rest, hypothesis=replace(rest.hypothesis, no_speech_probability=0.3))
    row = Row(speech(1, 2))
    (found,) = decode_to_the_end(Scripted(first, rest), TOKENS, [row], 10.0, TIMED)
    assert (found.hypothesis.temperature, found.hypothesis.no_speech_probability) == (0.4, 0.0)


@pytest.mark.parametrize(("stopped_by", "told"), [("budget", 0), ("positions", 1)])
def test_a_rest_that_stops_at_its_own_budget_has_lost_no_text(
    stopped_by: StopReason, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    first, rest = written(0.0, "a", 1.0, 1.0), written(0.0, "b", 1.0)
    rest = replace(rest, hypothesis=replace(rest.hypothesis, stopped_by=stopped_by))
    whisper = Whisper(tiny_whisper(), Scripted(first, rest))
    found = whisper.transcribe(speech(1, 2), options=TIMED, voice_activity=None)
    assert found.text == "a b"
    assert sum("its end is lost" in line for line in caplog.messages) == told


def test_a_text_that_ends_at_one_time_leaves_nothing() -> None:
    engine = Scripted(written(0.0, "a", 1.0))
    decode_to_the_end(engine, TOKENS, [Row(speech(1, 2, 3))], 10.0, TIMED)
    assert len(engine.batches) == 1
