"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spt_whisper.atomic import replacing, replacing_folder, write_text
from spt_whisper.errors import InputError
from tests.small_disk import small_disk
from tests.tiny_model import tiny_tokenizer


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old\n")

    def fail_halfway() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ne")
            assert path.read_text() == "old\n"
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway()
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_whoever_writes(tmp_path: Path) -> None:
    """Python, and libraries in Rust, which raise no OSError."""
    path = tmp_path / "a"

    def write(tensors: dict[str, torch.Tensor]) -> None:
        with replacing(path) as temporary:
            save_file(tensors, temporary)

    def tokenizer() -> None:
        with replacing_folder(path) as made:
            tiny_tokenizer().save_pretrained(made)

    for fill in (
        lambda: write_text(path, "a" * 2000),
        lambda: write({"a": torch.zeros(1000)}),
        tokenizer,
    ):
        with small_disk(1000), pytest.raises(OSError, match="too large") as full:
            fill()
        assert (full.value.errno, full.value.filename) == (errno.EFBIG, str(path))
        assert not list(tmp_path.iterdir())


def test_what_must_outlive_a_power_failure_is_on_the_disk_before_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that it is: no test can cut the power. That the system is asked in time."""
    done: list[str] = []
    fsync, rename, replace = os.fsync, Path.rename, os.replace

    def to_disk(handle: int) -> None:
        fsync(handle)
        done.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name}")

    def renamed(source: Path, target: Path) -> Path:
        done.append(f"rename {source.name}")
        return rename(source, target)

    def replaced(source: Path, target: Path) -> None:
        done.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", to_disk)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(os, "replace", replaced)
    with replacing_folder(tmp_path / "prompt") as made:
        (made / "a").write_text("a")
    assert done == ["fsync a", "fsync new", "rename new", f"fsync {tmp_path.name}"]
    done.clear()
    with replacing(tmp_path / "last.ckpt", durable=True) as temporary:
        temporary.write_text("a")
    assert done == [f"fsync {temporary.name}", "replace"]
    done.clear()
    write_text(tmp_path / "report.json", "{}")
    assert done == ["replace"]


def test_a_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "old")
    write_text(path, "ñ\r\n")
    assert path.read_bytes() == "ñ\r\n".encode()


def test_a_folder_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "folder").mkdir()
    for target in (pipe, tmp_path / "folder"):
        with pytest.raises(InputError, match="is a (folder|device), wanted a file"):
            write_text(target, "text")
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_new_folder_takes_the_place_of_an_older_one_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "bank"
    with replacing_folder(target) as made:
        (made / "a").write_text("1")

    def fail_halfway() -> None:
        with replacing_folder(target) as made:
            (made / "b").write_text("2")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway()
    assert [path.name for path in target.iterdir()] == ["a"]
    with replacing_folder(target) as made:
        (made / "c").write_text("3")
    assert [path.name for path in target.iterdir()] == ["c"]
    assert [path.name for path in target.parent.iterdir()] == ["bank"]


def test_a_folder_is_written_where_a_link_leads_and_into_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "large disk", tmp_path / "runs"
    real.mkdir()
    link.symlink_to(real)
    with replacing_folder(link) as made:
        (made / "a").touch()
    assert (link.is_symlink(), [path.name for path in real.iterdir()]) == (True, ["a"])
    monkeypatch.chdir(real)
    with replacing_folder(".") as made:
        (made / "b").touch()
    assert [path.name for path in real.iterdir()] == ["b"]


@pytest.mark.parametrize("renamed", [1, 2])
def test_an_interrupt_between_two_renames_loses_nothing(
    renamed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    rename, calls = Path.rename, []

    def interrupted(self: Path, to: Path) -> Path:
        result = rename(self, to) if len(calls) + 1 != renamed or renamed == 1 else self
        calls.append(to)
        if len(calls) == renamed:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(target) as made:
        (made / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in target.iterdir()] == ["old"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_users_umask_says_who_may_read(mask: int, mode: int, tmp_path: Path) -> None:
    older = os.umask(mask)
    try:
        with replacing(tmp_path / "states.safetensors") as path:
            save_file({"states": torch.zeros(1)}, path)
        with replacing_folder(tmp_path / "prompt") as folder:
            save_file({"states": torch.zeros(1)}, folder / "prompt.safetensors")
    finally:
        os.umask(older)
    for name in ("states.safetensors", "prompt/prompt.safetensors"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode, name
