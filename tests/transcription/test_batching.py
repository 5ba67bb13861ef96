"""Rows in batches: each is decoded as alone."""

from __future__ import annotations

import pytest

from spt_whisper import Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.transcription.batching import batches
from spt_whisper.whisper.options import DecodingOptions, single_pass
from tests.tiny_model import tiny_whisper
from tests.transcription.noise_and_prompts import noise, wild_prompt


@pytest.fixture
def whisper() -> Whisper:
    return Whisper(tiny_whisper(seed=3))


def test_rows_of_a_batch_take_the_same_positions(whisper: Whisper) -> None:
    slots, in_front = wild_prompt(whisper, 1), wild_prompt(whisper, 2, site="input")
    rows = [Row(noise(1.0, 0), prompt) for prompt in (slots, in_front, None, in_front)]
    assert list(batches(rows, [2.0] * 4, 8)) == [(2.0, [0, 2]), (2.0, [1, 3])]


def test_the_largest_batch_is_the_first(whisper: Whisper) -> None:
    rows = [Row(noise(seconds, 0)) for seconds in (0.5, 1.5, 1.8, 0.9)]
    assert list(batches(rows, [1.0, 2.0, 2.0, 1.0], 2)) == [(2.0, [2, 1]), (1.0, [3, 0])]


def test_rows_that_are_tried_again_keep_their_prompts_and_budgets(whisper: Whisper) -> None:
    """Where some rows of a batch are, and others are not."""
    audio = [noise(seconds, seed) for seconds, seed in ((1.9, 3), (2.0, 0), (0.7, 1), (1.3, 2))]
    prompts = [wild_prompt(whisper, 5), None, wild_prompt(whisper, 1), wild_prompt(whisper, 2)]
    rows = [Row(own, prompt, ("es",)) for own, prompt in zip(audio, prompts, strict=True)]
    options = DecodingOptions(
        tokens_per_second=5.0, extra_tokens=6, temperatures=[0.0, 1.0],
        no_speech_threshold=None, log_probability_threshold=None,
    )  # fmt: skip
    together = [own.hypothesis for own in whisper.decode(rows, options, 2.0, 4)]
    assert [found.temperature for found in together] == [0.0, 1.0, 1.0, 1.0]  # loops
    alone = [whisper.decode([row], options, 2.0)[0].hypothesis for row in rows]
    assert [found.tokens for found in together] == [found.tokens for found in alone]


def test_words_of_rows_that_leave_the_batch_are_aligned_with_their_prompts(
    whisper: Whisper,
) -> None:
    audio = [noise(0.4, 0), noise(2.0, 1), noise(1.9, 2)]
    prompts = [wild_prompt(whisper, seed) for seed in (1, 2, 5)]
    rows = [Row(own, prompt, ("es",)) for own, prompt in zip(audio, prompts, strict=True)]
    options = single_pass(tokens_per_second=5.0, extra_tokens=2, word_timestamps=True)
    together = whisper.decode(rows, options, 2.0)
    alone = [whisper.decode([row], options, 2.0)[0] for row in rows]
    for own, other in zip(together, alone, strict=True):
        assert [word.text for word in own.words] == [word.text for word in other.words]
        expected = [word.probability for word in other.words]
        assert [word.probability for word in own.words] == pytest.approx(expected, abs=1e-4)
