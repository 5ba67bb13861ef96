"""Recordings into pieces: windows of speech, each with the recording it is from, as they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.errors import InputError
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.transcription.windows import SpeechWindow, speech_windows


@dataclass(frozen=True)
class Piece:
    """A window of speech of a recording."""

    recording: int  # its place among the requests
    request: Request
    window: SpeechWindow


@dataclass(frozen=True)
class End:
    """Behind the last piece of a recording."""

    recording: int
    request: Request
    duration: float  # seconds
    error: InputError | None = None  # it could not be read, or not to its end


class AbandonedError(Exception):
    """Nobody wants the pieces any more."""


def cut(
    requests: Iterable[Request],
    longest: float | None,
    activity: VoiceActivityOptions | None,
    abandoned: Event | None = None,
) -> Iterator[Piece | End]:
    """Yields the pieces of each recording and then its end, one recording after the other.

    Args:
        requests: the recordings, which are read as they are needed.
        longest: the longest window in seconds; None: each request's own.
        activity: what counts as speech; None: everything.
        abandoned: where it is set meanwhile, no further block of audio is read.

    Raises:
        AbandonedError: `abandoned` was set.
    """
    for number, request in enumerate(requests):
        length = _Length(abandoned or Event())
        try:
            blocks = length.counted(request.blocks())
            for window in speech_windows(blocks, longest or request.window_seconds, activity):
                yield Piece(number, request, window)
        except InputError as error:
            yield End(number, request, length.seconds, error)
        except OSError as error:  # the file is gone, or its disk
            yield End(number, request, length.seconds, InputError(f"{request.name}: {error}"))
        else:
            yield End(number, request, length.seconds)


def pools(
    requests: Iterable[Request],
    longest: float | None,
    activity: VoiceActivityOptions | None,
    size: int,
) -> Iterator[list[Piece | End]]:
    """Yields pieces in lists with `size` windows each; the next list is read while the last one is used.

    Where the caller leaves early, as at Ctrl-C, reading ends with the block in hand.

    Args:
        requests: see `cut`.
        longest: see `cut`.
        activity: see `cut`.
        size: windows in a list; the last one may have fewer, and others where many recordings have none.
    """
    abandoned = Event()
    with ThreadPoolExecutor(1, "audio") as reader:
        try:
            source = _pooled(cut(requests, longest, activity, abandoned), size)
            coming = reader.submit(next, source, None)
            while pool := coming.result():
                coming = reader.submit(next, source, None)
                yield pool
        finally:
            abandoned.set()


def _pooled(pieces: Iterable[Piece | End], size: int) -> Iterator[list[Piece | End]]:
    """As `pools`; an end right behind a list's last window is in the same list, so that its recording need not wait.

    A list has at most `size` other ends, so that many recordings without speech need not wait for one that has some.
    """
    pool: list[Piece | End] = []
    held = Counter[type]()
    for piece in pieces:
        if max(held[Piece], held[End]) < size:
            pool.append(piece)
            held[type(piece)] += 1
            continue
        following = [piece] if isinstance(piece, Piece) else []
        yield pool if following else [*pool, piece]
        pool, held = [*following], Counter(map(type, following))
    if pool:
        yield pool


def recut(piece: Piece, longest: float) -> Sequence[Piece]:
    """Returns the same speech in shorter windows."""
    return [replace(piece, window=window) for window in piece.window.cut_again(longest)]


class _Length:
    """How much of a recording was read."""

    def __init__(self, abandoned: Event) -> None:
        self.seconds, self.abandoned = 0.0, abandoned

    def counted(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        for block in blocks:
            if self.abandoned.is_set():
                raise AbandonedError
            self.seconds += block.shape[0] / SAMPLE_RATE
            yield block
