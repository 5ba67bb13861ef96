"""A worker: Whisper and the prompts in a process of their own, where tasks of all requests are done in batches."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context

import torch
from litserve import LitAPI
from transformers.utils.logging import disable_progress_bar

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.engines.engine import RowResult
from spt_whisper.errors import InputError
from spt_whisper.printable import printable
from spt_whisper.prompts.card import MIX
from spt_whisper.serving.loop import WaitingLoop
from spt_whisper.serving.sources import ModelSource, Offered
from spt_whisper.serving.tasks import (
    Answer,
    Decoded,
    Edition,
    Failed,
    FoundModels,
    Look,
    Refused,
    ServedModel,
    Spoken,
    Task,
    Window,
)
from spt_whisper.transcription.piece_router import PieceRouter, PromptedPiece
from spt_whisper.transcription.pieces import Piece
from spt_whisper.transcription.recordings import segments_in
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.transcription.windows import SpeechWindow
from spt_whisper.whisper.precision import Precision, dtype_of

logger = logging.getLogger(__name__)

_EDITIONS = 2  # of a source that are kept: requests end with the prompt that they began with


@dataclass(frozen=True)
class WorkerSettings:
    """What all workers of a service share."""

    model: str
    precision: Precision
    sources: tuple[ModelSource, ...]  # that must be there at the start
    batch_size: int  # windows
    batch_wait_seconds: float


class Worker(LitAPI):
    """Answers tasks; LitServe collects them from all requests, and calls `predict` with a batch."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Takes what all workers share; Whisper is loaded in `setup`, in the worker's process."""
        super().__init__(
            max_batch_size=settings.batch_size,
            batch_timeout=settings.batch_wait_seconds,
            loop=WaitingLoop(),
        )
        self.settings = settings
        self._begun = get_context("spawn").Event()  # a worker has read what must be there

    def setup(self, device: str) -> None:
        """Loads Whisper, and at the start of the service reads what must be there; started anew, it serves what there is."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; LitServe ends us later
        try:
            self._load(device)
        except InputError as error:
            print(f"spt-whisper serve: {printable(error)}", file=sys.stderr, flush=True)  # noqa: T201
            logging.getLogger("litserve").setLevel(logging.CRITICAL)  # it would show a traceback
            raise

    def decode_request(self, request: Task) -> Task:
        """Tasks come as they are."""
        return request

    def predict(self, x: Sequence[Task]) -> list[Answer]:
        """Answers tasks in their order; windows that are decoded in the same way share batches."""
        answers: dict[int, Answer] = {}
        windows: dict[int, Window] = {}
        for index, task in enumerate(x):
            if isinstance(task, Window):
                windows[index] = task
            else:
                answers[index] = self._look(task)
        for members in _decoded_alike(windows):
            found = self._decode([windows[index] for index in members])
            answers |= zip(members, found, strict=True)
        return [answers[index] for index in range(len(x))]

    def encode_response(self, output: Answer) -> Answer:
        """Answers go as they are."""
        return output

    def _load(self, device: str) -> None:
        disable_progress_bar()  # of loading weights
        settings = self.settings
        self._whisper = Whisper.from_pretrained(
            settings.model, device, dtype_of(settings.precision)
        )
        self._editions: dict[Edition, Mapping[str, Offered]] = {}
        self._forget()
        if not self._begun.is_set():
            for source in settings.sources:
                self._offered(Edition(source, source.version()))
            self._begun.set()

    def _forget(self) -> None:
        """A fresh router, which holds no bank that is gone; the engine lets go of prompts by itself."""
        self._router = PieceRouter(self._whisper.engine)

    def _offered(self, edition: Edition) -> Mapping[str, Offered]:
        """What a source puts on Whisper, by key; it is read when its files have changed."""
        if edition in self._editions:
            return self._editions[edition]
        offered = edition.source.read()
        for own in offered.values():
            if own.prompt is not None:
                own.prompt.check_base(self._whisper.frozen)
        older = [kept for kept in self._editions if kept.source == edition.source]
        gone = [kept for kept in self._editions if self._is_gone(kept.source)]
        for kept in {*older[: 1 - _EDITIONS], *gone}:
            del self._editions[kept]
        self._editions[edition] = offered
        self._forget()
        return offered

    def _is_gone(self, source: ModelSource) -> bool:
        """Whether it was taken out of the folder of prompts."""
        return source not in self.settings.sources and not source.is_there()

    def _look(self, look: Look) -> Answer:
        try:
            offered = self._offered(look.edition)
        except (InputError, OSError) as error:
            return Refused(str(InputError(error)))
        return FoundModels(
            tuple(self._model(look.edition, key, own) for key, own in offered.items())
        )

    def _model(self, edition: Edition, key: str, own: Offered) -> ServedModel:
        frozen = self._whisper.frozen
        card = own.prompt.card if own.prompt else frozen.card
        learned = own.prompt is not None and "language" in own.prompt.config.sites
        spoken = card.languages if card else ()
        return ServedModel(
            name=key or edition.source.name,
            edition=edition,
            key=key,
            window_seconds=card.window_seconds if card else float(WINDOW_SECONDS),
            codes=frozenset() if learned or own.bank else frozenset(frozen.tokens.languages),
            own_languages={
                name: card.code_of(name) for name in (*spoken, MIX.join(spoken)) if card and name
            },
            members=frozenset(own.bank.languages) if own.bank else frozenset(),
        )

    def _decode(self, windows: Sequence[Window]) -> list[Answer]:
        """Decodes together; where one of several is refused or fails, each alone, so that the others do not."""
        try:
            return self._decoded(windows)
        except Exception as error:  # of any kind: the batch has windows of other clients
            if len(windows) == 1:
                return [_told(error)]
        return [answer for window in windows for answer in self._decode([window])]

    def _decoded(self, windows: Sequence[Window]) -> list[Answer]:
        pieces = [self._piece(number, window) for number, window in enumerate(windows)]
        prompted = self._router.assign(pieces, self.settings.batch_size)
        results = self._whisper.decode(
            [own.row for own in prompted], windows[0].options, batch_size=self.settings.batch_size
        )
        spoken: list[list[Spoken]] = [[] for _ in windows]
        for own, result in zip(prompted, results, strict=True):
            spoken[own.piece.recording] += self._spoken(own, result)
        return [
            Decoded(tuple(sorted(own, key=lambda one: one.segment.start)), len(windows))
            for own in spoken
        ]

    def _piece(self, number: int, window: Window) -> Piece:
        offered = self._offered(window.edition).get(window.key)
        if offered is None:
            raise InputError(f"model {window.key}: has just been removed; choose another")
        request = Request("upload", offered.prompt, window.language, offered.bank)
        speech = SpeechWindow(window.start, torch.from_numpy(window.waveform), window.activity)
        return Piece(number, request, speech)

    def _spoken(self, own: PromptedPiece, result: RowResult) -> Iterator[Spoken]:
        found = result.hypothesis
        for segment in segments_in(own, result, self._whisper.frozen.tokens):
            yield Spoken(
                segment,
                own.piece.window.start,
                found.mean_log_probability,
                found.no_speech_probability,
                found.compression_ratio,
                found.temperature,
            )


def _told(error: Exception) -> Refused | Failed:
    """What the client of a window is told; what nobody expected goes to the log."""
    if isinstance(error, InputError | OSError):
        return Refused(str(InputError(error)))
    logger.error("a window cannot be decoded", exc_info=error)
    return Failed()


def _decoded_alike(windows: Mapping[int, Window]) -> list[list[int]]:
    """Groups windows by their options: one search decodes all of its rows in the same way."""
    groups: list[list[int]] = []
    for index, window in windows.items():
        for group in groups:
            if windows[group[0]].options == window.options:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
