"""What it costs that each row of a batch has its own prompt, and what peft's mixed LoRA batch costs.

    python benchmarks/mixed_batches.py [--rows 16] [--prompts 8] [--tokens 60] [--json PATH]

The same rows of noise are decoded to the same forced text in three ways: with one prompt for all; with several prompts in one
batch; with a batch for each prompt. peft's way is `PeftModel.generate(..., adapter_names=[...])` on a second copy of the
same Whisper, in the same three ways. `ratio` is the median over the rounds of mixed / that other way. Windows are of 30 s,
since transformers' `generate` takes no other.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from forced_text import forced_text
from measure import PACKAGES, conditions, interleave, publish, settings_parser, time_ratio
from peft import LoraConfig, PeftModel
from prompted_rows import LANGUAGE, PROMPTS, Decoding, add_flags, load_whisper, untrained_prompt

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.features import log_mel
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.whisper.loading import FrozenWhisper

RANK = 8
# where LoRA was first put (Hu et al., ICLR 2022), and peft's own default
MODULES = ["q_proj", "v_proj"]


class Adapted(Protocol):
    """A Whisper with numbered adaptations: prompts or LoRA adapters."""

    def __call__(self, rows: Sequence[int]) -> None:
        """Decodes one batch; a number for each row says which adaptation it has."""


class Prompts:
    """Ours: a prompt for each row."""

    def __init__(self, decoding: Decoding, config: PromptConfig, count: int) -> None:
        """Takes the place of the prompts, and how many there are."""
        self.decoding = decoding
        self.prompts = [untrained_prompt(decoding.whisper, config, seed) for seed in range(count)]

    def __call__(self, rows: Sequence[int]) -> None:
        """Decodes one batch."""
        self.decoding([self.prompts[number] for number in rows])


class Adapters:
    """peft's: a LoRA adapter for each row by `adapter_names`, and the plain way where all rows have the same one."""

    def __init__(self, whisper: FrozenWhisper, decoding: Decoding, count: int) -> None:
        """Takes a Whisper of its own, in which peft changes the layers."""
        self.whisper, self.decoding = whisper, decoding
        config = LoraConfig(r=RANK, target_modules=MODULES)
        self.model = PeftModel(whisper.model, config, adapter_name="0")
        for number in range(1, count):
            self.model.add_adapter(str(number), config)
        self.model.eval()

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> None:
        """Decodes one batch.

        Raises:
            RuntimeError: a row has another length than it was forced to.
        """
        whisper, text = self.whisper, self.decoding.text
        waveforms = [self.decoding.waveform] * len(rows)
        features = log_mel(
            waveforms, self.decoding.window, whisper.config.num_mel_bins, whisper.device
        )
        mixed = {"adapter_names": [str(number) for number in rows]} if len(set(rows)) > 1 else {}
        self.model.set_adapter(str(rows[0]))
        with forced_text(whisper, text):
            written = self.model.generate(
                input_features=features.to(whisper.dtype), language=LANGUAGE, task="transcribe", **mixed
            )  # fmt: skip
        if any(text != [token for token in row if token in text] for row in written.tolist()):
            raise RuntimeError(f"a row wrote another text than the {len(text)} forced tokens")


@dataclass(frozen=True)
class Mixed:
    """A mixed batch against one other way."""

    adaptation: str
    against: str
    mixed_seconds: float  # median
    other_seconds: float
    ratio: float
    lowest: float  # of the rounds
    highest: float


def ways(adapted: Adapted, rows: int, count: int) -> dict[str, Callable[[], None]]:
    """The three ways to decode so many rows."""
    own = [row * count // rows for row in range(rows)]  # 0 0 1 1 2 2 ...
    batches = [[number] * own.count(number) for number in range(count)]

    def one_by_one() -> None:
        for batch in batches:
            adapted(batch)

    return {
        "mixed": partial(adapted, own),
        "one batch, one for all": partial(adapted, [0] * rows),
        f"{count} batches, one each": one_by_one,
    }


def measure(name: str, adapted: Adapted, settings: argparse.Namespace) -> list[Mixed]:
    """Measures one kind of adaptation."""
    seconds = interleave(ways(adapted, settings.rows, settings.prompts), settings.repeats)
    mixed = seconds.pop("mixed")
    rows = []
    for other, times in seconds.items():
        ratio = time_ratio(mixed, times)
        median, other_median = statistics.median(mixed), statistics.median(times)
        rows.append(
            Mixed(name, other, median, other_median, ratio.median, ratio.lowest, ratio.highest)
        )
    return rows


def main() -> None:
    """Measures our prompts and peft's adapters, and publishes the table."""
    parser = settings_parser(__doc__)
    add_flags(parser, window=float(WINDOW_SECONDS))
    parser.add_argument("--rows", type=int, default=16, help="of a batch (%(default)s)")
    parser.add_argument("--prompts", type=int, default=8, help="different ones (%(default)s)")
    settings = parser.parse_args()
    made = conditions(
        settings, (*PACKAGES, "peft"), window_seconds=settings.window, tokens=settings.tokens,
        rows=settings.rows, prompts=settings.prompts,
    )  # fmt: skip
    decoding = Decoding(load_whisper(settings), settings.window, settings.tokens)
    kinds: dict[str, Adapted] = {
        name: Prompts(decoding, config, settings.prompts) for name, config in PROMPTS.items()
    }
    kinds[f"peft LoRA r={RANK}"] = Adapters(load_whisper(settings), decoding, settings.prompts)
    rows = [row for name, adapted in kinds.items() for row in measure(name, adapted, settings)]
    publish("Many prompts in one batch", made, rows, settings.json)


if __name__ == "__main__":
    main()
