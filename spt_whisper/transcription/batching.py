"""Rows of audio in batches: the same window and decoder positions in one, similar lengths beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import shortest_window
from spt_whisper.engines.engine import Engine, Row, RowResult
from spt_whisper.transcription.window_remainder import decode_to_the_end
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import Tokens


def window_of(row: Row, preferred: Sequence[float] = ()) -> float:
    """Returns the window for a row, in seconds.

    It is the shortest that holds the audio: of the preferred ones, else of those its prompt was trained with; where the
    audio is longer than all of them, Whisper's 30 s.
    """
    wanted = preferred or (row.prompt.card.windows if row.prompt else ())
    return shortest_window(row.seconds, (*wanted, float(WINDOW_SECONDS)))


def batches(
    rows: Sequence[Row], windows: Sequence[float], size: int
) -> Iterator[tuple[float, list[int]]]:
    """Yields (window in seconds, indices of rows), longest windows and audio first: what memory cannot hold fails at once.

    Rows of a batch have prompts that take the same number of decoder positions, since the longest first tokens of a batch
    leave the room for all its texts.
    """
    taken = [row.prompt.config.decoder_positions if row.prompt else 0 for row in rows]
    groups = list(zip(windows, taken, strict=True))
    for group in sorted(set(groups), key=lambda group: (-group[0], group[1])):
        window, _ = group
        members = [index for index, own in enumerate(groups) if own == group]
        members.sort(key=lambda index: -rows[index].waveform.shape[0])
        for first in range(0, len(members), size):
            yield window, members[first : first + size]


def decode_batches(
    engine: Engine,
    tokens: Tokens,
    rows: Sequence[Row],
    options: DecodingOptions,
    preferred: Sequence[float],
    size: int,
) -> Iterator[dict[int, RowResult]]:
    """Decodes rows, each in its window, and yields after each batch its results, by their rows' places.

    Args:
        engine: what decodes.
        tokens: Whisper's.
        rows: audio, with or without prompts.
        options: how to decode.
        preferred: windows in seconds, see `window_of`.
        size: rows in a batch.
    """
    windows = [window_of(row, preferred) for row in rows]
    for window, members in batches(rows, windows, size):
        found = decode_to_the_end(engine, tokens, [rows[i] for i in members], window, options)
        yield dict(zip(members, found, strict=True))
