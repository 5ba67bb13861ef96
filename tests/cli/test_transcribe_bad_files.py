"""`spt-whisper transcribe` on a folder of all that is wrong or rare: a line for each that cannot be read, the rest is done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spt_whisper.engines.engine import RowResult
from spt_whisper.engines.torch import TorchEngine
from tests.audio.recordings import sine
from tests.audio.test_bad_files import BAD_FILES, write_video_without_sound
from tests.cli.test_commands import call
from tests.tiny_corpus import write_model


def write_cut_mp3(path: Path) -> None:
    soundfile.write(path, sine(16_000, seconds=4.0), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


READABLE: dict[str, Callable[[Path], object]] = {
    "8_khz.wav": lambda path: soundfile.write(path, sine(8_000), 8_000),
    "192_khz.wav": lambda path: soundfile.write(path, sine(192_000), 192_000),
    "7_channels.wav": lambda path: soundfile.write(path, np.tile(sine(16_000)[:, None], 7), 16_000),
    "zeros.wav": lambda path: soundfile.write(path, np.zeros(16_000, np.float32), 16_000),
    "cut.mp3": write_cut_mp3,
}
UNREADABLE: dict[str, Callable[[Path], object]] = {
    "empty.mp3": Path.touch,
    "no_samples.wav": lambda path: soundfile.write(path, np.zeros(0, np.float32), 16_000),
    "text.m4a": lambda path: path.write_text("This is a shopping list.\n" * 50),
    "video.mp4": write_video_without_sound,
    "playlist.wav": BAD_FILES["playlist.wav"],
    "unknown_codec.wav": BAD_FILES["codec.wav"],
    "nan.wav": BAD_FILES["nan.wav"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, in the current folder beside a model."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model")
    Path("talks").mkdir()
    return Path("talks")


def run(*arguments: str) -> int:
    own = ("talks", "--model", "model", "--output", "out", "--voice_activity", "null")
    return call("transcribe", *own, "--decoding.temperatures", "[0.0]", *arguments)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the command said of files, without warnings."""
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return [line for line in error.splitlines() if line.startswith("spt-whisper transcribe:")]


def test_each_file_that_cannot_be_read_is_a_line_and_the_rest_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, write in (READABLE | UNREADABLE).items():
        write(folder / name)
    (folder / "other.wav").unlink()  # what the playlist names
    (folder / "folder.wav").mkdir()
    (folder / "gone.wav").symlink_to("nowhere.wav")
    assert run() == 1
    lines = said(capsys)
    assert len(lines) == len(UNREADABLE)
    for name in UNREADABLE:
        assert any(f"talks/{name}: " in line for line in lines), name
    made = [path.name.removesuffix(".txt") for path in Path("out").glob("*.txt")]
    assert sorted(made) == sorted(READABLE)
    assert run() == 1  # what failed is tried again, what is done is not
    assert len(said(capsys)) == len(UNREADABLE)


def test_a_file_that_is_removed_meanwhile_is_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        soundfile.write(folder / f"{number}.wav", sine(16_000, seconds=0.5), 16_000)
    decode_batch = TorchEngine.decode_batch

    def removing(*batch: Any) -> list[RowResult]:
        (folder / "9.wav").unlink(missing_ok=True)  # eight are read by now
        return decode_batch(*batch)

    monkeypatch.setattr(TorchEngine, "decode_batch", removing)
    assert run("--batch_size", "1") == 1
    (line,) = said(capsys)
    assert line == "spt-whisper transcribe: talks/9.wav: no such file; give an existing audio file"
    assert len(list(Path("out").glob("*.txt"))) == 9


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(folder / "a.wav", sine(16_000), 16_000)
    shutil.copy(folder / "a.wav", folder / "b.wav")
    (folder / "b.wav").chmod(0)
    assert run() == 1
    (line,) = said(capsys)
    assert "talks/b.wav: cannot be read (Permission denied)" in line
