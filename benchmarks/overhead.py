"""What a prompt costs: decoding with it against decoding without it, at the same length of text.

    python benchmarks/overhead.py [--window 10] [--tokens 60] [--batch 1 16] [--json PATH]

Rows of noise, an untrained prompt on both sides of Whisper, greedy search that is made to write the same tokens. A time is
that of everything from the waveform to the text. `ratio` is the median over the rounds of on / off; what arithmetic
predicts is the same ratio of multiply-adds, counted by PyTorch's own counter while the batch runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from measure import conditions, interleave, publish, settings_parser, time_ratio
from prompted_rows import PROMPTS, Decoding, add_flags, load_whisper, untrained_prompt
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Overhead:
    """One prompt at one batch size."""

    prompt: str
    batch: int
    off_seconds: float  # median
    on_seconds: float
    ratio: float
    lowest: float  # of the rounds
    highest: float
    off_giga_multiply_adds: float
    on_giga_multiply_adds: float
    arithmetic_predicts: float  # on / off of these


def giga_multiply_adds(run: Callable[[], object]) -> float:
    """Counts the multiply-adds of one call, in 10^9; the counter sees attention only where it is matrix products."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2e9


def measure(decoding: Decoding, batch: int, repeats: int) -> list[Overhead]:
    """Measures every prompt against none, in batches of one size."""
    prompts = {name: untrained_prompt(decoding.whisper, config) for name, config in PROMPTS.items()}
    runs = {name: partial(decoding, [prompt] * batch) for name, prompt in prompts.items()}
    off = partial(decoding, [None] * batch)
    seconds = interleave({"off": off, **runs}, repeats)
    off_work = giga_multiply_adds(off)
    rows = []
    for name, run in runs.items():
        ratio, work = time_ratio(seconds[name], seconds["off"]), giga_multiply_adds(run)
        rows.append(
            Overhead(
                name,
                batch,
                statistics.median(seconds["off"]),
                statistics.median(seconds[name]),
                ratio.median,
                ratio.lowest,
                ratio.highest,
                off_work,
                work,
                work / off_work,
            )
        )
    return rows


def main() -> None:
    """Measures every batch size and publishes the table."""
    parser = settings_parser(__doc__)
    add_flags(parser, window=10.0)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16], help="rows (%(default)s)")
    settings = parser.parse_args()
    made = conditions(settings, window_seconds=settings.window, tokens=settings.tokens)
    decoding = Decoding(load_whisper(settings), settings.window, settings.tokens)
    rows = [row for batch in settings.batch for row in measure(decoding, batch, settings.repeats)]
    publish("Prompt on / off at the same length of text", made, rows, settings.json)


if __name__ == "__main__":
    main()
