"""Align words with audio: where the decoder's cross-attention looked while it wrote each token.

One pass of the decoder over the known text gives the weights of the heads that follow time; the path through them that
rises with every token gives each token its first frame. The method is openai-whisper's. The weights are worked out
beside the model's own attention, so a prompt that is on (`with prompted(...)`) acts on what the heads see and stays on;
its own keys stand for no time and get no weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from spt_whisper.audio import STATES_PER_SECOND
from spt_whisper.audio.window import audio_states
from spt_whisper.whisper.alignment_heads import alignment_heads
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.time_warping import first_frames
from spt_whisper.whisper.words import AlignedWord, split_words

MEDIAN_WIDTH = 7  # states of 20 ms over which weights are smoothed


@torch.inference_mode()
def align_words(
    whisper: FrozenWhisper,
    states: Tensor,
    starts: Sequence[Sequence[int]],
    texts: Sequence[Sequence[int]],
    seconds: Sequence[float],
) -> list[list[AlignedWord]]:
    """Finds when the words of a batch of windows were said.

    Args:
        whisper: the model, with the prompts on that were on while the text was decoded.
        states: encoder states, (B, S, D).
        starts: for each row its first tokens, from `Tokens.start`.
        texts: for each row what was written behind them, with or without timestamps.
        seconds: for each row how long its audio is.

    Returns:
        For each row its words in order, in seconds from the beginning of the window; together they are the text.
    """
    tokens = whisper.tokens
    firsts = [[t for t in start if t != tokens.no_timestamps] for start in starts]
    written = [[t for t in text if t < tokens.end] for text in texts]
    rows = [
        [*first, tokens.no_timestamps, *text] for first, text in zip(firsts, written, strict=True)
    ]
    filled = pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True, padding_value=tokens.end
    )  # behind the text, where no token attends
    places = [range(row.index(tokens.start_of_transcript), len(row)) for row in rows]
    audible = [audio_states(length, states.shape[1]) for length in seconds]
    with _attentions(whisper.model, places, audible) as attentions:
        hidden = whisper.model.model.decoder(
            input_ids=filled.to(whisper.device), encoder_hidden_states=states, use_cache=False
        ).last_hidden_state
    return [
        _timed(
            whisper, text, hidden[row, len(firsts[row]) : len(rows[row])], attentions[row], length
        )
        for row, (text, length) in enumerate(zip(texts, seconds, strict=True))
    ]


def _timed(
    whisper: FrozenWhisper, text: Sequence[int], hidden: Tensor, attentions: Tensor, seconds: float
) -> list[AlignedWord]:
    """The words of one row.

    Args:
        whisper: the model.
        text: what was written, T text tokens and timestamps.
        hidden: the decoder's states that wrote the text and its end, (T + 1, D).
        attentions: how much each token attends to each state of the audio, (T + 1 or more, S).
        seconds: how long the audio is.
    """
    own = torch.tensor([token for token in text if token < whisper.tokens.end], dtype=torch.long)
    logits = whisper.model.proj_out(hidden[:-1])[:, : whisper.tokens.end].float()
    chosen = logits.softmax(dim=-1).gather(1, own.to(logits.device)[:, None])[:, 0].cpu()
    entered = first_frames(-attentions[-len(hidden) :].cpu().numpy())
    times = np.minimum(entered / STATES_PER_SECOND, seconds).tolist()
    return [
        AlignedWord(
            word.text,
            times[word.first],
            times[word.after],
            float(chosen[word.first : word.after].mean()),
        )
        for word in split_words(text, whisper.tokens)
    ]


@contextmanager
def _attentions(
    model: Any, places: Sequence[range], audible: Sequence[int]
) -> Iterator[list[Tensor]]:
    """Gathers, from the one pass that is run inside the block, how much tokens attend to the audio.

    Args:
        model: a Whisper of transformers.
        places: for each row those of its tokens, from <|startoftranscript|> on: text in front of it was not heard.
        audible: for each row how many encoder states hold its audio.

    Yields:
        For each row (tokens, states): the mean over the alignment heads, once the pass is over.
    """
    heads = alignment_heads(model)
    count = sum(map(len, heads.values()))
    attentions = [
        torch.zeros(len(own), states, device=model.device)
        for own, states in zip(places, audible, strict=True)
    ]

    def add(
        heads_here: list[int], attention: Any, args: tuple[Tensor, ...], kwargs: dict[str, Any]
    ) -> None:
        # projected here, not read from k_proj, which may have a prompt's keys in front
        queries = _projected(attention, attention.q_proj, args[0], heads_here)
        keys = _projected(attention, attention.k_proj, kwargs["key_value_states"], heads_here)
        for row, own in enumerate(places):
            query, key = queries[row, :, own.start : own.stop], keys[row, :, : audible[row]]
            weights = (query @ key.mT * attention.scaling).softmax(dim=-1)
            attentions[row] += _sharpened(weights).sum(dim=0) / count

    handles = [
        model.model.decoder.layers[layer].encoder_attn.register_forward_pre_hook(
            partial(add, heads_here), with_kwargs=True
        )
        for layer, heads_here in heads.items()
    ]
    try:
        yield attentions
    finally:
        for handle in handles:
            handle.remove()


def _projected(attention: Any, projection: nn.Linear, inputs: Tensor, heads: list[int]) -> Tensor:
    """(B, T, D) -> the queries or keys of some heads, (B, heads, T, head width)."""
    weight = projection.weight.unflatten(0, (attention.num_heads, -1))[heads].flatten(0, 1)
    bias = projection.bias
    if bias is not None:
        bias = bias.unflatten(0, (attention.num_heads, -1))[heads].flatten()
    projected = functional.linear(inputs, weight, bias).float()
    return projected.unflatten(2, (len(heads), -1)).transpose(1, 2)


def _sharpened(weights: Tensor) -> Tensor:
    """(heads, T, S): how far each token stands out among the tokens at each state, smoothed over states."""
    deviation, mean = torch.std_mean(weights, dim=1, keepdim=True, correction=0)
    standing_out = (weights - mean) / deviation.clamp_min(torch.finfo(weights.dtype).tiny)
    side = MEDIAN_WIDTH // 2
    padded = functional.pad(standing_out, (side, side), mode="replicate")
    return padded.unfold(2, MEDIAN_WIDTH, 1).median(dim=3).values
