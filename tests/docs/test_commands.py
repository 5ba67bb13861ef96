"""The book's blocks run, page by page from top to bottom, in a folder with a tiny Whisper and tiny corpora.

The text of a page is run as it stands, its blocks of Python as the cells of one notebook; `fit` and `add-language` get flags that keep them short. What cannot be run here is
marked on the page (CONTRIBUTING says how).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from spt_whisper.cli import main
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.workshop import SHORT, write_workshop

SHORTENED = {"fit": SHORT, "add-language": [*SHORT, "--probes", "1"]}
RUN = [
    page for page in PAGES
    if any(not block.mark and block.language in ("sh", "python") for block in blocks(page))
]  # fmt: skip


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("workshop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPT_WHISPER_CACHE", str(tmp_path_factory.mktemp("cache")))
        write_workshop(folder)
        yield folder


@pytest.fixture
def home(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(workshop, tmp_path / "home", symlinks=True)
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "home"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_a_page_runs(page: str, home: Path) -> None:
    names: dict[str, Any] = {}
    runners = {**RUNNERS, "python": partial(run_python, names)}
    for block in blocks(page):
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        written = block.title and block.language == "python"
        if block.language in runners and not block.mark and not written:
            runners[block.language](block)
    for check in AFTER.get(page, ()):
        assert (home / check).exists(), check


def test_the_tutorials_manifests_hold_only_recordings_and_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recordings = Path("my-language/recordings")
    recordings.mkdir(parents=True)
    for name in ("ana-1.wav", "ana-1.TextGrid", "ana-2.wav", ".DS_Store", "._ana-1.wav", "._ana-1.txt"):  # fmt: skip
        (recordings / name).touch()
    (recordings / "ana-1.txt").write_text("Imanalla.\n", encoding="utf-8-sig")
    (script,) = (each for each in blocks("tutorial.md") if each.title == "make_manifests.py")
    run_python({}, script)
    (row,) = map(json.loads, Path("my-language/train.jsonl").read_text("utf-8").splitlines())
    assert (row["audio"], row["text"]) == ("recordings/ana-1.wav", "Imanalla.")


def run_shell(block: Block) -> None:
    for command in block.commands:
        words = shlex.split(command, comments=True)
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words[0] != "spt-whisper":
            subprocess.run(["bash", "-ec", command], check=True, timeout=60)
            continue
        name, *rest = words[1:]
        output = Path(rest.pop()) if ">" in rest else None
        rest = [word for word in rest if word != ">"]
        with contextlib.ExitStack() as stack:
            if output:
                file = stack.enter_context(output.open("w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stdout(file))
            assert main([name, *rest, *SHORTENED.get(name, ())]) == 0, command


def run_python(names: dict[str, Any], block: Block) -> None:
    exec(compile(block.text, block.page, "exec"), names)  # noqa: S102  the page's own text


def read_yaml(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


def read_lines(block: Block) -> None:
    assert all(isinstance(json.loads(line), dict) for line in block.text.splitlines())


RUNNERS = {"sh": run_shell, "yaml": read_yaml, "json": read_lines}
AFTER = {
    "tutorial.md": [
        "data/my-language/audio/test", "runs/my-language/prompt/prompt.json", "runs/my-language/report.html",
        "transcripts/c.wav.srt",
    ],
    "how-to/notebook.md": ["runs/notebook/report.json", "prompts/half/prompt.json"],
    "how-to/code-switching.md": ["runs/mixed/report.html", "runs/by-language/bank/zh", "by-language/c.wav.txt"],
    "how-to/add-a-language.md": ["runs/expansion/bank/ug/prompt.json", "by-ear/c.wav.txt"],
    "explanation/limits-of-prompts.md": ["runs/lora/report.json"],
}  # fmt: skip
"""Files that are there when a page has been followed."""
