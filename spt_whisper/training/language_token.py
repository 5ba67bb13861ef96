"""The token of a language that Whisper has none for: of those that it hears in the speech, the one that suits the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from spt_whisper.audio import SAMPLE_RATE, load_audio
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.text.normalization import TextProcessing
from spt_whisper.training.encoder_states import encode_audio
from spt_whisper.training.start import LanguageSound, spread_over
from spt_whisper.whisper.loading import FrozenWhisper

_HEARD = 10  # tokens that are tried, beside English's
_TEXTS = 16  # on which they are tried
_BATCH = 8
_LONGEST = 100  # tokens of a text that are read


def choose_token(
    whisper: FrozenWhisper,
    sound: LanguageSound,
    utterances: Sequence[Utterance],
    text: TextProcessing,
    window_seconds: float,
) -> str:
    """Returns the code, among the languages that are heard most and English, under which the texts are the most probable.

    What is heard alone can have another script: in Kyrgyz, which is written in Cyrillic, whisper-base hears Turkish most.

    Args:
        whisper: the model, without prompts.
        sound: what it hears.
        utterances: speech of one language with its texts.
        text: how texts are processed before they are learned.
        window_seconds: the window of the encoder; longer audio is cut.
    """
    written = [utterance for utterance in utterances if text.apply(utterance.text).strip()]
    heard = _heard_most(whisper, sound)
    if not written:
        return heard[0]
    sample = spread_over(written, _TEXTS)
    longest = round(window_seconds * SAMPLE_RATE)
    losses = dict.fromkeys([*heard, *({"en"} & set(whisper.tokens.languages))], 0.0)
    for first in range(0, len(sample), _BATCH):
        group = sample[first : first + _BATCH]
        waveforms = [load_audio(u.audio, u.start, u.end)[:longest] for u in group]
        texts = [whisper.tokens.encode(text.apply(u.text))[:_LONGEST] for u in group]
        for code, loss in _losses(whisper, waveforms, texts, list(losses), window_seconds).items():
            losses[code] += loss
    return min(losses, key=lambda code: losses[code])


def _heard_most(whisper: FrozenWhisper, sound: LanguageSound) -> list[str]:
    """The codes of the languages that are the most probable over all of the speech, best first."""
    codes = list(whisper.tokens.languages)
    return [codes[index] for index in sound.posterior.topk(min(_HEARD, len(codes))).indices]


@torch.inference_mode()
def _losses(
    whisper: FrozenWhisper,
    waveforms: Sequence[Tensor],
    texts: Sequence[Sequence[int]],
    codes: Sequence[str],
    window_seconds: float,
) -> Mapping[str, float]:
    """For each code the negative log-likelihood of the texts after it, summed over their tokens."""
    states = encode_audio(whisper, waveforms, window_seconds)
    losses = {}
    for code in codes:
        start = whisper.tokens.start([code])
        rows = [torch.tensor([*start, *text, whisper.tokens.end]) for text in texts]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        labels = tokens[:, 1:].clone()
        labels[:, : len(start) - 1] = -1
        inputs = tokens[:, :-1].clamp(min=0).to(whisper.device)
        logits = whisper.model(encoder_outputs=(states,), decoder_input_ids=inputs).logits
        losses[code] = functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten().to(logits.device), ignore_index=-1, reduction="sum",
        ).item()  # fmt: skip
    return losses
