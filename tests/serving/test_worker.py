"""A worker by itself: what it keeps of prompts that come and go."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import PromptSource
from spt_whisper.serving.tasks import Decoded, Edition, Failed, FoundModels, Look, Refused, Window
from spt_whisper.serving.transcription import Transcription
from spt_whisper.serving.worker import Worker, WorkerSettings
from spt_whisper.transcription.pieces import Piece
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.transcription.windows import SpeechWindow
from spt_whisper.whisper.options import single_pass


def test_prompts_that_are_gone_are_forgotten(home: Path, tmp_path: Path) -> None:
    worker = Worker(WorkerSettings(str(home / "model"), "float32", (), 4, 0.0))
    worker._load("cpu")
    for number in range(4):
        place = tmp_path / f"prompt{number}"
        shutil.copytree(home / "prompts" / "kichwa", place)
        source = PromptSource(place.name, str(place))
        assert isinstance(worker._look(Look(Edition(source, source.version()))), FoundModels)
        shutil.rmtree(place)
    assert [edition.source.name for edition in worker._editions] == ["prompt3"]


def test_a_window_that_fails_does_not_take_the_others_along(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(WorkerSettings(str(home / "model"), "float32", (), 4, 0.0))
    worker._load("cpu")
    source = PromptSource("kichwa", str(home / "prompts" / "kichwa"))
    edition, options = Edition(source, source.version()), single_pass(tokens_per_second=5.0)
    windows = [
        Window(edition, "", 0.0, np.full(size, 0.1, "f4"), np.ones((4, 2), "f4"), code, options)
        for size, code in ((8000, None), (9000, None), (8000, "xx"))
    ]
    decode = Whisper.decode

    def fails(self: Whisper, rows: list[Any], *more: Any, **settings: Any) -> Any:
        if any(len(row.waveform) == 9000 for row in rows):
            raise RuntimeError("out of luck")
        return decode(self, rows, *more, **settings)

    monkeypatch.setattr(Whisper, "decode", fails)
    assert [type(answer) for answer in worker.predict(windows)] == [Decoded, Failed, Refused]
    assert "out of luck" in caplog.text


@pytest.mark.parametrize(("answer", "status"), [(Failed(), 500), (Refused("no"), 400)])
def test_the_client_of_such_a_window_is_told_whose_fault_it_is(
    answer: Failed | Refused, status: int
) -> None:
    async def ask(_: Window) -> Failed | Refused:
        return answer

    asked: Any = SimpleNamespace(
        chosen=SimpleNamespace(model=SimpleNamespace(edition=None, key=""), code=None),
        options=single_pass(),
    )
    piece = Piece(0, Request("x"), SpeechWindow(0.0, torch.zeros(9), np.ones((1, 2), "f4")))
    transcription = Transcription(ask, None, 1, lambda _: None)
    with pytest.raises(Fault) as caught:
        asyncio.run(transcription._decode(asked, piece))
    assert caught.value.status_code == status
