"""What makes two runs the same: not where things lie, but all that results depend on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.evaluation.comparison.run_key import (
    RunParts,
    hash_corpus,
    hash_recordings,
    hashed_settings,
)
from spt_whisper.training import learning_rates
from tests.tiny_corpus import write_corpus

PARTS = RunParts({"prompt": {"length": 4}}, 0, {"normalizer": "basic"}, "model", "data", {})


def test_the_key_is_a_hash_of_every_part() -> None:
    changed = [
        replace(PARTS, recipe={"prompt": {"length": 5}}),
        replace(PARTS, seed=1),
        replace(PARTS, scoring={"normalizer": "raw"}),
        replace(PARTS, model="other"),
        replace(PARTS, data="other"),
        replace(PARTS, recordings={"noise": "other"}),
    ]
    keys = {parts.key for parts in [PARTS, *changed]}
    assert len(keys) == 7
    assert all(len(key) == 64 for key in keys)


def test_the_key_does_not_depend_on_the_order_of_settings() -> None:
    settings = {"a": 1, "b": {"c": 2, "d": 3}}
    turned = {"b": {"d": 3, "c": 2}, "a": 1}
    assert replace(PARTS, recipe=settings).key == replace(PARTS, recipe=turned).key


def test_a_run_with_the_default_rates_is_another_where_the_defaults_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keys() -> list[str]:
        recipes = ({"optimizer": {"learning_rate": rate}} for rate in (None, 1e-3))
        return [replace(PARTS, recipe=hashed_settings(recipe)).key for recipe in recipes]

    before = keys()
    monkeypatch.setattr(learning_rates, "_LORA_RATE", learning_rates._Rate(3e-3))
    after = keys()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_settings_of_the_place_and_the_screen_are_left_out() -> None:
    settings = {
        "output": "runs/a",
        "model": "/models/base",
        "seed": 5,
        "corpus": {"root": "/data", "limit": 4, "seed": 3},
        "data": {
            "batch_size": 4,
            "encoder_cache_gigabytes": 1.0,
            "states_store": "/states",
            "augment": {"noise": "/noise"},
        },
        "trainer": {"enable_progress_bar": False, "max_epochs": 5},
    }
    assert hashed_settings(settings) == {
        "corpus": {"limit": 4, "seed": 3},
        "data": {"batch_size": 4, "augment": {}},
        "trainer": {"max_epochs": 5},
    }


def test_other_noise_in_the_same_folder_is_another_run(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    (noise / "street").mkdir(parents=True)
    (noise / "street" / "a.wav").write_bytes(b"12")
    first = hash_recordings({"noise": str(noise), "rooms": None})
    assert list(first) == ["noise"]
    elsewhere = shutil.copytree(noise, tmp_path / "elsewhere")
    assert hash_recordings({"noise": str(elsewhere), "rooms": None}) == first
    (noise / "b.wav").write_bytes(b"123")
    assert hash_recordings({"noise": str(noise), "rooms": None}) != first


def test_a_corpus_elsewhere_is_the_same_corpus(tmp_path: Path) -> None:
    write_corpus(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first, second = (hash_corpus(CorpusConfig(str(tmp_path / name))) for name in "ab")
    assert first == second


def _edit(manifest: Path, column: str, value: object) -> None:
    first, *rest = manifest.read_text(encoding="utf-8").splitlines()
    row = {**json.loads(first), column: value}
    manifest.write_text("\n".join([json.dumps(row), *rest]) + "\n", encoding="utf-8")


CHANGES: dict[str, Callable[[Path], None]] = {
    "a text": lambda folder: _edit(folder / "train.jsonl", "text", "wayra"),
    "an id": lambda folder: _edit(folder / "dev.jsonl", "id", "dev9"),
    "a duration": lambda folder: _edit(folder / "test.jsonl", "duration", 0.4),
    "a speaker": lambda folder: _edit(folder / "test.jsonl", "speaker", "rosa"),
    "audio": lambda folder: shutil.copy(
        folder / "audio" / "test2.wav", folder / "audio" / "test0.wav"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_data_are_another_corpus(change: str, tmp_path: Path) -> None:
    corpus = CorpusConfig(str(write_corpus(tmp_path / "corpus")))
    before = hash_corpus(corpus)
    CHANGES[change](tmp_path / "corpus")
    assert hash_corpus(corpus) != before


def test_missing_audio_is_named(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus")
    (folder / "audio" / "train3.wav").unlink()
    with pytest.raises(InputError, match=r"train3\.wav \(utterance train3\): cannot be read"):
        hash_corpus(CorpusConfig(str(folder)))
