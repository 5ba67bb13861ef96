"""Where prompts start: from what frozen Whisper shows and hears on training speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, STATES_PER_SECOND, load_audio
from spt_whisper.audio.window import audio_states
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.features import log_mel
from spt_whisper.prompts.card import KEY_DIGITS, LanguageKey
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.places import LANGUAGE_VECTOR, PLACES
from spt_whisper.training.batch import AudioKey, Example, audio_key, windows_of
from spt_whisper.training.encoder_states import encode_audio, load_example
from spt_whisper.whisper.capture import ALONE, Turn, capture_start
from spt_whisper.whisper.language import language_posterior, pooled_state
from spt_whisper.whisper.loading import FrozenWhisper

Spoken = TypeVar("Spoken")  # utterances, or examples made of them

CAPTURED = 32  # utterances from which a start is captured
_HEARD = 64  # utterances from which a language is heard
_BATCH = 8


@dataclass(frozen=True)
class LanguageSound:
    """What bare Whisper makes of a language."""

    posterior: Tensor  # (languages,): mean probability of each of Whisper's languages
    log_posterior: Tensor  # (languages,): mean of the logarithms
    state: Tensor  # (D,): mean encoder state over the speech
    spread: Tensor  # (D,): standard deviation of an utterance's mean state

    def key(self) -> LanguageKey:
        """Returns what is kept of it in a prompt's card."""
        numbers = (self.log_posterior, self.state, self.spread)
        return LanguageKey(*(_rounded(values) for values in numbers))


def spread_over(utterances: Sequence[Spoken], most: int) -> list[Spoken]:
    """Returns at most so many utterances, from all over a corpus, whose neighbors often share a speaker."""
    count = min(len(utterances), most)
    return [utterances[index * len(utterances) // count] for index in range(count)]


class Listener:
    """Bare Whisper's ear: it remembers what it has heard, since a run asks more than once for the same speech."""

    def __init__(self, whisper: FrozenWhisper) -> None:
        """Takes the model, whose weights must not have changed whenever it listens."""
        self.whisper = whisper
        self._known: dict[tuple[float, tuple[AudioKey, ...]], LanguageSound] = {}

    def hear(self, utterances: Sequence[Utterance], window_seconds: float) -> LanguageSound:
        """Runs bare Whisper over utterances from all over a language's speech, each cut to the window."""
        sample = spread_over(utterances, _HEARD)
        asked = window_seconds, tuple(audio_key(utterance) for utterance in sample)
        if asked not in self._known:
            self._known[asked] = _hear(self.whisper, sample, window_seconds)
        return self._known[asked]


def _hear(
    whisper: FrozenWhisper, sample: Sequence[Utterance], window_seconds: float
) -> LanguageSound:
    longest = round(window_seconds * SAMPLE_RATE)
    posteriors, pooled = [], []
    for first in range(0, len(sample), _BATCH):
        group = sample[first : first + _BATCH]
        waveforms = [load_audio(u.audio, u.start, u.end)[:longest] for u in group]
        states = encode_audio(whisper, waveforms, window_seconds)
        posteriors.append(language_posterior(whisper, states))
        seconds = [waveform.shape[0] / SAMPLE_RATE for waveform in waveforms]
        pooled.append(pooled_state(states, seconds))
    return language_sound(torch.cat(posteriors).cpu(), torch.cat(pooled).cpu())


def language_sound(posteriors: Tensor, states: Tensor) -> LanguageSound:
    """Returns what utterances of one language have in common.

    Args:
        posteriors: probability of each of Whisper's languages, (utterances, languages).
        states: pooled encoder states, (utterances, D).
    """
    return LanguageSound(
        posteriors.mean(dim=0),
        posteriors.clamp_min(1e-10).log().mean(dim=0),
        states.mean(dim=0),
        states.std(dim=0, correction=0),
    )


def expected_embedding(whisper: FrozenWhisper, heard: LanguageSound) -> Tensor:
    """Returns the mean of Whisper's language embeddings, weighted by what it hears, (1, 1, D).

    After "Language embedding modelling for unseen languages" (arXiv 2412.16474).
    """
    codes = list(whisper.tokens.languages.values())
    embeddings = whisper.model.model.decoder.embed_tokens.weight[codes].float().cpu()
    return (heard.posterior @ embeddings)[None, None]


def language_start(
    listener: Listener, examples: Sequence[Example], codes: Sequence[str]
) -> dict[str, Tensor]:
    """Returns the start of soft language tokens: what Whisper hears, or for mixed speech the tokens themselves."""
    whisper = listener.whisper
    if len(codes) == 1:
        utterances = [example.utterance for example in examples]
        heard = listener.hear(utterances, windows_of(examples)[-1])
        return {LANGUAGE_VECTOR: expected_embedding(whisper, heard)}
    ids = [whisper.tokens.language(code) for code in codes]
    embeddings = whisper.model.model.decoder.embed_tokens.weight[ids].float().cpu()
    return {LANGUAGE_VECTOR: embeddings[None].clone()}


def capture_examples(
    whisper: FrozenWhisper,
    config: PromptConfig,
    examples: Sequence[Example],
    turn: Turn = ALONE,
) -> dict[str, Tensor]:
    """Returns starting vectors from training speech and its text, `side.place.part` -> (L, N, D); see `capture_start`."""
    if not any(PLACES[site].captured for site in config.sites):
        return {}
    sample = spread_over(examples, CAPTURED)
    waveforms = [load_example(example) for example in sample]
    mels = whisper.config.num_mel_bins
    features = log_mel(waveforms, windows_of(examples)[-1], mels, whisper.device)
    inputs = [torch.tensor([*whisper.tokens.start(e.codes), *e.text]) for e in sample]
    tokens = torch.nn.utils.rnn.pad_sequence(
        inputs, batch_first=True, padding_value=whisper.tokens.end
    )
    seconds = [waveform.shape[0] / SAMPLE_RATE for waveform in waveforms]
    states = round(windows_of(examples)[-1] * STATES_PER_SECOND)
    spoken = torch.tensor([audio_states(length, states) for length in seconds])
    return capture_start(whisper, config, features, tokens.to(whisper.device), spoken, turn)


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(float(value), KEY_DIGITS) for value in values)
