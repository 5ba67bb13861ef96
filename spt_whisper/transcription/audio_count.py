"""How much audio each decoded window stands for: a run over long recordings tells how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spt_whisper.transcription.piece_router import PromptedPiece
from spt_whisper.transcription.pieces import End

OnAudio = Callable[[float], None]  # gets seconds of audio that have just been done


class AudioCount:
    """Counts the audio of recordings in windows; silence counts with the window or the end behind it."""

    def __init__(self, on_audio: OnAudio | None) -> None:
        """Takes what is told, if anything is."""
        self._tell: OnAudio = on_audio or (lambda seconds: None)
        self._reached: dict[int, float] = {}  # of each recording that has not ended, in seconds

    def of_rows(self, pieces: Sequence[PromptedPiece]) -> Callable[[Sequence[int]], None]:
        """Returns what is to be called with the indices of rows that are done, each once.

        Args:
            pieces: windows; those of a recording may stand in any order, but follow all that were given before.
        """
        seconds = [0.0] * len(pieces)
        order = sorted(range(len(pieces)), key=lambda index: pieces[index].piece.window.start)
        for index in order:
            piece = pieces[index].piece
            seconds[index] = self._advance(piece.recording, piece.window.end)
        return lambda rows: self._tell(sum(seconds[row] for row in rows))

    def end(self, end: End) -> None:
        """A recording is done."""
        self._tell(self._advance(end.recording, end.duration))
        del self._reached[end.recording]

    def _advance(self, recording: int, place: float) -> float:
        """Moves on in a recording; returns by how much."""
        before = self._reached.get(recording, 0.0)
        self._reached[recording] = max(before, place)
        return self._reached[recording] - before
