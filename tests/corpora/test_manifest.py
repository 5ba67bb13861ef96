"""Manifests: exact utterances from good ones, exact complaints about bad ones."""

from __future__ import annotations

import json
import logging
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from spt_whisper.audio import audio_duration
from spt_whisper.corpora.manifest import read_manifest
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

GOOD = {"id": "a", "audio": "audio/a.flac", "text": "Ñuka", "language": "qug", "duration": 1.5}


def write_jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_jsonl_with_everything(tmp_path: Path) -> None:
    full = {
        **GOOD,
        "id": "b",
        "languages": ["zh", "en"],
        "start": 0,
        "end": 2.5,
        "speaker": "s1",
        "word_langs": ["zh", "en"],
        "episode": 7,
        "sources": ["left", "out"],
    }
    assert read_manifest(write_jsonl(tmp_path / "x.jsonl", GOOD, full)) == [
        Utterance("a", tmp_path / "audio/a.flac", "Ñuka", ("qug",), 1.5),
        Utterance(
            "b", tmp_path / "audio/a.flac", "Ñuka", ("zh", "en"), 2.5,
            start=0.0, end=2.5, speaker="s1", word_languages=("zh", "en"),
        ),
    ]  # fmt: skip


def test_a_part_may_be_told_by_its_start_and_duration(tmp_path: Path) -> None:
    (utterance,) = read_manifest(write_jsonl(tmp_path / "x.jsonl", GOOD | {"start": 5}))
    assert (utterance.start, utterance.end, utterance.duration) == (5.0, 6.5, 1.5)


def test_a_part_has_the_length_of_its_start_and_end_whatever_the_duration_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [GOOD | {"id": f"{n}", "start": n, "end": n + 0.25, "duration": 600} for n in range(3)]
    close = GOOD | {"id": "close", "start": 0.1, "end": 1.599}  # 1.499: as it was written, 1.5
    off = GOOD | {"id": "off", "start": 0, "end": 1.45}
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        utterances = read_manifest(write_jsonl(tmp_path / "x.jsonl", close, off, *parts))
    assert [utterance.duration for utterance in utterances] == [1.5, 1.45, 0.25, 0.25, 0.25]
    (line,) = caplog.messages
    assert (
        "x.jsonl: in 3 rows duration is not end - start, which counts (row 3: 600 s, 0.25 s)"
        in line
    )


def test_languages_stand_between_plus_signs_and_commas_and_may_have_blanks(tmp_path: Path) -> None:
    told = {
        "Scottish Gaelic": ("Scottish Gaelic",),
        " Scottish Gaelic + en , zh,": ("Scottish Gaelic", "en", "zh"),
        "zh+en": ("zh", "en"),
    }
    rows = [GOOD | {"id": f"{n}", "language": text} for n, text in enumerate(told)]
    utterances = read_manifest(write_jsonl(tmp_path / "x.jsonl", *rows))
    assert [utterance.languages for utterance in utterances] == [*told.values()]


def test_csv_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "id,audio,text,language,duration,start,end,speaker,word_languages,note\n"
        '1,a.wav,"Hello, ""you""",zh+en,2.5,,,s1,zh en,x\n'
        "2,b.wav,,en,,1,3,,,\n"
        '3,c.wav,"two\nlines",en,1,,,,,\n'
    )
    assert read_manifest(path) == [
        Utterance(
            "1", tmp_path / "a.wav", 'Hello, "you"', ("zh", "en"), 2.5,
            speaker="s1", word_languages=("zh", "en"),
        ),
        Utterance("2", tmp_path / "b.wav", "", ("en",), 2.0, start=1.0, end=3.0),
        Utterance("3", tmp_path / "c.wav", "two\nlines", ("en",), 1.0),
    ]  # fmt: skip


def test_what_a_spreadsheet_leaves_empty_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,audio,text,,\n1,a.wav,b,,\n,,,,\n2,b.wav,c,,note\n , ,,,\n")
    assert read_manifest(path) == [
        Utterance("1", tmp_path / "a.wav", "b", ()),
        Utterance("2", tmp_path / "b.wav", "c", ()),
    ]


@pytest.mark.parametrize("name", ["niña", "niña ", unicodedata.normalize("NFD", "niña")])
def test_a_speaker_is_the_same_however_the_name_is_written(tmp_path: Path, name: str) -> None:
    row = GOOD | {"speaker": name, "audio": "a.wav "}
    (utterance,) = read_manifest(write_jsonl(tmp_path / "x.jsonl", row))
    assert (utterance.speaker, utterance.audio) == ("niña", tmp_path / "a.wav")


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_audio_is_found_whether_accents_are_composed_or_not(
    tmp_path: Path, forms: tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]
) -> None:
    told, there = (unicodedata.normalize(form, "ñ/niño.wav") for form in forms)
    (tmp_path / there).parent.mkdir()
    (tmp_path / there).touch()
    path = write_jsonl(tmp_path / "x.jsonl", GOOD | {"audio": told})
    assert read_manifest(path)[0].audio == tmp_path / there
    path = write_jsonl(tmp_path / "x.jsonl", GOOD | {"audio": told + "x"})
    assert read_manifest(path)[0].audio == tmp_path / (told + "x")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_byte_order_mark_and_line_ends_of_windows(tmp_path: Path, suffix: str) -> None:
    lines = {
        ".jsonl": '{"id": "a", "audio": "a.wav", "text": "ñ", "language": "qug"}\r\n\r\n',
        ".csv": "id,audio,text,language\r\na,a.wav,ñ,qug\r\n",
    }
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + lines[suffix].encode())
    assert read_manifest(path) == [Utterance("a", tmp_path / "a.wav", "ñ", ("qug",), None)]


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    row = {**GOOD, "text": "one\u2028two"}
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_manifest(path)[0].text == "one\u2028two"


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        ("a.wav", "corpus/a.wav"),
        ("./clips/../a.wav", "corpus/clips/../a.wav"),
        ("..a/b.wav", "corpus/..a/b.wav"),
    ],
)
def test_audio_is_relative_to_the_manifest(tmp_path: Path, audio: str, found: str) -> None:
    (tmp_path / "corpus").mkdir()
    path = write_jsonl(tmp_path / "corpus/x.jsonl", {**GOOD, "audio": audio})
    assert read_manifest(path)[0].audio == tmp_path / found


def test_an_empty_column_does_not_hide_the_other_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,audio,text,languages,language\n1,a.wav,b,,ky\n", encoding="utf-8")
    assert read_manifest(path)[0].languages == ("ky",)


def test_absolute_audio_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", {**GOOD, "audio": "/elsewhere/a.wav"})
    assert read_manifest(path)[0].audio == Path("/elsewhere/a.wav")


def without(column: str) -> dict[str, object]:
    return {name: value for name, value in GOOD.items() if name != column}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without("id"), r"no column 'id'; found: audio, text, language, duration"),
        (without("audio"), r"no column 'audio'; found: id, text, language, duration"),
        (without("text"), r"no column 'text'; found: id, audio, language, duration"),
        ({}, r"no column 'id'; found: nothing"),
        (["a"], r"found list; give one JSON object a line"),
        (GOOD, r"id 'a' appears twice"),
        ({**GOOD, "id": "../a"}, r"id '../a' cannot name a file"),
        ({**GOOD, "id": ""}, r"column 'id' is ''; give a value"),
        ({**GOOD, "id": None}, r"column 'id' is None; give a string"),
        ({**GOOD, "text": None}, r"column 'text' is None; give a string"),
        ({**GOOD, "text": 3}, r"column 'text' is 3; give a string"),
        ({**GOOD, "audio": " "}, r"column 'audio' is ' '; give a value"),
        ({**GOOD, "audio": "../a.wav"}, r"audio '../a.wav' leads out of "),
        ({**GOOD, "audio": "b/../../a.wav"}, r"leads out of "),
        ({**GOOD, "duration": "long"}, r"column 'duration' is 'long'; give seconds"),
        ({**GOOD, "duration": -1}, r"column 'duration' is -1; give seconds"),
        ({**GOOD, "duration": 0}, r"column 'duration' is 0; give seconds"),
        ({**GOOD, "duration": "1_7"}, r"column 'duration' is '1_7'; give seconds"),
        ({**GOOD, "duration": True}, r"column 'duration' is True; give seconds"),
        ({**GOOD, "duration": [1]}, r"column 'duration' is \[1\]; give seconds"),
        ({**GOOD, "duration": float("nan")}, r"column 'duration' is nan; give seconds"),
        ({**GOOD, "duration": 10**400}, r"column 'duration' is 1000+; give seconds"),
        ({**GOOD, "id": "caf\udce9"}, r"column 'id' is 'caf\\udce9'; give Unicode text"),
        ({**GOOD, "text": "hola \ud83d"}, r"column 'text' is 'hola \\ud83d'; give Unicode text"),
        ({**GOOD, "start": -0.5}, r"column 'start' is -0.5; give seconds"),
        ({**GOOD, "start": 2, "end": 2}, r"end 2.0 is not after start 2.0"),
        ({**GOOD, "language": 7}, r"column 'language' is 7; give a string or a list"),
        ({**GOOD, "word_langs": [1]}, r"column 'word_langs' is \[1\]; give a string or a list"),
        ({**GOOD, "speaker": ["s"]}, r"column 'speaker' is \['s'\]; give a string"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: object, message: str) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", GOOD, row)
    with pytest.raises(InputError, match=rf"x\.jsonl row 2: .*{message}") as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"id": "a"\n', r"x\.jsonl row 1: broken JSON"),
        ("x.jsonl", f'{{"id": {"9" * 5000}}}', r"x\.jsonl row 1: broken JSON"),
        ("x.jsonl", "[" * 100_000, r"x\.jsonl row 1: broken JSON"),
        ("x.jsonl", "", r"x\.jsonl: has no utterances"),
        ("x.jsonl", "\n\n", r"x\.jsonl: has no utterances"),
        ("x.csv", "", r"x\.csv: has no utterances"),
        ("x.csv", "id,audio,text\n", r"x\.csv: has no utterances"),
        ("x.csv", "id,audio\n1,a.wav\n", r"x\.csv row 2: no column 'text'; found: id, audio"),
        (
            "x.csv",
            "id;audio;text\n1;a.wav;b, c\n",
            r"row 1: columns are separated by semicolons; save",
        ),
        (
            "x.csv",
            "id\taudio\ttext\n",
            r"row 1: columns are separated by tabs; save it as CSV with",
        ),
        ("x.csv", "sep=,\nid,audio,text\n", r"row 1: found 'sep=', for Excel alone; take the line"),
        ("x.csv", "id,audio,text\n1,a.wav\n", r"x\.csv row 2: no column 'text'"),
        ("x.csv", "id,audio,text\n1,a.wav,b,c\n", r"x\.csv row 2: more values than columns"),
        ("x.csv", "id,audio,text\n1,a.wav,b\n\n\n2,a,b,c\n", r"x\.csv row 5: more values than"),
        (
            "x.csv",
            "id,audio,text,text\n1,a.wav,b,c\n",
            r"x\.csv row 1: column 'text' appears twice",
        ),
        ("x.csv", 'id,audio,text\n1,a.wav,b\n2,a.wav,"b\n', r"x\.csv row 3: broken CSV"),
        ("x.csv", "id,audio,text\n1,a.wav,b\n1,c.wav,d\n", r"x\.csv row 3: id '1' appears twice"),
        ("x.txt", "", r"x\.txt: unknown kind of manifest; give \.jsonl or \.csv"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "x.jsonl")
    (tmp_path / "x.jsonl").write_bytes('{"id": "ñ"}'.encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        read_manifest(tmp_path / "x.jsonl")


def test_the_text_may_be_in_another_column(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", {**GOOD, "spanish": "Yo"})
    assert read_manifest(path, "spanish")[0].text == "Yo"


def test_real_manifests(shared_data: Path) -> None:
    manifests = sorted((shared_data / "tiny").rglob("*.jsonl"))
    assert manifests
    for manifest in manifests:
        lines = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
        utterances = read_manifest(manifest)
        assert [utterance.id for utterance in utterances] == [line["id"] for line in lines]
        assert [utterance.text for utterance in utterances] == [line["text"] for line in lines]
        assert all(utterance.languages for utterance in utterances)
        first = utterances[0]
        assert audio_duration(first.audio) == pytest.approx(first.duration, abs=0.01)
