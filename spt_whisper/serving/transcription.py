"""One request for a transcript: its audio is cut into windows, which workers decode among those of other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from spt_whisper.errors import InputError
from spt_whisper.serving.catalog import Chosen
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.tasks import Answer, Decoded, Failed, Refused, Spoken, Window
from spt_whisper.serving.uploads import UploadedAudio
from spt_whisper.transcription.pieces import End, Piece, cut
from spt_whisper.transcription.recordings import transcript_of
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions

_LOOK_SECONDS = 1.0  # between two looks at whether the client is still there
_READERS = 4  # threads that decode files and look for speech

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class TranscribedUpload:
    """What was said in an upload."""

    transcript: Transcript
    spoken: tuple[Spoken, ...]  # its segments, with what their windows were decoded at


@dataclass(frozen=True)
class Asked:
    """What is to be transcribed, and how."""

    audio: UploadedAudio
    chosen: Chosen
    options: DecodingOptions


class Transcription:
    """Transcribes uploads."""

    def __init__(
        self,
        ask: Callable[[Window], Awaitable[Answer]],
        voice_activity: VoiceActivityOptions | None,
        windows: int,
        on_batch: Callable[[int], None],
    ) -> None:
        """Takes who decodes a window, what counts as speech, and how many windows of one upload may be under way.

        `on_batch` is told, for each window, how many were decoded together with it.
        """
        self._ask, self._activity, self._windows = ask, voice_activity, windows
        self._on_batch = on_batch
        self._readers = ThreadPoolExecutor(_READERS, "audio")

    async def transcribe(
        self, asked: Asked, is_gone: Callable[[], Awaitable[bool]]
    ) -> TranscribedUpload:
        """Returns the transcript of an upload.

        Args:
            asked: the upload, the model and how to decode.
            is_gone: whether the client has left: then nothing more is decoded.

        Raises:
            Fault: the audio cannot be read or is too long, or the model refuses it; the client has left.
        """
        under_way: list[asyncio.Task[Decoded]] = []
        room = asyncio.Semaphore(self._windows)
        steps = self._steps(asked)
        spoken: list[Spoken] = []
        try:
            while not isinstance(piece := await self._next(steps, is_gone), End):
                if piece is None:
                    continue
                await _while_there(room.acquire(), is_gone)
                _check_sound(under_way)
                decoding = asyncio.create_task(self._decode(asked, piece))
                decoding.add_done_callback(partial(_make_room, room))
                under_way.append(decoding)
            if piece.error is not None:
                raise Fault(HTTPStatus.BAD_REQUEST, str(piece.error), "invalid_audio", "file")
            for decoding in under_way:
                spoken += (await _while_there(decoding, is_gone)).spoken
        finally:
            asked.audio.abandoned.set()
            for decoding in under_way:
                decoding.cancel()
        return TranscribedUpload(
            transcript_of(piece, [one.segment for one in spoken]), tuple(spoken)
        )

    def _steps(self, asked: Asked) -> Iterator[Piece | End | None]:
        """Pieces, once all of the audio is counted: block by block, between which other requests have their turn."""
        audio, longest = asked.audio, asked.chosen.model.window_seconds
        try:
            for _ in audio.counted():
                yield None
        except (InputError, OSError) as error:
            yield End(0, audio, 0.0, InputError(error))
        else:
            yield from cut([audio], longest, self._activity, audio.abandoned)

    async def _next(
        self, steps: Iterator[Piece | End | None], is_gone: Callable[[], Awaitable[bool]]
    ) -> Piece | End | None:
        """The next step; a silent hour is one."""
        reading = asyncio.get_running_loop().run_in_executor(self._readers, next, steps)
        return await _while_there(reading, is_gone)

    async def _decode(self, asked: Asked, piece: Piece) -> Decoded:
        model = asked.chosen.model
        window = Window(
            model.edition,
            model.key,
            piece.window.start,
            piece.window.waveform.numpy(),
            piece.window.activity,
            asked.chosen.code,
            asked.options,
        )
        answer = await self._ask(window)
        if isinstance(answer, Refused):
            raise Fault(HTTPStatus.BAD_REQUEST, answer.reason)
        if isinstance(answer, Failed):
            raise Fault(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
        assert isinstance(answer, Decoded)  # what a window is answered with
        self._on_batch(answer.together)
        return answer


def _make_room(room: asyncio.Semaphore, decoded: asyncio.Task[Decoded]) -> None:
    room.release()
    if not decoded.cancelled():
        decoded.exception()  # seen, also where another window's is the one that is told


def _check_sound(under_way: list[asyncio.Task[Decoded]]) -> None:
    """Raises what a window has failed with, before more of its recording is decoded for nothing."""
    for decoding in under_way:
        if decoding.done():
            decoding.result()


async def _while_there(
    awaited: Awaitable[_Result], is_gone: Callable[[], Awaitable[bool]]
) -> _Result:
    """The result of what is awaited, unless the client leaves meanwhile; then it is cancelled."""
    waiting = asyncio.ensure_future(awaited)
    try:
        done = False
        while not done:
            done = bool((await asyncio.wait([waiting], timeout=_LOOK_SECONDS))[0])
            if await is_gone():
                raise Fault(HTTPStatus.BAD_REQUEST, "the client has left", "client_left")
        return waiting.result()
    finally:
        waiting.cancel()
