"""Where a Whisper comes from, and how it is known again."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from spt_whisper.errors import InputError
from spt_whisper.whisper import requirements
from spt_whisper.whisper.fingerprint import fingerprint_weights, remembered
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.tokenizer import load_tokens
from tests.tiny_corpus import write_model
from tests.tiny_model import tiny_whisper


@pytest.fixture
def model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPT_WHISPER_CACHE", str(tmp_path / "cache"))
    return write_model(tmp_path / "model")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_fingerprint_is_of_the_files_whatever_the_format_in_memory(
    model_folder: Path, dtype: torch.dtype
) -> None:
    whisper = FrozenWhisper.from_pretrained(model_folder, dtype=dtype)
    assert whisper.dtype == dtype
    assert whisper.fingerprint == tiny_whisper().fingerprint
    assert (
        FrozenWhisper.from_pretrained(model_folder, dtype=dtype).fingerprint == whisper.fingerprint
    )


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("whisper-base", "openai/whisper-base"),
        ("whisper-base-ct2", "openai/whisper-base"),
        ("base", None),  # whose?
        ("whisper-mine", None),
    ],
)
def test_a_local_copy_has_the_name_under_which_others_get_it(
    folder: str, name: str | None, tmp_path: Path
) -> None:
    path = write_model(tmp_path / folder)
    assert FrozenWhisper.from_pretrained(path).name == (name or str(path))


def test_another_model_has_another_fingerprint() -> None:
    assert tiny_whisper(seed=0).fingerprint != tiny_whisper(seed=1).fingerprint


def test_a_fingerprint_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    weights, memory = tmp_path / "w", tmp_path / "memory"
    weights.write_bytes(b"one")
    assert remembered([weights], memory, lambda: "a" * 64) == "a" * 64
    assert remembered([weights], memory, lambda: "b" * 64) == "a" * 64
    weights.write_bytes(b"three")
    assert remembered([weights], memory, lambda: "b" * 64) == "b" * 64
    assert remembered([], memory, lambda: "c" * 64) == "c" * 64


def test_a_damaged_note_is_not_believed(tmp_path: Path) -> None:
    weights, memory = tmp_path / "w", tmp_path / "memory"
    weights.write_bytes(b"one")
    remembered([weights], memory, lambda: "a" * 64)
    next(memory.iterdir()).write_text("damaged")
    assert remembered([weights], memory, lambda: "a" * 64) == "a" * 64


def test_nothing_of_a_loaded_model_wants_gradient(model_folder: Path) -> None:
    whisper = FrozenWhisper.from_pretrained(model_folder)
    assert not any(parameter.requires_grad for parameter in whisper.model.parameters())
    assert not whisper.model.training
    assert fingerprint_weights(whisper.model) == whisper.fingerprint


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json in it"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors in it"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"junk"),
            "restore the damaged file",
        ),
        (lambda folder: (folder / "config.json").write_text("{"), "restore the damaged file"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(
    model_folder: Path, damage: object, message: str
) -> None:
    damage(model_folder)  # type: ignore[operator]
    with pytest.raises(InputError, match=message) as caught:
        FrozenWhisper.from_pretrained(model_folder)
    assert str(model_folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "forms", [("tokenizer.json",), ("tokenizer.json", "tokenizer_config.json")]
)
def test_a_folder_without_tokens_is_refused_by_name(
    model_folder: Path, forms: tuple[str, ...]
) -> None:
    for name in forms:
        (model_folder / name).unlink()
    for load in (FrozenWhisper.from_pretrained, load_tokens):
        with pytest.raises(InputError, match=f"model {model_folder}: no tokenizer.json in it; wanted a transformers or"):  # fmt: skip
            load(model_folder)


def test_a_tokenizer_that_was_not_fetched_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="model a/b: its tokenizer cannot be loaded .*; restore"):
        load_tokens("a/b")


def change_json(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_an_english_only_whisper_is_refused(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = f"^model {model_folder}: English only; take a multilingual Whisper$"
    change_json(model_folder / "generation_config.json", is_multilingual=True)
    FrozenWhisper.from_pretrained(model_folder)
    change_json(model_folder / "generation_config.json", is_multilingual=False)
    with pytest.raises(InputError, match=wanted):
        FrozenWhisper.from_pretrained(model_folder)
    change_json(model_folder / "generation_config.json", is_multilingual=None)
    monkeypatch.setattr(requirements, "_ENGLISH_ONLY_END", tiny_whisper().tokens.end)
    for load in (FrozenWhisper.from_pretrained, load_tokens):
        with pytest.raises(InputError, match=wanted):
            load(model_folder)


def test_a_model_with_fewer_positions_than_whisper_is_refused(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    config = copy.deepcopy(whisper.config)
    config.max_target_positions = 447
    WhisperForConditionalGeneration(config).save_pretrained(tmp_path)
    whisper.tokens.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=f"model {tmp_path}: has 447 decoder positions, wanted 448"
    ):
        FrozenWhisper.from_pretrained(tmp_path)


def test_words_behind_the_control_tokens_are_refused(model_folder: Path) -> None:
    tokenizer = tiny_whisper().tokens.tokenizer
    tokenizer.add_tokens(["<|prompt0|>"], special_tokens=True)
    tokenizer.add_tokens(["<|30.02|>"])
    tokenizer.save_pretrained(model_folder)
    FrozenWhisper.from_pretrained(model_folder)
    tokenizer.add_tokens(["llakta", "wasi"])
    tokenizer.save_pretrained(model_folder)
    for load in (FrozenWhisper.from_pretrained, load_tokens):
        with pytest.raises(InputError, match=f"model {model_folder}: its tokenizer has 2 tokens of its own .* 'llakta', which"):  # fmt: skip
            load(model_folder)


@pytest.mark.parametrize("name", ["no-such-size", "./nowhere", "/no/where"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="wanted a folder, a hub id"):
        FrozenWhisper.from_pretrained(name)
