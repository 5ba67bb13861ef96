"""A worker by itself: what it keeps of prompts that come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

from spt_whisper.serving.sources import PromptSource
from spt_whisper.serving.tasks import Edition, Found, Look
from spt_whisper.serving.worker import Worker, WorkerSettings


def test_prompts_that_are_gone_are_forgotten(home: Path, tmp_path: Path) -> None:
    worker = Worker(WorkerSettings(str(home / "model"), "float32", (), 4, 0.0))
    worker._load("cpu")
    for number in range(4):
        place = tmp_path / f"prompt{number}"
        shutil.copytree(home / "prompts" / "kichwa", place)
        source = PromptSource(place.name, str(place))
        assert isinstance(worker._look(Look(Edition(source, source.version()))), Found)
        shutil.rmtree(place)
    assert [edition.source.name for edition in worker._editions] == ["prompt3"]
