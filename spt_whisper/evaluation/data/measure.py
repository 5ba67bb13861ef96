"""What a check asks of each utterance: its tokens, and the length, level and digest of its audio."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, load_audio
from spt_whisper.corpora import Split, Utterance
from spt_whisper.errors import InputError
from spt_whisper.evaluation.data.parallel import parallel_map
from spt_whisper.evaluation.data.thresholds import FULL_SCALE
from spt_whisper.text.normalization import TextProcessing
from spt_whisper.whisper.tokens import Tokens


@dataclass(frozen=True)
class AudioFacts:
    """The audio of one utterance, as far as a check needs it."""

    seconds: float
    decibels: float  # root mean square, relative to full scale; -inf: zeros only
    clipped: float  # share of samples at full scale, 0 to 1
    digest: str  # SHA-256 of the decoded samples: the same for a wav file and its flac


@dataclass(frozen=True)
class UnreadableAudio:
    """An utterance whose audio is missing or broken."""

    reason: str  # one line that names the file


@dataclass(frozen=True)
class MeasuredUtterance:
    """An utterance and what was measured of it."""

    utterance: Utterance  # its text as training writes it by default
    audio: AudioFacts | UnreadableAudio
    tokens: int  # of the text
    positions: int  # of the decoder that the text takes, first tokens and timestamps included


def measure(
    splits: Mapping[Split, Sequence[Utterance]], tokens: Tokens, workers: int | None
) -> dict[Split, list[MeasuredUtterance]]:
    """Measures every utterance; each audio file is decoded once, also where splits share it.

    Memory holds one decoded file a worker.
    """
    by_file: dict[Path, list[Utterance]] = defaultdict(list)
    for utterances in splits.values():
        for utterance in utterances:
            by_file[utterance.audio].append(utterance)
    audio: dict[Utterance, AudioFacts | UnreadableAudio] = {}
    for facts in parallel_map(_listen, list(by_file.items()), workers, "reading audio"):
        audio.update(facts)
    # as training counts them: the first tokens for one language, and room for two timestamps
    around = len(tokens.start([next(iter(tokens.languages))])) + 2
    return {
        split: [_measured(utterance, audio[utterance], tokens, around) for utterance in utterances]
        for split, utterances in splits.items()
    }


def _measured(
    utterance: Utterance, audio: AudioFacts | UnreadableAudio, tokens: Tokens, around: int
) -> MeasuredUtterance:
    target = replace(utterance, text=TextProcessing().apply(utterance.text))
    count = len(tokens.encode(target.text))
    return MeasuredUtterance(target, audio, count, around + count)


def _listen(
    file: tuple[Path, list[Utterance]],
) -> dict[Utterance, AudioFacts | UnreadableAudio]:
    """Decodes one file, and measures each utterance that is cut out of it."""
    path, utterances = file
    try:
        waveform = load_audio(path)
    except InputError as error:
        return dict.fromkeys(utterances, UnreadableAudio(str(error)))
    return {utterance: _facts(utterance, waveform) for utterance in utterances}


def _facts(utterance: Utterance, file: Tensor) -> AudioFacts | UnreadableAudio:
    """Measures the part (samples,) of a file (samples,) in which the utterance is."""
    first = round((utterance.start or 0.0) * SAMPLE_RATE)
    last = None if utterance.end is None else round(utterance.end * SAMPLE_RATE)
    waveform = file[first:last]
    if not len(waveform) and first < len(file):
        return UnreadableAudio(
            f"{utterance.audio}: no sample between {utterance.start or 0:g} and {utterance.end:g} s; fix the utterance's end"
        )
    if not len(waveform):
        return UnreadableAudio(
            f"{utterance.audio}: no audio after {utterance.start:g} s, the file has "
            f"{len(file) / SAMPLE_RATE:.2f} s; fix the utterance's start"
        )
    power = float(waveform.square().mean())
    return AudioFacts(
        seconds=len(waveform) / SAMPLE_RATE,
        decibels=10 * math.log10(power) if power else -math.inf,
        clipped=float((waveform.abs() >= FULL_SCALE).to(torch.float32).mean()),
        digest=hashlib.sha256(waveform.numpy().data).hexdigest(),
    )
