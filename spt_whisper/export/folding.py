"""Prompts in a Whisper's own weights: wider feed-forward layers, and rows of the vocabulary.

    feed_forward   fc1 = [W1; K] with the bias [b1; b], fc2 = [W2, V^T]: the activation works on each slot by itself, so that
                   this is FFN(x) + gelu(x K^T + b) V to the last digits; slots of zeros fill up the width
    decoder input  row V + n of the embedding is vector n; it is read as the token <|promptn|>
    language       the rows of language tokens, which no transcript has, are the soft tokens

The output projection is tied to the embedding, so that new rows have logits too; they are suppressed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import AddedToken
from torch import Tensor
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration

from spt_whisper.prompts.places import SIDES, Slots
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.fingerprint import TIED
from spt_whisper.whisper.tokens import PROMPT_TOKEN, TIMESTAMP_SECONDS, TIMESTAMPS

_WIDTH_MULTIPLE = 16  # int8 on CUDA takes no feed-forward layer whose width is no multiple of 4
_EMBEDDING = "model.decoder.embed_tokens.weight"


def fold_slots(
    model: WhisperForConditionalGeneration, vectors: PromptVectors
) -> WhisperForConditionalGeneration:
    """Returns a Whisper whose feed-forward layers have the prompt's slots; all other weights are shared."""
    config, state = copy.deepcopy(model.config), _state(model)
    for side in SIDES:
        slots = getattr(vectors, side).feed_forward
        if slots is not None:
            width = getattr(config, f"{side}_ffn_dim")
            slots = _filled_up(slots, width)
            _widen(state, side, slots)
            setattr(config, f"{side}_ffn_dim", width + slots.key.shape[2])
    return _build(model, config, state)


def fold_rows(
    model: WhisperForConditionalGeneration, vectors: PromptVectors, language_ids: Sequence[int]
) -> WhisperForConditionalGeneration:
    """Returns a Whisper whose vocabulary has the prompt's decoder input and language tokens.

    Args:
        model: a Whisper.
        vectors: the prompt, R = 1.
        language_ids: tokens that the soft language tokens are written over, in order.
    """
    config, state = copy.deepcopy(model.config), _state(model)
    table, new = state[_EMBEDDING], list[int]()
    if vectors.decoder.language is not None:
        table, new = table.clone(), list(language_ids)
        table[new] = vectors.decoder.language.vector[0, 0].to(table)
    if vectors.decoder.input is not None:
        rows = vectors.decoder.input.vector[0, 0].to(table)
        new += range(len(table), len(table) + len(rows))
        table = torch.cat([table, rows])
    state[_EMBEDDING], config.vocab_size = table, len(table)
    folded = _build(model, config, state)
    generation: Any = folded.generation_config
    generation.suppress_tokens = sorted({*(generation.suppress_tokens or []), *new}) or None
    return folded


def with_prompt_tokens(tokenizer: Any, vocabulary: int, count: int) -> Any:
    """Returns a copy of a tokenizer that has a name for each row of a decoder input prompt.

    Args:
        tokenizer: Whisper's; where it lacks timestamps, these are named too.
        vocabulary: V, how many tokens Whisper has.
        count: N, the rows behind them.
    """
    extended = copy.deepcopy(tokenizer)
    missing = vocabulary - len(extended) if count else 0
    times = (TIMESTAMP_SECONDS * number for number in range(TIMESTAMPS - missing, TIMESTAMPS))
    extended.add_tokens([AddedToken(f"<|{time:.2f}|>", normalized=False) for time in times])
    extended.add_tokens(
        # a space in front, as engines put before a text, is no token of its own
        [AddedToken(PROMPT_TOKEN.format(n), lstrip=True, normalized=False) for n in range(count)],
        special_tokens=True,
    )
    return extended


def _state(model: WhisperForConditionalGeneration) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if name != TIED}


def _filled_up(slots: Slots, width: int) -> Slots:
    """Slots with as many of zeros behind them as make a layer's width a multiple of 16."""
    more = -(width + slots.key.shape[2]) % _WIDTH_MULTIPLE
    key, value = (functional.pad(part, (0, 0, 0, more)) for part in (slots.key, slots.value))
    return Slots(key, functional.pad(slots.bias, (0, more)), value)


def _widen(state: dict[str, Tensor], side: str, slots: Slots) -> None:
    """Puts slots behind those of every layer of one side."""
    for layer in range(slots.key.shape[1]):
        name = f"model.{side}.layers.{layer}"
        key, bias, value = (
            part[0, layer].to(state[_EMBEDDING]) for part in (slots.key, slots.bias, slots.value)
        )
        for weight, more in ((f"{name}.fc1.weight", key), (f"{name}.fc1.bias", bias)):
            state[weight] = torch.cat([state[weight], more])
        state[f"{name}.fc2.weight"] = torch.cat([state[f"{name}.fc2.weight"], value.T], dim=1)


def _build(
    model: WhisperForConditionalGeneration, config: WhisperConfig, state: dict[str, Tensor]
) -> WhisperForConditionalGeneration:
    """A Whisper of these weights, which are not copied."""
    with torch.device("meta"):
        built = WhisperForConditionalGeneration(config)
    missing = built.load_state_dict(state, strict=False, assign=True).missing_keys
    assert missing == [TIED], missing
    built.tie_weights()
    built.generation_config = copy.deepcopy(model.generation_config)
    return built.eval().requires_grad_(False)
