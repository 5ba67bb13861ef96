"""The public `Whisper`: audio of any length in, transcripts out, with any prompt on any window."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

import torch

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS
from spt_whisper.audio.window import check_windows
from spt_whisper.engines.engine import Engine, Row, RowResult
from spt_whisper.engines.onnx import OnnxEngine
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.arguments import Opened, for_each, listed
from spt_whisper.transcription.audio_count import AudioCount, OnAudio
from spt_whisper.transcription.batching import decode_batches
from spt_whisper.transcription.piece_router import PieceRouter, PromptedPiece
from spt_whisper.transcription.pieces import End, Piece, cut, pools
from spt_whisper.transcription.recordings import (
    Assembly,
    DueEnds,
    Written,
    in_order,
    numbered_segments,
    written_in,
)
from spt_whisper.transcription.request import Audio, Request
from spt_whisper.transcription.settings import check_window
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.onnx import OnnxWhisper, is_onnx
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import MAX_POSITIONS

logger = logging.getLogger(__name__)
_POOL_BATCHES = 4  # batches of windows that are read at once: sorted by length, they waste less
DEFAULT_ACTIVITY = VoiceActivityOptions()
NamedPrompt = Prompt | str | Path
NamedBank = Bank | str | Path


class _Settings(TypedDict, total=False):
    """What `Whisper.transcribe` takes beside audio, for its overloads."""

    prompt: NamedPrompt | Sequence[NamedPrompt | None] | None
    language: str | Sequence[str | None] | None
    bank: NamedBank | None
    options: DecodingOptions | None
    window_seconds: float | None
    batch_size: int
    voice_activity: VoiceActivityOptions | None
    on_audio: OnAudio | None


class Whisper:
    """Whisper that transcribes with soft prompts."""

    def __init__(self, frozen: FrozenWhisper | OnnxWhisper, engine: Engine | None = None) -> None:
        """Takes the frozen model, and what runs it (by default PyTorch, or onnxruntime its graphs)."""
        self.frozen = frozen
        self.engine: Engine = engine or (
            OnnxEngine(frozen) if isinstance(frozen, OnnxWhisper) else TorchEngine(frozen)
        )

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str | None = None, dtype: torch.dtype | None = None
    ) -> Whisper:
        """Loads a Whisper by hub id, folder, CTranslate2 folder, exported ONNX folder or short name.

        Args:
            name: such as `openai/whisper-small`, `base`, or a folder.
            device: by default a GPU if there is one.
            dtype: by default float32.

        Raises:
            InputError: there is no such model, it is damaged, or it cannot run with these settings (ONNX: only on the CPU, in float32).
        """
        if is_onnx(name):
            if device not in (None, "cpu") or dtype not in (None, torch.float32):
                raise InputError(
                    f"model {name}: an ONNX export runs on the cpu in float32, found {device}, {dtype}; leave them out"
                )
            return cls(OnnxWhisper.from_pretrained(name))
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(FrozenWhisper.from_pretrained(name, device, dtype or torch.float32))

    @overload
    def transcribe(self, audio: Audio, **settings: Unpack[_Settings]) -> Transcript: ...
    @overload
    def transcribe(
        self,
        audio: list[Audio] | list[str] | list[Path] | tuple[Audio, ...] | Iterator[Audio],
        **settings: Unpack[_Settings],
    ) -> list[Transcript]: ...
    def transcribe(
        self,
        audio: Any,
        *,
        prompt: NamedPrompt | Sequence[NamedPrompt | None] | None = None,
        language: str | Sequence[str | None] | None = None,
        bank: NamedBank | None = None,
        options: DecodingOptions | None = None,
        window_seconds: float | None = None,
        batch_size: int = 8,
        voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
        on_audio: OnAudio | None = None,
    ) -> Transcript | list[Transcript]:
        """Transcribes audio of any length.

        Args:
            audio: a path or a 16 kHz mono waveform (samples,), or several, as `Path("talks").glob("*.wav")` gives them.
            prompt: one for all, or for each its own (None: bare Whisper): a `Prompt`, or its folder or hub id.
            language: one for all or for each, as the prompt's corpus or the bank names it, or a Whisper code; several as
                `zh+en`. By default the prompt's, else detected in each window.
            bank: a `Bank`, or its folder or hub id: gives the prompt of `language`; where that is left out, each window gets the
                prompt of the bank's language that it sounds like, or none. Beside prompts it is for audio whose own is None.
            options: how to decode; segments have times of their own with `DecodingOptions(timestamps=True)`, and words with
                `word_timestamps` too.
            window_seconds: the window; by default those of the prompt or the adapted model, or 30 s for bare Whisper.
            batch_size: windows decoded together.
            voice_activity: what counts as speech; only speech is decoded. None: everything is.
            on_audio: callback that receives, after each batch, the seconds of audio just processed.

        Returns:
            A transcript, or a list where several were given.

        Raises:
            InputError: audio that cannot be read, a prompt of another model, an unknown language, a bank that no audio is left for.
        """
        names = listed(audio)
        prompts = for_each(prompt, len(names), "prompt")
        languages = for_each(language, len(names), "language")
        opened = Opened()
        requests = [
            opened.called(item, own, code, bank if own is None or None not in prompts else None)
            for item, own, code in zip(names, prompts, languages, strict=True)
        ]
        transcripts = []
        for found in self.transcribe_many(
            requests, options, window_seconds, batch_size, voice_activity, on_audio
        ):
            if isinstance(found, InputError):
                raise found
            transcripts.append(found)
        return transcripts[0] if isinstance(audio, Audio) else transcripts

    def transcribe_many(
        self,
        requests: Iterable[Request],
        options: DecodingOptions | None = None,
        window_seconds: float | None = None,
        batch_size: int = 8,
        voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
        on_audio: OnAudio | None = None,
    ) -> Iterator[Transcript | InputError]:
        """Transcribes recordings as `transcribe_as_completed` does, and yields them in the order of the requests."""
        batches_done = self.transcribe_as_completed(
            requests, options, window_seconds, batch_size, voice_activity, on_audio
        )
        yield from in_order(itertools.chain.from_iterable(batches_done))

    def transcribe_as_completed(
        self,
        requests: Iterable[Request],
        options: DecodingOptions | None = None,
        window_seconds: float | None = None,
        batch_size: int = 8,
        voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
        on_audio: OnAudio | None = None,
    ) -> Iterator[list[tuple[int, Transcript | InputError]]]:
        """Transcribes recordings, whose windows share batches, and yields after each batch those that are done with it.

        Args:
            requests: the recordings; they are read as they are needed, and memory holds a few batches of windows.
            options: how to decode.
            window_seconds: the window; by default those of the prompt or the adapted model, or 30 s for bare Whisper.
            batch_size: windows decoded together.
            voice_activity: what counts as speech; only speech is decoded. None: everything is.
            on_audio: callback that receives, after each batch, the seconds of audio just processed.

        Yields:
            Recordings: the place of each among the requests, and its transcript or why it has none.
        """
        assembly, count = Assembly(), AudioCount(on_audio)
        for events in self._events(
            requests, options, window_seconds, batch_size, voice_activity, count
        ):
            done = []
            for event in events:
                if isinstance(event, End):
                    done.append((event.recording, assembly.finish(event)))
                else:
                    assembly.add(event)
            if done:
                yield done

    def transcribe_stream(
        self,
        audio: Audio,
        *,
        prompt: NamedPrompt | None = None,
        language: str | None = None,
        bank: NamedBank | None = None,
        options: DecodingOptions | None = None,
        window_seconds: float | None = None,
        batch_size: int = 8,
        voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
    ) -> Iterator[Segment]:
        """Transcribes one recording and yields its segments in order, a few batches of windows at a time.

        Arguments and errors are those of `transcribe`.
        """
        request, count = Opened().called(audio, prompt, language, bank), AudioCount(None)
        events = itertools.chain.from_iterable(
            self._events([request], options, window_seconds, batch_size, voice_activity, count)
        )
        yield from itertools.chain.from_iterable(in_order(numbered_segments(events)))

    @torch.inference_mode()
    def detect_language(
        self,
        audio: Audio,
        top: int = 5,
        voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
    ) -> dict[str, float]:
        """Returns Whisper's most probable languages of the first 30 s of speech, code -> probability, highest first.

        Args:
            audio: a path or a 16 kHz mono waveform (samples,).
            top: how many languages.
            voice_activity: what counts as speech. None: everything does.

        Raises:
            InputError: the audio cannot be read, or holds no speech.
        """
        speech = _first_speech(Request(audio), voice_activity)
        (heard,) = self.engine.listen([Row(speech)], float(WINDOW_SECONDS))
        best = heard.log_posterior.exp().topk(min(top, heard.log_posterior.shape[0]))
        codes = list(self.frozen.tokens.languages)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return {codes[index]: probability for index, probability in pairs}

    def decode(
        self,
        rows: Sequence[Row],
        options: DecodingOptions,
        window_seconds: float | None = None,
        batch_size: int = 8,
    ) -> list[RowResult]:
        """Decodes rows of audio of up to 30 s in batches, each in its window, and returns results in the rows' order.

        Args:
            rows: audio, with or without prompts.
            options: how to decode.
            window_seconds: the window; by default the shortest that holds a row, of those that its prompt or the adapted
                model was trained with, or 30 s.
            batch_size: rows decoded together.
        """
        _check_batch_size(batch_size)
        preferred, results = self._preferred(window_seconds), dict[int, RowResult]()
        tokens = self.frozen.tokens
        for found in decode_batches(self.engine, tokens, rows, options, preferred, batch_size):
            results |= found
        return [results[index] for index in range(len(rows))]

    def _preferred(self, window_seconds: float | None) -> tuple[float, ...]:
        """Windows to choose from before those of prompts: the one asked for, else those of an adapted model."""
        if window_seconds is not None:
            check_windows((window_seconds,))
            return (window_seconds,)
        return self.frozen.card.windows if self.frozen.card else ()

    def _events(
        self,
        requests: Iterable[Request],
        options: DecodingOptions | None,
        window_seconds: float | None,
        batch_size: int,
        activity: VoiceActivityOptions | None,
        count: AudioCount,
    ) -> Iterator[list[Written | End]]:
        """After each batch what was written in it, and the ends of the recordings that are done with it."""
        _check_batch_size(batch_size)
        check_window(window_seconds)
        options = options or DecodingOptions()
        longest = window_seconds
        if longest is None and self.frozen.card is not None:
            longest = self.frozen.card.window_seconds
        preferred, tokens = self._preferred(window_seconds), self.frozen.tokens
        router = PieceRouter(self.engine, preferred)
        first = 0  # number of a pool's first window
        for pool in pools(self._checked(requests), longest, activity, batch_size * _POOL_BATCHES):
            prompted = router.assign([p for p in pool if isinstance(p, Piece)], batch_size)
            prompted.sort(key=lambda own: (own.piece.recording, own.piece.window.start))
            rows, on_rows = [own.row for own in prompted], count.of_rows(prompted)
            ends = DueEnds(pool, prompted, count.end)
            yield [*ends.after([])]
            for found in decode_batches(self.engine, tokens, rows, options, preferred, batch_size):
                on_rows(list(found))
                _tell_of_cut_texts(found, prompted)
                written = written_in(found, prompted, first, tokens)
                yield [*written, *ends.after(written)]
            first += len(prompted)

    def _checked(self, requests: Iterable[Request]) -> Iterator[Request]:
        opened = Opened()
        for request in requests:
            for code in request.codes or ():
                self.frozen.tokens.language(code)
            yield opened.request(request)


def _first_speech(request: Request, activity: VoiceActivityOptions | None) -> torch.Tensor:
    """The first 30 s of a recording's speech, without the pauses between its windows, (samples,)."""
    longest, found = WINDOW_SECONDS * SAMPLE_RATE, torch.empty(0)
    for piece in cut([request], None, activity):
        if isinstance(piece, End):
            if piece.error or not len(found):
                raise piece.error or InputError(f"{request.name}: holds no speech")
            break
        found = torch.cat([found, piece.window.waveform])
        if len(found) >= longest:
            break
    return found[:longest]


def _tell_of_cut_texts(found: Mapping[int, RowResult], windows: Sequence[PromptedPiece]) -> None:
    """Names the windows that the decoder's positions could not hold the text of, which scripts of many tokens a letter may have."""
    for place, result in found.items():
        piece = windows[place].piece
        if result.hypothesis.stopped_by == "positions":
            logger.warning(
                "%s: the text of %.1f to %.1f s has no room in %d decoder positions, and its end is lost; use a shorter window",
                piece.request.name, piece.window.start, piece.window.end, MAX_POSITIONS,
            )  # fmt: skip


def _check_batch_size(size: int) -> None:
    if size < 1:
        raise InputError(f"batch_size: found {size}, wanted 1 or more")
