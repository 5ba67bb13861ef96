"""FLEURS in both layouts: two utterances each, bad input, and real clips."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from spt_whisper.audio import audio_duration
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.fleurs import read_fleurs
from spt_whisper.corpora.source import CorpusSource
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import SAMPLES, is_one_line, tone, write_lines, write_tone

ROW = '7\t{}.wav\tБул "бир.\tбул бир\tб у л | б и р |\t1600\tMALE'  # a quote that stays open


def write_tsv_layout(root: Path, *names: str, end: str = "\n") -> Path:
    write_lines(root / "data/ky_kg/dev.tsv", *(ROW.format(name) for name in names), end=end)
    archive = root / "data/ky_kg/audio/dev.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name in sorted(set(names)):
            info = tarfile.TarInfo(f"dev/{name}.wav")
            info.size = len(tone())
            tar.addfile(info, io.BytesIO(tone()))
    return root


def row(name: str, **more: Any) -> dict[str, Any]:
    audio = {"bytes": tone(), "path": f"{name}.wav"}
    return {
        "id": 7, "num_samples": SAMPLES, "path": f"dev/{name}.wav", "audio": audio,
        "transcription": "бул бир", "raw_transcription": "Бул бир.", "language": "Kyrgyz", **more,
    }  # fmt: skip


def write_parquet_layout(root: Path, *shards: list[dict[str, Any]]) -> Path:
    folder = root / "parquet-data/ky_kg"
    folder.mkdir(parents=True)
    for index, rows in enumerate(shards):
        name = f"dev-{index:05d}-of-{len(shards):05d}.parquet"
        pa.parquet.write_table(pa.Table.from_pylist(rows), folder / name)
    return root


def read(root: Path, text_column: str | None = None) -> list[Utterance]:
    return read_fleurs(CorpusSource(str(root), "dev", "ky_kg", text_column))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_tsv_layout(tmp_path: Path, cache: Path, end: str) -> None:
    utterances = read(write_tsv_layout(tmp_path, "11", "12", end=end))
    audio = utterances[0].audio.parent
    assert cache in audio.parents
    assert utterances == [
        Utterance("11", audio / "11.wav", "бул бир", ("ky",), 0.1),
        Utterance("12", audio / "12.wav", "бул бир", ("ky",), 0.1),
    ]
    assert audio_duration(audio / "12.wav") == 0.1
    assert read(tmp_path, "raw_transcription")[0].text == 'Бул "бир.'


def test_audio_that_the_user_unpacked(tmp_path: Path, cache: Path) -> None:
    root = write_tsv_layout(tmp_path, "11")
    audio = write_tone(root / "data/ky_kg/audio/dev/11.wav")
    assert [utterance.audio for utterance in read(root)] == [audio]
    assert not cache.exists()


def test_the_parquet_layout(tmp_path: Path, cache: Path) -> None:
    root = write_parquet_layout(tmp_path, [row("11")], [row("12")])
    utterances = read(root)
    folder = utterances[0].audio.parent
    assert cache in folder.parents
    assert utterances == [
        Utterance("11", folder / "0000001.wav", "бул бир", ("ky",), 0.1),
        Utterance("12", folder / "0000002.wav", "бул бир", ("ky",), 0.1),
    ]
    assert audio_duration(folder / "0000002.wav") == 0.1
    assert read(root, "raw_transcription")[1].text == "Бул бир."


def test_both_layouts_say_the_same(tmp_path: Path, cache: Path) -> None:
    rows = [row("11"), row("12")]
    parquet = read(write_parquet_layout(tmp_path / "p", rows))
    tsv = read(write_tsv_layout(tmp_path / "t", "11", "12"))
    for one, other in zip(tsv, parquet, strict=True):
        assert one.audio.read_bytes() == other.audio.read_bytes()
        assert (one.id, one.text, one.duration) == (other.id, other.text, other.duration)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (ROW.format("11"), r"row 2: id '11' appears twice"),
        (ROW.format("12"), r"row 2: audio .*12\.wav is missing"),
        (ROW.format("../11"), r"row 2: audio '\.\./11\.wav' is no file name"),
        (ROW.format("dev/11"), r"row 2: audio 'dev/11\.wav' is no file name"),
        ("7\t11.wav\tx", r"row 2: found 3 columns; give 7: id, file_name"),
        (ROW.format("11").replace("1600", "many"), r"row 2: num_samples is 'many'"),
        (ROW.format("11").replace("1600", "0"), r"row 2: num_samples is '0'"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, cache: Path, line: str, message: str) -> None:
    root = write_tsv_layout(tmp_path, "11")
    write_lines(root / "data/ky_kg/dev.tsv", ROW.format("11"), line)
    with pytest.raises(InputError, match=rf"dev\.tsv {message}") as caught:
        read(root)
    assert is_one_line(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("11"), row("11")], r"row 2: id '11' appears twice"),
        ([row("11"), row("12", audio={"bytes": None, "path": "12.wav"})], r"row 2: no audio bytes"),
        ([row("a\\b")], r"row 1: id 'a\\\\b' cannot name a file"),
        ([row("11", num_samples=-5)], r"row 1: num_samples is '-5'"),
        ([row("11", transcription=None)], r"row 1: no transcription"),
        ([{"id": 7, "audio": None}], r": no column 'path'; found: id, audio"),
    ],
)
def test_bad_parquet_rows_are_named(
    tmp_path: Path, cache: Path, rows: list[dict[str, Any]], message: str
) -> None:
    root = write_parquet_layout(tmp_path, rows)
    with pytest.raises(InputError, match=message) as caught:
        read(root)
    assert "dev-00000-of-00001.parquet" in str(caught.value)
    assert is_one_line(caught.value)
    assert not list(cache.rglob("*.wav"))


def test_files_that_are_missing_empty_or_damaged(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(InputError, match=r"no split 'dev' of 'ky_kg', neither data/ky_kg/dev\.tsv"):
        read(tmp_path)
    folder = tmp_path / "parquet-data/ky_kg"
    folder.mkdir(parents=True)
    (folder / "dev-0.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(InputError, match=r"dev-0\.parquet: is no parquet") as caught:
        read(tmp_path)
    assert is_one_line(caught.value)
    pa.parquet.write_table(pa.Table.from_pylist([row("1")]).slice(0, 0), folder / "dev-0.parquet")
    with pytest.raises(InputError, match=r"dev-0\.parquet: has no utterances"):
        read(tmp_path)
    write_lines(tmp_path / "data/ky_kg/dev.tsv", ROW.format("11"))
    with pytest.raises(InputError, match=r"dev\.tsv: no audio, neither .*dev\.tar\.gz nor"):
        read(tmp_path)
    (tmp_path / "data/ky_kg/audio/dev").mkdir(parents=True)
    write_lines(tmp_path / "data/ky_kg/dev.tsv")
    with pytest.raises(InputError, match=r"dev\.tsv: has no utterances"):
        read(tmp_path)


def test_settings_that_fleurs_does_not_know(tmp_path: Path) -> None:
    write_lines(tmp_path / "data/ky_kg/dev.tsv", ROW.format("11"))
    with pytest.raises(InputError, match=r"wants a language; give subset, one of: ky_kg"):
        read_fleurs(CorpusSource(str(tmp_path), "dev"))
    with pytest.raises(
        InputError, match=r"text_column 'text' is not in FLEURS; give one of: trans"
    ):
        read(tmp_path, "text")


def test_real_clips(shared_data: Path, tmp_path: Path, cache: Path) -> None:
    root = shared_data / "fleurs_layout"
    parquet = tmp_path / "parquet-data/en_us"
    parquet.mkdir(parents=True)
    for shard in (root / "parquet-data/en_us").iterdir():
        shutil.copy(shard, parquet)
    config = CorpusConfig(str(root), reader="fleurs", subset="en_us")
    tsv = read_split(config, "test")
    packed = read_split(CorpusConfig(str(tmp_path), reader="fleurs", subset="en_us"), "test")
    assert len(tsv) == len(packed) == len(read_split(config, "dev")) == 5
    for one, other in zip(tsv, packed, strict=True):
        assert one.languages == other.languages == ("en",)
        assert (one.id, one.text, one.duration) == (other.id, other.text, other.duration)
        assert one.audio.read_bytes() == other.audio.read_bytes()
        assert audio_duration(one.audio) == pytest.approx(one.duration)
