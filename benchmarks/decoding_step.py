"""Why a processor decodes as it does here: each way that was chosen against the way that PyTorch or transformers offers.

    python benchmarks/decoding_step.py [--dtype bfloat16] [--batch 1 8] [--json PATH]

`ratio` is the median over the rounds of chosen / plain. Random numbers of the sizes of the model; the encoder and the
whole step are the model's own. A step's `limit` is the time in which the machine reads what a step must read (weights, and
keys and values of cross-attention), at the rate at which it reads memory in the same run.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from measure import conditions, interleave, publish, seconds_of, settings_parser, time_ratio
from torch import Tensor
from torch.nn import functional

from spt_whisper.audio.constants import FRAMES_PER_SECOND
from spt_whisper.engines.torch import ENCODED_ON_PROCESSOR
from spt_whisper.whisper.decoding.torch_decoder import TorchDecoder
from spt_whisper.whisper.injection.attention import own_attention
from spt_whisper.whisper.injection.few_queries import attend
from spt_whisper.whisper.loading import FrozenWhisper

WINDOW_FRAMES = 30 * FRAMES_PER_SECOND
STEPS = 10  # decoding steps timed together
READ = 2**28  # bytes


@dataclass(frozen=True)
class Way:
    """One chosen way against the plain one."""

    part: str
    batch: int
    plain_milliseconds: float | None  # median
    chosen_milliseconds: float
    ratio: float | None
    limit_milliseconds: float | None = None


def compared(
    part: str, batch: int, plain: Callable[[], object], chosen: Callable[[], object], repeats: int
) -> Way:
    """Times two ways in turn."""
    seconds = interleave({"plain": plain, "chosen": chosen}, repeats)
    ratio = time_ratio(seconds["chosen"], seconds["plain"])
    medians = [1000 * statistics.median(seconds[name]) for name in ("plain", "chosen")]
    return Way(part, batch, *medians, ratio.median)


def ways(whisper: FrozenWhisper, batch: int, repeats: int) -> list[Way]:
    """Compares the parts of a batch of 30 s windows."""
    config, dtype = whisper.config, whisper.dtype
    heads, width = config.decoder_attention_heads, config.d_model
    query = torch.randn(batch, heads, 1, width // heads, dtype=dtype)
    key, value = torch.randn(2, batch, heads, config.max_source_positions, width // heads, dtype=dtype)  # fmt: skip
    weight, hidden = whisper.model.proj_out.weight, torch.randn(batch, width, dtype=dtype)
    features = torch.randn(batch, config.num_mel_bins, WINDOW_FRAMES, dtype=dtype)
    layers = range(config.decoder_layers)
    rows = [
        compared(
            "cross-attention of a step, all layers", batch,
            lambda: [functional.scaled_dot_product_attention(query, key, value) for _ in layers],
            lambda: [attend(query, key, value, None, None) for _ in layers], repeats,
        ),
        compared(
            "encoder, rows at once", batch, lambda: whisper.encode(features),
            lambda: [whisper.encode(part) for part in features.split(ENCODED_ON_PROCESSOR)], repeats,
        ),
    ]  # fmt: skip
    if dtype == torch.float32:
        rows.append(
            compared(
                "vocabulary", batch, lambda: functional.linear(hidden, weight),
                lambda: (weight @ hidden.T).T.contiguous(), repeats,
            )
        )  # fmt: skip
    return [*rows, whole_step(whisper, features, repeats)]


def whole_step(whisper: FrozenWhisper, features: Tensor, repeats: int) -> Way:
    """Times a step of decoding beside the time in which the machine could read what it needs."""
    batch = len(features)
    starts = [whisper.tokens.start(("en",))] * batch
    with own_attention(whisper.model):
        decoder = TorchDecoder(whisper, whisper.encode(features), starts, range(batch))
        tokens = decoder.begin(1)[0].argmax(dim=-1)
        step = partial(_steps, decoder, tokens)
        step()
        seconds = statistics.median(seconds_of(step) for _ in range(repeats)) / STEPS
    limit = step_bytes(whisper, batch) / bytes_per_second()
    return Way("whole step", batch, None, 1000 * seconds, None, 1000 * limit)


def _steps(decoder: TorchDecoder, tokens: Tensor) -> None:
    for _ in range(STEPS):
        tokens = decoder.step(tokens).argmax(dim=-1)


def step_bytes(whisper: FrozenWhisper, batch: int) -> int:
    """Returns how many bytes a step must read: the decoder's weights, and keys and values of cross-attention."""
    config, decoder = whisper.config, whisper.model.model.decoder
    once = {name for name, _ in decoder.named_parameters() if "encoder_attn.k_" in name or "encoder_attn.v_" in name}  # fmt: skip
    once.add("embed_positions.weight")
    numbers = sum(own.numel() for name, own in decoder.named_parameters() if name not in once)
    kept = 2 * config.decoder_layers * config.max_source_positions * config.d_model
    return (numbers + batch * kept) * whisper.dtype.itemsize


def bytes_per_second() -> float:
    """Returns how fast the machine reads memory, by the sum of a large tensor."""
    numbers = torch.ones(READ // 4)
    return READ / min(seconds_of(numbers.sum) for _ in range(10))


def read_settings() -> argparse.Namespace:
    """Reads the flags."""
    parser = settings_parser(__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], help="rows (%(default)s)")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    """Measures every batch size and publishes the table."""
    settings = read_settings()
    made = conditions(settings)
    whisper = FrozenWhisper.from_pretrained(settings.model, "cpu", getattr(torch, settings.dtype))
    rows = [way for batch in settings.batch for way in ways(whisper, batch, settings.repeats)]
    publish("A step of decoding on a processor", made, rows, settings.json)


if __name__ == "__main__":
    main()
