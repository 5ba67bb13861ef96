"""The public `Whisper`: audio in, transcripts out, with any prompt on any row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS, load_audio
from spt_whisper.engines.engine import Engine, Row, RowResult
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.batching import batches, window_of
from spt_whisper.transcription.segments import split_segments
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions

Audio = str | Path | Tensor


class Whisper:
    """Whisper that transcribes with soft prompts."""

    def __init__(self, frozen: FrozenWhisper, engine: Engine | None = None) -> None:
        """Takes the frozen model, and what runs it (PyTorch by default)."""
        self.frozen = frozen
        self.engine: Engine = engine or TorchEngine(frozen)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str | None = None, dtype: torch.dtype | None = None
    ) -> Whisper:
        """Loads a Whisper by hub id, folder, CTranslate2 folder or short name.

        Args:
            name: such as `openai/whisper-small`, `base`, or a folder.
            device: by default a GPU if there is one.
            dtype: by default float32.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(FrozenWhisper.from_pretrained(name, device, dtype or torch.float32))

    @overload
    def transcribe(self, audio: Audio, **settings: Any) -> Transcript: ...
    @overload
    def transcribe(
        self, audio: list[Audio] | list[str] | list[Path] | tuple[Audio, ...], **settings: Any
    ) -> list[Transcript]: ...
    def transcribe(  # type: ignore[misc]  # the overloads leave the settings' types to this one
        self,
        audio: Any,
        *,
        prompt: Prompt | Sequence[Prompt | None] | None = None,
        language: str | Sequence[str | None] | None = None,
        options: DecodingOptions | None = None,
        window_seconds: float | None = None,
        batch_size: int = 8,
    ) -> Transcript | list[Transcript]:
        """Transcribes audio of up to 30 s each.

        Args:
            audio: a path or a 16 kHz mono waveform (samples,), or several.
            prompt: one for all, or for each its own (None: bare Whisper).
            language: Whisper code, one for all or for each; by default the prompt's, else detected.
            options: how to decode.
            window_seconds: the window; by default the prompt's or adapted model's own, or 30 s for bare Whisper.
            batch_size: windows decoded together.

        Returns:
            A transcript, or a list where several were given.

        Raises:
            InputError: audio that cannot be read or is too long, a prompt of another model, an unknown language.
        """
        if isinstance(audio, str | Path | Tensor):
            return self.transcribe(
                [audio],
                prompt=prompt,
                language=language,
                options=options,
                window_seconds=window_seconds,
                batch_size=batch_size,
            )[0]
        prompts = _for_each(prompt, len(audio), "prompt")
        languages = _for_each(language, len(audio), "language")
        for code in set(languages) - {None}:
            self.frozen.tokens.language(code)
        rows = [
            Row(load_waveform(item), own_prompt, (code,) if code else None)
            for item, own_prompt, code in zip(audio, prompts, languages, strict=True)
        ]
        names = [str(item) if isinstance(item, str | Path) else "waveform" for item in audio]
        return self.transcribe_rows(
            names, rows, options or DecodingOptions(), window_seconds, batch_size
        )

    def transcribe_rows(
        self,
        names: Sequence[str],
        rows: Sequence[Row],
        options: DecodingOptions,
        window_seconds: float | None = None,
        batch_size: int = 8,
    ) -> list[Transcript]:
        """Transcribes audio that is loaded; `names` says what to call it."""
        results = self.decode(rows, options, window_seconds, batch_size)
        return [
            self._transcript(name, row, result)
            for name, row, result in zip(names, rows, results, strict=True)
        ]

    def decode(
        self,
        rows: Sequence[Row],
        options: DecodingOptions,
        window_seconds: float | None = None,
        batch_size: int = 8,
    ) -> list[RowResult]:
        """Decodes rows of audio in batches, each in its window, and returns results in the rows' order."""
        if window_seconds is None and self.frozen.card is not None:
            window_seconds = self.frozen.card.window_seconds
        windows = [window_of(row, window_seconds) for row in rows]
        results: dict[int, RowResult] = {}
        for window, members in batches(rows, windows, batch_size):
            found = self.engine.decode_batch([rows[index] for index in members], window, options)
            results.update(zip(members, found, strict=True))
        return [results[index] for index in range(len(rows))]

    def _transcript(self, name: str, row: Row, result: RowResult) -> Transcript:
        duration = row.waveform.shape[0] / SAMPLE_RATE
        segments: tuple[Segment, ...] = split_segments(
            result.hypothesis.tokens, self.frozen.tokens, duration
        )
        prompt = row.prompt.name if row.prompt else None
        return Transcript(name, duration, segments, result.languages, prompt)


def load_waveform(audio: Audio) -> Tensor:
    """Returns a 16 kHz mono waveform (samples,) of at most 30 s.

    Raises:
        InputError: it cannot be read, is empty or too long.
    """
    waveform = audio.float().cpu() if isinstance(audio, Tensor) else load_audio(audio)
    name = "waveform" if isinstance(audio, Tensor) else str(audio)
    if waveform.dim() != 1 or waveform.shape[0] == 0:
        raise InputError(f"{name}: shape {tuple(waveform.shape)}, wanted (samples,), 16 kHz mono")
    if waveform.shape[0] > WINDOW_SECONDS * SAMPLE_RATE:
        raise InputError(
            f"{name}: {waveform.shape[0] / SAMPLE_RATE:.1f} s long, wanted at most {WINDOW_SECONDS} s; cut it first"
        )
    return waveform


def _for_each(value: Any, count: int, name: str) -> list[Any]:
    """One value for all, or a sequence with one for each."""
    if value is None or isinstance(value, str | Prompt):
        return [value] * count
    if len(value) != count:
        raise InputError(
            f"{name}: {len(value)} given for {count} audio files; give one, or one for each"
        )
    return list(value)
