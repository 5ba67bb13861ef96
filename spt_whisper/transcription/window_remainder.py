"""Windows whose text ends before their speech does.

Where a sentence goes on behind a window, Whisper was taught to write the time at which it begins, twice, and nothing more: what
follows is for the next window. Here windows do not overlap, so the rest of such a window is decoded as one more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Engine, Row, RowResult
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, Tokens

logger = logging.getLogger(__name__)
_LEAST_SECONDS = 0.5  # of speech that is worth another pass
_MOST_PASSES = 8


def decode_to_the_end(
    engine: Engine, tokens: Tokens, rows: Sequence[Row], window: float, options: DecodingOptions
) -> list[RowResult]:
    """Decodes rows that share a window, and what their texts leave of them for a next one.

    Args:
        engine: what decodes.
        tokens: Whisper's.
        rows: audio, with or without prompts.
        window: in seconds.
        options: how to decode; without timestamps nothing is left.
    """
    results = engine.decode_batch(rows, window, options)
    if not options.timestamps:
        return results
    begun = [0.0] * len(rows)  # where the last pass over a row began, in seconds
    for done in range(_MOST_PASSES + 1):
        left = {
            index: begin
            for index, (row, result) in enumerate(zip(rows, results, strict=True))
            if (begin := _left_from(row, result, tokens)) > begun[index]
        }
        if not left:
            break
        if done == _MOST_PASSES:
            seconds = sum(rows[index].speech_seconds - begin for index, begin in left.items())
            logger.warning(
                "%.1f s of speech have no text: Whisper left the end of a window for later %d times; a shorter window_seconds helps",
                seconds, _MOST_PASSES + 1,
            )  # fmt: skip
            break
        rests = [_rest(rows[index], results[index], begin) for index, begin in left.items()]
        for (index, begin), found in zip(
            left.items(), engine.decode_batch(rests, window, options), strict=True
        ):
            begun[index] = begin
            if found.hypothesis.text:
                results[index] = _joined(results[index], found, begin, tokens)
    return results


def _left_from(row: Row, result: RowResult, tokens: Tokens) -> float:
    """Where the text says that it goes on, in seconds; 0: nowhere, or there is next to no speech behind it."""
    *_, before, last = (0, 0, *result.hypothesis.tokens)
    if last < tokens.first_timestamp or before != last:
        return 0.0
    begin = (last - tokens.first_timestamp) * TIMESTAMP_SECONDS
    return begin if row.speech_seconds - begin >= _LEAST_SECONDS else 0.0


def _rest(row: Row, result: RowResult, begin: float) -> Row:
    """The row from there on, in the language in which it has been heard already."""
    return replace(
        row,
        waveform=row.waveform[round(begin * SAMPLE_RATE) :],
        languages=row.languages if row.prompt else result.languages or None,
        heard=None,
        speech_until=row.speech_seconds - begin,
    )


def _joined(first: RowResult, rest: RowResult, begin: float, tokens: Tokens) -> RowResult:
    """Both texts as one, with the times of the whole row."""
    a, b = first.hypothesis, rest.hypothesis
    steps = round(begin / TIMESTAMP_SECONDS)
    written = (
        *a.tokens[:-1],
        *(token + steps if token >= tokens.first_timestamp else token for token in b.tokens),
    )
    counts = len(a.tokens) + 1, len(b.tokens) + 1  # as in `Candidate.mean_log_probability`
    log_probability = a.mean_log_probability * counts[0] + b.mean_log_probability * counts[1]
    hypothesis = Hypothesis(
        written, tokens.decode(written), b.stopped_by, log_probability / sum(counts), a.no_speech_probability,
        max(a.temperature, b.temperature),
    )  # fmt: skip
    words = (replace(word, start=begin + word.start, end=begin + word.end) for word in rest.words)
    return replace(first, hypothesis=hypothesis, words=(*first.words, *words))
