"""`spt-whisper recipes` as a user calls it: the table, what is copied, what is refused, from a wheel as well."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spt_whisper.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_has_every_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["recipes", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert [row[0] for row in rows] == sorted(p.stem for p in (ROOT / "recipes").glob("*.yaml"))
    sentence = "SEAME: Mandarin-English code-switching, with SPT4ASR."
    assert ["seame", sentence, "seame", "spt4asr", "8 methods"] in rows
    sentence = "Kichwa (qug), a language that Whisper has never met."
    assert ["kichwa", sentence, "manifest", "prompt", "20 methods"] in rows  # two are defaults


def test_a_copy_is_the_recipe_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipes", "copy", "kichwa"]) == 0
    assert capsys.readouterr().out == "kichwa.yaml\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kichwa.yaml"]
    assert Path("kichwa.yaml").read_bytes() == (ROOT / "recipes/kichwa.yaml").read_bytes()


def test_its_methods_come_along_if_asked(tmp_path: Path) -> None:
    assert main(["recipes", "copy", "seame.yaml", str(tmp_path / "mine"), "--methods", "true"]) == 0
    copied = {path.relative_to(tmp_path / "mine") for path in (tmp_path / "mine").rglob("*.yaml")}
    methods = {path.relative_to(ROOT / "recipes") for path in (ROOT / "recipes/seame").iterdir()}
    assert copied == {Path("seame.yaml"), *methods}


def test_nothing_is_copied_over_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "kichwa" / "lora_attention.yaml"
    own.parent.mkdir()
    own.write_text("mine")
    assert main(["recipes", "copy", "kichwa", str(tmp_path), "--methods", "true"]) == 2
    expected = f"spt-whisper recipes: {own}: is there already; remove it or name another folder\n"
    assert capsys.readouterr().err == expected
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [own]
    assert own.read_text() == "mine"


def test_a_wrong_name_and_a_wrong_folder_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipes", "copy", "../kichwa", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("spt-whisper recipes: recipe '../kichwa': there is none; give one of")
    assert printed.count("\n") == 1
    (tmp_path / "file").touch()
    assert main(["recipes", "copy", "kichwa", str(tmp_path / "file")]) == 2
    assert "name a folder to write to" in capsys.readouterr().err


def test_an_installed_wheel_has_them(tmp_path: Path) -> None:
    # the wheel's layout: recipes/ inside the package, and no checkout around it
    shutil.copytree(ROOT / "spt_whisper", tmp_path / "spt_whisper")
    shutil.copytree(ROOT / "recipes", tmp_path / "spt_whisper" / "recipes")
    call = [sys.executable, "-m", "spt_whisper", "recipes", "copy", "fleurs", "--methods", "true"]
    subprocess.run(call, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "fleurs.yaml").is_file()
    assert (tmp_path / "fleurs" / "lapt.yaml").is_file()
