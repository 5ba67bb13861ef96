"""Where models come from: folders that cannot be read, files that go, and what the hub has at the start."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from spt_whisper.serving.catalog import Catalog
from spt_whisper.serving.settings import ServeConfig
from spt_whisper.serving.sources import files_version, fixed_sources, sources_in
from spt_whisper.serving.tasks import FoundModels, Look, Refused, ServedModel
from tests.hub_server import connect, running_hub


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_folder_that_cannot_be_read_is_logged_once_and_holds_up_no_other(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", ".b.writing", "locked"):
        shutil.copytree(home / "prompts" / "kichwa", tmp_path / name)
    is_file = Path.is_file

    def locked(path: Path) -> bool:  # root may read everything
        if path.parent.name in (".b.writing", "locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", locked)
    assert [source.name for source in sources_in(str(tmp_path))] == ["a", "locked"]

    async def look(task: Look) -> FoundModels | Refused:
        try:
            task.edition.source.read()
        except OSError as error:
            return Refused(str(error))
        return FoundModels((ServedModel(task.edition.source.name, task.edition, "", 30.0),))

    catalog = Catalog([], str(tmp_path), look)
    with caplog.at_level(logging.WARNING):
        asyncio.run(catalog.refresh())
        asyncio.run(catalog.refresh())
    assert set(catalog.models) == {"a"}
    assert caplog.text.count("model locked cannot be read") == 1


def test_files_that_go_while_they_are_looked_at_are_another_version(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, lstat = home / "prompts" / "kichwa", Path.lstat

    def gone(path: Path) -> object:
        if path.name == "prompt.safetensors":
            raise FileNotFoundError(path)
        return lstat(path)

    whole = files_version(prompt)
    monkeypatch.setattr(Path, "lstat", gone)
    assert files_version(prompt) != whole


def test_the_hub_is_asked_at_the_start_only(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_hub() as hub:
        connect(monkeypatch, hub.url, tmp_path / "cache")
        hub.add("someone/kichwa", files_of(home / "prompts" / "kichwa"))
        hub.add("someone/andes", files_of(home / "andes"))
        config = ServeConfig(prompt=["someone/kichwa", "own=someone/kichwa"], bank="someone/andes")
        sources = fixed_sources(config)
        assert [source.name for source in sources] == ["someone/kichwa", "own", "someone/andes"]
        versions = [source.version() for source in sources]
        hub.add("someone/kichwa", files_of(home / "prompts" / "ñandú"))
        hub.add("someone/andes", {})
        asked = len(hub.requests)
        prompt = sources[0].read()[""].prompt
        assert prompt is not None
        assert (prompt.name, prompt.card.languages) == ("someone/kichwa", ("qug",))
        assert {"quz", "ay"} <= set(sources[2].read())
        assert all(source.is_there() for source in sources)
        assert [source.version() for source in sources] == versions
        assert len(hub.requests) == asked
