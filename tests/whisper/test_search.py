"""Searches against searches written out here, over texts whose probabilities are known."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import pytest
import torch

from spt_whisper.whisper.decoding.rules import TokenRules
from spt_whisper.whisper.decoding.search import beam_search, sample
from spt_whisper.whisper.options import DecodingOptions
from tests.whisper.known_decoder import (
    LETTERS,
    TOKENS,
    VOCABULARY,
    KnownDecoder,
    log_probabilities,
    log_probability,
)

ROWS = [f"row {number}" for number in range(40)]


def rules(rows: int, options: DecodingOptions | None = None) -> TokenRules:
    options = options or DecodingOptions(suppress_blank=False)
    return TokenRules(VOCABULARY, options, torch.device("cpu"), [()] * rows)


@pytest.mark.parametrize("penalty", [None, 0.0, 0.6, 1.0, 2.0])
def test_with_beams_for_every_text_the_best_of_all_is_found(penalty: float | None) -> None:
    texts = [text for length in range(3) for text in itertools.product(LETTERS, repeat=length)]
    found = beam_search(KnownDecoder(ROWS), rules(len(ROWS)), [3] * len(ROWS), 32, penalty)
    for row, own in zip(ROWS, found, strict=True):

        def rank(text: tuple[int, ...], row: str = row) -> float:
            length = len(text) + 1
            norm = length if penalty is None else ((5 + length) / 6) ** penalty
            return log_probability(row, text) / norm

        best = max(texts, key=rank)
        assert (own.candidate.tokens, own.candidate.stopped_by) == (best, "end")
        assert own.candidate.log_probability == pytest.approx(log_probability(row, best), abs=1e-5)


def beams_by_hand(row: str, budget: int, beams: int) -> tuple[int, ...]:
    """As openai-whisper: as many texts are kept as there are beams, until as many have ended; at the budget a text stops."""
    kept: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    ended: list[tuple[tuple[int, ...], float]] = []
    stopped: list[tuple[tuple[int, ...], float]] = []
    while kept and len(ended) < beams:
        steps = [
            (text, token, total + gain)
            for text, total in kept
            for token, gain in log_probabilities(row, text).items()
        ]
        kept = []
        for text, token, total in sorted(steps, key=lambda step: -step[2])[: 2 * beams]:
            if len(kept) == beams:
                break
            if token == TOKENS.end:
                ended.append((text, total))
            else:
                grown = stopped if len(text) + 1 == budget else kept
                grown.append(((*text, token), total))
    return max(ended or stopped, key=lambda own: own[1] / (len(own[0]) + 1))[0]


@pytest.mark.parametrize("beams", [1, 2, 3, 5])
def test_beams_are_those_of_a_search_written_out(beams: int) -> None:
    budgets = [2 + number % 4 for number in range(len(ROWS))]
    found = beam_search(KnownDecoder(ROWS), rules(len(ROWS)), budgets, beams)
    by_hand = [beams_by_hand(*pair, beams) for pair in zip(ROWS, budgets, strict=True)]
    assert [own.candidate.tokens for own in found] == by_hand


def test_beams_keep_the_grammar_of_times() -> None:
    times = [TOKENS.timestamp(0.02 * step) for step in range(8)]
    decoder = KnownDecoder(ROWS, [*LETTERS, *times])
    timed = rules(len(ROWS), DecodingOptions(timestamps=True))
    for own in beam_search(decoder, timed, [12] * len(ROWS), 4):
        written = own.candidate.tokens
        kinds = "".join("t" if token in times else "a" for token in written)
        assert re.fullmatch("t(a+tt)*(a+t?)?", kinds), kinds
        in_order = [token for token in written if token in times]
        assert in_order == sorted(in_order)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_tokens_are_drawn_by_their_probability_at_the_temperature(temperature: float) -> None:
    count = 2000
    decoder, seeds = KnownDecoder(["row"] * count), [str(number) for number in range(count)]
    found = sample(decoder, rules(count), [1] * count, temperature, 1, seeds)
    drawn = Counter(own.candidate.tokens or (TOKENS.end,) for own in found)
    weights = {
        token: math.exp(own / temperature) for token, own in log_probabilities("row", ()).items()
    }
    for token, weight in weights.items():
        expected = weight / sum(weights.values())
        assert drawn[(token,)] / count == pytest.approx(expected, abs=0.04)


def test_the_most_probable_of_several_samples_is_taken() -> None:
    means = []
    for samples in (1, 2, 6):
        found = sample(KnownDecoder(ROWS), rules(len(ROWS)), [4] * len(ROWS), 1.0, samples, ROWS)
        means.append([own.candidate.mean_log_probability for own in found])
    for fewer, more in itertools.pairwise(means):
        assert all(own >= other - 1e-6 for own, other in zip(more, fewer, strict=True))
        assert sum(more) > sum(fewer) + 1.0
