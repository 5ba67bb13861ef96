"""Data sets that `datasets` can read: folders of parquet, of audio, of JSON and of zips."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest

from spt_whisper.audio import audio_duration
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.huggingface import read_huggingface
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import is_one_line, tone, write_lines, write_tone


@pytest.fixture(autouse=True)
def own_cache(cache: Path) -> Path:
    return cache


def write_parquet(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    pa.parquet.write_table(pa.Table.from_pylist(list(rows)), folder / "train-0.parquet")
    return folder


def row(name: str | None, **more: Any) -> dict[str, Any]:
    return {"audio": {"bytes": tone(), "path": name}, "sentence": "бир", "client_id": "s", **more}


def write_audio_folder(folder: Path) -> Path:
    for name in ("a", "b"):
        write_tone(folder / f"train/{name}.wav")
    lines = ("file_name,transcription,speaker_id", "a.wav,eins,7", "b.wav,zwei,8")
    write_lines(folder / "train/metadata.csv", *lines)
    return folder


def read(root: Path, split: str = "train", text_column: str | None = None) -> list[Utterance]:
    return read_huggingface(CorpusSource(str(root), split, text_column=text_column))


def test_bytes_in_parquet(tmp_path: Path, cache: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"), row("../../b.wav"))
    utterances = read(root)
    folder = utterances[0].audio.parent
    assert cache in folder.parents
    assert utterances == [
        Utterance("a", folder / "0000001.wav", "бир", (), None, speaker="s"),
        Utterance("b", folder / "0000002.wav", "бир", (), None, speaker="s"),
    ]
    assert audio_duration(utterances[1].audio) == 0.1


def test_names_that_are_missing_or_there_twice_get_their_row(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"), row("d/a.wav"), row(None))
    assert [utterance.id for utterance in read(root)] == ["a", "a-2", "3"]


def test_files_of_an_audio_folder_stay_where_they_are(tmp_path: Path) -> None:
    root = write_audio_folder(tmp_path / "x")
    assert read(root) == [
        Utterance("a", root / "train/a.wav", "eins", (), None, speaker="7"),
        Utterance("b", root / "train/b.wav", "zwei", (), None, speaker="8"),
    ]


def test_files_inside_a_zip_are_fetched(tmp_path: Path, cache: Path) -> None:
    folder = write_audio_folder(tmp_path / "x")
    (tmp_path / "zip").mkdir()
    shutil.make_archive(str(tmp_path / "zip/train"), "zip", folder / "train")
    utterances = read(tmp_path / "zip")
    assert [(utterance.id, utterance.text) for utterance in utterances] == [
        ("a", "eins"),
        ("b", "zwei"),
    ]
    assert all(cache in utterance.audio.parents for utterance in utterances)
    assert audio_duration(utterances[1].audio) == 0.1


def test_paths_in_a_column_of_strings(tmp_path: Path) -> None:
    audio = write_tone(tmp_path / "a.wav")
    row = {"audio": str(audio), "text": "x"}
    write_lines(tmp_path / "x/train.jsonl", json.dumps(row))
    assert read(tmp_path / "x") == [Utterance("a", audio, "x", (), None)]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("relative", [False, True])
def test_paths_are_from_the_data_sets_folder(
    tmp_path: Path, kind: str, relative: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = write_tone(tmp_path / "x/clips/a.wav")
    lines = {
        "csv": ("audio,text", "clips/a.wav,бир"),
        "jsonl": (json.dumps({"audio": "clips/a.wav", "text": "бир"}),),
    }
    write_lines(tmp_path / f"x/train.{kind}", *lines[kind])
    monkeypatch.chdir(tmp_path)
    root = Path("x") if relative else tmp_path / "x"
    assert read(root) == [Utterance("a", audio, "бир", (), None)]


def test_rows_without_a_text_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = (row("a.wav", sentence=None), row("b.wav"), row("c.wav", sentence=None))
    root = write_parquet(tmp_path / "x", *rows)
    assert [utterance.id for utterance in read(root)] == ["b"]
    assert caplog.messages == [f"{root}: 2 rows without a text (sentence) are left out"]


def test_rows_are_read_once_and_again_after_a_change(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"))
    first = read(root)[0].audio
    first.write_bytes(b"kept")
    assert read(root)[0].audio.read_bytes() == b"kept"
    write_parquet(root, row("a.wav"), row("b.wav"))
    assert len(read(root)) == 2
    assert read(root)[0].audio.read_bytes() == tone()


def test_the_corpus_setting_says_the_language(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"))
    config = CorpusConfig(str(root), "huggingface", language="ky")
    assert read_split(config, "train")[0].languages == ("ky",)


def test_the_text_column(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav", raw="Бир."))
    assert read(root, text_column="raw")[0].text == "Бир."
    with pytest.raises(InputError, match=r"no text column note; give text_column, one of: audio, "):
        read(root, text_column="note")
    write_parquet(root, {"audio": {"bytes": tone(), "path": "a"}, "words": "x"})
    with pytest.raises(InputError, match=r"no text column text or transcription or sentence"):
        read(root)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("b.wav", audio={"bytes": None, "path": None}), r"row 2: column 'audio' is empty"),
        (row("b.wav", audio={"bytes": None, "path": "/no/b.wav"}), r"row 2: audio /no/b\.wav is mis"),
        (row("b.wav", audio={"bytes": None, "path": "zip://b.wav::/no.zip"}), r"row 2: audio zip"),
        (row("b\\...wav"), r"row 2: id '\.\.' cannot name a file"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(tmp_path: Path, cache: Path, bad: dict[str, Any], message: str) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"), bad)
    with pytest.raises(InputError, match=message) as caught:
        read(root)
    assert str(root) in str(caught.value)
    assert is_one_line(caught.value)
    assert not list(cache.rglob("*.wav"))


def test_data_sets_that_cannot_be_read(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"))
    with pytest.raises(MissingSplitError, match=r"x: no split 'dev'; found: train; name it as"):
        read(root, "dev")
    write_parquet(root, {"text": "x"})
    with pytest.raises(InputError, match=r"wanted one audio column, found 0 in: text"):
        read(root)
    (root / "train-0.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(InputError, match=r"x: cannot be read") as caught:
        read(root)
    assert is_one_line(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: cannot be read .*any data files"):
        read(tmp_path / "empty")


def test_a_split_without_rows_is_missing(tmp_path: Path) -> None:
    write_lines(tmp_path / "x/dev.csv", "audio,text")
    with pytest.raises(MissingSplitError, match=r"x: split 'validation' has no rows"):
        read(tmp_path / "x", "dev")


def test_dev_is_what_the_data_set_calls_validation(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "x", row("a.wav"))
    (root / "train-0.parquet").rename(root / "validation-0.parquet")
    assert [utterance.id for utterance in read(root, "dev")] == ["a"]


def test_without_a_network_a_hub_id_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        InputError, match=r"google/fleurs: no such folder, and not available"
    ) as caught:
        read(Path("google/fleurs"))
    assert is_one_line(caught.value)


def test_a_commit_is_read_from_the_cache_without_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = write_parquet(tmp_path / "x", row("a.wav"))
    commit = "0123456789" * 4
    load = datasets.load_dataset
    asked = []

    def hub(name: str, *arguments: Any, revision: str, **more: Any) -> Any:
        asked.append((name, *arguments, revision))
        return load(str(local), **more)

    monkeypatch.setattr(datasets, "load_dataset", hub)
    source = CorpusSource(f"owner/name@{commit}", "train", subset="ky_kg")
    first = read_huggingface(source)
    assert read_huggingface(source) == first
    assert asked == [("owner/name", "ky_kg", commit)]


def test_real_parquet(shared_data: Path) -> None:
    folder = shared_data / "fleurs_layout/parquet-data/en_us"
    utterances = read(folder, "test")
    assert len(utterances) == 5
    assert all(utterance.text and utterance.id.isdigit() for utterance in utterances)
    assert audio_duration(utterances[0].audio) > 1
