"""A transcript is finished as long as it would come out the same and nobody has touched it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.transcription import transcript_records
from spt_whisper.transcription.settings import TranscribeConfig
from spt_whisper.transcription.transcript_records import (
    State,
    TranscriptRecords,
    audio_key,
    work_digest,
)
from spt_whisper.whisper.options import DecodingOptions

NAME = "talks/ñ\n.wav.txt"


def test_a_transcript_through_its_life(tmp_path: Path) -> None:
    folder = TranscriptRecords(tmp_path)
    assert folder.state(NAME, "k1") is State.MISSING
    folder.write(NAME, "ñuka\n", "k1")
    assert folder.state(NAME, "k1") is State.FINISHED
    assert folder.state(NAME, "k2") is State.STALE
    (tmp_path / NAME).write_text("ñuka!\n", encoding="utf-8")
    assert folder.state(NAME, "k1") is folder.state(NAME, "k2") is State.EDITED
    (tmp_path / NAME).unlink()
    assert folder.state(NAME, "k1") is State.MISSING
    assert folder.state("talks/other.wav.txt", "k1") is State.MISSING


def test_a_file_that_we_did_not_write_is_somebodys_own(tmp_path: Path) -> None:
    (tmp_path / "a.wav.txt").write_text("typed by hand")
    assert TranscriptRecords(tmp_path).state("a.wav.txt", "k") is State.EDITED


def _kill_at_the_second_rename(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Returns the list of what is renamed from now on: one, then the process ends."""
    real, renamed = os.replace, []

    def killed_at_the_second(source: Path, target: Path) -> None:
        if renamed:
            raise SystemExit
        renamed.append(target)
        real(source, target)

    monkeypatch.setattr("spt_whisper.atomic.os.replace", killed_at_the_second)
    return renamed


def test_killed_between_its_two_files_a_transcript_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, renamed = TranscriptRecords(tmp_path), _kill_at_the_second_rename(monkeypatch)
    with pytest.raises(SystemExit):
        folder.write("a.txt", "text", "k")
    assert len(renamed) == 1
    assert folder.state("a.txt", "k") is State.MISSING


def test_killed_while_it_is_made_again_a_transcript_is_outdated_and_nobodys_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = TranscriptRecords(tmp_path)
    folder.write("a.txt", "of the old model", "old")
    _kill_at_the_second_rename(monkeypatch)
    with pytest.raises(SystemExit):
        folder.write("a.txt", "of the new one", "new")
    assert folder.state("a.txt", "new") is State.STALE
    (tmp_path / "a.txt").write_text("typed by hand")
    assert folder.state("a.txt", "new") is State.EDITED


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "null", "{}", '{"key": "k1"}', '"\\ud800"', "\udcff", "version"],
)
def test_a_damaged_record_loses_no_transcript(damage: str, tmp_path: Path) -> None:
    folder = TranscriptRecords(tmp_path)
    folder.write("a.txt", "text", "k1")
    record = tmp_path / ".spt-whisper" / "a.txt.json"
    if damage == "version":
        damage = json.dumps({**json.loads(record.read_text()), "format_version": 2})
    record.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert folder.state("a.txt", "k1") is State.EDITED


def test_the_key_follows_the_audio(tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"one")
    first = audio_key(audio, "w")
    os.utime(audio, ns=(0, 0))
    assert audio_key(audio, "w") == first  # copied or touched
    assert audio_key(audio, "v") != first
    audio.write_bytes(b"two")
    os.utime(audio, ns=(0, 0))  # same size, same time
    assert audio_key(audio, "w") != first
    with pytest.raises(InputError, match=r"gone\.wav: cannot be read \(No such file"):
        audio_key(tmp_path / "gone.wav", "w")


def test_a_long_file_is_known_without_reading_it(tmp_path: Path) -> None:
    audio = tmp_path / "long.mp4"
    with audio.open("wb") as file:
        file.truncate(2**40)  # a hole: reading it would take minutes, and all memory
    os.utime(audio, ns=(5, 5))
    first = audio_key(audio, "w")
    assert audio_key(audio, "w") == first
    os.utime(audio, ns=(5, 6))
    assert audio_key(audio, "w") != first
    os.utime(audio, ns=(5, 5))
    os.truncate(audio, 2**40 - 1)
    os.utime(audio, ns=(5, 5))
    assert audio_key(audio, "w") != first


def a_prompt(value: float = 0.0, window: float = 30.0) -> Prompt:
    """One vector in front of the decoder's input, by hand."""
    import torch

    config = PromptConfig(side="decoder", site="input", length=1)
    card = PromptCard("base", "f" * 64, ModelShape(4, 1, 1), ("qug",), ("es",), (window,))
    tensors = {
        name: torch.full((1, *shape), value)
        for name, shape in config.tensor_shapes(card.shape).items()
    }
    return Prompt(config, PromptVectors.from_named_tensors(tensors), card, "a name")


def test_work_is_the_same_only_where_every_text_is(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TranscribeConfig(["a.wav"], output="out")
    prompt = a_prompt()

    def work(*prompts: Prompt, model: str = "m", config: TranscribeConfig = config) -> str:
        return work_digest(model, prompts, config.text_settings)

    same = work(prompt)
    assert work(a_prompt()) == same
    assert work(replace(prompt, name="moved")) == same
    for moved in (
        replace(config, audio=["b.wav"], output="x", overwrite=True, batch_size=1),
        replace(config, prompt="p", model="m"),  # told by their contents
    ):
        assert work(prompt, config=moved) == same
    others = [
        work(),
        work(prompt, prompt),
        work(a_prompt(value=0.1)),
        work(a_prompt(window=10.0)),
        work(prompt, model="n"),
        work(prompt, config=replace(config, language="es")),
        work(prompt, config=replace(config, format="srt")),  # with timestamps the text may differ
        work(prompt, config=replace(config, decoding=DecodingOptions(beam_size=5))),
    ]
    monkeypatch.setattr(transcript_records, "__version__", "99")
    others.append(work(prompt))
    assert same not in others
    assert len(set(others)) == len(others)
