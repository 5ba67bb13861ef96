"""Audio files of many formats, read back: what arrives is what was written."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

from spt_whisper import audio
from spt_whisper.audio import audio_duration, decoding, load_audio
from spt_whisper.errors import InputError
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


@pytest.mark.parametrize("rates", [(44_100, 22_050), (22_050, 44_100)])
def test_the_rate_may_change_on_the_way(tmp_path: Path, rates: tuple[int, int]) -> None:
    """As where a radio puts an advertisement in front of a talk."""
    whole = tmp_path / "whole.aac"
    for rate in rates:
        path = tmp_path / f"{rate}.aac"
        write_with_av(path, "aac", rate)
        with whole.open("ab") as file:
            file.write(path.read_bytes())
    waveform = load_audio(whole)
    assert len(waveform) == pytest.approx(2 * SECONDS * 16_000, abs=4_000)
    for part in (waveform[4_000:28_000], waveform[-28_000:-4_000]):
        assert strongest_frequency(part) == pytest.approx(FREQUENCY, abs=1.0)
    assert audio_duration(whole) == pytest.approx(len(waveform) / 16_000, abs=1e-3)


def test_a_length_that_no_header_tells_is_not_guessed(tmp_path: Path) -> None:
    """Silent, then loud: packets become longer, by which FFmpeg's guess is much too long."""
    path = tmp_path / "a.aac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * 16_000).astype(np.float32)
    samples = np.concatenate([np.zeros(5 * 16_000, np.float32), noise])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        adapt = av.AudioResampler(stream.format, "mono", 16_000, frame_size=stream.frame_size)
        for part in [*adapt.resample(frame), *adapt.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    assert audio_duration(path) == pytest.approx(15.0, abs=0.2)


@pytest.mark.parametrize("name", ["a.mkv", "a.m4a", "a.ts"])
def test_a_pause_of_the_clock_is_silence(tmp_path: Path, name: str) -> None:
    """So that subtitles are where the picture is."""
    path = tmp_path / name
    write_with_av(path, "aac", 16_000, gaps=[(1.0, 3.0)])
    waveform = load_audio(path)
    assert len(waveform) == pytest.approx((SECONDS + 3.0) * 16_000, abs=4_000)
    assert waveform[24_000:56_000].abs().max() < 1e-4
    assert strongest_frequency(waveform[-12_000:]) == pytest.approx(FREQUENCY, abs=2.0)
    assert audio_duration(path) == pytest.approx(len(waveform) / 16_000, abs=0.1)
    part = load_audio(path, 4.1, 4.4)
    torch.testing.assert_close(part, waveform[65_600:70_400], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_sound_that_begins_behind_the_picture_has_silence_in_front(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    _write_late_sound(path, 3)
    waveform = load_audio(path)
    assert waveform[:40_000].abs().max() < 1e-4
    assert strongest_frequency(waveform[52_000:76_000]) == pytest.approx(FREQUENCY, abs=1.0)
    assert audio_duration(path) == pytest.approx(len(waveform) / 16_000, abs=0.2)


def test_a_cut_of_sound_that_begins_late_is_what_the_whole_has_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    _write_late_sound(path, 20)
    whole = load_audio(path)
    for first, last in ((12.0, 21.5), (12.0, 15.0), (16.3, 20.5), (20.5, 21.5)):
        expected = whole[round(first * 16_000) : round(last * 16_000)]
        assert torch.equal(load_audio(path, first, last), expected)
    assert load_audio(path, 12.0, 15.0).abs().max() == 0


def _write_late_sound(path: Path, late: int) -> None:
    """A picture from 0 s on, and a sine from `late` s on, whose end is the picture's."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 64
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        samples = sine(16_000).reshape(-1, 1_000)
        for number in range(5 * (late + round(SECONDS))):
            image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            image.pts, image.time_base = number, Fraction(1, 5)
            container.mux(picture.encode(image))
        for number, part in enumerate(samples):
            frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
            frame.pts = late * 16_000 + 1_000 * number
            container.mux(sound.encode(frame))
        container.mux([*picture.encode(None), *sound.encode(None)])


def test_a_clock_that_leaps_by_hours_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_with_av(path, "aac", 16_000, gaps=[(1.0, 20_000.0)])
    assert len(load_audio(path)) == pytest.approx(SECONDS * 16_000, abs=4_000)


def test_samples_without_a_header_are_one_line_or_what_ffmpeg_finds(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    soundfile.write(tmp_path / "a.wav", sine(16_000), 16_000)
    path.write_bytes((tmp_path / "a.wav").read_bytes())
    assert len(load_audio(path)) == 32_000  # its name says less than its header
    path.write_bytes(sine(16_000).tobytes())
    with pytest.raises(InputError, match=r"a\.raw: cannot be read as audio"):
        load_audio(path)


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


@pytest.mark.parametrize(
    "gaps",
    [(), ((15.0, 4.0),), ((12.0, 16.0),), ((0.0, 14.0),)],
    ids=["", "a pause of the clock", "a long one", "a late begin"],
)
def test_a_cut_far_into_an_m4a_is_what_the_whole_has_there(
    gaps: tuple[tuple[float, float], ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.m4a"
    write_with_av(path, "aac", 16_000, gaps=gaps, seconds=40.0)
    whole = load_audio(path)
    for first, last in ((16.0, 18.0), (25.0, 26.0), (30.1, 31.0), (39.5, 60.0)):
        expected = whole[round(first * 16_000) : round(last * 16_000)]
        assert torch.equal(load_audio(path, first, last), expected)
    with decoding.open_av(path) as container:
        assert 33 < decoding._av_frames_from(container, 39.0)[0] <= 34  # the rest is not decoded
