"""The cache: folders that are whole or not there, and keys that notice a change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spt_whisper.cache import cache_folder, cached_folder, files_key
from spt_whisper.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPT_WHISPER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_folder_is_filled_once(cache: Path) -> None:
    calls = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        (folder / "a").write_text("x")

    assert cached_folder("some/name", fill) == cache / "some/name"
    assert cached_folder("some/name", fill) == cache / "some/name"
    assert len(calls) == 1
    assert (cache / "some/name/a").read_text() == "x"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_half_a_folder_is_never_seen(cache: Path, interruption: type[BaseException]) -> None:
    def fill(folder: Path) -> None:
        (folder / "a").write_text("x")
        assert not (cache / "name").exists()
        raise interruption

    with pytest.raises(interruption):
        cached_folder("name", fill)
    assert list(cache.iterdir()) == []


def test_of_two_processes_the_first_wins(cache: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "a").write_text("slow")
        (cache / "name").mkdir()
        (cache / "name/a").write_text("fast")

    assert (cached_folder("name", fill) / "a").read_text() == "fast"
    assert [path.name for path in cache.iterdir()] == ["name"]


def test_a_cache_that_cannot_be_written_is_named(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(InputError, match=r"cache/name: cannot be made .*set SPT_WHISPER_CACHE"):
        cached_folder("name", lambda folder: None)


def test_without_a_setting_the_cache_is_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPT_WHISPER_CACHE")
    assert cache_folder() == Path.home() / ".cache/spt-whisper"


def test_keys_change_with_path_size_and_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("x")
    keys = [files_key([one]), files_key([two]), files_key([one, two])]
    assert files_key([two, one]) == keys[2]
    os.utime(one, (1, 1))
    keys.append(files_key([one]))
    one.write_text("xx")
    os.utime(one, (1, 1))
    keys.append(files_key([one]))
    assert len(set(keys)) == 5
