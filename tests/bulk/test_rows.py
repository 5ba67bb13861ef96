"""Rows of a manifest: what they need, which prompt and which language they get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spt_whisper.bulk.rows import read_prompts, read_rows
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD
from spt_whisper.prompts.language_part import write_part
from tests.bulk.manifests import job_in, write_prompt, write_rows
from tests.prompts.test_bank import CONFIG, part, prompt
from tests.tiny_corpus import write_model


def test_text_is_not_needed_and_the_job_fills_what_rows_leave_out(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "audio": "a.wav"},
        {"id": "b", "audio": "/b.wav", "start": 1, "end": 2.5, "language": "qug", "prompt": "own"},
        {"id": "c", "audio": "/b.wav", "start": 3, "duration": 1.5},
    ]
    write_rows(tmp_path / "corpus" / "all.jsonl", rows)
    first, second, third = read_rows(job_in(tmp_path, prompt="common", language="es"))
    assert (first.id, first.audio, first.path) == ("1", "a.wav", str(tmp_path / "corpus" / "a.wav"))
    assert (first.start, first.end, first.language, first.prompt) == (None, None, "es", "common")
    assert (second.path, second.start, second.end) == ("/b.wav", 1.0, 2.5)
    assert (second.language, second.prompt) == ("qug", "own")
    assert (third.start, third.end) == (3.0, 4.5)


def test_csv_is_read_too(tmp_path: Path) -> None:
    manifest = tmp_path / "all.csv"
    manifest.write_text("id,audio,language,prompt\na,a.wav,es,\n", encoding="utf-8")
    (row,) = read_rows(replace(job_in(tmp_path), manifest=str(manifest)))
    assert (row.language, row.prompt) == ("es", None)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "has no rows"),
        ([{"id": "a"}], "row 1: no column 'audio'"),
        ([{"id": "a", "audio": "a.wav"}] * 2, "row 2: id 'a' appears twice"),
        ([{"id": "a", "audio": "../a.wav"}], "leads out of"),
        ([{"id": "a", "audio": "a.wav", "start": 2, "end": 1}], r"end 1\.0 is not after start"),
    ],
)
def test_a_faulty_manifest_is_named(tmp_path: Path, rows: list[dict], said: str) -> None:  # type: ignore[type-arg]
    write_rows(tmp_path / "corpus" / "all.jsonl", rows)
    with pytest.raises(InputError, match=said):
        read_rows(job_in(tmp_path))


def test_a_prompt_keeps_the_languages_that_it_was_trained_for(tmp_path: Path) -> None:
    prompt = write_prompt(tmp_path / "prompt", write_model(tmp_path / "model"))
    rows = [
        {"id": "its own", "audio": "a.wav", "language": "qug", "prompt": prompt},
        {"id": "another", "audio": "a.wav", "language": "it", "prompt": prompt},
        {"id": "bare", "audio": "a.wav", "language": "qug"},
    ]
    write_rows(tmp_path / "corpus" / "all.jsonl", rows)
    placed, prompts = read_prompts(read_rows(job_in(tmp_path)), None)
    assert [row.language for row in placed] == [None, "it", "qug"]
    assert list(prompts) == [prompt]


def test_a_bank_gives_each_row_its_languages_prompt(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    for language in ("qug", "es"):
        write_prompt(tmp_path / "bank" / language, model, language)
    bank = str(tmp_path / "bank")
    write_rows(
        tmp_path / "corpus" / "all.jsonl", [{"id": "a", "audio": "a.wav", "language": "qug"}]
    )
    (row,), prompts = read_prompts(read_rows(job_in(tmp_path, bank=bank)), bank)
    assert (row.prompt, row.language) == (f"{bank}/qug", None)
    assert list(prompts) == [row.prompt]
    (mixed,), _ = read_prompts([replace(row, prompt=None, language="qug+es")], bank)
    assert mixed.language is None  # its prompts know their tokens
    for language, said in ((None, "row a: no language for bank"), ("cv", "no language 'cv'")):
        with pytest.raises(InputError, match=said):
            read_prompts([replace(row, prompt=None, language=language)], bank)


def test_mixed_speech_over_a_part_and_a_whole_prompt_has_the_main_languages(tmp_path: Path) -> None:
    root = tmp_path / "bank"
    prompt("ky", SHARED_METHOD).save_pretrained(root / SHARED_FOLDER)
    write_part(root / "ky", part("ky"), root / SHARED_FOLDER, CONFIG)
    prompt("cv", "prompt").save_pretrained(root / "cv")
    write_rows(tmp_path / "corpus" / "all.jsonl", [{"id": "a", "audio": "a.wav"}])
    (row,) = read_rows(job_in(tmp_path, bank=str(root)))
    rows = [replace(row, language=mix) for mix in ("cv+ky", "ky+cv")]
    _, prompts = read_prompts(rows, str(root))
    assert [own.card.languages for own in prompts.values()] == [("cv",), ("ky",)]
