"""Files that are no sound audio: one line each, or what can be read of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.audio import audio_duration, load_audio, stream_audio
from spt_whisper.errors import InputError
from tests.audio.recordings import FREQUENCY, sine, strongest_frequency, write_sine, write_with_av


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


def write_with_unknown_codec(path: Path) -> None:
    soundfile.write(path, sine(16_000), 16_000)
    header = bytearray(path.read_bytes())
    header[20:22] = b"\xee\x77"  # the format tag of the RIFF header: nobody's
    path.write_bytes(header)


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
    "codec.wav": write_with_unknown_codec,
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
        ("codec.wav", "FFmpeg has no decoder for its sound"),
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


@pytest.mark.parametrize(
    "name", ["missing.wav", "empty.wav", "text.wav", "folder.wav", "codec.wav"]
)
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
        (2.0, None, "no audio samples after 2 s"),
        (5.0, 6.0, "no audio samples after 5 s"),
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


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_a_file_cut_short_is_read_as_far_as_it_goes(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sine(16_000, seconds=20.0), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    waveform = load_audio(path)
    assert 4 < len(waveform) / 16_000 < 16  # an ogg page is long
    assert strongest_frequency(waveform) == pytest.approx(FREQUENCY, abs=1.0)
    if suffix in ("wav", "flac"):  # an MP3 or Ogg file has no length to compare
        assert f"{path}: damaged or cut short" in caplog.text


@pytest.mark.parametrize("told", [0x7FFF_F000, 0xFFFF_FFFF])
def test_a_wav_whose_header_was_written_before_its_length_was_known_is_whole(
    tmp_path: Path, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.wav"
    write_sine(path, 16_000)
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = told.to_bytes(4, "little")
    path.write_bytes(data)
    assert len(load_audio(path)) == 32_000
    assert not caplog.messages


def test_a_part_before_the_cut_is_read_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.wav"
    write_sine(path, 16_000)
    path.write_bytes(path.read_bytes()[:40_000])
    assert len(load_audio(path, 0.25, 0.75)) == 8_000
    assert not caplog.messages
    assert len(load_audio(path, 1.0, 1.5)) == (40_000 - 44) // 2 - 16_000
    assert "damaged or cut short" in caplog.text


@pytest.mark.parametrize("left", [4, 10, 20, 26])
def test_an_ogg_cut_within_the_header_of_a_page(tmp_path: Path, left: int) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, sine(16_000, seconds=20.0), 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"OggS") + left])
    assert strongest_frequency(load_audio(path)) == pytest.approx(FREQUENCY, abs=1.0)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_damage_is_skipped_and_told(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{suffix}"
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, 320_000)
    soundfile.write(path, noise, 16_000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3_000] = generator.bytes(3_000)
    path.write_bytes(data)
    waveform = load_audio(path)
    assert len(waveform) / 16_000 == pytest.approx(20.0, abs=1.0)
    assert f"{path}: damaged or cut short" in caplog.text


def test_an_mp4_without_its_index_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    write_with_av(path, "aac", 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.m4a: cannot be read as audio"):
        load_audio(path)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_a_file_removed_meanwhile_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_sine(path, 16_000)
    stream = stream_audio(path, block_seconds=0.5)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        next(stream)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_a_file_removed_while_it_is_read_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_sine(path, 16_000)
    whole = load_audio(path)
    stream = stream_audio(path, block_seconds=0.5)
    first = next(stream)
    path.unlink()
    assert torch.equal(torch.cat([first, *stream]), whole)


@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_a_rate_that_no_recording_has(rate: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(16_000), rate)
    with pytest.raises(InputError, match=f"has {rate} Hz"):
        load_audio(tmp_path / "a.wav")
