"""Read a CTranslate2 Whisper folder (what faster-whisper runs) as transformers' tensors, by numpy.

A folder holds `model.bin` (its layout: `ctranslate2_file.py`; its names: `ctranslate2_names.py`),
`config.json` and `tokenizer.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spt_whisper.errors import InputError
from spt_whisper.whisper.ctranslate2_file import DAMAGED, read_model, refuse
from spt_whisper.whisper.ctranslate2_names import drop_projection, pop_settings, to_transformers
from spt_whisper.whisper.requirements import is_english_only
from spt_whisper.whisper.tokens import LANGUAGE_TOKEN, TIMESTAMP_TOKEN

if TYPE_CHECKING:
    from transformers import GenerationConfig, WhisperConfig, WhisperTokenizer

HEAD_WIDTH = 64  # of every Whisper that OpenAI released
END_TOKEN = "<|endoftext|>"
START_TOKEN = "<|startoftranscript|>"
MAX_INITIAL_TIMESTAMP = 50  # in steps of 0.02 s, as OpenAI decodes


@dataclass(frozen=True)
class CTranslate2Whisper:
    """A Whisper as read from a CTranslate2 folder."""

    folder: Path
    state_dict: dict[str, np.ndarray]
    """WhisperForConditionalGeneration's names -> tensors; without the tied `proj_out.weight`."""
    config: dict[str, Any]
    """The fields of WhisperConfig that follow from the shapes of the tensors."""
    token_ids: dict[str, int]
    """The special tokens of `tokenizer.json`, such as `<|endoftext|>`."""
    suppress_ids: list[int] | None
    """Tokens that are never produced; None where `config.json` says nothing."""
    suppress_ids_begin: list[int] | None
    """Tokens that are not produced first."""
    alignment_heads: list[tuple[int, int]] | None
    """(layer, head) pairs of the decoder's cross-attention that follow time."""
    lang_ids: list[int] | None
    """The language tokens."""
    quantized: bool
    """Whether weights were stored as integers: these are close to the original, not equal."""


def read_whisper(folder: Path) -> CTranslate2Whisper:
    """Reads a CTranslate2 Whisper folder.

    Raises:
        InputError: a file is missing or damaged, or the network in it is not a Whisper.
    """
    folder = Path(folder)
    path = folder / "model.bin"
    tensors, quantized = read_model(path)
    config = pop_settings(path, tensors)
    drop_projection(path, tensors)
    state_dict = to_transformers(path, tensors, config)
    heads = {
        side: config.pop(f"{side}_heads", config["d_model"] // HEAD_WIDTH)
        for side in ("encoder", "decoder")
    }
    for side, number in heads.items():
        if number < 1 or config["d_model"] % number:
            refuse(
                path, f"{number} {side} heads for a width of {config['d_model']}; wanted a divisor"
            )
        config[f"{side}_attention_heads"] = number
    return CTranslate2Whisper(
        folder=folder,
        state_dict=state_dict,
        config=config,
        token_ids=_read_token_ids(folder / "tokenizer.json", config["vocab_size"]),
        quantized=quantized,
        **_read_config(folder / "config.json", config),
    )


def load_tokenizer(folder: Path) -> WhisperTokenizer:
    """Loads `tokenizer.json`, its special tokens marked as special as in the hub's tokenizer.

    Raises:
        InputError: the file is missing or damaged.
    """
    from transformers import WhisperTokenizer

    tokens = _read_token_ids(Path(folder) / "tokenizer.json")
    special = [
        token for token in tokens if token != END_TOKEN and not TIMESTAMP_TOKEN.fullmatch(token)
    ]
    return WhisperTokenizer.from_pretrained(
        folder, pad_token=END_TOKEN, extra_special_tokens=special
    )


def build_config(source: CTranslate2Whisper) -> WhisperConfig:
    """Builds transformers' model config: sizes from the tensors, special tokens by name.

    Raises:
        InputError: the tokenizer has no end or no start token.
    """
    from transformers import WhisperConfig

    end = _token(source, source.token_ids, END_TOKEN)
    return WhisperConfig(
        **source.config,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=_token(source, source.token_ids, START_TOKEN),
        suppress_tokens=None,
        begin_suppress_tokens=None,
        architectures=["WhisperForConditionalGeneration"],
    )


def build_generation_config(tokenizer: Any, source: CTranslate2Whisper) -> GenerationConfig:
    """Builds what `generate` needs: languages, tasks, suppressed tokens, alignment heads.

    Args:
        tokenizer: the transformers tokenizer of the folder; special tokens are named in it.
        source: the folder as read.

    Raises:
        InputError: the tokenizer lacks a special token.
    """
    from transformers import GenerationConfig

    ids = tokenizer.get_vocab()
    start = _token(source, ids, START_TOKEN)
    end = _token(source, ids, END_TOKEN)
    multilingual = not is_english_only(end)
    fields: dict[str, Any] = {
        "alignment_heads": source.alignment_heads
        and [list(pair) for pair in source.alignment_heads],
        "begin_suppress_tokens": source.suppress_ids_begin,
        "suppress_tokens": source.suppress_ids,
    }
    if multilingual:
        codes = {token: number for token, number in ids.items() if LANGUAGE_TOKEN.fullmatch(token)}
        codes = {token: number for token, number in codes.items() if number > start}
        fields["lang_to_id"] = dict(sorted(codes.items(), key=lambda item: item[1]))
        fields["task"] = (
            "transcribe"  # without it `generate` leaves the task out where it detects the language
        )
        fields["task_to_id"] = {
            task: _token(source, ids, f"<|{task}|>") for task in ("transcribe", "translate")
        }
    return GenerationConfig(
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
        prev_sot_token_id=_token(source, ids, "<|startofprev|>"),
        no_timestamps_token_id=_token(source, ids, "<|notimestamps|>"),
        max_length=source.config["max_target_positions"],
        max_initial_timestamp_index=MAX_INITIAL_TIMESTAMP,
        is_multilingual=multilingual,
        return_timestamps=False,
        **{name: value for name, value in fields.items() if value is not None},
    )


# ---- config.json and tokenizer.json


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        refuse(
            path,
            "no such file; wanted the CTranslate2 folder complete: copy it from the model's source",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); {DAMAGED}") from error
    if not isinstance(content, dict):
        refuse(path, f"holds a {type(content).__name__}; wanted a JSON object")
    return content


def _is_below(value: Any, limit: int) -> bool:
    return type(value) is int and 0 <= value < limit


def _read_config(path: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
    """The lists of config.json, checked against the sizes of the model."""
    content = _read_json(path)
    lists: dict[str, Any] = {}
    for name in ("suppress_ids", "suppress_ids_begin", "lang_ids"):
        ids = content.get(name)
        if ids is not None and not (
            isinstance(ids, list) and all(_is_below(i, sizes["vocab_size"]) for i in ids)
        ):
            refuse(path, f"{name} is not a list of tokens below {sizes['vocab_size']}; {DAMAGED}")
        lists[name] = ids
    heads = content.get("alignment_heads")  # whether the model has them is asked where it is loaded
    if heads is not None:
        pairs = (
            [tuple(pair) if isinstance(pair, list) else () for pair in heads]
            if isinstance(heads, list)
            else [()]
        )
        if any(len(pair) != 2 or not all(_is_below(i, 2**31) for i in pair) for pair in pairs):
            refuse(path, f"alignment_heads is not a list of [layer, head]; {DAMAGED}")
        heads = pairs
    return {**lists, "alignment_heads": heads}


def _read_token_ids(path: Path, vocab_size: int | None = None) -> dict[str, int]:
    """The special tokens of a tokenizer.json in the order of their numbers."""
    added = _read_json(path).get("added_tokens") or ()
    try:
        ids = {token["content"]: token["id"] for token in added if token["special"]}
    except (TypeError, KeyError) as error:
        raise InputError(f"{path}: added_tokens is not a list of tokens; {DAMAGED}") from error
    limit = 2**31 if vocab_size is None else vocab_size
    for token, number in ids.items():
        if not (isinstance(token, str) and _is_below(number, limit)):
            refuse(
                path,
                f"the token {token!r} has the number {number!r}; wanted one below {limit}",
            )
    return dict(sorted(ids.items(), key=lambda item: item[1]))


def _token(source: CTranslate2Whisper, ids: Mapping[str, int], token: str) -> int:
    if token not in ids:
        refuse(
            source.folder / "tokenizer.json", f"no token {token}; wanted the tokenizer of a Whisper"
        )
    return ids[token]
