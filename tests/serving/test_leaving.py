"""A client that leaves: its audio is read no further, its windows are dropped, and others have its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.serving import transcription as module
from spt_whisper.serving.catalog import Chosen
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import Decoded, Edition, ServedModel, Window
from spt_whisper.serving.transcription import Asked, Transcription
from spt_whisper.serving.uploads import UploadedAudio
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions

MODEL = ServedModel("whisper-1", Edition(BareSource("tiny"), ""), "", 30.0)


def upload(path: Path) -> UploadedAudio:
    soundfile.write(path, np.zeros(5 * 60 * 16_000, np.float32), 16_000)
    return UploadedAudio(str(path), longest_seconds=3600.0)


def test_a_silent_upload_of_a_client_that_has_left_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)

    async def decoded(window: Window) -> Decoded:
        raise AssertionError("there is no speech")

    async def gone() -> bool:
        return True

    audio = upload(tmp_path / "a.flac")
    transcription = Transcription(decoded, VoiceActivityOptions(), 4, lambda _: None)
    with pytest.raises(Fault, match="the client has left"):
        asyncio.run(
            transcription.transcribe(Asked(audio, Chosen(MODEL, None), DecodingOptions()), gone)
        )
    assert audio.abandoned.is_set()


@pytest.mark.parametrize(
    "at_once", [1, 10], ids=["one window waits for another", "all are under way"]
)
def test_windows_that_are_not_decoded_yet_do_not_hold_a_client_that_has_left(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    asked, dropped = [], []

    async def never(window: Window) -> Decoded:
        asked.append(window.start)
        try:
            await asyncio.Event().wait()
        finally:
            dropped.append(window.start)
        raise AssertionError("nobody answers")

    async def gone() -> bool:
        return len(asked) == at_once

    transcription = Transcription(never, None, at_once, lambda _: None)
    request = Asked(upload(tmp_path / "a.flac"), Chosen(MODEL, None), DecodingOptions())

    async def transcribe() -> None:
        with pytest.raises(Fault, match="the client has left"):
            await asyncio.wait_for(transcription.transcribe(request, gone), timeout=60)
        await asyncio.sleep(0)  # cancelled tasks end

    asyncio.run(transcribe())
    assert len(asked) == at_once
    assert dropped == asked


def test_audio_is_counted_no_further_once_its_client_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[None] = []

    async def decoded(window: Window) -> Decoded:
        raise AssertionError("nothing is cut yet")

    async def gone() -> bool:
        return len(counted) > 1

    def blocks(_: str) -> Iterator[torch.Tensor]:
        for _ in range(100):
            counted.append(None)
            yield torch.zeros(16_000)

    monkeypatch.setattr("spt_whisper.serving.uploads.stream_audio", blocks)
    transcription = Transcription(decoded, None, 1, lambda _: None)
    request = Asked(upload(tmp_path / "a.flac"), Chosen(MODEL, None), DecodingOptions())
    with pytest.raises(Fault, match="the client has left"):
        asyncio.run(transcription.transcribe(request, gone))
    assert len(counted) < 5


def test_a_short_upload_does_not_wait_until_a_long_one_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    async def decoded(window: Window) -> Decoded:
        return Decoded((), 1)

    async def gone() -> bool:
        return False

    def blocks(path: str) -> Iterator[torch.Tensor]:
        for _ in range(100 if path == "long" else 1):
            read.append(path)
            time.sleep(0.01)
            yield torch.zeros(16_000)

    async def transcribe_both() -> None:
        await asyncio.gather(
            *(
                transcription.transcribe(
                    Asked(
                        UploadedAudio(name, longest_seconds=3600.0),
                        Chosen(MODEL, None),
                        DecodingOptions(),
                    ),
                    gone,
                )
                for name in ("long", "short")
            )
        )

    monkeypatch.setattr("spt_whisper.serving.uploads.stream_audio", blocks)
    monkeypatch.setattr(module, "_READERS", 1)
    transcription = Transcription(decoded, None, 4, lambda _: None)
    asyncio.run(transcribe_both())
    assert read.index("short") < 50
