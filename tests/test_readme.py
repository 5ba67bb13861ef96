"""The README's blocks run: in a folder with two audio files and a small synthetic corpus in place of Kichwa.

`fit` gets flags that keep it short; everything else runs as it is printed.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import soundfile

from esperanto.corpus import CorpusConfig, make_corpus
from spt_whisper.cli import main
from spt_whisper.corpora.manifest import read_manifest
from tests.recipe_corpora import write_common_voice

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
SHORT = [
    "--corpus.limit",
    "2",
    "--trainer.max_epochs",
    "1",
    "--trainer.enable_progress_bar",
    "false",
]
SHORTENED = {"fit": SHORT, "add-language": [*SHORT, "--probes", "1"]}
COMMANDS = [
    *["fit"] * 2, "transcribe", "evaluate", "data", "recipes", "add-language", *["transcribe"] * 2, "prompt",
]  # fmt: skip


def commands(name: str) -> list[str]:
    lines = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
    found = [line.split("#")[0].strip() for line in lines if line.startswith(name)]
    # run in tests/evaluation/comparison: here it would train nineteen recipes
    return [line for line in found if not line.startswith("spt-whisper compare")]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {command.split()[1] for command in commands("make ")}
    assert {"quickstart", "test"} <= named
    assert named <= targets


def test_the_manifest_line_is_a_manifest_line(tmp_path: Path) -> None:
    lines = [block for kind, block in BLOCKS if kind == "json"]
    assert len(lines) == 1
    (tmp_path / "train.jsonl").write_text(lines[0], encoding="utf-8")
    assert read_manifest(tmp_path / "train.jsonl")[0].languages == ("qug",)


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_the_file_map_names_what_is_there() -> None:
    block = next(
        block
        for kind, block in re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
        if "cli/" in block
    )
    inside = re.findall(r"^  ([a-z_]+(?:/|\.py))", block, flags=re.MULTILINE)
    package = ROOT / "spt_whisper"
    packages = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("[a-z]*.py")}
    assert set(inside) == packages | modules
    assert all(
        (ROOT / name).exists() for name in re.findall(r"^([a-z_]+/)", block, flags=re.MULTILINE)
    )


@pytest.mark.real_weights
@pytest.mark.slow
def test_commands_and_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "recipes", "recipes")
    make_corpus(Path("data/kichwa"), CorpusConfig(train=4, dev=2, test=2))
    write_common_voice(Path("data/cv-corpus"))
    rows = [json.loads(line) for line in Path("data/kichwa/test.jsonl").read_text().splitlines()]
    Path("talks").mkdir()
    for name, row in zip(("a.wav", "b.wav", "talks/b.wav"), [*rows, rows[1]], strict=True):
        samples, rate = soundfile.read(Path("data/kichwa") / row["audio"])
        soundfile.write(name, samples, rate)
    found = commands("spt-whisper ")
    found.sort(
        key=lambda command: command.split()[1] != "fit"
    )  # the prompt is used above the line that makes it
    assert [command.split()[1] for command in found] == COMMANDS
    for command in found:
        arguments = [*shlex.split(command)[1:], *SHORTENED.get(command.split()[1], ())]
        assert main(arguments) == 0, command
    made = {
        path.name for path in Path("transcripts").rglob("[!.]*.wav.*") if ".spt" not in str(path)
    }
    assert made == {"a.wav.srt", "a.wav.json", "b.wav.srt", "b.wav.json"}
    assert json.loads(Path("runs/kichwa/report.json").read_text())["systems"][1]["name"] == "prompt"
    python = [block for kind, block in BLOCKS if kind == "python"]
    assert len(python) == 1
    capsys.readouterr()
    exec(compile(python[0], "README.md", "exec"), {})  # noqa: S102  the README's own text
    assert capsys.readouterr().out.strip()
