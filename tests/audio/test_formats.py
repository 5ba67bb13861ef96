"""Audio files of many formats, read back: what arrives is what was written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper import audio
from spt_whisper.audio import audio_duration, load_audio
from tests.audio.recordings import FREQUENCY, SECONDS, sine, strongest_frequency, write_with_av


def test_constants_follow_from_whispers_input() -> None:
    assert (audio.SAMPLE_RATE, audio.HOP_LENGTH, audio.WINDOW_SECONDS) == (16_000, 160, 30)
    assert (audio.FRAMES_PER_SECOND, audio.STATES_PER_SECOND) == (100, 50)


def test_16_khz_mono_comes_back_to_the_bit(tmp_path: Path) -> None:
    samples = sine(16_000)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    waveform = load_audio(tmp_path / "a.wav")
    assert waveform.dtype == torch.float32
    assert torch.equal(waveform, torch.from_numpy(samples))
    assert torch.equal(load_audio(str(tmp_path / "a.wav")), waveform)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats_of_soundfile(tmp_path: Path, suffix: str, rate: int) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sine(rate), rate)
    waveform = load_audio(path)
    assert strongest_frequency(waveform) == pytest.approx(FREQUENCY, abs=1.0)
    # the middle, since encoders fade in and resampling rings at the ends
    assert waveform[8_000:24_000].std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert len(waveform) == pytest.approx(SECONDS * 16_000, abs=1_600)
    assert audio_duration(path) == pytest.approx(len(waveform) / 16_000, abs=1e-3)


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_files_behind_each_other_in_one_are_whole(tmp_path: Path, suffix: str) -> None:
    """As `cat`, a radio or a recorder that pauses writes them: the first header tells the length of its own part."""
    parts = [tmp_path / f"{name}.{suffix}" for name in ("a", "b")]
    for path, frequency in zip(parts, (FREQUENCY, 880.0), strict=True):
        soundfile.write(path, sine(16_000, frequency=frequency), 16_000)
    whole = tmp_path / f"whole.{suffix}"
    whole.write_bytes(b"".join(path.read_bytes() for path in parts))
    waveform = load_audio(whole)
    assert len(waveform) == pytest.approx(2 * SECONDS * 16_000, abs=4_000)
    assert strongest_frequency(waveform[-24_000:]) == pytest.approx(880.0, abs=1.0)
    assert audio_duration(whole) == pytest.approx(2 * SECONDS, abs=0.3)


def test_an_mp3_of_which_no_header_tells_the_length(tmp_path: Path) -> None:
    path = _mp3_of_changing_rate(tmp_path)
    _without_length(path)
    assert soundfile.info(str(path)).frames < 20 * 16_000  # a guess from the first frames
    assert len(load_audio(path)) == pytest.approx(22 * 16_000, abs=4_000)
    assert audio_duration(path) == pytest.approx(22.0, abs=0.3)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("start", [1.0, 15.0])
def test_a_part_of_an_mp3_is_that_of_the_whole(tmp_path: Path, start: float, told: bool) -> None:
    """A part that libsndfile is sure of is read by it, which can jump; any other, and the whole, by FFmpeg."""
    path = _mp3_of_changing_rate(tmp_path)
    if not told:
        _without_length(path)
    part = load_audio(path, start, start + 1.0)
    first = round(start * 16_000)
    assert part.abs().max() > 0.1
    torch.testing.assert_close(part, load_audio(path)[first : first + 16_000], atol=1e-4, rtol=0)


def _mp3_of_changing_rate(folder: Path) -> Path:
    """Loud, then nearly silent but for one second behind 15, at a bit rate that follows."""
    path = folder / "a.mp3"
    samples = 1e-4 * np.random.default_rng(0).uniform(-1, 1, 22 * 16_000).astype(np.float32)
    for loud in (slice(0, 2 * 16_000), slice(15 * 16_000, 16 * 16_000)):
        samples[loud] *= 5_000
    soundfile.write(path, samples, 16_000, bitrate_mode="VARIABLE", compression_level=0.2)
    return path


def _without_length(path: Path) -> None:
    """Takes the header away that tells how many frames there are."""
    data = path.read_bytes()
    for mark in (b"Xing", b"Info"):
        data = data.replace(mark, bytes(4))
    path.write_bytes(data)


def test_a_wave_whose_recorder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = bytes(4)  # sizes that would have been filled in at the end
    path.write_bytes(data)
    assert len(load_audio(path)) == 32_000
    assert audio_duration(path) == pytest.approx(SECONDS)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 44_100),
        ("a.mp4", "aac", 16_000),
        ("a.webm", "libopus", 48_000),
        ("a.opus", "libopus", 48_000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_formats_of_pyav(tmp_path: Path, name: str, codec: str, rate: int, channels: int) -> None:
    path = tmp_path / name
    write_with_av(path, codec, rate, channels)
    waveform = load_audio(path)
    assert strongest_frequency(waveform) == pytest.approx(FREQUENCY, abs=1.0)
    assert waveform[8_000:24_000].std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert len(waveform) == pytest.approx(SECONDS * 16_000, abs=1_600)
    assert audio_duration(path) == pytest.approx(SECONDS, abs=0.1)


def test_a_name_need_not_be_utf_8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    wave = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    with path.open("wb") as file:
        soundfile.write(file, wave, 16_000, format="WAV", subtype="FLOAT")
    assert load_audio(path).numpy().tolist() == wave.tolist()
    assert audio_duration(path) == 1.0


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_a_part_is_that_part(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        soundfile.write(path, sine(16_000), 16_000, subtype="FLOAT")
    else:
        write_with_av(path, "aac", 16_000)
    whole = load_audio(path)
    assert torch.equal(load_audio(path, 0.5, 1.25), whole[8_000:20_000])
    assert torch.equal(load_audio(path, end=0.25), whole[:4_000])
    assert torch.equal(load_audio(path, start=1.0), whole[16_000:])
    assert torch.equal(load_audio(path, 1.0, 99.0), whole[16_000:])


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(16_000), sine(16_000, frequency=1_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    expected = torch.from_numpy((left + right) / 2)
    torch.testing.assert_close(load_audio(tmp_path / "a.wav"), expected)


def test_seven_channels(tmp_path: Path) -> None:
    samples = np.stack([sine(16_000)] * 7, axis=1)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    torch.testing.assert_close(load_audio(tmp_path / "a.wav"), torch.from_numpy(samples[:, 0]))


def test_files_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    samples = np.arange(200_000, dtype=np.float32) / 200_000  # libsndfile is read 65,536 at a time
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert torch.equal(load_audio(tmp_path / "a.wav"), torch.from_numpy(samples))
    part = load_audio(tmp_path / "a.wav", 0.25, 10.25)
    assert torch.equal(part, torch.from_numpy(samples[4_000:164_000]))


def test_a_flac_that_does_not_tell_its_length(tmp_path: Path) -> None:
    path = tmp_path / "piped.flac"
    soundfile.write(path, sine(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36-bit number of samples: the low half of byte 21, and the next four
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert soundfile.info(str(path)).frames > 2**40
    assert audio_duration(path) == pytest.approx(SECONDS)
    assert len(load_audio(path)) == 32_000
