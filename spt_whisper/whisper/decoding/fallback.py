"""Decode windows; where a text looks wrong, decode that window again at a higher temperature."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import torch

from spt_whisper.errors import InputError
from spt_whisper.whisper.decoding.cached_decoder import CachedDecoder
from spt_whisper.whisper.decoding.hypothesis import Hypothesis
from spt_whisper.whisper.decoding.rules import TokenRules
from spt_whisper.whisper.decoding.search import SearchResult, beam_search, sample
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import MAX_POSITIONS, Tokens
from spt_whisper.whisper.vocabulary import Vocabulary

DecoderOf = Callable[[Sequence[int]], CachedDecoder]  # rows, by their place in the call


@torch.inference_mode()
def decode_with(
    decoder_of: DecoderOf,
    vocabulary: Vocabulary,
    starts: Sequence[Sequence[int]],
    seconds: Sequence[float],
    options: DecodingOptions,
    signs: Sequence[Collection[int]],
) -> list[Hypothesis]:
    """Decodes a batch of windows.

    Args:
        decoder_of: returns a decoder at the first tokens of some rows.
        vocabulary: what may be written.
        starts: for each row its first tokens, from `Tokens.start`.
        seconds: for each row how long its audio is.
        options: how to search.
        signs: for each row, what may be written though the model's own list of suppressed tokens has it.

    Returns:
        One hypothesis a row.

    Raises:
        InputError: the first tokens leave no room for a text.
    """
    longest = max(len(start) for start in starts)
    room = MAX_POSITIONS - longest
    if room < 1:
        raise InputError(
            f"decoding: {longest} first tokens leave no room in {MAX_POSITIONS} positions"
        )
    asked = [options.budget(duration) for duration in seconds]
    budgets = [min(own, room) for own in asked]
    tries: list[list[Hypothesis]] = [[] for _ in starts]
    wanted = list(range(len(starts)))
    for temperature in options.temperatures:
        decoder = decoder_of(wanted)
        rules = TokenRules(vocabulary, options, decoder.device, [signs[row] for row in wanted])
        own_budgets = [budgets[row] for row in wanted]
        seeds = [_seed(options.seed, tries[row]) for row in wanted]
        found = _search(decoder, rules, own_budgets, options, temperature, seeds)
        for row, own in zip(wanted, found, strict=True):
            tries[row].append(_hypothesis(vocabulary.tokens, own, temperature, options))
        wanted = [row for row in wanted if _looks_wrong(tries[row][-1], options)]
        if not wanted:
            break
    best = [_best(own, options) for own in tries]
    return [
        replace(found, stopped_by="positions")
        if found.stopped_by == "budget" and own > room
        else found
        for found, own in zip(best, asked, strict=True)
    ]


def _seed(seed: int, tries: Sequence[Hypothesis]) -> str:
    """Seeds a window's draws by what was tried before, so that neither windows nor temperatures share their draws."""
    return "/".join([str(seed), *(" ".join(map(str, found.tokens)) for found in tries)])


def _search(
    decoder: CachedDecoder,
    rules: TokenRules,
    budgets: Sequence[int],
    options: DecodingOptions,
    temperature: float,
    seeds: Sequence[str],
) -> list[SearchResult]:
    if temperature:
        return sample(decoder, rules, budgets, temperature, options.best_of, seeds)
    if options.beam_size > 1:
        return beam_search(decoder, rules, budgets, options.beam_size, options.length_penalty)
    return sample(decoder, rules, budgets)


def _hypothesis(
    tokens: Tokens, found: SearchResult, temperature: float, options: DecodingOptions
) -> Hypothesis:
    candidate, no_speech = found.candidate, found.no_speech_probability
    mean_log_probability = candidate.mean_log_probability
    if _is_silent(no_speech, mean_log_probability, options):
        return Hypothesis((), "", "no_speech", mean_log_probability, no_speech, temperature)
    text = tokens.decode(candidate.tokens)
    return Hypothesis(
        candidate.tokens, text, candidate.stopped_by, mean_log_probability, no_speech, temperature
    )


def _is_silent(no_speech: float, mean_log_probability: float, options: DecodingOptions) -> bool:
    if options.no_speech_threshold is None or no_speech <= options.no_speech_threshold:
        return False
    lowest = options.log_probability_threshold
    return lowest is None or mean_log_probability < lowest


def _best(tries: Sequence[Hypothesis], options: DecodingOptions) -> Hypothesis:
    """The last try, where it looks right; else the most probable of those that do not repeat themselves, or of all."""
    if not _looks_wrong(tries[-1], options):
        return tries[-1]
    varied = [found for found in tries if not _is_repetitive(found, options)]
    return max(varied or tries, key=lambda found: found.mean_log_probability)


def _looks_wrong(found: Hypothesis, options: DecodingOptions) -> bool:
    """Whether a text is too repetitive or too improbable; silence is no wrong text."""
    if found.stopped_by == "no_speech":
        return False
    lowest = options.log_probability_threshold
    improbable = lowest is not None and found.mean_log_probability < lowest
    return improbable or _is_repetitive(found, options)


def _is_repetitive(found: Hypothesis, options: DecodingOptions) -> bool:
    """What the loop guard cut short is, too, though its ratio may be low: without the guard it would have grown."""
    highest = options.compression_ratio_threshold
    return highest is not None and (found.stopped_by == "loop" or found.compression_ratio > highest)
