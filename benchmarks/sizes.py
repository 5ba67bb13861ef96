"""What a step of training costs for each size of Whisper: seconds, memory, operations.

    python benchmarks/sizes.py [--sizes tiny base ...] [--batch-size 4] [--steps 2] [--json PATH]

The weights are random numbers in the published dimensions, the speech is noise in windows of 10 s with texts of some 40 tokens: what
a step costs does not depend on what it learns. Each size runs in a process of its own, with the slots of `spt-whisper fit`
(feed-forward, N = 48) from a random start. `ratio` is the seconds of a step by those of the same side of the first size.

| column | |
| --- | --- |
| seconds | one update: the time of a run of 1 + steps updates beyond that of one update, by steps |
| peak_gibibytes | the most memory of the process, with the float32 weights that wait for the run's end |
| operations | multiplications and additions of going forward over what trains and back, in 10^12 |
| weights_gibibytes | Whisper as the run holds it on the device |
| kept_gibibytes | what autograd keeps of one update for the gradient, without weights |

On a GPU a run needs the last two, the optimizer's numbers and what a product makes for itself: computed, not measured on one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import lightning
import numpy as np
import soundfile
import torch
from measure import conditions, peak_mebibytes, publish, settings_parser
from training_limit import one_pass
from transformers import WhisperConfig, WhisperForConditionalGeneration

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.corpora import CorpusConfig
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.training.preparation import PreparedData, prepare
from spt_whisper.training.recipe import DataConfig, Recipe
from spt_whisper.training.run import build_learner, train
from spt_whisper.whisper.loading import FrozenWhisper

# width, heads, mel bins, layers of encoder and decoder (openai/whisper, `ModelDimensions` of each checkpoint)
SIZES = {
    "tiny": (384, 6, 80, 4, 4),
    "base": (512, 8, 80, 6, 6),
    "small": (768, 12, 80, 12, 12),
    "medium": (1024, 16, 80, 24, 24),
    "large-v3": (1280, 20, 128, 32, 32),
    "large-v3-turbo": (1280, 20, 128, 32, 4),
}
SIDES = ("decoder", "entire")
WINDOW = 10.0
SPOKEN = 9.0  # seconds
TEXT = " ".join(["llaktaykuna"] * 8)
GIBIBYTE = 2**30


@dataclass(frozen=True)
class Step:
    """One side of one size."""

    size: str
    side: str
    millions: float  # of Whisper's numbers
    seconds: float
    ratio: float  # to the first size
    peak_gibibytes: float
    operations: float  # 10^12
    weights_gibibytes: float
    kept_gibibytes: float


def random_whisper(size: str, tokenizer: str) -> FrozenWhisper:
    """Returns a Whisper of a published size with random weights, and the tokenizer of another."""
    width, heads, mels, layers, decoder_layers = SIZES[size]
    small = FrozenWhisper.from_pretrained(tokenizer)
    config = WhisperConfig(
        vocab_size=small.config.vocab_size, d_model=width, num_mel_bins=mels, encoder_layers=layers,
        decoder_layers=decoder_layers, encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width, attn_implementation="sdpa",
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    model.generation_config = small.model.generation_config
    return FrozenWhisper(model, small.tokens.tokenizer, f"random-{size}")


def write_noise(folder: Path, count: int) -> CorpusConfig:
    """Writes utterances of noise."""
    noise, lines = np.random.default_rng(0), []
    for number in range(count):
        samples = 0.1 * noise.standard_normal(round(SPOKEN * SAMPLE_RATE))
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE)
        row = {"id": str(number), "audio": f"{number}.wav", "text": TEXT, "language": "qug"}
        lines.append(json.dumps({**row, "duration": SPOKEN}))
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CorpusConfig(str(folder), dev=None)


class Kept:
    """Bytes that autograd keeps: those of each storage once, without weights."""

    def __init__(self, model: torch.nn.Module) -> None:
        """Takes the model whose weights do not count."""
        self.model = model
        self.weights: dict[int, int] = {}
        self.bytes: dict[int, int] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Counts a tensor that is kept."""
        if not self.weights:  # in the run's format by now
            self.weights = {_place(own): own.untyped_storage().nbytes() for own in self.model.parameters()}  # fmt: skip
        if _place(tensor) not in self.weights:
            self.bytes[_place(tensor)] = tensor.untyped_storage().nbytes()
        return tensor


def _place(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def run(recipe: Recipe, prepared: PreparedData, updates: int) -> float:
    """Trains so many updates from the start; returns the seconds."""
    lightning.seed_everything(0, verbose=False)
    recipe.trainer["max_steps"] = updates
    learner = build_learner(recipe, prepared)
    begin = time.perf_counter()
    train(recipe, prepared, learner)
    return time.perf_counter() - begin


def measure(size: str, side: str, settings: argparse.Namespace) -> Step:
    """Trains a prompt on one side of one size; in a process of its own."""
    torch.set_num_threads(settings.threads)
    whisper = random_whisper(size, settings.model)
    with tempfile.TemporaryDirectory() as temporary:
        corpus = write_noise(Path(temporary), settings.batch_size)
        recipe = Recipe(
            corpus, output=str(Path(temporary) / "run"), window_seconds=WINDOW, languages=["es"],
            prompt=PromptConfig(side=side, length=48, start="normal"), data=DataConfig(batch_size=settings.batch_size),
            trainer={
                "accelerator": settings.device, "enable_progress_bar": False, "max_epochs": -1, "log_every_n_steps": 1,
                "precision": {"float32": "32-true", "bfloat16": "bf16-mixed"}[settings.dtype],
            },
        )  # fmt: skip
        prepared = prepare(recipe, whisper)
        kept = Kept(whisper.model)
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            run(recipe, prepared, 1)
        peak = peak_mebibytes() / 1024
        seconds = run(recipe, prepared, 1 + settings.steps) - run(recipe, prepared, 1)
        forward = one_pass(whisper, corpus, (WINDOW,))
    trained = forward.decoder + (forward.encoder if side == "entire" else 0.0)
    return Step(
        size, side, whisper.model.num_parameters() / 1e6, seconds / settings.steps, 1.0, peak,
        2 * settings.batch_size * trained / 1e12, sum(kept.weights.values()) / GIBIBYTE, sum(kept.bytes.values()) / GIBIBYTE,
    )  # fmt: skip


def main() -> None:
    """Measures each size in a process of its own, and publishes the table."""
    parser = settings_parser(__doc__, repeats=1)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="(all)")
    parser.add_argument("--batch-size", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=2, help="timed (%(default)s)")
    settings = parser.parse_args()
    made = conditions(settings, batch_size=settings.batch_size, steps=settings.steps)
    rows: list[Step] = []
    for side in SIDES:
        of_side: list[Step] = []
        for size in settings.sizes:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                of_side.append(process.submit(measure, size, side, settings).result())
        rows += [replace(own, ratio=own.seconds / of_side[0].seconds) for own in of_side]
    publish("A step of training, by size", made, rows, settings.json)


if __name__ == "__main__":
    main()
