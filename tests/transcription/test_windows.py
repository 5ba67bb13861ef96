"""Windows of speech: every sample of speech once, borders in pauses, memory flat."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from esperanto.corpus import utterance_audio
from spt_whisper.audio import load_audio
from spt_whisper.errors import InputError
from spt_whisper.transcription.voice_activity import FRAME_SAMPLES, VoiceActivityOptions
from spt_whisper.transcription.windows import (
    LONGEST_PAUSE_SECONDS,
    Frame,
    SpeechWindow,
    merge_frames,
    speech_windows,
)

VOICE = VoiceActivityOptions()
SENTENCES = (
    "La hundo dormas en la granda domo.",
    "La bela kato manĝas fiŝon.",
    "Mi vidas la maljunan viron.",
)
run_lengths = st.lists(st.tuples(st.booleans(), st.integers(1, 120)), max_size=12)


EVEN = 2**20  # far above the counts: all frames are about as loud


def frames_of(runs: list[tuple[bool, int]], last: int = FRAME_SAMPLES) -> Iterator[Frame]:
    """Frames whose samples count up, so that a window tells which samples it holds."""
    mask = [speech for speech, length in runs for _ in range(length)]
    for index, speech in enumerate(mask):
        size = last if index == len(mask) - 1 else FRAME_SAMPLES
        first = index * FRAME_SAMPLES
        score = (index * 7919 % 101) / 101
        samples = torch.arange(first, first + size, dtype=torch.float32)
        yield Frame(EVEN + samples, score, speech)


def bounds(window: SpeechWindow) -> tuple[int, int]:
    """First sample and the one behind the last, checked to be what the waveform holds."""
    first = round(window.start * 16_000)
    last = first + window.waveform.shape[0]
    assert torch.equal(window.waveform, EVEN + torch.arange(first, last, dtype=torch.float32))
    assert window.end == pytest.approx(last / 16_000)
    return first, last


@settings(max_examples=200, deadline=None)
@given(
    run_lengths,
    st.sampled_from([1.0, 1.5, 4.0, 10.0]),
    st.integers(1, FRAME_SAMPLES),
    st.sampled_from([None, 10.0, 30.0]),
)
def test_each_sample_of_speech_is_in_one_window(
    runs: list[tuple[bool, int]], longest: float, last: int, before: float | None
) -> None:
    """Also where the windows were longer before, and are cut again."""
    frames = list(frames_of(runs, last))
    covered = np.zeros(sum(len(frame.samples) for frame in frames), dtype=int)
    windows = list(merge_frames(frames, before or longest))
    for window in itertools.chain.from_iterable(own.cut_again(longest) for own in windows):
        first, end = bounds(window)
        assert window.seconds <= longest
        covered[first:end] += 1
    sizes = [frame.samples.shape[0] for frame in frames]
    speech = np.repeat(np.array([frame.speech for frame in frames], dtype=bool), sizes)
    assert (covered <= 1).all()
    assert covered[speech].all()


def test_quiet_speech_is_made_louder_beside_loud_speech() -> None:
    levels = [0.5] * 20 + [0.0] * 20 + [0.002] * 20 + [0.0] * 20 + [0.1] * 20 + [0.0] * 80
    frames = [Frame(torch.full((FRAME_SAMPLES,), level), 0.5, level > 0) for level in levels]
    (window,) = merge_frames(frames, 4.0)
    heard = window.waveform.view(-1, FRAME_SAMPLES)[:, 0]
    assert heard[:20].tolist() == [0.5] * 20
    assert heard[40:60].tolist() == pytest.approx([0.05] * 20)  # 20 dB under the loudest
    assert heard[80:].tolist() == pytest.approx([0.1] * 20)
    assert (window.start, len(heard)) == (0.0, 100)


@settings(max_examples=200, deadline=None)
@given(run_lengths, st.sampled_from([1.0, 4.0, 10.0]))
def test_windows_of_long_audio_hold_no_long_silence(
    runs: list[tuple[bool, int]], longest: float
) -> None:
    frames = list(frames_of(runs))
    windows = list(merge_frames(frames, longest))
    if not any(frame.speech for frame in frames):
        assert windows == []
    if len(frames) * FRAME_SAMPLES <= longest * 16_000:
        return
    for window in windows:
        first, end = (sample // FRAME_SAMPLES for sample in bounds(window))
        speech = [frame.speech for frame in frames[first:end]]
        assert speech[0]
        assert speech[-1]
        silences = [len(list(run)) for flag, run in itertools.groupby(speech) if not flag]
        assert max(silences, default=0) * FRAME_SAMPLES <= LONGEST_PAUSE_SECONDS * 16_000 + 256


def test_stretches_share_a_window_while_they_fit() -> None:
    runs = [(True, 100), (False, 30), (True, 100), (False, 30), (True, 100)]  # 3.2 s, 0.96 s, ...
    ends = [bounds(window) for window in merge_frames(frames_of(runs), 10.0)]
    assert [(first // 512, end // 512) for first, end in ends] == [(0, 230), (260, 360)]


@pytest.mark.parametrize(("pause", "windows"), [(62, 1), (63, 2)])
def test_a_pause_of_two_seconds_is_the_longest_in_a_window(pause: int, windows: int) -> None:
    runs = [(True, 10), (False, pause), (True, 10), (False, 400)]
    assert len(list(merge_frames(frames_of(runs), 10.0))) == windows


def test_speech_ends_with_the_audio_where_the_last_frame_is_short() -> None:
    window = SpeechWindow(3.0, torch.zeros(700), np.ones((2, 2)))
    assert window.speech_span == (0.0, 700 / 16_000)


def test_a_stretch_too_long_is_cut_where_it_is_least_like_speech() -> None:
    score = [1.0] * 400
    score[200:205] = [0.0] * 5  # not in the last third, which begins at 208
    score[215:220] = [0.2] * 5
    score[290] = 0.1  # low, but for one frame only
    frames = [Frame(torch.ones(FRAME_SAMPLES), one, True) for one in score]
    windows = list(merge_frames(frames, 10.0))  # 312 frames
    assert [window.waveform.shape[0] // FRAME_SAMPLES for window in windows] == [217, 183]


def test_a_short_recording_stays_as_it_is() -> None:
    runs = [(False, 100), (True, 20), (False, 90), (True, 20), (False, 50)]
    (window,) = merge_frames(frames_of(runs), 10.0)
    assert bounds(window) == (0, 280 * FRAME_SAMPLES)
    (window,) = merge_frames(frames_of([(False, 100), (True, 20), (False, 193)], last=256), 10.0)
    assert window.seconds == 10.0
    assert list(merge_frames(frames_of([(False, 280)]), 10.0)) == []


@pytest.mark.parametrize("longest", [4.02, 8.04, 16.22])
def test_a_recording_as_long_as_the_window_is_one(longest: float) -> None:
    recording = torch.ones(round(longest * 16_000))
    (window,) = speech_windows([recording], longest, None)
    assert torch.equal(window.waveform, recording)


@pytest.mark.parametrize("longest", [0.5, 31.0, float("nan")])
def test_a_window_that_whisper_does_not_have(longest: float) -> None:
    with pytest.raises(InputError, match="longest_seconds: found"):
        speech_windows([], longest, VOICE)


def joined(clips: list[np.ndarray], pause_seconds: float) -> tuple[torch.Tensor, list[float]]:
    """Clips with pauses of faint noise behind each, and the middles of the pauses in seconds."""
    noise = np.random.default_rng(0)
    parts, middles, length = list[np.ndarray](), list[float](), 0
    for clip in clips:
        pause = noise.normal(0, 1e-3, round(pause_seconds * 16_000))
        parts += [clip, pause]
        middles.append((length + len(clip) + len(pause) / 2) / 16_000)
        length += len(clip) + len(pause)
    return torch.from_numpy(np.concatenate(parts).astype(np.float32)), middles


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    return [utterance_audio(text, "eo", text) for text in SENTENCES] * 4


@pytest.mark.parametrize("block", [9_999, 480_000, 10**9])
def test_long_pauses_part_the_clips(clips: list[np.ndarray], block: int) -> None:
    audio, middles = joined(clips, 3.5)
    windows = list(speech_windows(audio.split(block), 30.0, VOICE))
    assert len(windows) == len(clips)
    for window, before, after in zip(windows, [0.0, *middles], middles, strict=False):
        assert before <= window.start < window.end < after
        assert window.end < after - 1.0
        first = round(window.start * 16_000)
        assert torch.equal(window.waveform, audio[first : first + len(window.waveform)])


@pytest.mark.parametrize("options", [VOICE, None])
def test_short_pauses_are_where_windows_end(
    clips: list[np.ndarray], options: VoiceActivityOptions | None
) -> None:
    audio, middles = joined(clips, 0.9)
    windows = list(speech_windows(audio.split(480_000), 10.0, options))
    assert len(windows) < len(clips)
    for window in windows[:-1]:
        assert window.seconds <= 10.0
        assert min(abs(window.end - middle) for middle in middles) < 0.65
    if options is None:
        assert torch.equal(torch.cat([window.waveform for window in windows]), audio)


def test_silence_and_noise_have_no_windows() -> None:
    noise = torch.randn(60 * 16_000, generator=torch.Generator().manual_seed(0))
    for audio in (torch.zeros(60 * 16_000), 0.05 * noise):
        assert list(speech_windows(audio.split(16_000), 10.0, VOICE)) == []
    assert list(speech_windows([], 10.0, VOICE)) == []


@pytest.mark.parametrize("options", [VOICE, None])
def test_a_clip_is_its_own_window(
    clips: list[np.ndarray], options: VoiceActivityOptions | None
) -> None:
    clip = torch.from_numpy(clips[0])
    (window,) = speech_windows([clip], 30.0, options)
    assert window.start == 0
    assert torch.equal(window.waveform, clip)


def test_real_clips_with_pauses(shared_data: Path) -> None:
    files = sorted((shared_data / "tiny" / "cv61_control" / "en" / "audio").iterdir())
    clips = [load_audio(file).numpy() for file in files]
    audio, middles = joined(clips, 3.0)
    windows = list(speech_windows(audio.split(480_000), 10.0, VOICE))
    assert not any(w.start < middle < w.end for w in windows for middle in middles)
    for before, after in itertools.pairwise([0.0, *middles]):
        assert any(before <= window.start and window.end <= after for window in windows)


@pytest.mark.parametrize("speech", [True, False])
def test_memory_is_flat(speech: bool) -> None:
    """An endless recording: what is held does not grow, whether speech never ends or never begins."""

    def endless(count: int) -> Iterator[Frame]:
        for index in range(count):
            yield Frame(torch.zeros(FRAME_SAMPLES), 0.0, speech or index % 2_000 == 0)

    def peak(count: int) -> int:
        tracemalloc.start()
        windows = sum(1 for _ in merge_frames(endless(count), 10.0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert windows >= count / 2_001
        return peak

    assert peak(30_000) < 1.2 * peak(6_000) + 50_000


def test_a_window_comes_before_the_audio_ends(clips: list[np.ndarray]) -> None:
    audio, _ = joined(clips, 0.5)
    read = 0

    def endless() -> Iterator[torch.Tensor]:
        nonlocal read
        while True:
            read += len(audio)
            yield audio

    for window in itertools.islice(speech_windows(endless(), 10.0, VOICE), 20):
        assert read / 16_000 - window.end < 15.0 + 2 * len(audio) / 16_000
