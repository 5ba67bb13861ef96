"""Augmentation: what each kind does, and that it depends on seed, epoch and utterance alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.errors import InputError
from spt_whisper.training.augmentation import (
    augment_waveform,
    draw_for,
    draw_speed,
    mask_log_mel,
)
from spt_whisper.training.batch import ExampleBuilder
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.recipe import AugmentConfig
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper


def tone(seconds: float = 1.0, hertz: float = 440.0) -> torch.Tensor:
    return torch.sin(torch.arange(int(seconds * SAMPLE_RATE)) * (2 * np.pi * hertz / SAMPLE_RATE))


def peak_hertz(waveform: torch.Tensor) -> float:
    return float(torch.fft.rfft(waveform).abs().argmax()) * SAMPLE_RATE / waveform.shape[0]


def recording(path: Path, samples: torch.Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.numpy(), SAMPLE_RATE)


def test_a_faster_waveform_is_shorter_and_higher() -> None:
    fast = augment_waveform(tone(), 1.1, AugmentConfig(speed=[1.1]), draw_for(0, 0, "a"))
    assert fast.shape[0] == pytest.approx(SAMPLE_RATE / 1.1, abs=2)
    assert peak_hertz(fast) == pytest.approx(484, abs=2)


def test_a_speed_that_leaves_the_window_is_not_drawn() -> None:
    config = AugmentConfig(speed=[0.9, 1.1])
    draws = [draw_speed(config, draw_for(0, epoch, "a"), 9.5, 10.0) for epoch in range(20)]
    assert set(draws) == {1.1}
    assert draw_speed(AugmentConfig(speed=[0.9]), draw_for(0, 0, "a"), 9.5, 10.0) == 1.0
    # stated 9.00 s may be 9.04 s long, and 8.955 s 9.004 s
    for stated in (9.0, 8.955):
        assert draw_speed(AugmentConfig(speed=[0.9]), draw_for(0, 0, "a"), stated, 10.0) == 1.0
    assert draw_speed(AugmentConfig(speed=[0.9]), draw_for(0, 0, "a"), 8.9, 10.0) == 0.9
    assert draw_speed(AugmentConfig(speed=[1.0]), draw_for(0, 0, "a"), 10.0, 10.0) == 1.0


def test_noise_is_mixed_in_at_the_ratio(tmp_path: Path) -> None:
    recording(tmp_path / "noise" / "n.wav", 0.1 * torch.randn(2000))
    config = AugmentConfig(noise=str(tmp_path / "noise"), noise_snr=(10.0, 10.0), share=1.0)
    clean = tone()
    noisy = augment_waveform(clean, 1.0, config, draw_for(0, 0, "a"))
    ratio = 10 * torch.log10(clean.square().sum() / (noisy - clean).square().sum())
    assert float(ratio) == pytest.approx(10.0, abs=0.1)


def test_digital_silence_in_a_noise_recording_adds_nothing(tmp_path: Path) -> None:
    recording(tmp_path / "noise" / "n.WAV", torch.zeros(2000))
    config = AugmentConfig(noise=str(tmp_path / "noise"), share=1.0)
    clean = tone()
    assert torch.equal(augment_waveform(clean, 1.0, config, draw_for(0, 0, "a")), clean)


def test_a_room_keeps_length_and_loudness(tmp_path: Path) -> None:
    response = torch.zeros(4000)
    response[100], response[2000] = 0.9, 0.5  # the direct sound, and an echo 119 ms later
    recording(tmp_path / "rooms" / "r.wav", response)
    click = torch.zeros(SAMPLE_RATE)
    click[1000] = 0.5
    config = AugmentConfig(rooms=str(tmp_path / "rooms"), share=1.0)
    wet = augment_waveform(click, 1.0, config, draw_for(0, 0, "a"))
    assert wet.shape == click.shape
    assert float(wet.norm()) == pytest.approx(float(click.norm()), rel=1e-3)
    assert wet.abs().topk(2).indices.tolist() == [1000, 2900]
    recording(tmp_path / "silent" / "r.wav", torch.zeros(4000))
    silent = AugmentConfig(rooms=str(tmp_path / "silent"), share=1.0)
    assert torch.equal(augment_waveform(click, 1.0, silent, draw_for(0, 0, "a")), click)


def test_masks_lie_inside_the_speech_and_are_the_same_for_a_seed() -> None:
    features = torch.randn(80, 300, generator=torch.Generator().manual_seed(0))
    config = AugmentConfig(frequency_masks=2, time_masks=2)
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    masked = mask_log_mel(features, 200, config, seed=7)
    assert torch.equal(torch.rand(1), before)  # the global stream is left alone
    assert torch.equal(masked, mask_log_mel(features, 200, config, seed=7))
    assert not torch.equal(masked, mask_log_mel(features, 200, config, seed=8))
    assert torch.equal(masked[:, 200:], features[:, 200:])
    changed = (masked != features)[:, :200]
    assert changed.any()
    assert (masked[:, :200][changed] - features[:, :200].mean()).abs().max() < 0.2
    assert torch.equal(mask_log_mel(features, 0, config, seed=7), features)  # less than 10 ms


def test_items_differ_between_epochs_and_are_the_same_again(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    utterances = read_split(CorpusConfig(str(write_corpus(tmp_path / "corpus"))), "train")
    builder = ExampleBuilder(whisper.tokens, {"qug": ("es",)}, 0, (3.0,), timestamps_share=1.0)
    examples = builder.examples(utterances, [u.text for u in utterances], "train")
    config = AugmentConfig(speed=[0.9, 1.1], time_masks=1)
    first, second = (ExampleSet(examples, builder, {}, config) for _ in range(2))
    lengths = set()
    for epoch in range(6):
        item, again = first[Draw(epoch, 3)], second[Draw(epoch, 3)]
        assert item.waveform is not None
        assert again.waveform is not None
        assert torch.equal(item.waveform, again.waveform)
        assert item.mask_seed == again.mask_seed
        assert item.inputs == again.inputs
        lengths.add(item.waveform.shape[0])
        spoken = item.waveform.shape[0] / SAMPLE_RATE
        assert whisper.tokens.timestamp(spoken) == item.inputs[-1]  # the end moves with the speed
    assert len(lengths) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": [0.1]}, "data.augment.speed: found"),
        ({"time_masks": -1}, "wanted masks of 0 or more"),
        ({"share": 2.0}, "share from 0 to 1"),
        ({"noise_snr": (20.0, 5.0)}, "lowest ratio before the highest"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugmentConfig(**settings)  # type: ignore[arg-type]


def test_an_empty_folder_of_noise_is_named(tmp_path: Path) -> None:
    config = AugmentConfig(noise=str(tmp_path), share=1.0)
    with pytest.raises(InputError, match=f"no audio in {tmp_path}"):
        augment_waveform(tone(), 1.0, config, draw_for(0, 0, "a"))


def test_a_stretch_is_as_long_as_said_and_never_more_than_a_fifth() -> None:
    features = torch.randn(80, 300, generator=torch.Generator().manual_seed(0))

    def longest(seconds: float) -> int:
        own = AugmentConfig(time_masks=1, time_width=seconds)
        masked = (mask_log_mel(features, 200, own, seed) != features for seed in range(50))
        return max(int(changed.all(dim=0).sum()) for changed in masked)

    assert 5 < longest(0.1) <= 10
    assert 20 < longest(30.0) <= 40


@pytest.mark.parametrize("kind", ["rooms", "noise"])
def test_a_share_of_the_utterances_gets_a_room_and_a_share_noise(kind: str, tmp_path: Path) -> None:
    recording(tmp_path / "r.wav", torch.rand(800))
    own = AugmentConfig(**{kind: str(tmp_path)}, share=0.3)  # type: ignore[arg-type]
    plain = tone(0.1)
    made = [augment_waveform(plain, 1.0, own, draw_for(0, 0, f"u{n}")) for n in range(200)]
    assert 40 < sum(not torch.equal(waveform, plain) for waveform in made) < 80
