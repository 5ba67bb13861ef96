"""A random two-layer Whisper with a byte-level tokenizer, built in milliseconds: every fast test stands on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from spt_whisper.whisper.loading import FrozenWhisper

LANGUAGES = ("en", "zh", "es", "it")


def special_tokens(languages: Sequence[str]) -> list[str]:
    """Whisper's special tokens, in its order."""
    return [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in languages),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *(f"<|{0.02 * index:.2f}|>" for index in range(1501)),
    ]


SPECIAL = special_tokens(LANGUAGES)


def tiny_tokenizer(languages: Sequence[str] = LANGUAGES) -> WhisperTokenizer:
    """Bytes as tokens, then Whisper's special tokens in Whisper's order."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: index for index, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special_tokens(languages))
    return WhisperTokenizer(tokenizer_object=tokenizer)


def tiny_whisper(
    seed: int = 0,
    width: int = 32,
    layers: int = 2,
    mels: int = 80,
    dtype: torch.dtype = torch.float32,
    heads: int = 2,
    decoder_layers: int | None = None,
    languages: Sequence[str] = LANGUAGES,
) -> FrozenWhisper:
    """Random weights, large enough that prompts and audio change the logits visibly."""
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer(languages)
    size = len(tokenizer)
    first = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=size, d_model=width, encoder_layers=layers, decoder_layers=decoder_layers or layers, num_mel_bins=mels,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=2 * width, decoder_ffn_dim=2 * width,
        pad_token_id=first, bos_token_id=first, eos_token_id=first, decoder_start_token_id=first + 1,
        suppress_tokens=None, begin_suppress_tokens=None, init_std=0.2, attn_implementation="sdpa",
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=first, pad_token_id=first, bos_token_id=first
    )
    model.generation_config.suppress_tokens = None
    model.generation_config.begin_suppress_tokens = None
    return FrozenWhisper(model.to(dtype), tokenizer, "tiny-random")
