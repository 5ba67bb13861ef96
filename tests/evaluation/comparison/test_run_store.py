"""Finished runs on disk: written whole, found by key, refused by name when broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spt_whisper.errors import InputError
from spt_whisper.evaluation.comparison.run_store import RunStore
from tests.evaluation.comparison.compared_runs import stored_run


@pytest.mark.parametrize("fitted", [True, False])
def test_a_run_is_read_as_it_was_written(tmp_path: Path, fitted: bool) -> None:
    store, run = RunStore(tmp_path / "new"), stored_run("slots", 1, 7, fitted)
    path = store.write(run)
    assert path == tmp_path / "new" / "slots-1-111111111111.json"
    assert list(path.parent.iterdir()) == [path]
    assert store.find(run.key) == run
    assert store.find("2" * 64) is None
    assert json.loads(path.read_text())["scores"]["wer"] == 0.07


def test_a_renamed_recipe_finds_its_run_and_leaves_one_file(tmp_path: Path) -> None:
    store, run = RunStore(tmp_path), stored_run("slots", 0, 7)
    path = store.write(run)
    renamed = replace(run, name="memory_slots")
    assert store.write(renamed) == path
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert store.find(run.key) == renamed


FAULTS = {
    "cut off": (lambda text: text[:-20], "is not JSON"),
    "no object": (lambda text: "[]", "format version None, this program reads 1"),
    "another version": (
        lambda text: text.replace('"format_version": 1', '"format_version": 2'),
        "format version 2, this program reads 1",
    ),
    "missing field": (lambda text: text.replace('"seed": 0,\n', ""), "seed: .*Field required"),
    "unknown field": (
        lambda text: text.replace('"cores": 2', '"cores": 2, "core": 2'),
        "machine.core:",
    ),
    "wrong type": (lambda text: text.replace('"wer": 0.07', '"wer": "0.07"'), "scores.wer:"),
    "not a number": (
        lambda text: text.replace('"wer": 0.07', '"wer": NaN'),
        "NaN is not a finite number",
    ),
    "another key": (lambda text: text.replace("0" * 64, "0" * 12 + "f" * 52), "its key is"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_run_is_refused_by_name(fault: str, tmp_path: Path) -> None:
    damage, message = FAULTS[fault]
    store, run = RunStore(tmp_path), stored_run("slots", 0, 7)
    path = store.write(run)
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.raises(InputError, match=message) as refused:
        store.find(run.key)
    assert str(refused.value).startswith(f"{path}: ")
    assert str(refused.value).endswith(", or delete it to fit again")
    assert "\n" not in str(refused.value)


def test_a_number_that_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    run = stored_run("slots", 0, 7)
    with pytest.raises(ValueError, match="JSON"):
        RunStore(tmp_path).write(replace(run, scores=replace(run.scores, wer=float("nan"))))
    assert list(tmp_path.iterdir()) == []
