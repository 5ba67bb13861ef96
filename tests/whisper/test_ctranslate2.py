"""Reading CTranslate2 folders: names, values, sizes, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from spt_whisper.errors import InputError
from spt_whisper.whisper import ctranslate2, requirements
from spt_whisper.whisper.ctranslate2_file import read_model
from spt_whisper.whisper.loading import FrozenWhisper
from tests import tiny_ctranslate2 as tiny


@pytest.fixture(scope="module")
def model() -> WhisperForConditionalGeneration:
    return tiny.random_model()


@pytest.fixture
def folder(tmp_path: Path, model: WhisperForConditionalGeneration) -> Path:
    return tiny.write_folder(tmp_path / "ct2", tiny.tensors_of(model))


def untied(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    del state["proj_out.weight"]
    return state


def logits(model: WhisperForConditionalGeneration) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 20, 60, generator=generator)
    ids = torch.randint(0, 256, (2, 9), generator=generator)
    with torch.no_grad():
        return model(input_features=features, decoder_input_ids=ids).logits


# ---- values


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_float_tensors_come_back_to_the_bit(tmp_path, model, kind):
    tiny.write_folder(tmp_path, tiny.quantize(tiny.tensors_of(model), kind))
    source = ctranslate2.read_whisper(tmp_path)
    wanted = untied(model)
    assert set(source.state_dict) == set(wanted)
    for name, array in source.state_dict.items():
        assert array.dtype == kind
        np.testing.assert_array_equal(array, wanted[name].astype(kind), err_msg=name)
    assert not source.quantized


@pytest.mark.parametrize(("kind", "steps"), [("int8", 127), ("int16", 1024)])
def test_integer_tensors_come_back_within_half_a_step(tmp_path, model, kind, steps):
    plain = tiny.tensors_of(model)
    tiny.write_folder(tmp_path, tiny.quantize(plain, kind))
    read = read_model(tmp_path / "model.bin")[0]
    assert ctranslate2.read_whisper(tmp_path).quantized
    assert not [name for name in read if name.endswith("_scale")]
    for name, array in plain.items():
        rows = abs(array.reshape(len(array), -1))
        largest = rows.max(axis=1) if kind == "int8" else rows.max()
        half = np.reshape(largest / steps / 2, (-1,) + (1,) * (array.ndim - 1))
        if not name.endswith("/weight"):
            half = 0
        assert (abs(read[name] - array) <= half * 1.001).all(), name
        assert read[name].dtype == np.float32


def test_bfloat16_is_read_exactly(tmp_path):
    wanted = np.array([[1.5, -2.0], [0.15625, 3e38]], np.float32).view(np.uint32) >> 16
    part = tiny.text("x") + struct.pack("<B2I", 2, 2, 2) + struct.pack("<BI", 5, 8)
    path = tmp_path / "model.bin"
    path.write_bytes(tiny.file_bytes([part + wanted.astype("<u2").tobytes()]))
    read = read_model(path)[0]["x"]
    np.testing.assert_array_equal(read, (wanted << 16).astype(np.uint32).view(np.float32))
    assert read[0].tolist() == [1.5, -2.0]


def test_an_alias_is_a_tensor_of_its_own(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(tiny.file_bytes([tiny.tensor("a", np.ones(3, "f4"))], (("b", "a"),)))
    read, _ = read_model(path)
    read["b"][:] = 5
    assert read["a"].tolist() == [1, 1, 1]


# ---- names, sizes, and the model that comes of it


def test_a_model_through_the_names_gives_the_same_logits_to_the_bit(folder, model):
    source = ctranslate2.read_whisper(folder)
    copy = WhisperForConditionalGeneration(ctranslate2.build_config(source)).eval()
    state = {name: torch.from_numpy(array) for name, array in source.state_dict.items()}
    missing, unexpected = copy.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["proj_out.weight"], [])
    copy.tie_weights()
    assert torch.equal(logits(copy), logits(model))


def test_sizes_follow_from_the_tensors(folder, model):
    source = ctranslate2.read_whisper(folder)
    built = ctranslate2.build_config(source)
    assert len(source.config) == 11
    for name, size in source.config.items():
        assert size == getattr(model.config, name) == getattr(built, name)
    assert (source.alignment_heads, source.suppress_ids) == ([(0, 1), (2, 0)], [1, 2, 7])
    assert (source.suppress_ids_begin, source.lang_ids) == ([220, 256], [258, 259, 260, 261])


def test_heads_are_64_wide_where_the_file_does_not_say(tmp_path, model, monkeypatch):
    monkeypatch.delitem(tiny.SETTINGS, "encoder/num_heads")
    tiny.write_folder(tmp_path, tiny.tensors_of(model))
    with pytest.raises(InputError, match="0 encoder heads for a width of 32"):
        ctranslate2.read_whisper(tmp_path)
    monkeypatch.setattr(ctranslate2, "HEAD_WIDTH", 8)
    tiny.write_folder(tmp_path, tiny.tensors_of(model))
    assert ctranslate2.read_whisper(tmp_path).config["encoder_attention_heads"] == 4


def test_special_tokens_are_found_by_name(folder):
    source = ctranslate2.read_whisper(folder)
    tokenizer = ctranslate2.load_tokenizer(folder)
    config = ctranslate2.build_config(source)
    generation = ctranslate2.build_generation_config(tokenizer, source)
    assert (config.eos_token_id, config.pad_token_id, config.decoder_start_token_id) == (
        256,
        256,
        257,
    )
    assert generation.lang_to_id == {"<|en|>": 258, "<|zh|>": 259, "<|es|>": 260, "<|it|>": 261}
    assert generation.task_to_id == {"translate": 262, "transcribe": 263}
    assert (generation.prev_sot_token_id, generation.no_timestamps_token_id) == (265, 267)
    assert (generation.eos_token_id, generation.pad_token_id) == (256, 256)
    assert (generation.decoder_start_token_id, generation.max_length) == (257, 24)
    assert (generation.is_multilingual, generation.task) == (True, "transcribe")
    assert generation.alignment_heads == [[0, 1], [2, 0]]
    assert (generation.suppress_tokens, generation.begin_suppress_tokens) == ([1, 2, 7], [220, 256])
    assert tokenizer.all_special_ids[-1] == 267  # no timestamp: transformers counts from here


def test_an_english_only_model_has_no_languages(folder, monkeypatch):
    monkeypatch.setattr(requirements, "_ENGLISH_ONLY_END", 256)
    source = ctranslate2.read_whisper(folder)
    tokenizer = ctranslate2.load_tokenizer(folder)
    generation = ctranslate2.build_generation_config(tokenizer, source).to_dict()
    assert generation["is_multilingual"] is False
    assert not {"lang_to_id", "task_to_id", "task"} & set(generation)


# ---- networks that are not a plain Whisper


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder/conv1/bias": None}, "lacks encoder/conv1/bias"),
        (
            {"decoder/layer_1/ffn/linear_0/weight": None},
            "lacks decoder/layer_1/ffn/linear_0/weight",
        ),
        ({"decoder/layer_7/ffn/x": np.ones(2, "f4")}, "lacks decoder/layer_3/"),
        ({"decoder/extra": np.ones(2, "f4")}, "has the unknown decoder/extra"),
        ({"decoder/queries_scale": np.float32(0.5)}, "the setting decoder/queries_scale"),
        ({"decoder/activation": np.int8(0)}, "the setting decoder/activation is 0; wanted 3"),
        ({"decoder/pre_norm": np.int8(0)}, "the setting decoder/pre_norm is 0; wanted 1"),
        ({"encoder/num_heads": np.int16(3)}, "3 encoder heads for a width of 32"),
        ({"encoder/conv2/bias": np.ones(31, "f4")}, r"conv2/bias has the shape \(31,\); .* = 32"),
        ({"encoder/conv2/weight": np.ones((32, 32, 5), "f4")}, "wanted 3 in place of 5"),
        ({"encoder/conv2/bias": np.ones((32, 1), "f4")}, r"wanted floats of shape"),
        ({"encoder/conv2/bias": np.ones(32, "i4")}, "is int32 with no scale"),
        (
            {"encoder/layer_0/self_attention/linear_0/bias": np.ones(96, "f4")},
            "encoder.layers.0.self_attn.k_proj.bias is not zero",
        ),
        ({"decoder/projection/weight": np.ones((3, 32), "f4")}, "projection/weight differs"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, model, change, message):
    tensors = {**tiny.tensors_of(model), **change}
    kept = {name: array for name, array in tensors.items() if array is not None}
    tiny.write_folder(tmp_path, kept, () if tiny.TIED[0] in kept else (tiny.TIED,))
    with pytest.raises(InputError, match=f"model.bin: .*{message}"):
        ctranslate2.read_whisper(tmp_path)


@pytest.mark.parametrize(
    "scale",
    [
        np.ones(31, "f4"),
        np.ones(32, "i4"),
        np.full(32, np.nan, "f4"),
        np.zeros(32, "f4"),
    ],
)
def test_a_bad_scale_is_refused(tmp_path, scale):
    path = tmp_path / "model.bin"
    parts = [tiny.tensor("x", np.ones((32, 4), "i1")), tiny.tensor("x_scale", scale)]
    path.write_bytes(tiny.file_bytes(parts))
    with pytest.raises(InputError, match=r"model.bin: x"):
        read_model(path)


# ---- damaged files


SMALL = [tiny.tensor("one", np.ones((2, 3), "f4")), tiny.tensor("two", np.int8(1)[()])]


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "model.bin"
    whole = tiny.file_bytes(SMALL, (("three", "one"),))
    path.write_bytes(whole)
    assert set(read_model(path)[0]) == {"one", "two", "three"}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"model\.bin: .*truncated or altered"):
            read_model(path)


def altered_head(version: int = 6, spec: str = "WhisperSpec", revision: int = 3) -> bytes:
    return struct.pack("<I", version) + tiny.text(spec) + struct.pack("<I", revision)


def with_shape(rank: int, shape: tuple[int, ...], dtype: int, size: int) -> bytes:
    return tiny.file_bytes(
        [
            tiny.text("big")
            + struct.pack(f"<B{len(shape)}IBI", rank, *shape, dtype, size)
            + b"\0" * 64
        ]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny.file_bytes(SMALL, head=altered_head(version=5)), "file version 5; wanted 6"),
        (
            tiny.file_bytes(SMALL, head=altered_head(spec="BertSpec")),
            "'BertSpec'; wanted 'WhisperSpec'",
        ),
        (tiny.file_bytes(SMALL, head=altered_head(revision=2)), "revision 2; wanted 3"),
        (b"PK\x03\x04" + b"\0" * 100, "file version"),
        (tiny.file_bytes(SMALL) + b"\0", "1 bytes follow"),
        (tiny.file_bytes(SMALL * 2), "one is in it twice"),
        (tiny.file_bytes(SMALL, (("x", "y"),)), "x stands for y, which is not in it"),
        (tiny.file_bytes(SMALL, (("one", "one"),)), "the alias one is a tensor as well"),
        (tiny.file_bytes(SMALL).replace(b"one\0", b"one1"), "does not end with its NUL"),
        (tiny.file_bytes(SMALL).replace(b"one\0", b"\xffne\0"), "not UTF-8"),
        (with_shape(9, (1,) * 9, 0, 4), "rank 9"),
        (with_shape(1, (16,), 6, 64), "unknown dtype 6"),
        (with_shape(1, (16,), 0, 60), "declares 60 bytes; wanted 64"),
        (with_shape(2, (0, 2**32 - 1), 0, 0), "declares 0 bytes"),
        (with_shape(1, (2**30 - 1,), 0, 2**32 - 4), "big needs 4294967292 bytes"),
        (with_shape(3, (2**31, 2**31, 4), 0, 0), "declares 0 bytes"),  # 2**66: 0 in 64 bits
    ],
)
def test_altered_files_are_refused_without_a_large_allocation(tmp_path, content, message):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"model.bin: .*{message}"):
            read_model(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        ctranslate2.read_whisper(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "not JSON"),
        ("config.json", "[]", "holds a list"),
        ("config.json", json.dumps({"suppress_ids": [10**9]}), "suppress_ids is not a list"),
        ("config.json", json.dumps({"lang_ids": "en"}), "lang_ids is not a list"),
        ("config.json", json.dumps({"alignment_heads": [[-1, 0]]}), "alignment_heads is not"),
        ("config.json", json.dumps({"alignment_heads": [[0]]}), "alignment_heads is not"),
        ("config.json", json.dumps({"alignment_heads": 3}), "alignment_heads is not"),
        ("tokenizer.json", json.dumps({"added_tokens": [{"id": 3}]}), "added_tokens is not a list"),
        (
            "tokenizer.json",
            json.dumps({"added_tokens": [{"id": 10**6, "content": "x", "special": True}]}),
            "'x' has the number 1000000; wanted one below",
        ),
    ],
)
def test_damaged_json_is_named(folder, name, content, message):
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        ctranslate2.read_whisper(folder)


def test_a_tokenizer_of_another_model_is_named(folder):
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": []}))
    source = ctranslate2.read_whisper(folder)
    with pytest.raises(InputError, match=r"tokenizer.json: no token <\|endoftext\|>"):
        ctranslate2.build_config(source)


def test_lists_that_config_does_not_give_are_none(folder):
    (folder / "config.json").write_text("{}")
    source = ctranslate2.read_whisper(folder)
    assert source.suppress_ids is source.alignment_heads is source.lang_ids is None
    generation = ctranslate2.build_generation_config(ctranslate2.load_tokenizer(folder), source)
    assert generation.suppress_tokens is None


# ---- networks that are a Whisper, but none that can be used here


def test_an_english_only_folder_is_refused(folder, monkeypatch):
    monkeypatch.setattr(requirements, "_ENGLISH_ONLY_END", 256)
    with pytest.raises(InputError, match=f"model {folder}: English only; take a multilingual"):
        FrozenWhisper.from_pretrained(folder)


def test_a_folder_with_fewer_positions_is_refused(folder):
    with pytest.raises(InputError, match=f"model {folder}: has 24 decoder positions, wanted 448"):
        FrozenWhisper.from_pretrained(folder)


def test_heads_of_a_larger_teacher_are_left_out_with_a_warning(folder, monkeypatch, caplog):
    monkeypatch.setattr(requirements, "MAX_POSITIONS", 24)
    assert FrozenWhisper.from_pretrained(folder).model.generation_config.alignment_heads
    assert not caplog.records
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "alignment_heads": [[0, 0], [3, 0]]}))
    model = FrozenWhisper.from_pretrained(folder).model
    assert not model.generation_config.alignment_heads
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        f"model {folder}: its alignment_heads are of a larger model"
    ]


# ---- the real thing


@pytest.mark.real_weights
def test_both_layouts_of_base_hold_the_same_tensors():
    cache = Path(os.environ.get("SPT_WHISPER_CACHE") or Path.home() / ".cache" / "spt-whisper")
    folders = (cache / "whisper-base-ct2", cache / "whisper-base")
    for folder in folders:
        if not folder.is_dir():
            pytest.skip(f"no {folder}; tools/fetch_weights.py --keep-ctranslate2 brings it")
    source = ctranslate2.read_whisper(folders[0])
    model = WhisperForConditionalGeneration.from_pretrained(folders[1], local_files_only=True)
    wanted = untied(model)
    assert set(source.state_dict) == set(wanted)
    for name, array in source.state_dict.items():
        np.testing.assert_array_equal(array.astype(np.float32), wanted[name], err_msg=name)
    built = ctranslate2.build_config(source).to_dict()
    for name in source.config:
        assert built[name] == getattr(model.config, name)
