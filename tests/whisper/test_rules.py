"""Which tokens may follow, where all are as probable."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spt_whisper.whisper.decoding.rules import TokenRules
from spt_whisper.whisper.options import DecodingOptions
from tests.whisper.known_decoder import TOKENS, VOCABULARY


def allowed(
    options: DecodingOptions, written: list[int], suppressed_first: tuple[int, ...] = ()
) -> set[int]:
    vocabulary = replace(VOCABULARY, suppressed_first=suppressed_first)
    rules = TokenRules(vocabulary, options, torch.device("cpu"))
    logits = torch.zeros(1, vocabulary.size)
    logits = rules.apply(torch.tensor([written], dtype=torch.long), logits)
    return set(torch.nonzero(logits[0] > -torch.inf).flatten().tolist())


def test_what_may_be_written_first_and_then() -> None:
    text, end = set(range(TOKENS.end)), TOKENS.end
    plain, blank = DecodingOptions(), DecodingOptions(suppress_blank=False)
    assert allowed(plain, []) == text
    assert allowed(plain, [5]) == text | {end}
    assert allowed(plain, [], suppressed_first=(7, end)) == text - {7}
    assert allowed(plain, [5], suppressed_first=(7, end)) == text | {end}
    assert allowed(blank, [], suppressed_first=(7, end)) == text | {end}


@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.5])
def test_the_first_time_is_at_most_the_one_that_is_asked_for(seconds: float) -> None:
    options = DecodingOptions(timestamps=True, max_initial_timestamp=seconds)
    times = range(TOKENS.first_timestamp, TOKENS.timestamp(seconds) + 1)
    assert allowed(options, []) == set(times)
