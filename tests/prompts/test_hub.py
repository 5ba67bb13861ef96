"""Prompts and banks by hub id: fetched, kept for times without network, and refused where a prompt needs no such file.

The hub is a stand-in on loopback, the client is the real one.
"""

from __future__ import annotations

import errno
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.language_part import write_part
from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank
from tests.hub_server import READER, Hub, connect, running_hub
from tests.prompts.test_bank import CONFIG, part
from tests.prompts.test_bank import prompt as bank_prompt
from tests.prompts.test_files import make_prompt

NAME = "someone/kichwa"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as running:
        connect(monkeypatch, running.url, tmp_path / "cache")
        yield running


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def prompt_files(folder: Path, seed: int = 0) -> dict[str, bytes]:
    return files_of(make_prompt(seed).save_pretrained(folder / f"made{seed}"))


def bank_files(root: Path) -> dict[str, bytes]:
    bank_prompt("ky", SHARED_METHOD).save_pretrained(root / SHARED_FOLDER)
    write_part(root / "ky", part("ky"), root / SHARED_FOLDER, CONFIG)
    return files_of(root)


def same(first: Prompt, second: Prompt) -> bool:
    tables = first.vectors.named_tensors(), second.vectors.named_tensors()
    return (first.config, first.card) == (second.config, second.card) and all(
        torch.equal(tensor, tables[1][name]) for name, tensor in tables[0].items()
    )


def test_a_prompt_is_read_by_its_hub_id_at_any_revision(hub: Hub, tmp_path: Path) -> None:
    older = hub.add(NAME, {**prompt_files(tmp_path, 0), "picture.png": b"\x89PNG"})
    hub.add(NAME, prompt_files(tmp_path, 1))
    newest = Prompt.from_pretrained(NAME)
    assert same(newest, make_prompt(1))
    assert newest.name == NAME
    assert same(Prompt.from_pretrained(f"{NAME}@{older}"), make_prompt(0))
    assert hub.fetched() == ["prompt.json", "prompt.safetensors"]


def test_a_folder_comes_before_a_hub_id(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(NAME, prompt_files(tmp_path, 1))
    make_prompt(0).save_pretrained(tmp_path / "here" / NAME)
    monkeypatch.chdir(tmp_path / "here")
    assert same(Prompt.from_pretrained(NAME), make_prompt(0))
    assert not hub.requests


def test_a_bank_is_read_by_its_hub_id(hub: Hub, tmp_path: Path) -> None:
    hub.add(NAME, bank_files(tmp_path / "bank"))
    bank = Bank.from_pretrained(NAME)
    assert bank.languages == ("ky",)
    assert same(bank.prompt("ky"), Bank.from_pretrained(tmp_path / "bank").prompt("ky"))
    assert isinstance(read_prompt_or_bank(NAME), Bank)
    whole = read_prompt_or_bank(NAME, "ky")
    assert isinstance(whole, Prompt)
    assert same(whole, bank.prompt("ky"))
    with pytest.raises(InputError, match="bank someone/kichwa: no such folder"):
        Bank.from_folder(Path(NAME))  # as `add-language` reads one, which writes into it


@pytest.mark.parametrize("reachable", [True, False])
def test_what_was_fetched_is_there_without_network(
    hub: Hub,
    reachable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub.add(NAME, prompt_files(tmp_path))
    Prompt.from_pretrained(NAME)
    nowhere = "http://127.0.0.1:9"  # nobody listens there
    connect(monkeypatch, hub.url if reachable else nowhere, tmp_path / "cache", offline=reachable)
    assert same(Prompt.from_pretrained(NAME), make_prompt())
    assert ("taken from the cache" in caplog.text) == (not reachable)
    with pytest.raises(InputError, match="prompt someone/other: no such folder, not in the hub's"):
        Prompt.from_pretrained("someone/other")


def test_a_private_prompt_needs_a_login(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(NAME, prompt_files(tmp_path), private=True)
    with pytest.raises(InputError, match="no such repository, or a private one; .* log in"):
        Prompt.from_pretrained(NAME)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert same(Prompt.from_pretrained(NAME), make_prompt())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("someone/none", "prompt someone/none: no such folder, and the hub .* no such repository"),
        (f"{NAME}@v9", f"prompt {NAME}@v9: no such folder, and the hub .* no such revision"),
        ("a/b/c", r"no such folder; wanted a folder, or a hub id \(owner/name or owner/name@rev"),
        ("kichwa", "no such folder; wanted a folder, or a hub id"),
        ("../prompts/kichwa", "no such folder; wanted a folder, or a hub id"),
        ("someone/a--b", "and the hub .* wanted owner/name"),
    ],
)
def test_a_missing_prompt_is_one_line_that_names_both_places(
    source: str, message: str, hub: Hub, tmp_path: Path
) -> None:
    hub.add(NAME, prompt_files(tmp_path))
    with pytest.raises(InputError, match=message):
        Prompt.from_pretrained(source)


@pytest.mark.parametrize("path", ["model.pkl", "pytorch_model.bin", "old/checkpoint.CKPT"])
def test_a_repository_with_a_pickle_is_refused_before_anything_is_fetched(
    path: str, hub: Hub, tmp_path: Path
) -> None:
    hub.add(NAME, {**prompt_files(tmp_path), path: pickle.dumps("harm")})
    with pytest.raises(InputError, match=f"prompt {NAME}: {path}: is or may hold a pickle"):
        Prompt.from_pretrained(NAME)
    assert not hub.fetched()


def test_a_repository_with_a_huge_file_is_refused_before_anything_is_fetched(
    hub: Hub, tmp_path: Path
) -> None:
    hub.add(NAME, {**prompt_files(tmp_path), "prompt.json": b" " * 2**21})
    with pytest.raises(InputError, match=r"prompt\.json has 2097152 bytes; wanted at most 1048576"):
        Prompt.from_pretrained(NAME)
    assert not hub.fetched()


def test_a_repository_without_a_prompt_is_refused(hub: Hub) -> None:
    hub.add(NAME, {"README.md": b"nothing yet"})
    with pytest.raises(InputError, match=rf"prompt {NAME}: no prompt\.json in it"):
        Prompt.from_pretrained(NAME)


def test_the_caches_own_links_are_let_through_and_no_others(hub: Hub, tmp_path: Path) -> None:
    hub.add(NAME, prompt_files(tmp_path))
    Prompt.from_pretrained(NAME)
    snapshot = next((tmp_path / "cache").rglob("prompt.json")).parent
    assert (snapshot / "prompt.json").is_symlink()
    assert same(Prompt.from_pretrained(snapshot), make_prompt())
    secret = shutil.copy(snapshot / "prompt.json", tmp_path / "secret.json")
    (snapshot / "prompt.json").unlink()
    (snapshot / "prompt.json").symlink_to(secret)
    with pytest.raises(InputError, match=r"prompt\.json: is a link"):
        Prompt.from_pretrained(snapshot)


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_hub(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(NAME, prompt_files(tmp_path))
    (tmp_path / "file").write_text("")
    connect(monkeypatch, hub.url, tmp_path / "file" / "cache")
    with pytest.raises(OSError, match=f"Not a directory: '{tmp_path}/file/cache"):
        Prompt.from_pretrained(NAME)

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    connect(monkeypatch, hub.url, tmp_path / "cache")
    monkeypatch.setattr(HfApi, "snapshot_download", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/cache'"):
        Prompt.from_pretrained(NAME)
