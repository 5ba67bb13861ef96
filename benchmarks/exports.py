"""Do exports write what a prompt writes, and as fast as bare Whisper? Texts and times beside PyTorch with the prompt on.

    python benchmarks/exports.py PROMPT --data DIR --language es --corpus-language qug [--count 100]
        [--engines faster-whisper:float32 onnx:float32] [--json PATH]

Each utterance is decoded alone, greedily, in one pass, in a window of 30 s. faster-whisper gets the waveform filled up with
silence: by itself it fills up the features with zeros, which are not what silence looks like to Whisper. `equal` counts
utterances with the same text as PyTorch's; each of the others is printed with its gap, which says by how much PyTorch's
logit of its own token is above that of the other engine's token where the two part. `ratio` is the time of an export with
N = 64 untrained slots on each layer, whose values are 0 so that it writes what bare Whisper writes, by that of bare Whisper
in the same engine: the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
from measure import PACKAGES, conditions, interleave, publish, settings_parser, time_ratio
from prompted_rows import PROMPTS, untrained_prompt
from speech import Clip, add_flags, read_clips

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS
from spt_whisper.engines.engine import Row
from spt_whisper.engines.onnx import OnnxEngine
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.export.formats import export
from spt_whisper.export.settings import ExportConfig
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.onnx import OnnxWhisper
from spt_whisper.whisper.options import single_pass

Decode = Callable[[np.ndarray, bool], list[int]]  # waveform, with timestamps? -> tokens
SLOTS = PROMPTS["feed-forward N=64"]


@dataclass(frozen=True)
class Agreement:
    """One engine with and without timestamps."""

    engine: str
    utterances: int
    equal: int
    equal_with_timestamps: int
    widest_gap: float  # logits; 0 where no text differs
    ratio: float  # time of the export / bare Whisper's
    lowest: float
    highest: float


@dataclass(frozen=True)
class Reference:
    """PyTorch with the prompt on."""

    whisper: FrozenWhisper
    prompt: Prompt

    def decode(self, waveform: np.ndarray, timed: bool) -> list[int]:
        """Returns the tokens that it writes."""
        rows = [Row(torch.from_numpy(waveform), self.prompt)]
        engine, options = TorchEngine(self.whisper), single_pass(timestamps=timed)
        (found,) = engine.decode_batch(rows, float(WINDOW_SECONDS), options)
        return list(found.hypothesis.tokens)

    @torch.inference_mode()
    def gap(self, clip: Clip, timed: bool, own: list[int], other: list[int]) -> float:
        """Returns how much higher the logit of its own token is where two texts part."""
        ends = [[*text, self.whisper.tokens.end] for text in (own, other)]
        pairs = enumerate(zip(*ends, strict=False))
        place, (mine, theirs) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
        tokens, config = self.whisper.tokens, self.prompt.config
        start = tokens.start(
            self.prompt.card.language_tokens,
            placeholders=config.decoder_positions,
            timestamps=timed,
        )
        mels = self.whisper.config.num_mel_bins
        features = log_mel([torch.from_numpy(clip.waveform)], float(WINDOW_SECONDS), mels)
        with prompted(self.whisper.model, self.prompt.vectors):
            states = self.whisper.encode(features)
            inputs = torch.tensor([[*start, *own[:place]]])
            logits = self.whisper.model(encoder_outputs=(states,), decoder_input_ids=inputs).logits
        return float(logits[0, -1, mine] - logits[0, -1, theirs])


def faster_whisper(folder: Path, precision: str, threads: int, prompt: Prompt) -> Decode:
    """Plain faster-whisper, with the lines of the export's README."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), compute_type="default", cpu_threads=threads)
    code = prompt.card.language_tokens[0]
    names = [f"<|prompt{n}|>" for n in range(prompt.config.decoder_positions)]
    never = json.loads((folder / "config.json").read_text())["suppress_ids"]

    def decode(waveform: np.ndarray, timed: bool) -> list[int]:
        silence = WINDOW_SECONDS * SAMPLE_RATE - len(waveform)
        segments, _ = model.transcribe(
            np.pad(waveform, (0, silence)), language=code, hotwords="".join(names) or None,
            suppress_tokens=never, condition_on_previous_text=False, beam_size=1, temperature=0.0, without_timestamps=not timed,
            no_speech_threshold=None, log_prob_threshold=None, compression_ratio_threshold=None,
        )  # fmt: skip
        first = takewhile(lambda segment: segment.seek == 0, segments)
        return [token for segment in first for token in segment.tokens]

    return decode


def onnx(folder: Path, precision: str, threads: int, prompt: Prompt) -> Decode:
    """onnxruntime behind our own search."""
    engine = OnnxEngine(OnnxWhisper.from_pretrained(folder))

    def decode(waveform: np.ndarray, timed: bool) -> list[int]:
        rows = [Row(torch.from_numpy(waveform), None, prompt.card.language_tokens)]
        options = single_pass(timestamps=timed)
        (found,) = engine.decode_batch(rows, float(WINDOW_SECONDS), options)
        return list(found.hypothesis.tokens)

    return decode


# name -> format, what loads it
ENGINES = {"faster-whisper": ("ctranslate2", faster_whisper), "onnx": ("onnx", onnx)}


def agreement(
    name: str, reference: Reference, clips: Sequence[Clip], settings: argparse.Namespace
) -> Agreement:
    """Measures one engine, such as `faster-whisper:float32`."""
    engine, _, precision = name.partition(":")
    form, load = ENGINES[engine]
    with tempfile.TemporaryDirectory() as folder:

        def exported(source: str) -> Decode:
            output = tempfile.mkdtemp(dir=folder)
            config = ExportConfig(source, form, output, precision, reference.whisper.source)
            return load(export(config), precision, settings.threads, reference.prompt)

        decode = exported(settings.prompt)
        gaps = {
            timed: differences(name, reference, decode, clips, timed) for timed in (False, True)
        }
        slots = untrained_prompt(reference.whisper, SLOTS).save_pretrained(Path(folder) / "slots")
        runs = {
            "bare": partial(
                decode_all, exported(reference.whisper.source), clips[: settings.timed]
            ),
            "wide": partial(decode_all, exported(str(slots)), clips[: settings.timed]),
        }
        seconds = interleave(runs, settings.repeats)
    ratio = time_ratio(seconds["wide"], seconds["bare"])
    equal = {timed: len(clips) - len(own) for timed, own in gaps.items()}
    widest = max([0.0, *gaps[False], *gaps[True]])
    return Agreement(
        name, len(clips), equal[False], equal[True], widest, ratio.median, ratio.lowest, ratio.highest
    )  # fmt: skip


def differences(
    name: str, reference: Reference, decode: Decode, clips: Sequence[Clip], timed: bool
) -> list[float]:
    """Prints the utterances whose texts differ, and returns their gaps."""
    gaps, write = [], reference.whisper.tokens.decode
    for number, clip in enumerate(clips):
        own, other = reference.decode(clip.waveform, timed), decode(clip.waveform, timed)
        if write(own) != write(other):
            gaps.append(reference.gap(clip, timed, own, other))
            print(f"{name}, timestamps {timed}, utterance {number}, gap {gaps[-1]:.4f}:")
            print(f"  here   {write(own)}\n  there  {write(other)}", flush=True)
    return gaps


def decode_all(decode: Decode, clips: Sequence[Clip]) -> None:
    """Decodes clips, one after the other."""
    for clip in clips:
        decode(clip.waveform, False)


def main() -> int:
    """Measures every engine and publishes the table."""
    parser = settings_parser(__doc__, repeats=3)
    parser.add_argument("prompt", help="folder of a prompt")
    add_flags(parser)
    parser.add_argument("--count", type=int, default=100, help="utterances (%(default)s)")
    parser.add_argument("--timed", type=int, default=10, help="of them timed (%(default)s)")
    parser.add_argument("--engines", nargs="+", default=["faster-whisper:float32"])
    settings = parser.parse_args()
    try:
        made = conditions(
            settings, (*PACKAGES, "faster-whisper", "ctranslate2", "onnxruntime"),
            prompt=settings.prompt, count=settings.count, timed=settings.timed,
        )  # fmt: skip
        prompt = Prompt.from_pretrained(settings.prompt)
        reference = Reference(FrozenWhisper.from_pretrained(prompt.card.base), prompt)
        clips = read_clips(settings, settings.count)
        rows = [agreement(name, reference, clips, settings) for name in settings.engines]
    except InputError as error:
        print(f"exports: {error}", file=sys.stderr)
        return 2
    publish("Exports beside PyTorch with the prompt on", made, rows, settings.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
