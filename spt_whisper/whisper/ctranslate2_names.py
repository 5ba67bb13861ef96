"""CTranslate2's names, shapes and settings of a Whisper, and transformers' names for them.

CTranslate2 stacks the projections of an attention by rows: linear_0 of a self-attention is q, k, v,
and linear_1 of a cross-attention is k, v. The file format is in `ctranslate2_file.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spt_whisper.whisper.ctranslate2_file import refuse

LINEAR = {"weight": "weight", "bias": "bias"}
NORM = {"gamma": "weight", "beta": "bias"}
POSITIONS = {"encodings": "weight"}
EMBEDDINGS = {"weight": "weight"}


class _Module(NamedTuple):
    """One module of CTranslate2: transformers' modules stacked in it, and the shape of each."""

    modules: tuple[str, ...]
    shape: tuple[
        str | int, ...
    ]  # of a weight, in names of WhisperConfig; a vector has the first of it
    leaves: Mapping[str, str] = LINEAR  # CTranslate2's leaf -> transformers' leaf


_D = "d_model"
_E = "model.encoder.layers.{}"
_C = "model.decoder.layers.{}"  # C: the decoder continues what the encoder heard

# The first row defines d_model; every later row must agree with the sizes known by then.
MODULES = {
    "encoder/conv1": _Module(("model.encoder.conv1",), (_D, "num_mel_bins", 3)),
    "encoder/conv2": _Module(("model.encoder.conv2",), (_D, _D, 3)),
    "encoder/position_encodings": _Module(
        ("model.encoder.embed_positions",), ("max_source_positions", _D), POSITIONS
    ),
    "encoder/layer_{}/self_attention/layer_norm": _Module(
        (f"{_E}.self_attn_layer_norm",), (_D,), NORM
    ),
    "encoder/layer_{}/self_attention/linear_0": _Module(
        (f"{_E}.self_attn.q_proj", f"{_E}.self_attn.k_proj", f"{_E}.self_attn.v_proj"), (_D, _D)
    ),
    "encoder/layer_{}/self_attention/linear_1": _Module((f"{_E}.self_attn.out_proj",), (_D, _D)),
    "encoder/layer_{}/ffn/layer_norm": _Module((f"{_E}.final_layer_norm",), (_D,), NORM),
    "encoder/layer_{}/ffn/linear_0": _Module((f"{_E}.fc1",), ("encoder_ffn_dim", _D)),
    "encoder/layer_{}/ffn/linear_1": _Module((f"{_E}.fc2",), (_D, "encoder_ffn_dim")),
    "encoder/layer_norm": _Module(("model.encoder.layer_norm",), (_D,), NORM),
    "decoder/embeddings": _Module(("model.decoder.embed_tokens",), ("vocab_size", _D), EMBEDDINGS),
    "decoder/position_encodings": _Module(
        ("model.decoder.embed_positions",), ("max_target_positions", _D), POSITIONS
    ),
    "decoder/layer_{}/self_attention/layer_norm": _Module(
        (f"{_C}.self_attn_layer_norm",), (_D,), NORM
    ),
    "decoder/layer_{}/self_attention/linear_0": _Module(
        (f"{_C}.self_attn.q_proj", f"{_C}.self_attn.k_proj", f"{_C}.self_attn.v_proj"), (_D, _D)
    ),
    "decoder/layer_{}/self_attention/linear_1": _Module((f"{_C}.self_attn.out_proj",), (_D, _D)),
    "decoder/layer_{}/attention/layer_norm": _Module(
        (f"{_C}.encoder_attn_layer_norm",), (_D,), NORM
    ),
    "decoder/layer_{}/attention/linear_0": _Module((f"{_C}.encoder_attn.q_proj",), (_D, _D)),
    "decoder/layer_{}/attention/linear_1": _Module(
        (f"{_C}.encoder_attn.k_proj", f"{_C}.encoder_attn.v_proj"), (_D, _D)
    ),
    "decoder/layer_{}/attention/linear_2": _Module((f"{_C}.encoder_attn.out_proj",), (_D, _D)),
    "decoder/layer_{}/ffn/layer_norm": _Module((f"{_C}.final_layer_norm",), (_D,), NORM),
    "decoder/layer_{}/ffn/linear_0": _Module((f"{_C}.fc1",), ("decoder_ffn_dim", _D)),
    "decoder/layer_{}/ffn/linear_1": _Module((f"{_C}.fc2",), (_D, "decoder_ffn_dim")),
    "decoder/layer_norm": _Module(("model.decoder.layer_norm",), (_D,), NORM),
}
EMBEDDING = "decoder/embeddings/weight"
TIED_PROJECTION = "decoder/projection/weight"
ZERO_BIAS = (
    ".k_proj.bias"  # Whisper's keys have no bias; the fused layer fills the place with zeros
)

# The settings of the network: what Whisper's must be (None: no effect on Whisper).
SETTINGS: dict[str, int | None] = {
    "decoder/activation": 3,  # GELU
    "decoder/alibi": 0,
    "decoder/alibi_use_positive_positions": None,  # of ALiBi, which is off
    "decoder/alignment_heads": None,  # of attention alignments in translation
    "decoder/alignment_layer": None,
    "decoder/num_heads": None,  # read by _heads
    "decoder/pre_norm": 1,
    "decoder/scale_alibi": None,
    "decoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
    "encoder/num_heads": None,
}


def pop_settings(path: Path, tensors: dict[str, np.ndarray]) -> dict[str, int]:
    """Takes the settings out of the tensors; returns `encoder_heads` and `decoder_heads` if given.

    Raises:
        InputError: a setting is not that of a Whisper.
    """
    found: dict[str, int] = {}
    for name in [name for name, array in tensors.items() if array.ndim == 0]:
        value = tensors.pop(name).item()
        if name not in SETTINGS:
            refuse(path, f"the setting {name} = {value} is not known here; wanted a plain Whisper")
        wanted = SETTINGS[name]
        if wanted is not None and value != wanted:
            refuse(path, f"the setting {name} is {value}; wanted {wanted}, as in a plain Whisper")
        if name.endswith("/num_heads"):
            found[name.replace("/num_heads", "_heads")] = int(value)
    return found


def drop_projection(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Takes out the output projection, which is the embedding in every Whisper.

    Raises:
        InputError: it is not the embedding.
    """
    projection = tensors.pop(TIED_PROJECTION, None)
    embedding = tensors.get(EMBEDDING, np.empty(0))
    if projection is not None and not np.array_equal(projection, embedding):
        refuse(
            path,
            f"{TIED_PROJECTION} differs from {EMBEDDING}; wanted the same, as in a plain Whisper",
        )


def _rows(config: Mapping[str, int]) -> Iterator[tuple[str, str, _Module]]:
    """The table for these layers: CTranslate2's tensor, transformers' leaf, the module."""
    for name, module in MODULES.items():
        side = name.partition("/")[0]
        for layer in range(config[f"{side}_layers"]) if "{}" in name else (None,):
            names = tuple(each.format(layer) for each in module.modules)
            for leaf, ours in module.leaves.items():
                yield f"{name.format(layer)}/{leaf}", ours, module._replace(modules=names)


def to_transformers(
    path: Path, tensors: dict[str, np.ndarray], config: dict[str, int]
) -> dict[str, np.ndarray]:
    """Renames and splits the tensors, and writes the sizes found on the way into `config`.

    Raises:
        InputError: a tensor is missing, unknown, or of another shape than the others ask for.
    """
    for side in ("encoder", "decoder"):
        layers = {name.split("/")[1] for name in tensors if re.match(rf"{side}/layer_\d+/", name)}
        config[f"{side}_layers"] = len(layers)
    rows = {name: (leaf, module) for name, leaf, module in _rows(config)}
    for found, wanted, what in ((rows, tensors, "lacks"), (tensors, rows, "has the unknown")):
        odd = sorted(set(found) - set(wanted))
        if odd:
            more = f" and {len(odd) - 1} more" if odd[1:] else ""
            refuse(
                path,
                f"{what} {odd[0]}{more}; wanted exactly the tensors of a plain Whisper",
            )
    state_dict: dict[str, np.ndarray] = {}
    for name, (leaf, module) in rows.items():
        array = tensors[name]
        _match_shape(path, name, array, module, config)
        for each, part in zip(module.modules, np.split(array, len(module.modules)), strict=True):
            state_dict[f"{each}.{leaf}"] = part
    for name in [name for name in state_dict if name.endswith(ZERO_BIAS)]:
        if state_dict.pop(name).any():
            refuse(path, f"{name} is not zero; wanted a plain Whisper, whose keys have no bias")
    return state_dict


def _match_shape(
    path: Path, name: str, array: np.ndarray, module: _Module, config: dict[str, int]
) -> None:
    """Compares a shape with the sizes known so far, and notes the new ones."""
    leaf = name.rpartition("/")[2]
    wanted = module.shape[:1] if leaf in ("bias", "gamma", "beta") else module.shape
    parts = len(module.modules)
    if array.dtype.kind != "f" or array.ndim != len(wanted) or len(array) % parts:
        refuse(
            path,
            f"{name} is {array.dtype} {array.shape}; wanted floats of shape {wanted} x {parts}",
        )
    shape = (len(array) // parts, *array.shape[1:])
    for size, symbol in zip(shape, wanted, strict=True):
        known = config.setdefault(symbol, size) if isinstance(symbol, str) else symbol
        if size != known:
            rule = f"{symbol} = {known}" if isinstance(symbol, str) else f"{known}"
            refuse(path, f"{name} has the shape {array.shape}; wanted {rule} in place of {size}")
