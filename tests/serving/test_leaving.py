"""A client that leaves while its audio is read: reading ends, and the thread is free for others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spt_whisper.serving import transcription as module
from spt_whisper.serving.catalog import Chosen
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import Decoded, Edition, ServedModel, Window
from spt_whisper.serving.transcription import Asked, Transcription
from spt_whisper.serving.uploads import UploadedAudio
from spt_whisper.transcription.pieces import AbandonedError
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions


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
    model = ServedModel("whisper-1", Edition(BareSource("tiny"), ""), "", 30.0)
    transcription = Transcription(decoded, VoiceActivityOptions(), 4, lambda _: None)
    with pytest.raises(Fault, match="the client has left"):
        asyncio.run(
            transcription.transcribe(Asked(audio, Chosen(model, None), DecodingOptions()), gone)
        )
    assert audio.abandoned.is_set()


def test_abandoned_audio_is_not_read_on(tmp_path: Path) -> None:
    audio = upload(tmp_path / "a.flac")
    audio.abandoned.set()
    with pytest.raises(AbandonedError):
        next(audio.blocks())
