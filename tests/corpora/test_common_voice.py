"""Common Voice: old and new releases, and what is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from spt_whisper.corpora.common_voice import read_common_voice
from spt_whisper.corpora.source import CorpusSource
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import is_one_line, write_lines, write_tone

OLD = (
    "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent\tlocale\tsegment",
    'f00\tcommon_voice_ky_1.mp3\t"Бир, эки\t2\t0\ttwenties\tmale\t\tky\t',
    "ba4\tcommon_voice_ky_2.mp3\tүч\t2\t0\t\t\t\tky\t",
)
NEW = (
    "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender"
    "\taccents\tvariant\tlocale\tsegment",
    'f00\tcommon_voice_ky_1.mp3\t9a\t"Бир, эки\t\t2\t0\ttwenties\tmale\t\t\tky\t',
    "ba4\tcommon_voice_ky_2.mp3\t9b\tүч\t\t2\t0\t\t\t\t\tky\t",
)


def write_corpus(folder: Path, *lines: str, end: str = "\n") -> Path:
    for name in ("common_voice_ky_1", "common_voice_ky_2"):
        write_tone(folder / f"clips/{name}.mp3")
    write_lines(folder / "train.tsv", *lines, end=end)
    return folder


def expected(folder: Path, seconds: float | None = None) -> list[Utterance]:
    clips = folder / "clips"
    name = "common_voice_ky_{}"
    return [
        Utterance(
            name.format(1), clips / "common_voice_ky_1.mp3", '"Бир, эки', ("ky",), seconds,
            speaker="f00",
        ),
        Utterance(name.format(2), clips / "common_voice_ky_2.mp3", "үч", ("ky",), None, speaker="ba4"),
    ]  # fmt: skip


@pytest.mark.parametrize("lines", [OLD, NEW])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_old_and_new_columns(tmp_path: Path, lines: tuple[str, ...], end: str) -> None:
    folder = write_corpus(tmp_path / "ky", *lines, end=end)
    assert read_common_voice(CorpusSource(str(folder), "train")) == expected(folder)
    assert read_common_voice(CorpusSource(str(tmp_path), "train", "ky")) == expected(folder)


def test_durations_where_the_release_has_them(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, *NEW)
    rows = ("common_voice_ky_1.mp3\t108", "common_voice_ky_2.mp3\t0", "other.mp3\t7")
    write_lines(folder / "clip_durations.tsv", "clip\tduration[ms]", *rows)
    assert read_common_voice(CorpusSource(str(folder), "train")) == expected(folder, 0.108)
    write_lines(folder / "clip_durations.tsv", "clip\tduration[ms]", "a.mp3\tlong")
    with pytest.raises(InputError, match=r"clip_durations\.tsv row 2: duration\[ms\] is 'long'"):
        read_common_voice(CorpusSource(str(folder), "train"))


def test_the_first_release_names_clips_without_their_suffix(tmp_path: Path) -> None:
    audio = write_tone(tmp_path / "ky/clips/abc.mp3")
    write_lines(tmp_path / "ky/train.tsv", "\ufeffclient_id\tpath\tsentence", "s\tabc\tбир")
    assert read_common_voice(CorpusSource(str(tmp_path), "train", "ky")) == [
        Utterance("abc", audio, "бир", ("ky",), None, speaker="s")
    ]
    assert read_common_voice(CorpusSource(str(tmp_path / "ky"), "train"))[0].languages == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (OLD[1], r"row 3: id 'common_voice_ky_1' appears twice"),
        ("a\tb\tc", r"row 3: found 3 columns; give 10, as the header"),
        (OLD[1].replace("_1.mp3", "_3.mp3"), r"row 3: audio .*common_voice_ky_3\.mp3 is missing"),
        (OLD[1].replace("common", "../common"), r"row 3: audio '\.\./common.*' is no file name"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, line: str, message: str) -> None:
    write_corpus(tmp_path, OLD[0], OLD[1], line)
    with pytest.raises(InputError, match=rf"train\.tsv {message}") as caught:
        read_common_voice(CorpusSource(str(tmp_path), "train"))
    assert is_one_line(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), r"train\.tsv row 1: no column 'path'"),
        (OLD[:1], r"train\.tsv: has no utterances"),
        (("path\ttext", "a\tb"), r"train\.tsv row 1: no column 'sentence'; found: path, text"),
    ],
)
def test_empty_and_foreign_tables_are_named(
    tmp_path: Path, lines: tuple[str, ...], message: str
) -> None:
    write_corpus(tmp_path, *lines)
    with pytest.raises(InputError, match=message):
        read_common_voice(CorpusSource(str(tmp_path), "train"))


def test_a_clip_is_found_whether_accents_are_composed_or_not(tmp_path: Path) -> None:
    clip = write_tone(tmp_path / "clips" / unicodedata.normalize("NFD", "niño.mp3"))
    write_lines(tmp_path / "train.tsv", "path\tsentence", "niño.mp3\tx")
    assert read_common_voice(CorpusSource(str(tmp_path), "train"))[0].audio == clip


def test_a_missing_split_is_said(tmp_path: Path) -> None:
    write_corpus(tmp_path / "ky", *OLD)
    with pytest.raises(InputError, match=r"ky: no split 'test' \(no test\.tsv\); found: train"):
        read_common_voice(CorpusSource(str(tmp_path), "test", "ky"))
