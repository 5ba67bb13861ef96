"""Which prompt each piece gets: its request's, or by listening the one of a bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spt_whisper.engines.engine import Engine, Row
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.batching import batches, window_of
from spt_whisper.transcription.pieces import Piece, recut

if TYPE_CHECKING:
    from spt_whisper.prompts.routing import Router


@dataclass(frozen=True)
class PromptedPiece:
    """A piece with what is used on it."""

    piece: Piece
    row: Row
    confidence: float | None = None  # of the bank's choice; None where nothing was chosen


class PieceRouter:
    """Listens to the pieces whose requests name a bank; one router a bank is kept."""

    def __init__(self, engine: Engine, preferred: Sequence[float] = ()) -> None:
        """Takes what listens, and the windows that the pieces will be decoded in, see `window_of`."""
        self.engine, self.preferred = engine, preferred
        self._routers: dict[
            int, tuple[Bank, Router]
        ] = {}  # by identity; the bank keeps the id taken

    def assign(self, pieces: Sequence[Piece], size: int) -> list[PromptedPiece]:
        """Returns the pieces with their prompts; some may have become several shorter ones.

        A piece that stays with bare Whisper keeps its window and the encoder's states, so that its text is bare Whisper's
        own and nothing is encoded twice.
        """
        known = [self._as_asked(piece) for piece in pieces if piece.request.bank is None]
        return known + self._as_heard([p for p in pieces if p.request.bank is not None], size)

    def _as_asked(self, piece: Piece) -> PromptedPiece:
        return PromptedPiece(piece, _row(piece, piece.request.read_prompt, piece.request.codes))

    def _as_heard(self, pieces: Sequence[Piece], size: int) -> list[PromptedPiece]:
        rows = [Row(piece.window.waveform) for piece in pieces]
        windows = [window_of(row, self.preferred) for row in rows]
        found: list[PromptedPiece] = []
        for window, members in batches(rows, windows, size):
            heard = self.engine.listen([rows[index] for index in members], window)
            for index, own in zip(members, heard, strict=True):
                piece = pieces[index]
                bank, router = self._router(piece)
                (route,) = router.route(own.log_posterior[None], own.state[None])
                if route.language is None:
                    row = replace(_row(piece, None, (own.language,)), heard=own)
                    found.append(PromptedPiece(piece, row, route.confidence))
                    continue
                prompt = bank.prompt(route.language)
                found += [
                    PromptedPiece(part, _row(part, prompt), route.confidence)
                    for part in recut(piece, max(self.preferred or prompt.card.windows))
                ]
        return found

    def _router(self, piece: Piece) -> tuple[Bank, Router]:
        bank = piece.request.bank
        assert isinstance(bank, Bank)  # these pieces were chosen for having one
        from spt_whisper.prompts.routing import Router

        if id(bank) not in self._routers:
            self._routers[id(bank)] = (bank, Router.from_bank(bank))
        return self._routers[id(bank)]


def _row(piece: Piece, prompt: Prompt | None, languages: tuple[str, ...] | None = None) -> Row:
    """What an engine decodes of a piece."""
    window = piece.window
    return Row(window.waveform, prompt, languages, speech_until=window.speech_span[1])
