"""Archives unpacked once, and never outside the cache."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spt_whisper.corpora.unpacking import Clip, unpack_clips, unpack_tar
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import is_one_line, write_tone


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def write_tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"data") if info.size else None)
    return path


def test_a_tar_is_unpacked_once(tmp_path: Path, cache: Path) -> None:
    archive = write_tar(
        tmp_path / "dev.tar.gz", member("dev", tarfile.DIRTYPE), member("dev/a.wav")
    )
    folder = unpack_tar(archive)
    assert folder.parent == cache / "corpora"
    assert (folder / "dev/a.wav").read_bytes() == b"data"
    (folder / "dev/a.wav").write_text("kept")
    assert (unpack_tar(archive) / "dev/a.wav").read_text() == "kept"
    os.utime(archive, (1, 1))
    assert (unpack_tar(archive) / "dev/a.wav").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (member("../evil"), "leads out of the archive"),
        (member("dev/../../evil"), "leads out of the archive"),
        (member("/evil"), "leads out of the archive"),
        (member("..\\evil"), "leads out of the archive"),
        (member("evil", tarfile.SYMTYPE, "/etc"), "is a link or device"),
        (member("evil", tarfile.LNKTYPE, "dev/a.wav"), "is a link or device"),
        (member("evil", tarfile.FIFOTYPE), "is a link or device"),
        (member("evil", tarfile.CHRTYPE), "is a link or device"),
    ],
)
def test_a_tar_that_reaches_out_leaves_nothing(
    tmp_path: Path, cache: Path, info: tarfile.TarInfo, problem: str
) -> None:
    archive = write_tar(tmp_path / "dev.tar.gz", member("dev/a.wav"), info)
    with pytest.raises(InputError, match=rf"dev\.tar\.gz: member .*evil' {problem}") as caught:
        unpack_tar(archive)
    assert is_one_line(caught.value)
    assert not list(tmp_path.rglob("evil"))
    assert not list(cache.rglob("*.wav"))


@pytest.mark.parametrize("damage", [b"", b"no tar", b"half"])
def test_a_damaged_tar_is_named(tmp_path: Path, cache: Path, damage: bytes) -> None:
    archive = write_tar(tmp_path / "dev.tar.gz", member("dev/a.wav"))
    archive.write_bytes(archive.read_bytes()[:60] if damage == b"half" else damage)
    with pytest.raises(InputError, match=r"dev\.tar\.gz: cannot be unpacked") as caught:
        unpack_tar(archive)
    assert is_one_line(caught.value)


def test_clips_of_a_table_become_files_and_are_read_once(tmp_path: Path, cache: Path) -> None:
    calls = []
    other = write_tone(tmp_path / "other.wav")

    def clips() -> Iterator[Clip]:
        calls.append(1)
        yield Clip(Utterance("a", Path("../../a.WAV"), "ñ\u2028x", ("ky",), 0.5, speaker="s"), b"1")
        yield Clip(Utterance("b", Path("b.wav;rm"), "", (), None), b"22")
        yield Clip(Utterance("c", other, "c", ("zh", "en"), None), None)

    for _ in range(2):
        utterances = unpack_clips("google/x", "0" * 64, clips)
    folder = cache / "corpora/google-x-0000000000000000"
    assert calls == [1]
    assert utterances == [
        Utterance("a", folder / "0000001.wav", "ñ\u2028x", ("ky",), 0.5, speaker="s"),
        Utterance("b", folder / "0000002", "", (), None),
        Utterance("c", other, "c", ("zh", "en"), None),
    ]
    assert (folder / "0000001.wav").read_bytes() == b"1"


def test_clips_that_break_off_leave_nothing(cache: Path) -> None:
    def clips() -> Iterator[Clip]:
        yield Clip(Utterance("a", Path("a.wav"), "x", (), None), b"1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack_clips("x", "0" * 64, clips)
    assert not list(cache.rglob("*.wav"))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(st.sampled_from(["..", ".", "a", "b", "", "c.wav"]), min_size=1, max_size=6),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE]),
)
def test_no_member_is_ever_written_outside(
    tmp_path: Path, cache: Path, parts: list[str], kind: bytes
) -> None:
    outside = tmp_path / "inside/out"
    archive = write_tar(tmp_path / "x.tar.gz", member("/".join(parts), kind, ".."))
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents}
    try:
        folder = unpack_tar(archive)
    except InputError:
        pass
    else:
        assert all(path.is_dir() or path.is_file() for path in folder.rglob("*"))
        assert not any(path.is_symlink() for path in folder.rglob("*"))
    after = {path for path in tmp_path.rglob("*") if cache not in path.parents}
    assert after - before <= {cache}
    assert not outside.exists()
