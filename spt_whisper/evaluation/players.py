"""Short clips of utterances as data addresses, so that a page holds its audio itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from spt_whisper.audio import SAMPLE_RATE, load_audio
from spt_whisper.corpora.utterance import Utterance

LONGEST_SECONDS = 15
MOST_CHARACTERS = 4_000_000  # of all addresses together


def audio_addresses(utterances: Iterable[Utterance]) -> dict[str, str]:
    """`data:` addresses of Ogg Opus (16 kHz mono, about 30 kbit/s) by utterance id.

    Utterances over 15 s have none, nor has one whose address would make all of them together
    longer than 4 million characters.

    Raises:
        InputError: an audio file is missing or cannot be read.
    """
    addresses: dict[str, str] = {}
    left = MOST_CHARACTERS
    for utterance in utterances:
        address = _address(utterance)
        if address and len(address) <= left:
            addresses[utterance.id] = address
            left -= len(address)
    return addresses


def _address(utterance: Utterance) -> str | None:
    """None where the clip is too long."""
    import soundfile

    if utterance.duration is not None and utterance.duration > LONGEST_SECONDS:
        return None
    waveform = load_audio(utterance.audio, utterance.start, utterance.end)  # (samples,)
    if waveform.numel() > LONGEST_SECONDS * SAMPLE_RATE:
        return None
    clip = io.BytesIO()
    soundfile.write(clip, waveform.numpy(), SAMPLE_RATE, format="OGG", subtype="OPUS")
    return f"data:audio/ogg;base64,{base64.b64encode(clip.getvalue()).decode('ascii')}"
