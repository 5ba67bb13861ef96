"""Folders that nobody wrote with this program: each is a prompt that holds, or one line that names the file.

Some thousand of them, the same ones every time: random bytes, and good folders of which one thing was changed.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.language_part import write_part
from tests.prompts.test_bank import CONFIG, part
from tests.prompts.test_bank import prompt as bank_prompt
from tests.prompts.test_files import make_prompt

many = settings(max_examples=1000, derandomize=True, deadline=None, database=None)

NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, 10**30, 1e308, 1e-320]),
    st.floats(),  # NaN and infinity too, which Python writes as NaN and Infinity
)
WORDS = st.one_of(st.text(max_size=8), st.sampled_from(["encoder", "input", "key_value", "\ud800"]))
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=6,
)
DTYPES = st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "X"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good prompt, of which each test spoils one file before it reads it."""
    return make_prompt().save_pretrained(tmp_path_factory.mktemp("malformed") / "prompt")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("malformed") / "bank"
    bank_prompt("ky", SHARED_METHOD).save_pretrained(root / SHARED_FOLDER)
    write_part(root / "ky", part("ky"), root / SHARED_FOLDER, CONFIG)
    return root


def read_spoiled(path: Path, content: bytes, read: Callable[[], Prompt]) -> Prompt | None:
    """Reads while a file has other content: a prompt that can be written and read again, or None after one good line."""
    good = path.read_bytes()
    path.write_bytes(content)
    try:
        prompt = read()
    except InputError as error:
        check_line(str(error), path.parents[1])
        return None
    finally:
        path.write_bytes(good)
    again = Prompt.from_pretrained(prompt.save_pretrained(path.parents[2] / "copy"))
    assert (again.config, again.card) == (prompt.config, prompt.card)
    for name, tensor in prompt.vectors.named_tensors().items():
        assert tensor.isfinite().all()
        assert torch.equal(tensor, again.vectors.named_tensors()[name])
    return prompt


def check_line(line: str, folder: Path) -> None:
    assert line.startswith((f"{folder}/", f"bank {folder}"))
    assert "\n" not in line
    assert len(line) < 1500


def changed(tree: Any, data: st.DataObject) -> Any:
    """The JSON value with one thing in it replaced, left out or added, at any depth."""
    steps = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []  # fmt: skip
    if not steps or data.draw(st.integers(0, 5)) == 0:
        return data.draw(JSON_VALUES)
    step = data.draw(st.sampled_from(steps))
    copy = tree.copy()
    deed = data.draw(st.sampled_from(["change", "change", "change", "drop", "add"]))
    if deed == "change":
        copy[step] = changed(tree[step], data)
    elif deed == "drop":
        del copy[step]
    elif isinstance(copy, dict):
        copy[data.draw(WORDS)] = data.draw(JSON_VALUES)
    else:
        copy.append(data.draw(JSON_VALUES))
    return copy


@many
@given(content=st.binary(max_size=200), file=st.sampled_from(["prompt.json", "prompt.safetensors"]))
def test_random_bytes(folder: Path, content: bytes, file: str) -> None:
    assert read_spoiled(folder / file, content, lambda: Prompt.from_pretrained(folder)) is None


@many
@given(data=st.data())
def test_settings_with_one_thing_changed(folder: Path, data: st.DataObject) -> None:
    path = folder / "prompt.json"
    spoiled = json.dumps(changed(json.loads(path.read_text()), data)).encode()
    read_spoiled(path, spoiled, lambda: Prompt.from_pretrained(folder))


@many
@given(data=st.data())
def test_a_banks_settings_with_one_thing_changed(bank: Path, data: st.DataObject) -> None:
    path = bank / data.draw(st.sampled_from(["ky/part.json", "shared/prompt.json"]))
    spoiled = json.dumps(changed(json.loads(path.read_text()), data)).encode()

    def read() -> Prompt:
        opened = Bank.from_pretrained(bank)
        return opened.prompt(opened.languages[0])

    read_spoiled(path, spoiled, read)


@many
@given(data=st.data())
def test_tensors_with_bytes_changed(folder: Path, data: st.DataObject) -> None:
    path = folder / "prompt.safetensors"
    content = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, data.draw(st.sampled_from([8, header, len(content)])) - 1))
        content[place] = data.draw(st.integers(0, 255))
    kept = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    read_spoiled(path, bytes(content[:kept]), lambda: Prompt.from_pretrained(folder))


@many
@given(data=st.data())
def test_tensors_with_a_header_changed(folder: Path, data: st.DataObject) -> None:
    """Other types, shapes as large as can be said, offsets that lie elsewhere, names twice, fields that nobody knows."""
    path = folder / "prompt.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = data.draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))
    field = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", None]))
    values = {
        "dtype": DTYPES,
        "shape": st.lists(NUMBERS, max_size=4),
        "data_offsets": st.lists(NUMBERS, min_size=2, max_size=2),
    }
    if field is None:
        header = changed(header, data)
    else:
        header[name][field] = data.draw(values[field])
    text = json.dumps(header).encode()
    spoiled = struct.pack("<Q", len(text)) + text + content[8 + length :]
    read_spoiled(path, spoiled, lambda: Prompt.from_pretrained(folder))


@settings(many, max_examples=200)
@given(data=st.data())
def test_tensors_of_other_types_or_with_a_number_that_is_none(
    folder: Path, data: st.DataObject
) -> None:
    tensors = {name: tensor[0] for name, tensor in make_prompt().vectors.named_tensors().items()}
    name = data.draw(st.sampled_from(sorted(tensors)))
    wrong = st.sampled_from([torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.bool])
    if data.draw(st.booleans()):
        tensors[name] = tensors[name].to(data.draw(wrong))
    else:
        place = data.draw(st.integers(0, tensors[name].numel() - 1))
        tensors[name] = tensors[name].clone()
        tensors[name].view(-1)[place] = data.draw(st.sampled_from([torch.nan, torch.inf]))
    path = folder / "prompt.safetensors"
    assert read_spoiled(path, save(tensors), lambda: Prompt.from_pretrained(folder)) is None


def link_outside(folder: Path) -> None:
    outside = shutil.move(folder / "prompt.json", folder.parent / "secret.json")
    (folder / "prompt.json").symlink_to(outside)


def link_to_itself(folder: Path) -> None:
    (folder / "prompt.safetensors").unlink()
    (folder / "prompt.safetensors").symlink_to("prompt.safetensors")


def link_to_nothing(folder: Path) -> None:
    (folder / "notes.md").symlink_to("/no/where")


def linked_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent, target_is_directory=True)


def named_as_pickle(folder: Path) -> None:
    (folder / "optimizer.PT").write_bytes(b"")


def pickle_of_another_name(folder: Path) -> None:
    (folder / "weights.dat").write_bytes(pickle.dumps(print))


def archive_of_torch(folder: Path) -> None:
    torch.save({"x": torch.zeros(1)}, folder / "extra")


def pickle_below(folder: Path) -> None:
    (folder / "old").mkdir()
    (folder / "old" / "prompt.pkl").write_bytes(b"")


def pipe(folder: Path) -> None:
    (folder / "prompt.safetensors").unlink()
    os.mkfifo(folder / "prompt.safetensors")


def folder_for_file(folder: Path) -> None:
    (folder / "prompt.safetensors").unlink()
    (folder / "prompt.safetensors").mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (link_outside, r"prompt\.json: is a link; put the file itself into"),
        (link_to_itself, r"prompt\.safetensors: is a link"),
        (link_to_nothing, r"notes\.md: is a link"),
        (linked_folder, "more: is a link"),
        (named_as_pickle, r"optimizer\.PT: is or may hold a pickle"),
        (pickle_of_another_name, r"weights\.dat: is or may hold a pickle"),
        (archive_of_torch, "extra: is or may hold a pickle"),
        (pickle_below, r"old/prompt\.pkl: is or may hold a pickle"),
        (pipe, r"prompt\.safetensors: missing, or no file"),
        (folder_for_file, r"prompt\.safetensors: missing, or no file"),
    ],
)
def test_what_is_no_plain_file_of_a_prompt_is_refused(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    folder = make_prompt().save_pretrained(tmp_path / "prompt")
    damage(folder)
    with pytest.raises(InputError, match=message):
        Prompt.from_pretrained(folder)
    bank = tmp_path / "bank"
    bank.mkdir()
    folder.rename(bank / "qug")
    with pytest.raises(InputError, match=message):
        Bank.from_pretrained(bank)


def test_a_bank_with_a_linked_language_or_a_pickle_of_its_own_is_refused(tmp_path: Path) -> None:
    made = make_prompt().save_pretrained(tmp_path / "made")
    root = tmp_path / "bank"
    root.mkdir()
    (root / "qug").symlink_to(made, target_is_directory=True)
    with pytest.raises(InputError, match="qug: is a link"):
        Bank.from_pretrained(root)
    (root / "qug").unlink()
    shutil.copytree(made, root / "qug")
    assert Bank.from_pretrained(root).languages == ("qug",)
    (root / "bank.pkl").write_bytes(b"")
    with pytest.raises(InputError, match=r"bank\.pkl: is or may hold a pickle"):
        Bank.from_pretrained(root)


def large_json(folder: Path) -> None:
    os.truncate(folder / "prompt.json", 2**30)


def crowded_json(folder: Path) -> None:
    (folder / "prompt.json").write_text("[" + "[]," * (2**20 // 3 - 2) + "[]]")


def deep_json(folder: Path) -> None:
    (folder / "prompt.json").write_text("[" * 2**20)


def wide_model(folder: Path) -> None:
    path = folder / "prompt.json"
    values = json.loads(path.read_text())
    values["card"]["shape"] = {"width": 10**15, "encoder_layers": 10**9, "decoder_layers": 10**9}
    path.write_text(json.dumps(values))


def large_tensors(folder: Path) -> None:
    os.truncate(folder / "prompt.safetensors", 2**40)


def large_header(folder: Path) -> None:
    (folder / "prompt.safetensors").write_bytes(struct.pack("<Q", 9 * 10**7) + b"{")
    os.truncate(folder / "prompt.safetensors", 10**8)


def endless_header(folder: Path) -> None:
    (folder / "prompt.safetensors").write_bytes(struct.pack("<Q", 2**64 - 1) + b"{}")


def large_but_true_tensor(folder: Path) -> None:
    """A file that is what it says, of 960 MB, for a prompt of some kilobytes."""
    name, numbers = "decoder.feed_forward.key", 240_000_000
    spot = {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 4 * numbers]}
    text = json.dumps({name: spot}).encode()
    (folder / "prompt.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(folder / "prompt.safetensors", 8 + len(text) + 4 * numbers)


MONSTERS = {
    large_json: "prompt.json: 1073741824 bytes; wanted at most",
    crowded_json: "prompt.json: format version None",
    deep_json: "prompt.json: is not JSON",
    wide_model: "prompt.safetensors: tensor",
    large_tensors: "prompt.safetensors: 1099511627776 bytes; wanted at most",
    large_header: "prompt.safetensors: is damaged (a header of 90000000 bytes",
    endless_header: "prompt.safetensors: is damaged (a header of 18446744073709551615 bytes",
    large_but_true_tensor: "prompt.safetensors: missing tensors",
}
READ_ALL = """
import resource, sys
from spt_whisper import InputError, Prompt
def megabytes(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
good, *folders = sys.argv[1:]
Prompt.from_pretrained(good)
before = megabytes()
for folder in folders:
    try:
        Prompt.from_pretrained(folder)
        print("read")
    except InputError as error:
        print(error)
print(megabytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_folders_that_claim_gigabytes_cost_megabytes(tmp_path: Path) -> None:
    folders = [make_prompt().save_pretrained(tmp_path / "good")]
    for monster in MONSTERS:
        folders.append(make_prompt().save_pretrained(tmp_path / monster.__name__))
        monster(folders[-1])
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, *map(str, folders)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    *lines, megabytes = done.stdout.splitlines()
    assert len(lines) == len(MONSTERS)
    for line, folder, message in zip(lines, folders[1:], MONSTERS.values(), strict=True):
        assert line.startswith(f"{folder}/{message}")
    assert float(megabytes) < 80
