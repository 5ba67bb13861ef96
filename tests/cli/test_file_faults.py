"""Files that cannot be read or written end a command with one line, status 2 and no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import call, one_line
from tests.tiny_corpus import write_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


def test_an_output_in_place_of_which_a_file_stands_is_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    audio, model = str(home / "corpus" / "audio" / "test0.wav"), str(home / "model")
    transcribe = ("transcribe", audio, "--model", model, "--output")
    score = ("evaluate", "--corpus.root", str(home / "corpus"), "--model", model, "--output")
    for arguments, said in [
        ((*transcribe, str(file)), f"{file}: is a file, wanted a folder"),
        ((*transcribe, str(file / "x")), f"{file / 'x'}: a file stands in place of a folder"),
        ((*score, str(file / "x.json")), f"{file}: is a file, wanted a folder"),
        ((*score, str(file)), f"{file}: is a file, wanted a folder"),
    ]:
        assert call(*arguments) == 2
        assert said in one_line(capsys.readouterr().err)
    assert file.read_text() == "kept"


def test_a_recipe_that_is_not_utf8_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(b"corpus:\n  root: caf\xe9\n")
    for arguments in (
        ["fit", str(recipe)],
        ["compare", str(recipe)],
        ["fit", f"--config={recipe}"],
    ):
        assert call(*arguments) == 2
        assert f"{recipe}: byte 19 is not UTF-8" in one_line(capsys.readouterr().err)


def test_a_name_in_a_foreign_file_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.jsonl").write_text(
        r'{"id": "ñ\u001b[2J\u009b1m", "audio": "x.wav", "text": "a", "language": "es"}'
    )
    assert call("data", "check", str(tmp_path)) == 2
    said = one_line(capsys.readouterr().err)
    assert said.isprintable()
    assert r"ñ\x1b[2J\x9b1m" in said


FULL = Path("/dev/full")  # takes nothing, as a full disk


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not FULL.is_char_device(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(unbuffered: str, tmp_path: Path) -> None:
    with FULL.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "spt_whisper", "recipes", "copy", "kichwa", str(tmp_path)],
            stdout=output, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 2
    assert "the disk is full; free some space" in one_line(done.stderr)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_left_is_no_error_to_speak_of(unbuffered: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "spt_whisper", "recipes", "copy", "kichwa", str(tmp_path)],
            stdout=output, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


def test_a_truncated_weight_file_is_refused_by_name(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "model", tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert call("transcribe", __file__, "--model", str(tmp_path / "model")) == 2
    line = one_line(capsys.readouterr().err)
    assert str(tmp_path / "model") in line
    assert "restore the damaged file" in line


def test_a_closed_standard_output_is_no_fault() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m spt_whisper recipes list >&-"],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_path_that_is_not_utf8_is_printed_all_the_same(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/m\xff"
    done = subprocess.run(
        [sys.executable, "-m", "spt_whisper", "recipes", "copy", "kichwa", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert r"m\udcff" in done.stdout


CONFIG_FAULTS = {
    "": "is empty; wanted settings",
    "# nothing yet\n": "is empty; wanted settings",
    "- a\n- b\n": "found no names; wanted settings",
    "a: &a [*a]\n": "line 1 holds itself, by an alias (*)",
    "[" * 5000: "is nested too deep",
    "a: [1\nb: 2\n": "is not YAML (line 2, column 2: ",
    "a: \a\n": "is not YAML (special characters are not allowed)",
    "prompt:\n  length: 4\nseed: 1\nprompt:\n  side: decoder\n": "'prompt' appears twice, in lines 1 and 4",
    "data: {batch_size: 1, batch_size: 2}\n": "'batch_size' appears twice",
}


@pytest.mark.parametrize("content", CONFIG_FAULTS)
def test_a_faulty_file_of_settings_is_named(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    for arguments in (
        ["fit", str(path)],
        ["compare", str(path)],
        ["data", "check", "--config", str(path)],
    ):
        assert call(*arguments) == 2
        assert f": {path}: {CONFIG_FAULTS[content]}" in one_line(capsys.readouterr().err)


def test_settings_may_share_a_value_by_an_alias(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("corpus: {root: x}\nlanguages: &spoken [es]\noutput: y\nmodel: *spoken\n")
    assert call("fit", str(path)) == 2
    assert "model" in one_line(capsys.readouterr().err)  # a list is no name of a model
