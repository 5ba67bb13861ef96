"""States on disk: the second run does not encode, the folder stays in its bound, damage and other processes do no harm."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spt_whisper.cli import main
from spt_whisper.errors import InputError
from spt_whisper.training import encoder_states
from spt_whisper.training.recipe import DataConfig
from spt_whisper.training.states_store import StatesStore
from tests.tiny_corpus import write_corpus, write_model

WAVEFORMS = [torch.full((16_000,), float(value)) for value in range(1, 7)]
FILE = 50 * 4 * 2  # bytes of states in a file: 1 s, D = 4, float16


class Encoder:
    """Counts what it encodes; the states are the sound's first sample."""

    def __init__(self) -> None:
        self.encoded = 0

    def __call__(self, waveforms: Sequence[Tensor], window: float) -> list[Tensor]:
        self.encoded += len(waveforms)
        return [w[0].half().expand(round(50 * window), 4).clone() for w in waveforms]


def store(
    folder: Path,
    gigabytes: float = 1.0,
    fingerprint: str = "f" * 64,
    dtype: torch.dtype = torch.float32,
) -> StatesStore:
    return StatesStore(folder, gigabytes, fingerprint, 4, dtype)


def test_what_was_encoded_is_read(tmp_path: Path) -> None:
    encoder = Encoder()
    first = store(tmp_path).states(WAVEFORMS[:3], 1.0, encoder)
    again = store(tmp_path).states(WAVEFORMS[1:4], 1.0, encoder)
    assert encoder.encoded == 4
    assert [states[0, 0].item() for states in again] == [2.0, 3.0, 4.0]
    assert all(torch.equal(*pair) for pair in zip(first[1:], again[:2], strict=True))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".safetensors"]


def test_another_window_model_or_format_has_states_of_its_own(tmp_path: Path) -> None:
    encoder = Encoder()
    store(tmp_path).states(WAVEFORMS[:1], 1.0, encoder)
    (longer,) = store(tmp_path).states(WAVEFORMS[:1], 2.0, encoder)
    store(tmp_path, fingerprint="e" * 64).states(WAVEFORMS[:1], 1.0, encoder)
    store(tmp_path, dtype=torch.bfloat16).states(WAVEFORMS[:1], 1.0, encoder)
    assert encoder.encoded == 4
    assert longer.shape == (100, 4)


@pytest.mark.parametrize("damage", [b"", b"\0" * 600, None])
def test_a_damaged_file_is_made_anew(
    damage: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = Encoder()
    store(tmp_path).states(WAVEFORMS[:1], 1.0, encoder)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3] if damage is None else damage)
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        (states,) = store(tmp_path).states(WAVEFORMS[:1], 1.0, encoder)
    assert states[0, 0] == 1.0
    assert f"{file} is damaged and made again" in caplog.text
    assert file.read_bytes() == whole


def test_the_bound_holds_and_old_states_make_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = Encoder()
    store(tmp_path).states(WAVEFORMS[:3], 1.0, encoder)
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    limit = 3.5 * size / 1e9
    now = store(tmp_path, limit)
    now.states(WAVEFORMS[:1], 1.0, encoder)
    now.states(WAVEFORMS[3:5], 1.0, encoder)  # takes the place of the second and the third
    assert encoder.encoded == 5
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        now.states(WAVEFORMS[5:], 1.0, encoder)  # its own states stay
        now.states(WAVEFORMS[5:], 1.0, encoder)
    assert encoder.encoded == 7
    assert caplog.text.count("is full") == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1e9 * limit
    store(tmp_path, limit).states([WAVEFORMS[0], *WAVEFORMS[3:5]], 1.0, encoder)
    assert encoder.encoded == 7


def test_a_large_folder_is_not_looked_through_for_each_batch(tmp_path: Path) -> None:
    class Counted(StatesStore):
        looked = 0

        def _files(self) -> Iterator[tuple[float, int, Path]]:
            self.looked += 1
            return super()._files()

    roomy = Counted(
        tmp_path, 400 * FILE / 1e9, "f" * 64, 4, torch.float32
    )  # a hundredth is 4 files
    for waveform in WAVEFORMS:
        roomy.states([waveform], 1.0, Encoder())
    assert roomy.looked == 2
    assert len(list(tmp_path.iterdir())) == 6


def test_files_of_others_neither_count_nor_make_room(tmp_path: Path) -> None:
    others = [tmp_path / "model.safetensors", tmp_path / f"{'0' * 63}g.safetensors"]
    for other in others:
        other.write_bytes(b"0" * 10_000)
    encoder = Encoder()
    store(tmp_path, 2.5 * (FILE + 100) / 1e9).states(WAVEFORMS[:2], 1.0, encoder)
    store(tmp_path, 2.5 * (FILE + 100) / 1e9).states(WAVEFORMS[2:4], 1.0, encoder)
    assert all(other.stat().st_size == 10_000 for other in others)
    assert len(list(tmp_path.iterdir())) == 4


def test_two_at_once_get_the_same_states(tmp_path: Path) -> None:
    def fill(number: int) -> list[float]:
        limit = (
            (2 + 2 * number) * (FILE + 100) / 1e9
        )  # one of them removes what the other one writes
        states: list[Tensor] = []
        for _ in range(20):
            own = store(tmp_path, limit)
            states = [s for w in WAVEFORMS for s in own.states([w], 1.0, Encoder())]
        return [own[0, 0].item() for own in states]

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(fill, range(2)):
            assert found == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_second_run_encodes_nothing_for_training_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    encoded: list[int] = []
    plain = encoder_states._encode_half

    def counted(whisper: object, waveforms: Sequence[Tensor], window: float) -> list[Tensor]:
        encoded.append(len(waveforms))
        return plain(whisper, waveforms, window)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder_states, "_encode_half", counted)

    def prompt(name: str) -> bytes:
        arguments = [
            "--corpus.root", str(tmp_path / "corpus"), "--model", str(tmp_path / "model"), "--languages", "[es]",
            "--output", str(tmp_path / name), "--window_seconds", "[0.8, 2]", "--prompt.side", "decoder",
            "--prompt.length", "4", "--trainer.precision", "32-true", "--trainer.max_epochs", "1",
            "--trainer.enable_progress_bar", "false", "--data.states_store", str(tmp_path / "states"),
        ]  # fmt: skip
        assert main(["fit", *arguments]) == 0
        return (tmp_path / name / "prompt" / "prompt.safetensors").read_bytes()

    first = prompt("a")
    assert sum(encoded) == 8  # of train and dev
    assert prompt("b") == first
    assert sum(encoded) == 8


def test_a_store_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"data\.states_store: .*file is a file, wanted a folder"):
        store(tmp_path / "file")
    with pytest.raises(InputError, match=r"data\.states_store_gigabytes: found 0, wanted"):
        DataConfig(states_store_gigabytes=0)


@pytest.mark.parametrize("read", [0, 1, 2])
def test_states_that_were_read_last_stay(read: int, tmp_path: Path) -> None:
    encoder = Encoder()
    store(tmp_path).states(WAVEFORMS[:3], 1.0, encoder)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    store(tmp_path).states([WAVEFORMS[read]], 1.0, encoder)  # by another run
    limit = 3.5 * max(path.stat().st_size for path in tmp_path.iterdir()) / 1e9
    store(tmp_path, limit).states(WAVEFORMS[3:4], 1.0, encoder)
    assert len(list(tmp_path.iterdir())) == 3
    store(tmp_path).states([WAVEFORMS[read]], 1.0, encoder)
    assert encoder.encoded == 4
