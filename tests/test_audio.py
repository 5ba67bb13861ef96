"""Audio files written here, read back: what arrives, and what is refused in which words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

from spt_whisper import audio
from spt_whisper.audio import audio_duration, load_audio
from spt_whisper.errors import InputError

FREQUENCY = 440.0
SECONDS = 2.0


def sine(rate: int, seconds: float = SECONDS, frequency: float = FREQUENCY) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def strongest_frequency(waveform: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform))).abs()
    return float(spectrum.argmax()) * audio.SAMPLE_RATE / len(waveform)


def write_with_av(path: Path, codec: str, rate: int, channels: int = 1) -> None:
    layout = {1: "mono", 2: "stereo"}[channels]
    samples = np.tile(sine(rate), (channels, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        adapt = av.AudioResampler(stream.format, layout, rate, frame_size=stream.frame_size)
        for part in [*adapt.resample(frame), *adapt.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


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


def test_files_longer_than_a_block_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "_BLOCK_SECONDS", 1)
    samples = np.arange(40_000, dtype=np.float32) / 40_000
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert torch.equal(load_audio(tmp_path / "a.wav"), torch.from_numpy(samples))
    part = load_audio(tmp_path / "a.wav", 0.25, 2.25)
    assert torch.equal(part, torch.from_numpy(samples[4_000:36_000]))


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


def write_video_without_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def write_playlist(path: Path, text: str) -> None:
    soundfile.write(path.parent / "other.wav", sine(16_000), 16_000)
    path.write_text(text)


def write_with_sample(path: Path, value: float) -> None:
    samples = sine(16_000)
    samples[100] = value
    soundfile.write(path, samples, 16_000, subtype="FLOAT")


PROSE = "This is a shopping list, not a recording.\n" * 50
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.wav\n#EXT-X-ENDLIST\n"
BAD_FILES: dict[str, Callable[[Path], object]] = {
    "missing.wav": lambda path: None,
    "empty.wav": Path.touch,
    "folder.wav": Path.mkdir,
    "silent.wav": lambda path: soundfile.write(path, np.zeros(0, np.float32), 16_000),
    "text.wav": lambda path: path.write_text(PROSE),
    "text.mp3": lambda path: path.write_text(PROSE),
    "text.m4a": lambda path: path.write_text(PROSE),
    "playlist.wav": lambda path: write_playlist(path, HLS),
    "concat.wav": lambda path: write_playlist(path, "ffconcat version 1.0\nfile other.wav\n"),
    "video.mp4": write_video_without_sound,
    "nan.wav": lambda path: write_with_sample(path, float("nan")),
    "inf.wav": lambda path: write_with_sample(path, float("inf")),
}


def bad_file(folder: Path, name: str) -> Path:
    BAD_FILES[name](folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "is empty"),
        ("silent.wav", "no audio samples"),
        ("text.wav", "cannot be read as audio"),
        ("text.mp3", "cannot be read as audio"),
        ("text.m4a", "cannot be read as audio"),
        ("playlist.wav", "cannot be read as audio"),
        ("concat.wav", "cannot be read as audio"),
        ("video.mp4", "no audio stream"),
        ("nan.wav", "NaN or infinite"),
        ("inf.wav", "NaN or infinite"),
        ("folder.wav", "is a folder"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, message: str) -> None:
    path = bad_file(tmp_path, name)
    with pytest.raises(InputError, match=message) as caught:
        load_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.wav", "empty.wav", "text.wav", "folder.wav"])
def test_bad_files_have_no_duration(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        audio_duration(bad_file(tmp_path, name))


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-1.0, None, "start is -1.0 s"),
        (float("nan"), None, "start is nan s"),
        (1.0, 1.0, "end is 1.0 s; give more than its start, 1 s"),
        (None, float("inf"), "end is inf s"),
        (2.0, None, "no audio samples behind 2 s"),
        (5.0, 6.0, "no audio samples behind 5 s"),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "m4a"])
def test_bad_parts_are_refused(
    tmp_path: Path, suffix: str, start: float | None, end: float | None, message: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "wav":
        soundfile.write(path, sine(16_000), 16_000)
    else:
        write_with_av(path, "aac", 16_000)
        start = 3.0 if start == 2.0 else start  # AAC pads its end
        message = message.replace("2 s", "3 s")
    with pytest.raises(InputError, match=message):
        load_audio(path, start, end)


def test_reading_the_constants_does_not_import_torch() -> None:
    check = "import sys, spt_whisper.audio, spt_whisper.corpora; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
