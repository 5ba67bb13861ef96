from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.speechless import SOUNDS, count_characters, pieces
from spt_whisper.audio import SAMPLE_RATE


def decibels(waveform: torch.Tensor) -> float:
    return 20 * float(waveform.square().mean().sqrt().log10())


@pytest.mark.parametrize("sound", [name for name in SOUNDS if name != "digital silence"])
def test_pieces_are_the_same_on_every_call_and_each_louder_than_the_last(sound: str) -> None:
    first, again = pieces(sound, 4), pieces(sound, 4)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert all(piece.shape == (5 * SAMPLE_RATE,) for piece in first)
    assert [decibels(piece) for piece in first] == pytest.approx([-50, -40, -30, -20], abs=0.2)
    assert len({float(piece[100] / piece.abs().max()) for piece in first}) == 4  # not one, scaled


def test_silence_is_digital() -> None:
    assert not torch.stack(pieces("digital silence", 2)).any()


def test_white_noise_is_flat_and_pink_noise_falls_by_three_decibels_an_octave() -> None:
    def fall(sound: str) -> float:
        power = np.abs(np.fft.rfft(pieces(sound, 1)[0].numpy())) ** 2
        low, high = power[5 * 200 : 5 * 400].mean(), power[5 * 3200 : 5 * 6400].mean()
        return 10 * float(np.log10(low / high)) / 4  # octaves between

    assert fall("white noise") == pytest.approx(0, abs=0.3)
    assert fall("pink noise") == pytest.approx(3, abs=0.3)


def test_hum_is_at_multiples_of_the_mains() -> None:
    power = np.abs(np.fft.rfft(pieces("hum", 1)[0].numpy())) ** 2
    strongest = sorted((np.argsort(power)[-8:] / 5).tolist())  # Hz
    assert strongest in ([50.0 * n for n in range(1, 9)], [60.0 * n for n in range(1, 9)])


def test_characters_are_counted_by_sound() -> None:
    texts = ["", "", "ab", "", "", "abcd", "a", "a", "", ""]
    rows = count_characters("none", "bare", texts)
    assert [row.sound for row in rows] == list(SOUNDS)
    assert [row.characters for row in rows] == [(0, 0), (2, 0), (0, 4), (1, 1), (0, 0)]
    assert [(row.mean, row.written) for row in rows[:4]] == [(0, 0), (1, 1), (2, 1), (1, 2)]
