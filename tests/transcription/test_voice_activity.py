"""Which frames are speech: the rules in a stream against the rules on the whole, and the network on real sound."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from esperanto.corpus import utterance_audio
from spt_whisper.errors import InputError
from spt_whisper.transcription.silero import SpeechProbability
from spt_whisper.transcription.voice_activity import (
    FRAME_SAMPLES,
    VoiceActivityOptions,
    speech_flags,
)

FRAME_SECONDS = FRAME_SAMPLES / 16_000
SENTENCE = "La hundo dormas en la granda domo kaj la kato manĝas fiŝon."


def of_frames(silence: int, speech: int, padding: int) -> VoiceActivityOptions:
    return VoiceActivityOptions(
        shortest_silence=silence * FRAME_SECONDS,
        shortest_speech=speech * FRAME_SECONDS,
        padding=padding * FRAME_SECONDS,
    )


def flags_of(probabilities: list[float], options: VoiceActivityOptions) -> str:
    return "".join("1" if flag else "0" for flag in speech_flags(probabilities, options))


def expected_flags(mask: str, silence: int, speech: int, padding: int) -> str:
    """The same rules on the whole string at once."""
    gaps = rf"(?<=1)0{{1,{silence - 1}}}(?=1)"
    bursts = rf"(?<!1)1{{1,{speech - 1}}}(?!1)"
    if silence > 1:
        mask = re.sub(gaps, lambda run: "1" * len(run.group()), mask)
    if speech > 1:
        mask = re.sub(bursts, lambda run: "0" * len(run.group()), mask)
    near = [mask[max(0, index - padding) : index + padding + 1] for index in range(len(mask))]
    return "".join("1" if "1" in part else "0" for part in near)


@given(
    st.text("01", max_size=60),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_rules_in_a_stream_are_the_rules_on_the_whole(
    mask: str, silence: int, speech: int, padding: int
) -> None:
    found = flags_of([float(flag) for flag in mask], of_frames(silence, speech, padding))
    assert found == expected_flags(mask, silence, speech, padding)


def test_speech_ends_lower_than_it_begins() -> None:
    options = of_frames(0, 0, 0)
    assert flags_of([0.4, 0.49, 0.5, 0.4, 0.36, 0.34, 0.4], options) == "0011100"


@pytest.mark.parametrize("threshold", [0.16, 0.15, 0.1, 0.005])
def test_speech_ends_in_silence_whatever_the_threshold(threshold: float) -> None:
    options = replace(of_frames(0, 0, 0), threshold=threshold)
    speech = [threshold, threshold]
    assert flags_of([0.0, *speech, 0.004, *speech, 0.0], options) == "0110110"


def test_flags_come_while_the_audio_runs() -> None:
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield float(read % 100 > 50)

    flags = speech_flags(endless(), VoiceActivityOptions())  # type: ignore[arg-type]
    for written in range(1, 1_000):
        next(flags)
        assert read - written <= 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.5}, "threshold: found 1.5, wanted between 0 and 1"),
        ({"padding": -0.1}, "padding: found -0.1, wanted 0 to 10 seconds"),
        ({"shortest_speech": float("nan")}, "shortest_speech: found nan"),
    ],
)
def test_wrong_options_are_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VoiceActivityOptions(**settings)


def probabilities(waveform: np.ndarray) -> torch.Tensor:
    frames = len(waveform) // FRAME_SAMPLES
    whole = torch.from_numpy(waveform[: frames * FRAME_SAMPLES].astype(np.float32))
    return SpeechProbability()(whole.view(frames, FRAME_SAMPLES))


def test_speech_is_told_from_silence_noise_and_a_tone() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 48_000)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    assert (probabilities(utterance_audio(SENTENCE, "eo", "a")) > 0.5).float().mean() > 0.6
    for other in (np.zeros(48_000), noise, tone):
        assert (probabilities(other) > 0.5).float().mean() < 0.05


def test_probabilities_do_not_hang_on_the_calls() -> None:
    whole = probabilities(speech := utterance_audio(SENTENCE, "eo", "b"))
    score = SpeechProbability()
    frames = torch.from_numpy(speech[: len(whole) * FRAME_SAMPLES]).view(-1, FRAME_SAMPLES)
    torch.testing.assert_close(torch.cat([score(part) for part in frames.split(7)]), whole)


def test_torch_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    probabilities(np.zeros(16_000))
    assert torch.get_num_threads() == before
    assert "silero_vad" not in sys.modules
