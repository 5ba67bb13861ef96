"""Preparing a corpus: what the manifest says is what the corpus said, and nothing is done twice."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile

from spt_whisper.audio import load_audio
from spt_whisper.corpora import CorpusConfig, read_manifest, read_split
from spt_whisper.errors import InputError
from spt_whisper.evaluation.data.prepare import Prepared, prepare_manifest
from spt_whisper.evaluation.data.settings import PrepareConfig
from tests.small_disk import small_disk
from tests.tiny_corpus import write_corpus

Format = Literal["flac", "opus"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


def add_row(root: Path, **columns: object) -> None:
    with (root / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(columns) + "\n")


def prepare(root: Path, out: Path, audio: Format | None = None) -> Prepared:
    return prepare_manifest(PrepareConfig(CorpusConfig(str(root)), str(out), audio=audio))


def test_without_conversion_the_manifest_names_the_files_where_they_are(
    root: Path, tmp_path: Path
) -> None:
    columns = {"text": "a b", "language": "zh+en", "speaker": "ana", "word_languages": ["zh", "en"]}
    add_row(root, id="cut", audio="audio/test2.wav", start=0.1, end=0.5, **columns)
    out = tmp_path / "new" / "m.jsonl"
    assert prepare(root, out) == Prepared(utterances=7, converted=0, kept=7, failed=0)
    before = read_split(CorpusConfig(str(root)), "train")
    after = read_manifest(out)
    assert [replace(row, duration=None) for row in after] == [
        replace(row, duration=None) for row in before
    ]
    assert [row.duration for row in after] == pytest.approx([row.duration for row in before])
    assert [path.name for path in out.parent.iterdir()] == ["m.jsonl"]


@pytest.mark.parametrize("audio", [None, "flac"])
def test_a_row_that_says_more_than_its_audio_has_ends_with_it(
    audio: Format | None, root: Path, tmp_path: Path
) -> None:
    soundfile.write(root / "audio" / "short.wav", np.full(16_000, 0.25), 16_000)
    columns = {"text": "x", "language": "qug", "start": 0.5, "end": 3.0}
    add_row(root, id="cut", audio="audio/short.wav", **columns)
    prepare(root, tmp_path / "m.jsonl", audio)
    assert read_manifest(tmp_path / "m.jsonl")[-1].duration == 0.5


@pytest.mark.parametrize("audio", ["flac", "opus"])
def test_audio_becomes_16_khz_mono_files_beside_the_manifest(
    audio: Format, root: Path, tmp_path: Path
) -> None:
    tone = 0.5 * np.sin(np.arange(44_100) * 2 * np.pi * 440 / 44_100)
    soundfile.write(root / "audio" / "train0.wav", np.stack([tone, 0.5 * tone], 1), 44_100)
    add_row(root, id="cut", audio="audio/test2.wav", text="x", language="qug", start=0.1, end=0.5)
    out = tmp_path / "new" / "m.jsonl"
    assert prepare(root, out, audio) == Prepared(7, converted=7, kept=0, failed=0)
    prepared = {row.id: row for row in read_manifest(out)}
    for row in read_split(CorpusConfig(str(root)), "train"):
        made = prepared[row.id]
        assert made.audio.parent == out.parent / "audio" / "m"
        assert made.audio.suffix == f".{audio}"
        assert soundfile.info(made.audio).samplerate == 16_000
        assert (made.start, made.end) == (None, None)
        wanted, found = load_audio(row.audio, row.start, row.end), load_audio(made.audio)
        assert made.duration == pytest.approx(len(wanted) / 16_000, abs=1e-3)
        assert len(found) == pytest.approx(len(wanted), abs=16)
        if audio == "flac":
            assert (wanted - found).abs().max() <= 2**-15
        else:
            size = min(len(wanted), len(found))
            assert np.corrcoef(wanted[:size], found[:size])[0, 1] > 0.9


def test_what_is_finished_is_not_converted_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "m.jsonl"
    some = PrepareConfig(CorpusConfig(str(root), limit=2), str(out), audio="flac")
    assert prepare_manifest(some).converted == 2
    times = {path: path.stat().st_mtime_ns for path in (out.parent / "audio" / "m").iterdir()}
    assert prepare(root, out, "flac") == Prepared(6, converted=4, kept=2, failed=0)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    # other audio under the same name is other audio
    soundfile.write(root / "audio" / "train1.wav", np.full(8_000, 0.25), 16_000)
    assert prepare(root, out, "flac") == Prepared(6, converted=1, kept=5, failed=0)
    assert next(row for row in read_manifest(out) if row.id == "train1").duration == 0.5


def test_any_id_makes_a_file_of_its_own(root: Path, tmp_path: Path) -> None:
    names = ["...", "a_b", "A_b", "a b", "CON", "ñ" * 300, "x" * 300]
    for name in names:
        add_row(root, id=name, audio="audio/test0.wav", text="x", language="qug")
    out = tmp_path / "new" / "m.jsonl"
    assert prepare(root, out, "flac").converted == 6 + len(names)
    files = [path for path in out.parent.rglob("*") if path.is_file() and path != out]
    assert {path.parent for path in files} == {out.parent / "audio" / "m"}
    assert len({path.name.lower() for path in files}) == 6 + len(names)
    assert [row.id for row in read_manifest(out)][6:] == names


@pytest.mark.parametrize("audio", [None, "flac"])
def test_an_unreadable_file_is_named_and_left_out(
    audio: Format | None, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "audio" / "train1.wav").unlink()
    (root / "audio" / "train4.wav").write_text("not audio")
    add_row(root, id="late", audio="audio/test0.wav", text="x", language="qug", start=9)
    out = tmp_path / "m.jsonl"
    with caplog.at_level(logging.WARNING):
        result = prepare(root, out, audio)
    assert (result.utterances, result.failed) == (4, 3)
    assert [row.id for row in read_manifest(out)] == ["train0", "train2", "train3", "train5"]
    for name in ("train1", "train4", "late"):
        assert f"left out {name}: {root}/audio/" in caplog.text


@pytest.mark.parametrize("audio", ["flac", "opus"])
def test_a_file_that_the_disk_does_not_take_whole_is_not_there(
    audio: Format, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "m.jsonl"
    with small_disk(1000), pytest.raises(OSError, match="too large") as failed:
        prepare(root, out, audio)
    assert Path(failed.value.filename).parent == out.parent / "audio" / "m"
    assert not any(path.is_file() for path in out.parent.rglob("*"))


def test_no_manifest_is_written_where_nothing_can_be_read(root: Path, tmp_path: Path) -> None:
    for path in (root / "audio").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"none of the audio can be read: .*train0\.wav"):
        prepare(root, tmp_path / "m.jsonl", "flac")
    assert not (tmp_path / "m.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_path_that_no_manifest_can_hold_is_refused_at_once(root: Path, tmp_path: Path) -> None:
    corpus = root.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    out = tmp_path / "new" / "m.jsonl"
    with pytest.raises(InputError, match=r"train0\.wav: the path is not UTF-8"):
        prepare(corpus, out)
    assert prepare(corpus, out, "flac").converted == 6
    with pytest.raises(InputError, match="the path is not UTF-8"):
        prepare(corpus, out.with_name(os.fsdecode(b"\xe9.jsonl")), "flac")
    assert sorted(path.name for path in out.parent.iterdir()) == ["audio", "m.jsonl"]


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("m.csv", r"wanted a manifest that ends in \.jsonl"),
        ("corpus/train.jsonl", "lies in the corpus"),
        ("corpus/new/m.jsonl", "lies in the corpus"),
    ],
)
def test_a_wrong_out_is_refused(out: str, message: str, root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        prepare(root, tmp_path / out)


def test_nothing_is_written_beside_one_manifest_nor_into_a_corpus_named_audio(
    root: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"test\.jsonl lies in the corpus .*train\.jsonl"):
        prepare(root / "train.jsonl", root / "test.jsonl")
    prepare(root / "train.jsonl", root / "prepared" / "test.jsonl")
    corpus = root.rename(tmp_path / "audio")
    with pytest.raises(InputError, match="audio/m lies in the corpus"):
        prepare(corpus, tmp_path / "m.jsonl", "flac")
    prepare(corpus, tmp_path / "m.jsonl")
