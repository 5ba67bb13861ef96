"""Which of Whisper's languages an utterance is in: the posterior over the language tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spt_whisper.audio.window import audio_states
from spt_whisper.whisper.loading import FrozenWhisper


@torch.inference_mode()
def language_posterior(whisper: FrozenWhisper, states: Tensor) -> Tensor:
    """Returns Whisper's probability of each of its languages.

    Args:
        whisper: the model, without prompts.
        states: encoder states, (B, S, D).

    Returns:
        (B, languages), in the order of `whisper.tokens.languages`.
    """
    start = torch.full(
        (states.shape[0], 1), whisper.tokens.start_of_transcript, device=states.device
    )
    hidden = whisper.model.model.decoder(
        input_ids=start, encoder_hidden_states=states, use_cache=False
    )
    logits = whisper.model.proj_out(hidden.last_hidden_state[:, 0])
    codes = torch.tensor(list(whisper.tokens.languages.values()), device=states.device)
    return logits[:, codes].float().softmax(dim=-1)


def pooled_state(states: Tensor, seconds: Sequence[float]) -> Tensor:
    """Returns the mean of the encoder states that hold audio, (B, D).

    Args:
        states: encoder states, (B, S, D).
        seconds: how long each row's audio is; the states behind it are of silence that fills up the window.
    """
    rows = zip(states, seconds, strict=True)
    spoken = (own[: audio_states(length, len(own))] for own, length in rows)
    return torch.stack([own.float().mean(dim=0) for own in spoken])
