"""`spt-whisper transcribe` on files, folders and globs: what it writes, leaves, refuses, and keeps when it is stopped."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.engines.engine import RowResult
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.transcript_records import TranscriptRecords
from tests.cli.test_commands import call, one_line
from tests.tiny_corpus import write_home, write_model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_home(tmp_path_factory.mktemp("home"))
    fit = (
        "fit", "--corpus.root", str(folder / "corpus"), "--model", str(folder / "model"), "--output", str(folder / "run"),
        "--languages", "[es]", "--window_seconds", "2", "--prompt.length", "4", "--trainer.max_epochs", "1",
        "--trainer.enable_progress_bar", "false",
    )  # fmt: skip
    assert call(*fit) == 0
    return folder


@pytest.fixture
def talks(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of talks, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("a.wav", "ñandú/b.wav", "ñandú/line\nend.wav")):
        target = tmp_path / "talks" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(home / "corpus" / "audio" / f"test{index}.wav", target)
    (tmp_path / "talks" / "notes.txt").write_text("not audio")
    return tmp_path / "talks"


@pytest.fixture
def transcribe(home: Path) -> Callable[..., int]:
    """The command with the tiny model."""
    return lambda *arguments: call("transcribe", *arguments, "--model", str(home / "model"))


def written(folder: Path = Path("out")) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of each transcript, by its name below the folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".spt-whisper" not in path.parts
    }


IN_BULK = ["--engine", "ray", "--manifest", "talks.jsonl", "--output", "out"]
IN_TALKS = ["a.wav", "ñandú/b.wav", "ñandú/line\nend.wav"]


@pytest.mark.parametrize("given", ["talks", "talks/**/*.wav"])
def test_a_folder_and_a_glob_keep_their_structure(
    given: str, talks: Path, transcribe: Callable[..., int]
) -> None:
    assert transcribe(given, "--output", "out", "--format", "srt, txt") == 0
    expected = [f"{name}.{ending}" for name in IN_TALKS for ending in ("srt", "txt")]
    if given != "talks":  # files by themselves, whose names do not meet
        expected = [Path(name).name for name in expected]
    assert sorted(written()) == sorted(expected)


def test_a_second_run_does_nothing(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("talks", "--output", "out", "--format", "json,srt")
    assert transcribe(*run) == 0
    assert capsys.readouterr().out == "out: 3 of 3 files transcribed, 0 there already, 0 failed\n"
    first = written()
    assert transcribe(*run, "--batch_size", "1") == 0
    assert capsys.readouterr().out == "out: 0 of 3 files transcribed, 3 there already, 0 failed\n"
    assert written() == first


def test_only_what_changed_is_made_again(home: Path, talks: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run" / "prompt", tmp_path / "prompt")

    def made(*arguments: str, model: Path = home / "model") -> list[str]:
        """Names of the transcripts that a run writes."""
        before = written() if Path("out").exists() else {}
        run = ("talks", "--output", "out", "--model", str(model), *arguments)
        assert call("transcribe", *run) == 0
        return [name for name, state in written().items() if before.get(name) != state]

    of_all = [f"{name}.txt" for name in IN_TALKS]
    prompt = ("--prompt", "prompt")
    assert made() == of_all
    assert made(*prompt) == of_all
    assert made(*prompt) == []
    shutil.copytree(tmp_path / "prompt", tmp_path / "elsewhere")
    assert made("--prompt", "elsewhere") == []
    assert made(*prompt, "--decoding.beam_size", "2") == of_all
    assert made(*prompt) == of_all
    shutil.copy(talks / "ñandú" / "b.wav", talks / "a.wav")
    assert made(*prompt) == ["a.wav.txt"]
    file = tmp_path / "prompt" / "prompt.json"
    settings = json.loads(file.read_text())
    settings["card"]["windows"] = [3.0]
    file.write_text(json.dumps(settings))
    assert made(*prompt) == of_all
    Path("out/a.wav.txt").unlink()
    assert made(*prompt) == ["a.wav.txt"]
    assert made(*prompt, "--overwrite", "true") == of_all
    assert made() == of_all
    assert made(model=write_model(tmp_path / "other", seed=9)) == of_all


def test_what_the_user_edited_stays(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    Path("out/a.wav.srt").write_text("by hand")
    run = ("talks/a.wav", "--output", "out", "--format", "txt,srt")
    assert transcribe(*run) == 0
    assert one_line(capsys.readouterr().err) == (
        "spt-whisper transcribe: out/a.wav.srt: was changed since it was written, so it is kept; "
        "--overwrite true replaces it"
    )
    Path("out/a.wav.txt").write_text("better")
    assert transcribe(*run, "--language", "es") == 0
    assert {name: content for name, (_, content) in written().items()} == {
        "a.wav.srt": b"by hand",
        "a.wav.txt": b"better",
    }
    assert transcribe(*run, "--overwrite", "true") == 0
    assert b"by hand" not in written()["a.wav.srt"]


def test_files_of_one_name_never_overwrite_each_other(
    talks: Path, transcribe: Callable[..., int]
) -> None:
    shutil.copy(talks / "ñandú" / "b.wav", talks / "b.wav")
    assert transcribe("talks/b.wav", "talks/ñandú/b.wav", "--output", "out") == 0
    assert list(written()) == ["b.wav.txt", "ñandú/b.wav.txt"]


def test_a_bad_file_is_named_and_the_rest_is_done(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (talks / "aa.wav").write_text("not audio")
    assert transcribe("talks", "--output", "out") == 1
    said = capsys.readouterr()
    assert "talks/aa.wav: cannot be read as audio" in one_line(said.err)
    assert said.out == "out: 3 of 4 files transcribed, 0 there already, 1 failed\n"
    assert list(written()) == [f"{name}.txt" for name in IN_TALKS]
    shutil.copy(talks / "a.wav", talks / "aa.wav")
    assert transcribe("talks", "--output", "out") == 0


def test_a_name_is_too_long_only_where_its_transcripts_would_be(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    fits, too_long = "ñ" * 121 + ".wav", "x" * 243 + ".wav"
    for name in (fits, too_long):
        shutil.copy(talks / "a.wav", talks / name)
    assert transcribe("talks", "--output", "out") == 1
    said = capsys.readouterr()
    assert f"{too_long}: found a name that with .txt.json takes 256 bytes" in one_line(said.err)
    assert "4 of 5 files transcribed" in said.out
    assert f"{fits}.txt" in written()


def test_without_an_output_transcripts_are_printed(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert transcribe("talks", "--format", "vtt") == 0
    printed = capsys.readouterr().out
    heads = re.findall("^==> (.*) <==$", printed, flags=re.MULTILINE)
    assert heads == ["talks/a.wav", "talks/ñandú/b.wav", r"talks/ñandú/line\nend.wav"]
    assert printed.count("WEBVTT") == 3
    assert sorted(Path().rglob("*")) == before
    assert transcribe("talks/a.wav") == 0
    assert "==>" not in capsys.readouterr().out


def test_the_language_of_a_prompt_is_known_by_its_name(
    home: Path, talks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("transcribe", "talks/a.wav", "--prompt", str(home / "run" / "prompt"))
    assert call(*run) == 0
    plain = capsys.readouterr().out
    (name,) = Prompt.from_pretrained(home / "run" / "prompt").card.languages
    assert call(*run, "--language", name) == 0
    assert capsys.readouterr().out == plain
    assert call(*run, "--language", "xx") == 2
    assert "language 'xx'" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["talks/nowhere.wav", "talks/a.wav"], "talks/nowhere.wav: no such file or folder"),
        (["talks/*.flac"], "talks/*.flac: no audio or video file in it"),
        (["talks/a.wav", "--format", "txt,doc"], "format: found 'txt,doc', wanted txt, json"),
        (["talks/a.wav", "--format", ""], "format: found '', wanted txt, json"),
        (["talks/a.wav", "--format", "all"], "format: found 'all' and no output"),
        (["talks/a.wav", "--output", "talks/a.wav"], "talks/a.wav: is a file, wanted a folder"),
        (["talks/a.wav", "--output", "talks/a.wav/x"], "a file stands in place of a folder"),
        (["talks/a.wav", "--output", "/proc/out"], "/proc/out"),
        (["--engine", "ray", "--output", "out"], "engine ray: wanted --manifest FILE"),
        (["talks/a.wav", "--bulk.workers", "4"], "bulk: only --engine ray takes its settings"),
        ([*IN_BULK, "--format", "srt"], "format: --engine ray has no use for it"),
        ([*IN_BULK, "--overwrite", "true"], "overwrite: --engine ray has no use for it"),
        ([*IN_BULK, "--device", "cpu"], "device: --engine ray has no use for it"),
    ],
)
def test_a_wrong_call_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    talks: Path,
    transcribe: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(Path().rglob("*"))
    assert transcribe(*arguments) == 2
    assert message in one_line(capsys.readouterr().err)
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("room", "file"),  # files that fit; a transcript comes before its record
    [(2, "out/ñandú/b.wav.txt"), (3, "out/.spt-whisper/ñandú/b.wav.txt.json")],
)
def test_a_full_disk_is_one_line_and_what_is_finished_stays(
    room: int,
    file: str,
    talks: Path,
    transcribe: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Path.write_text

    def write_text(path: Path, *content: str, **how: str) -> int:
        nonlocal room
        room -= 1
        if room < 0:
            write(path, "")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *content, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write_text)
        assert transcribe("talks", "--output", "out") == 2
    line = one_line(capsys.readouterr().err)
    assert f"{file}: the disk is full; free some space" in line
    assert list(written()) == ["a.wav.txt"]
    assert not list(Path("out").rglob("*.tmp"))
    assert transcribe("talks", "--output", "out") == 0
    assert list(written()) == [f"{name}.txt" for name in IN_TALKS]


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def ten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What transcribes ten files, the longest last, of which the first eight are read at once and decoded in pairs."""
    monkeypatch.chdir(tmp_path)
    Path("ten").mkdir()
    generator = np.random.default_rng(0)
    for number in range(10):
        soundfile.write(
            f"ten/{number}.wav", 0.1 * generator.standard_normal(8000 + 1600 * number), 16_000
        )
    return ("ten", "--output", "out", "--batch_size", "2", "--voice_activity", "null", "--language", "es")  # fmt: skip


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_loses_no_file_but_those_of_the_batch_in_hand(
    number: int,
    status: int,
    ten: tuple[str, ...],
    transcribe: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode_batch, batches = TorchEngine.decode_batch, []

    def interrupted(*batch: Any) -> list[RowResult]:
        batches.append(batch)
        if len(batches) == 3:
            os.kill(os.getpid(), number)
        return decode_batch(*batch)

    with monkeypatch.context() as patch:
        patch.setattr(TorchEngine, "decode_batch", interrupted)
        assert transcribe(*ten) == status
    said = one_line(capsys.readouterr().err)
    assert said == "spt-whisper transcribe: interrupted: 4 of 10 files are done"
    first = written()
    assert list(first) == [f"{place}.wav.txt" for place in (4, 5, 6, 7)]  # the longest come first
    assert transcribe(*ten) == 0
    assert "6 of 10 files transcribed, 4 there already" in capsys.readouterr().out
    assert written().items() >= first.items()


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_waits_until_what_is_transcribed_is_written(
    number: int,
    status: int,
    ten: tuple[str, ...],
    transcribe: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = TranscriptRecords.write

    def interrupted(*arguments: Any) -> None:
        os.kill(os.getpid(), number)
        write(*arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(TranscriptRecords, "write", interrupted)
        assert transcribe(*ten) == status
    assert list(written()) == ["6.wav.txt", "7.wav.txt"]
    assert len(list(Path("out/.spt-whisper").iterdir())) == 2
    assert signal.getsignal(number) is before


def test_memory_that_does_not_suffice_is_one_line(
    talks: Path,
    transcribe: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decode_batch(*batch: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr(TorchEngine, "decode_batch", decode_batch)
    assert transcribe("talks", "--voice_activity", "null") == 2
    assert "decoding: out of memory (CUDA out of memory" in (
        line := one_line(capsys.readouterr().err)
    )
    assert "lower batch_size" in line


def test_printed_transcripts_keep_the_order_of_the_files(
    ten: tuple[str, ...], transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (Path("ten") / "6.wav").write_text("not audio")
    assert transcribe("ten", *ten[3:]) == 1
    printed = capsys.readouterr().out
    heads = re.findall("^==> ten/(.*).wav <==$", printed, flags=re.MULTILINE)
    assert heads == [str(place) for place in range(10) if place != 6]


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_is_finished(home: Path, talks: Path) -> None:
    many = talks.parent / "many"
    many.mkdir()
    for index in range(2000):  # more than is done in a moment
        (many / f"{index:04}.wav").hardlink_to(talks / "a.wav")
    command = [
        sys.executable, "-m", "spt_whisper", "transcribe", "many", "--model", str(home / "model"), "--output", "out",
    ]  # fmt: skip
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not Path("out/0003.wav.txt").exists():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    out, error = run.communicate(timeout=300)
    assert (run.returncode, out) == (130, "")
    first = written()
    found = re.fullmatch(
        r"spt-whisper transcribe: interrupted: (\d+) of 2000 files are done\n", error
    )
    assert found, error
    assert 4 <= int(found[1]) <= len(first) <= int(found[1]) + 1
    assert not list(Path("out").rglob("*.tmp"))
    for path in list(many.iterdir()):  # the rest would take long
        if f"{path.name}.txt" not in first:
            path.unlink()
    shutil.copy(many / "0000.wav", many / "last.wav")
    assert call("transcribe", "many", "--model", str(home / "model"), "--output", "out") == 0
    second = written()
    assert second.pop("last.wav.txt")
    assert second == first


def test_precision_and_device_are_chosen(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    talk = ("talks/a.wav", "--output", "out", "--voice_activity", "null")
    assert transcribe(*talk) == 0
    first = written()
    assert transcribe(*talk, "--device", "cpu") == 0
    assert written() == first  # the device is not in the text
    assert transcribe(*talk, "--precision", "bfloat16") == 0
    assert written()["a.wav.txt"][0] != first["a.wav.txt"][0]
    capsys.readouterr()
    for flags, said in (
        (("--precision", "int8"), "wanted one of 'float32', 'bfloat16', 'float16'; found int8"),
        (("--device", "abacus"), "device: found 'abacus', which this machine does not have"),
        (("--device", "meta"), "device: found 'meta', which this machine does not have"),
    ):
        assert transcribe(*talk, *flags) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def written_to(terminal: int) -> str:
    """All that a terminal got; one read may give a part of it."""
    os.set_blocking(terminal, False)
    parts = []
    with contextlib.suppress(BlockingIOError):
        while part := os.read(terminal, 100_000):
            parts.append(part)
    return b"".join(parts).decode()


def test_progress_is_for_a_terminal_alone(
    talks: Path,
    transcribe: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert transcribe("talks") == 0
    plain = capsys.readouterr()
    assert plain.err == ""
    monkeypatch.setenv("TERM", "xterm")
    terminal, end = pty.openpty()
    with monkeypatch.context() as patch, os.fdopen(end, "w", encoding="utf-8") as stderr:
        patch.setattr(sys, "stderr", stderr)
        assert transcribe("talks") == 0
        stderr.flush()
        bar = written_to(terminal)
    os.close(terminal)
    assert "transcribing" in bar
    assert "100%" in bar
    assert "left" in bar
    assert capsys.readouterr().out == plain.out


def test_several_languages_may_be_named(
    talks: Path, transcribe: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    talk = ("talks/a.wav", "--format", "json", "--output", "out", "--voice_activity", "null")
    assert transcribe(*talk, "--language", "zh+en") == 0
    found = json.loads(Path("out/a.wav.json").read_text(encoding="utf-8"))
    assert found["segments"][0]["languages"] == ["zh", "en"]
    assert transcribe(*talk, "--language", "zh+xx") == 2
    assert "language 'xx'" in one_line(capsys.readouterr().err)
