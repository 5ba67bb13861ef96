"""Writes tiny CTranslate2 Whisper folders: an independent writer for the tests of the reader."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from tests.tiny_model import tiny_tokenizer

TYPE_IDS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
TIED = ("decoder/projection/weight", "decoder/embeddings/weight")
SETTINGS = {
    "decoder/activation": np.int8(3),
    "decoder/alibi": np.int8(0),
    "decoder/alignment_heads": np.int16(1),
    "decoder/alignment_layer": np.int16(-1),
    "decoder/num_heads": np.int16(2),
    "decoder/pre_norm": np.int8(1),
    "decoder/scale_embeddings": np.int8(0),
    "decoder/start_from_zero_embedding": np.int8(0),
    "encoder/num_heads": np.int16(4),
}
CONFIG = {
    "alignment_heads": [[0, 1], [2, 0]],
    "lang_ids": [258, 259, 260, 261],
    "suppress_ids": [1, 2, 7],
    "suppress_ids_begin": [220, 256],
}


def random_model(seed: int = 0) -> WhisperForConditionalGeneration:
    """A Whisper with no two sizes alike, every number of it random (norms and zero biases too)."""
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=len(tiny_tokenizer()), num_mel_bins=20, d_model=32,
        encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=2,
        encoder_ffn_dim=48, decoder_ffn_dim=56, max_source_positions=30, max_target_positions=24,
        pad_token_id=256, bos_token_id=256, eos_token_id=256, decoder_start_token_id=257,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def tensors_of(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """The weights of a model under CTranslate2's names, fused as its converter does."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    tensors: dict[str, np.ndarray] = {}

    def put(name: str, *modules: str) -> None:
        weights = [state[f"{module}.weight"] for module in modules]
        norm = weights[0].ndim == 1
        tensors[f"{name}/{'gamma' if norm else 'weight'}"] = np.concatenate(weights)
        if f"{modules[-1]}.bias" in state:
            zeros = np.zeros(len(weights[0]), np.float32)  # what the keys have for a bias
            biases = [state.get(f"{module}.bias", zeros) for module in modules]
            tensors[f"{name}/{'beta' if norm else 'bias'}"] = np.concatenate(biases)

    for side, number in (("encoder", 2), ("decoder", 3)):
        tensors[f"{side}/position_encodings/encodings"] = state[
            f"model.{side}.embed_positions.weight"
        ]
        put(f"{side}/layer_norm", f"model.{side}.layer_norm")
        for layer in range(number):
            there, here = f"{side}/layer_{layer}", f"model.{side}.layers.{layer}"
            own, other = f"{here}.self_attn", f"{here}.encoder_attn"
            put(f"{there}/self_attention/layer_norm", f"{here}.self_attn_layer_norm")
            fused = (f"{own}.q_proj", f"{own}.k_proj", f"{own}.v_proj")
            put(f"{there}/self_attention/linear_0", *fused)
            put(f"{there}/self_attention/linear_1", f"{own}.out_proj")
            put(f"{there}/ffn/layer_norm", f"{here}.final_layer_norm")
            put(f"{there}/ffn/linear_0", f"{here}.fc1")
            put(f"{there}/ffn/linear_1", f"{here}.fc2")
            if side == "decoder":
                put(f"{there}/attention/layer_norm", f"{here}.encoder_attn_layer_norm")
                put(f"{there}/attention/linear_0", f"{other}.q_proj")
                put(f"{there}/attention/linear_1", f"{other}.k_proj", f"{other}.v_proj")
                put(f"{there}/attention/linear_2", f"{other}.out_proj")
    put("encoder/conv1", "model.encoder.conv1")
    put("encoder/conv2", "model.encoder.conv2")
    put("decoder/embeddings", "model.decoder.embed_tokens")
    return tensors


def quantize(tensors: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Weights as CTranslate2's converter stores them: `float32`, `float16`, `int8` or `int16`."""
    stored: dict[str, np.ndarray] = {}
    for name, array in tensors.items():
        if kind.startswith("float"):
            stored[name] = array.astype(kind)
        elif not name.endswith("/weight"):
            stored[name] = array
        else:
            rows = array.reshape(len(array), -1)
            scale = 127 / abs(rows).max(axis=1) if kind == "int8" else 1024 / abs(rows).max()
            scale = np.asarray(scale, np.float32)
            whole = np.rint(rows * (scale[:, None] if kind == "int8" else scale))
            stored[name] = whole.astype(kind).reshape(array.shape)
            stored[f"{name}_scale"] = scale
    return stored


def text(value: str) -> bytes:
    """A string as it stands in the file."""
    return struct.pack("<H", len(value.encode()) + 1) + value.encode() + b"\0"


def tensor(name: str, array: np.ndarray) -> bytes:
    """A tensor as it stands in the file."""
    shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    head = text(name) + shape + struct.pack("<BI", TYPE_IDS[array.dtype.name], array.nbytes)
    return head + np.ascontiguousarray(array).tobytes()


def file_bytes(
    tensors: list[bytes],
    aliases: tuple[tuple[str, str], ...] = (),
    head: bytes = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<I", 3),
) -> bytes:
    """A whole model.bin."""
    names = b"".join(text(alias) + text(name) for alias, name in aliases)
    count, others = struct.pack("<I", len(tensors)), struct.pack("<I", len(aliases))
    return head + count + b"".join(tensors) + others + names


def write_folder(
    folder: Path, tensors: dict[str, np.ndarray], aliases: tuple[tuple[str, str], ...] = (TIED,)
) -> Path:
    """A CTranslate2 Whisper folder of these tensors and the usual settings."""
    folder.mkdir(exist_ok=True)
    everything = {**SETTINGS, **tensors}
    parts = [tensor(name, np.asarray(array)) for name, array in sorted(everything.items())]
    (folder / "model.bin").write_bytes(file_bytes(parts, aliases))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tiny_tokenizer().backend_tokenizer.save(str(folder / "tokenizer.json"))
    return folder
