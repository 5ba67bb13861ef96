"""The time that training cannot go below: operations that a method must do, by the machine's measured rate of products.

The gradient that goes back through frozen layers costs what going forward costs, since no gradient of a weight is made; what
the prompts themselves cost is left out. Where nothing in the encoder trains, each utterance is encoded once.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass

import torch
from measure import seconds_of
from torch.utils.flop_counter import FlopCounterMode

from spt_whisper.audio import STATES_PER_SECOND
from spt_whisper.audio.constants import FRAMES_PER_SECOND
from spt_whisper.audio.window import shortest_window
from spt_whisper.corpora import CorpusConfig, read_split, with_duration
from spt_whisper.whisper.loading import FrozenWhisper

ROWS = 8  # of the products whose rate is measured
ROUNDS = 20


@dataclass(frozen=True)
class Pass:
    """Operations of going forward once with one utterance, the mean of a corpus."""

    encoder: float
    decoder: float


def one_pass(whisper: FrozenWhisper, corpus: CorpusConfig, windows: tuple[float, ...]) -> Pass:
    """Counts multiplications and additions in the windows that hold a corpus's training part."""
    utterances = [with_duration(own) for own in read_split(corpus, "train")]
    mean = statistics.mean(len(whisper.tokens.encode(own.text)) for own in utterances)
    labels = round(mean) + len(whisper.tokens.start(("es",))) + 1
    held = Counter(shortest_window(own.duration or 0.0, windows) for own in utterances)
    passes = {window: _forward(whisper, window, labels) for window in held}
    return Pass(
        sum(count * passes[window].encoder for window, count in held.items()) / len(utterances),
        sum(count * passes[window].decoder for window, count in held.items()) / len(utterances),
    )


@torch.inference_mode()
def _forward(whisper: FrozenWhisper, window: float, labels: int) -> Pass:
    config = whisper.config
    frames = round(window * FRAMES_PER_SECOND)
    with FlopCounterMode(display=False) as encoder:
        whisper.encode(torch.zeros(1, config.num_mel_bins, frames))
    states = torch.zeros(1, round(window * STATES_PER_SECOND), config.d_model)
    with FlopCounterMode(display=False) as decoder:
        whisper.model(
            encoder_outputs=(states,), decoder_input_ids=torch.zeros(1, labels, dtype=torch.long)
        )
    return Pass(encoder.get_total_flops(), decoder.get_total_flops())


def operations_per_second(whisper: FrozenWhisper, window: float, dtype: torch.dtype) -> float:
    """Returns the rate of the products of a feed-forward layer, the best of some rounds."""
    config = whisper.config
    hidden = torch.ones(ROWS * round(window * STATES_PER_SECOND), config.d_model, dtype=dtype)
    weight = torch.ones(config.d_model, config.encoder_ffn_dim, dtype=dtype)
    fastest = min(seconds_of(lambda: hidden @ weight) for _ in range(ROUNDS))
    return 2 * hidden.numel() * weight.shape[1] / fastest
