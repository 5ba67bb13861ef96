"""A prompt's folder: the same to the bit after a round trip, and anything wrong refused by name."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from spt_whisper.errors import InputError
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt, PromptCard
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape
from tests.small_disk import small_disk

SHAPE = ModelShape(8, 2, 2)


@dataclass(frozen=True)
class Loaded:
    """What a prompt sees of a Whisper."""

    name: str
    fingerprint: str
    shape: ModelShape = SHAPE
    quantized: bool = False


def make_prompt(seed: int = 0) -> Prompt:
    config = PromptConfig(side="entire", site=["attention", "feed_forward"], length=3)
    vectors = start_vectors(config, SHAPE, torch.Generator().manual_seed(seed))
    card = PromptCard(
        base="openai/whisper-tiny",
        fingerprint="f" * 64,
        shape=SHAPE,
        languages=("qug",),
        language_tokens=("es",),
        windows=(10.0,),
        text={"lowercase": True, "remove_punctuation": False},
        training={"utterances": 4},
    )
    return Prompt(config, vectors, card)


def test_a_round_trip_changes_nothing(tmp_path: Path) -> None:
    prompt = make_prompt()
    folder = prompt.save_pretrained(tmp_path / "prompt")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "prompt.json",
        "prompt.safetensors",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["prompt"]
    read = Prompt.from_pretrained(folder)
    assert (read.config, read.card) == (prompt.config, prompt.card)
    for name, tensor in prompt.vectors.named_tensors().items():
        assert torch.equal(read.vectors.named_tensors()[name], tensor)


def test_the_readme_is_a_model_card(tmp_path: Path) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    card = ModelCard.load(folder / "README.md")
    assert (card.data.base_model, card.data.language) == ("openai/whisper-tiny", ["qug"])
    assert "4 utterances" in card.text


def test_a_prompt_that_was_read_is_none_of_its_files_business(tmp_path: Path) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    read = Prompt.from_pretrained(folder)
    (folder / "prompt.safetensors").write_bytes(b"\xff" * 10_000)
    for name, tensor in make_prompt().vectors.named_tensors().items():
        assert torch.equal(read.vectors.named_tensors()[name], tensor)


def test_writing_again_replaces_the_prompt_and_leaves_nothing_behind(tmp_path: Path) -> None:
    make_prompt(0).save_pretrained(tmp_path / "prompt")
    make_prompt(1).save_pretrained(tmp_path / "prompt")
    read = Prompt.from_pretrained(tmp_path / "prompt").vectors.named_tensors()
    assert torch.equal(
        read["decoder.feed_forward.key"],
        make_prompt(1).vectors.named_tensors()["decoder.feed_forward.key"],
    )
    assert [path.name for path in tmp_path.iterdir()] == ["prompt"]


def test_a_bad_prompt_does_not_overwrite_a_good_one(tmp_path: Path) -> None:
    good = make_prompt()
    folder = good.save_pretrained(tmp_path / "prompt")
    before = (folder / "prompt.safetensors").read_bytes()
    bad = Prompt(good.config, good.vectors.map(lambda tensor: tensor * float("nan")), good.card)
    with pytest.raises(InputError, match=r"is not finite, so nothing is written"):
        bad.save_pretrained(folder)
    assert (folder / "prompt.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["prompt"]


def test_a_full_disk_leaves_the_older_prompt(tmp_path: Path) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with small_disk(1000), pytest.raises(OSError, match="too large") as full:
        make_prompt(1).save_pretrained(folder)
    assert full.value.filename == str(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds files that are not a prompt"):
        make_prompt().save_pretrained(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_what_lies_beside_a_prompt_is_not_lost_when_it_is_written_again(tmp_path: Path) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    (folder / "notes.txt").write_text("years of work")
    with pytest.raises(
        InputError, match=r"holds notes\.txt beside the prompt, which would be lost"
    ):
        make_prompt().save_pretrained(folder)
    assert (folder / "notes.txt").read_text() == "years of work"


def _settings(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "prompt.json"
        settings = json.loads(path.read_text())
        change(settings)
        path.write_text(json.dumps(settings))

    return damage


def _tensors(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / "prompt.safetensors")
        change(tensors)
        save_file(tensors, folder / "prompt.safetensors")

    return damage


KEY = "decoder.feed_forward.key"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            _settings(lambda s: s.update(format_version=2)),
            r"prompt\.json: format version 2, this program reads 1",
        ),
        (_settings(lambda s: s.pop("card")), r"prompt\.json: card: .*required"),
        (
            _settings(lambda s: s["config"].update(colour="red")),
            r"prompt\.json: config\.colour: found 'red'; Unexpected",
        ),
        (
            _settings(lambda s: s["card"].update(colour="red")),
            r"prompt\.json: card\.colour: found 'red'; Unexpected",
        ),
        (
            _settings(lambda s: s["config"].update(site="output")),
            r"prompt\.json: config\.site.*: found 'output'",
        ),
        *(
            (
                _settings(
                    lambda s, name=name, value=value: s["card"]["training"].update({name: value})
                ),
                rf"prompt\.json: card: training\.{name}: found {found}, wanted {wanted}",
            )
            for name, value, found, wanted in [
                ("hours", "abc", "'abc'", "a number from 0 to 1e\\+15; restore the file"),
                ("hours", None, "None", "a number"),
                ("hours", -1, "-1", "a number"),
                ("utterances", True, "True", "a whole number"),
                ("utterances", 1.5, "1.5", "a whole number"),
                ("utterances", 10**400, "10+", "a whole number"),
                ("start", ["x"], r"\['x'\]", "a digest"),
            ]
        ),
        (lambda f: (f / "prompt.json").write_text("{"), r"prompt\.json: is not JSON"),
        (lambda f: (f / "prompt.json").write_bytes(b"\xff\xfe"), r"prompt\.json: is not JSON"),
        (lambda f: (f / "prompt.json").write_text("[]"), r"prompt\.json: format version None"),
        (lambda f: (f / "prompt.json").unlink(), r"no prompt\.json in it"),
        (lambda f: (f / "prompt.safetensors").unlink(), r"prompt\.safetensors: missing"),
        (
            lambda f: (f / "prompt.safetensors").write_bytes(b"\x80\x04pickle"),
            r"prompt\.safetensors: is damaged",
        ),
        (
            lambda f: (f / "prompt.safetensors").write_bytes(
                (f / "prompt.safetensors").read_bytes()[:-9]
            ),
            r"prompt\.safetensors: is damaged",
        ),
        (_tensors(lambda t: t.pop(KEY)), rf"missing tensors \['{KEY}'\]"),
        (_tensors(lambda t: t.update(more=torch.zeros(1))), r"unknown tensors \['more'\]"),
        (
            _tensors(lambda t: t.update({KEY: torch.zeros(2, 3, 9)})),
            rf"tensor {KEY} is \(2, 3, 9\)",
        ),
        (_tensors(lambda t: t.update({KEY: t[KEY].half()})), rf"tensor {KEY} is .*F16"),
        (
            _tensors(lambda t: t.update({KEY: t[KEY] + float("inf")})),
            rf"tensor {KEY} holds NaN or infinity",
        ),
    ],
)
def test_a_damaged_folder_is_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    damage(folder)
    with pytest.raises(InputError, match=message):
        Prompt.from_pretrained(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_path_that_is_not_utf8_is_not_taken_for_damage(tmp_path: Path) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    odd = folder.rename(tmp_path / os.fsdecode(b"m\xff"))
    with pytest.raises(InputError, match="the path is not UTF-8; give the folder"):
        Prompt.from_pretrained(odd)


def test_a_missing_prompt_is_named() -> None:
    with pytest.raises(InputError, match="prompt /no/where: no such folder"):
        Prompt.from_pretrained("/no/where")


def test_a_prompt_for_another_model_is_refused() -> None:
    prompt = make_prompt()
    prompt.check_base(Loaded("openai/whisper-tiny", "f" * 64))
    with pytest.raises(
        InputError, match=r"trained for openai/whisper-tiny .*found mine \(weights 000000000000\)"
    ):
        prompt.check_base(Loaded("mine", "0" * 64))


def test_a_quantized_base_gets_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    make_prompt().check_base(Loaded("int8 folder", "0" * 64, quantized=True))
    assert "int8 folder is quantized" in caplog.text
    with pytest.raises(InputError, match="trained for"):
        make_prompt().check_base(
            Loaded("int8 folder", "0" * 64, ModelShape(16, 2, 2), quantized=True)
        )


def test_the_model_named_is_loaded_else_that_of_the_first_prompt() -> None:
    prompt = make_prompt()
    assert base_for("mine", [prompt]) == "mine"
    assert base_for(None, [prompt]) == "openai/whisper-tiny"
    assert base_for(None, ()) == "base"
