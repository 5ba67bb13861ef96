"""Log-mel features: any window, nothing cut, the same under mixed precision."""

from __future__ import annotations

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.features import log_mel


@pytest.fixture
def waveforms() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(16_000 * seconds, generator=generator) for seconds in (1, 2)]


@pytest.mark.parametrize("mels", [80, 128])
def test_a_window_is_filled_up(waveforms: list[torch.Tensor], mels: int) -> None:
    features = log_mel(waveforms, 4.0, mels)
    assert features.shape == (2, mels, 400)
    assert torch.equal(features[0, :, 150:], features[0, :, 150:151].expand(-1, 250))  # silence
    assert not torch.equal(features[0, :, :50], features[0, :, 150:200])


def test_a_shorter_window_is_the_beginning_of_a_longer_one(waveforms: list[torch.Tensor]) -> None:
    short, long = log_mel(waveforms, 2.0, 80), log_mel(waveforms, 30.0, 80)
    torch.testing.assert_close(short[:, :, :190], long[:, :, :190], atol=1e-4, rtol=1e-4)


def test_nothing_is_cut(waveforms: list[torch.Tensor]) -> None:
    with pytest.raises(InputError, match=r"audio of 2\.0 s does not fit a window of 1\.5 s"):
        log_mel(waveforms, 1.5, 80)


def test_mixed_precision_changes_nothing(waveforms: list[torch.Tensor]) -> None:
    plain = log_mel(waveforms, 2.0, 80)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(log_mel(waveforms, 2.0, 80), plain)
