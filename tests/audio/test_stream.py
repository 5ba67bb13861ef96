"""Audio in blocks: the same waveform without seams, in the memory of one block."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.audio import load_audio, stream_audio
from tests.audio.recordings import sine, write_sine


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a"])
def test_blocks_join_to_the_whole(tmp_path: Path, name: str, rate: int) -> None:
    path = tmp_path / name
    write_sine(path, rate)
    blocks = list(stream_audio(path, block_seconds=0.3))
    assert {len(block) for block in blocks[:-1]} == {4_800}
    assert 0 < len(blocks[-1]) <= 4_800
    assert torch.equal(torch.cat(blocks), load_audio(path))


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_resampling_has_no_seams(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(rate, seconds=10.0), rate, subtype="FLOAT")  # many decoded blocks
    waveform = load_audio(path).numpy()
    assert len(waveform) == 160_000
    np.testing.assert_allclose(waveform[100:-100], sine(16_000, 10.0)[100:-100], atol=1e-3)


def test_what_whisper_cannot_hear_is_not_folded_down(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(48_000, frequency=9_000), 48_000)
    assert load_audio(tmp_path / "a.wav")[1_000:-1_000].abs().max() < 1e-3


def test_a_stream_holds_one_block_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        for _ in range(120):
            file.write(np.zeros((44_100, 2)))
    peaks = []
    for seconds in (10.0, None):
        tracemalloc.start()
        for block in stream_audio(path, block_seconds=2.0, end=seconds):
            assert len(block) <= 32_000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000  # the whole is 21 MB as it is decoded


def test_reading_the_constants_does_not_import_torch() -> None:
    check = "import sys, spt_whisper.audio, spt_whisper.corpora; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
