"""One request by itself: what several of its windows raise is one fault, and nothing is left for the log."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spt_whisper.serving.catalog import Chosen
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import Edition, Refused, ServedModel, Window
from spt_whisper.serving.transcription import Asked, Transcription
from spt_whisper.serving.uploads import UploadedAudio
from spt_whisper.whisper.options import DecodingOptions


def test_windows_that_are_refused_are_one_fault(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(5 * 16_000, 0.1, np.float32), 16_000)
    audio = UploadedAudio(tmp_path / "a.wav", client_name="a.wav", longest_seconds=60.0)
    model = ServedModel("tiny", Edition(BareSource("tiny"), ""), "", window_seconds=2.0)
    asked = Asked(audio, Chosen(model, None), DecodingOptions())
    windows: list[Window] = []
    complaints: list[dict[str, Any]] = []

    async def refuse(window: Window) -> Refused:
        windows.append(window)
        return Refused("no such words")

    async def stay() -> bool:
        return False

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        with pytest.raises(Fault, match="no such words"):
            await Transcription(refuse, None, 8, lambda _: None).transcribe(asked, stay)
        gc.collect()

    asyncio.run(run())
    assert len(windows) > 1
    assert complaints == []
