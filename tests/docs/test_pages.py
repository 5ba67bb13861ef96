"""The book's pages: what a block must say, links that lead somewhere, commands that exist, tables that are true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from reference.commands import help_text
from spt_whisper.cli import COMMANDS
from spt_whisper.corpora import READERS
from spt_whisper.corpora.manifest import read_manifest
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.transcription.writers import to_json
from spt_whisper.whisper.words import AlignedWord
from tests.docs.pages import PAGES, REASONS, ROOT, Block, blocks, links, outside_blocks

ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
MARKED = [block for block in ALL_BLOCKS if block.mark and block.language == "sh"]


def test_every_block_says_its_language_and_a_known_reason() -> None:
    assert len(ALL_BLOCKS) > 40
    for page, path in PAGES.items():
        assert path.read_text(encoding="utf-8").count("\n```") % 2 == 0, page
        assert "```" not in outside_blocks(page), f"{page}: a block without a language"
        calls = re.findall(
            r"^ {4}(?:spt-whisper|python|make|pip) .*", outside_blocks(page), flags=re.MULTILINE
        )
        assert not calls, f"{page}: {calls}: write it as a block of sh"
    for block in ALL_BLOCKS:
        assert block.language not in ("bash", "console", "py", "shell"), f"{block}: sh or python"
        if block.mark == "covered by":
            assert (ROOT / block.reason).is_file(), block
        assert block.mark != "not run" or block.reason in REASONS, block


def test_the_reasons_are_explained() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"`<!-- not run: {reason} -->`" in contributing for reason in REASONS)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page: str) -> None:
    for target in links(page):
        assert (PAGES[page].parent / target).exists(), target


SHARED = ("benchmarks/measure.py", "benchmarks/speech.py")  # flags of several benchmarks


@pytest.mark.parametrize("block", MARKED, ids=lambda block: f"{block.page}: {block.commands[0]}")
def test_a_command_that_is_not_run_is_one_that_exists(block: Block) -> None:
    for command in block.commands:
        words = shlex.split(command, comments=True)
        if "spt-whisper" in words[:-1]:
            name, *rest = words[words.index("spt-whisper") + 1 :]
            known = help_of(name, rest)
            given = [flag for flag in flags(rest) if not flag.startswith("--trainer.")]
            assert not [flag for flag in given if flag not in known], command
        for script in (word for word in words if re.fullmatch(r"(benchmarks|tools)/\w+\.py", word)):
            source = "".join((ROOT / own).read_text(encoding="utf-8") for own in (script, *SHARED))
            assert block.mark == "covered by" or all(f in source for f in flags(words)), command


def flags(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("--")]


def help_of(name: str, rest: list[str]) -> str:
    """Help of a command; of its action, where it has them; `compare` takes every flag of `fit` as well."""
    assert name in COMMANDS
    known = help_text([name])
    if "ACTION" in known:
        return help_text([name, rest[0]])
    return known + (help_text(["fit"]) if name == "compare" else "")


# ---- the tables that are written by hand ----------------------------------------------------------


def names_in_table(page: str, heading: str, number: int = 0) -> list[str]:
    """First column of a table under a heading."""
    section = PAGES[page].read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"^\| ---.*\n((?:\|.*\n)+)", section, flags=re.MULTILINE)
    return re.findall(r"^\| `([^`]+)`", tables[number], flags=re.MULTILINE)


def test_the_columns_of_a_manifest_are_those_that_are_read(tmp_path: Path) -> None:
    values = {
        "id": "u1", "audio": "a.wav", "text": "ari wasi", "language": "qug", "duration": 1.5, "start": 1, "end": 2,
        "speaker": "ana", "word_languages": ["qug", "es"],
    }  # fmt: skip
    assert sorted(names_in_table("reference/files.md", "Manifest")) == sorted(values)
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(values), encoding="utf-8")
    (utterance,) = read_manifest(path)
    assert all(value is not None and value != () for value in vars(utterance).values())


def test_every_reader_is_told_in_the_book_and_in_the_help() -> None:
    page = PAGES["reference/files.md"].read_text(encoding="utf-8")
    section = page.split("## Readers\n")[1].split("\n## ")[0]
    shown = help_text(["fit"])
    for name in READERS:
        assert f"`{name}`" in section
        assert name in shown


def test_the_fields_of_a_transcript_are_those_that_are_written() -> None:
    word = AlignedWord("ari", 0.0, 1.0, 0.5)
    segment = Segment(0.0, 1.0, "ari", (word,), ("es",), "p", confidence=0.9)
    made = json.loads(to_json(Transcript("a.wav", 1.0, (segment,), ("es",), "p")))
    assert names_in_table("reference/files.md", "Transcript", 0) == list(made)
    assert names_in_table("reference/files.md", "Transcript", 1) == list(made["segments"][0])
