"""The format onnx: a Whisper and any prompt as two graphs, `encoder.onnx` and `decoder.onnx`, for onnxruntime."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spt_whisper.errors import InputError
from spt_whisper.export.folding import fold_slots, with_prompt_tokens
from spt_whisper.export.graphs import DecoderGraph, EncoderGraph
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import ExportSource
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.whisper.onnx import (
    DECODER,
    ENCODER,
    OnnxSettings,
    cache_names,
    write_settings,
)

_ANY = torch.export.Dim.DYNAMIC
# sizes of the example that is traced: no two alike, so that none is taken for another
_ROWS, _TEXTS, _TOKENS, _CACHED, _FRAMES = 2, 3, 4, 5, 400


def write_graphs(source: ExportSource, config: ExportConfig, folder: Path) -> None:
    """Writes both graphs, settings and tokenizer into a folder.

    Raises:
        InputError: onnx is not installed, or language tokens are named.
    """
    missing = [name for name in ("onnx", "onnxscript") if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f"format onnx: {' and '.join(missing)} not installed; pip install '.[export]' in the clone"
        )
    if config.language_tokens is not None:
        raise InputError(
            "language_tokens: format onnx has rows of its own for soft language tokens; leave them out"
        )
    whisper, vectors = source.whisper, source.vectors
    model: Any = fold_slots(whisper.model, vectors)
    codes = source.card.language_tokens if source.card else ()
    ids = tuple(whisper.tokens.language(code) for code in codes)
    with torch.no_grad(), _quiet():
        encoder = EncoderGraph(model, vectors).eval()
        features = torch.zeros(_ROWS, model.config.num_mel_bins, _FRAMES)
        _, *cache = encoder(features)
        _write_encoder(encoder, features, folder / ENCODER)
        _write_decoder(DecoderGraph(model, vectors, ids).eval(), cache, folder / DECODER)
    size, count = whisper.config.vocab_size, source.decoder_positions
    with_prompt_tokens(whisper.tokens.tokenizer, size, count).save_pretrained(folder)
    write_settings(folder, _settings(source))


def _settings(source: ExportSource) -> OnnxSettings:
    whisper = source.whisper
    digest = hashlib.sha256(whisper.fingerprint.encode())
    digest.update(digest_tensors(source.vectors.named_tensors()).encode())
    vocabulary = whisper.vocabulary
    return OnnxSettings(
        base=whisper.name,
        fingerprint=digest.hexdigest(),
        shape=whisper.shape,
        mels=whisper.config.num_mel_bins,
        prompted=source.prompt is not None,
        soft_language=source.vectors.decoder.language is not None,
        vocabulary=vocabulary.size,
        suppressed=vocabulary.suppressed,
        suppressed_first=vocabulary.suppressed_first,
        card=source.card,
    )


def _write_encoder(encoder: EncoderGraph, features: Tensor, path: Path) -> None:
    names = ["states", *cache_names(len(encoder.cross))]
    _write(encoder, {"features": features}, names, {"features": {0: _ANY, 2: _ANY}}, path)


def _write_decoder(decoder: DecoderGraph, cache: list[Tensor], path: Path) -> None:
    layers = len(decoder.cross)
    size = (_ROWS, _TEXTS, cache[2].shape[1], _CACHED, cache[2].shape[3])
    example = {
        "tokens": torch.zeros(_ROWS, _TEXTS, _TOKENS, dtype=torch.long),
        "positions": torch.zeros(_ROWS, _TEXTS, _TOKENS, dtype=torch.long),
        "mask": torch.ones(_ROWS, _TEXTS, _CACHED + _TOKENS, dtype=torch.bool),
        "read": torch.zeros(_ROWS, _TEXTS, 2, dtype=torch.long),
        # each a tensor of its own: the exporter takes one that is given twice for one input
        "cache": [torch.zeros(size) if n % 4 < 2 else tensor for n, tensor in enumerate(cache)],
    }
    any_size = {0: _ANY, 1: _ANY, 2: _ANY}
    self_sizes, cross_sizes = {0: _ANY, 1: _ANY, 3: _ANY}, {0: _ANY, 2: _ANY}
    sizes = {
        **dict.fromkeys(("tokens", "positions", "mask", "read"), any_size),
        "cache": [self_sizes, self_sizes, cross_sizes, cross_sizes] * layers,
    }
    own_names = [name for name in cache_names(layers) if name.startswith("self")]
    _write(decoder, example, ["logits", *(f"new_{name}" for name in own_names)], sizes, path)


def _write(
    graph: nn.Module, example: dict[str, Any], outputs: list[str], sizes: dict[str, Any], path: Path
) -> None:
    """Traces a graph and writes it; its weights are in a file beside it."""
    inputs = [name for name in example if name != "cache"]
    if "cache" in example:
        inputs += cache_names(len(example["cache"]) // 4)
    torch.onnx.export(
        graph, (), path, kwargs=example, input_names=inputs, output_names=outputs, dynamic_shapes=sizes,
        dynamo=True, external_data=True, verbose=False,
    )  # fmt: skip


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Inside the block the exporter's notes to developers are not shown."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def usage(source: ExportSource, config: ExportConfig) -> str:
    """Returns Python that runs the exported model."""
    return (
        "from spt_whisper import Whisper\n\n"
        'whisper = Whisper.from_pretrained("THIS FOLDER")\n'
        'print(whisper.transcribe("speech.wav").text)\n'
    )
