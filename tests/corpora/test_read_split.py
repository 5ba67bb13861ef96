"""Splits of a corpus: which utterances are read, dropped and drawn."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from spt_whisper.audio import load_audio
from spt_whisper.corpora import READERS, CorpusConfig, Reader, read_dev, read_split
from spt_whisper.corpora.source import MissingSplitError
from spt_whisper.errors import InputError
from tests import tiny_corpus
from tests.corpora.tones import write_lines, write_tone


def write_corpus(root: Path, split: str = "train", number: int = 20, **more: Any) -> str:
    rows = (
        {"id": f"{split}{n}", "audio": "a.wav", "text": "x", "language": "qug", "duration": n + 1}
        for n in range(number)
    )
    text = "".join(f"{json.dumps({**row, **more})}\n" for row in rows)
    (root / f"{split}.jsonl").write_text(text)
    return str(root)


def ids(config: CorpusConfig, split: Literal["train", "dev", "test"] = "train") -> list[str]:
    return [utterance.id for utterance in read_split(config, split)]


def test_each_split_is_read_by_its_name(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write_corpus(tmp_path, name, 2)
    config = CorpusConfig(str(tmp_path), dev="valid")
    assert ids(config) == ["train0", "train1"]
    assert ids(config, "dev") == ["valid0", "valid1"]
    assert ids(config, "test") == ["test0", "test1"]


def test_a_dev_part_is_missed_only_where_somebody_named_one(tmp_path: Path) -> None:
    root = write_corpus(tmp_path)
    assert read_dev(CorpusConfig(root)) == read_dev(CorpusConfig(root, dev=None)) == []
    with pytest.raises(MissingSplitError, match=r"no split 'valid'.*--corpus\.dev null"):
        read_dev(CorpusConfig(root, dev="valid"))
    with pytest.raises(MissingSplitError):
        read_split(CorpusConfig(root), "dev")
    (tmp_path / "dev.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"dev\.jsonl row 1: broken JSON"):
        read_dev(CorpusConfig(root))


def test_an_empty_dev_part_that_nobody_named_is_none(tmp_path: Path) -> None:
    root = write_corpus(tmp_path)
    for name in ("dev", "test"):
        (tmp_path / f"{name}.jsonl").touch()
    (tmp_path / "valid.csv").write_text("id,audio,text\n")
    assert read_dev(CorpusConfig(root)) == []
    with pytest.raises(
        MissingSplitError, match=r"valid\.csv: has no utterances.*--corpus\.dev null"
    ):
        read_dev(CorpusConfig(root, dev="valid"))
    with pytest.raises(InputError, match=r"test\.jsonl: has no utterances"):
        read_split(CorpusConfig(root), "test")


def test_one_file_can_be_the_corpus(tmp_path: Path) -> None:
    write_corpus(tmp_path, "clips", 2)
    corpus = str(tmp_path / "clips.jsonl")
    assert ids(CorpusConfig(corpus), "test") == ["clips0", "clips1"]
    with pytest.raises(InputError, match=r"subset: found ky, but .*clips\.jsonl is one file"):
        read_split(CorpusConfig(corpus, subset=["ky", "sah"]), "train")


def test_long_utterances_are_dropped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = CorpusConfig(write_corpus(tmp_path), max_seconds=5)
    with caplog.at_level(logging.WARNING):
        assert ids(config) == [f"train{n}" for n in range(5)]
    assert "dropped 15 of 20 utterances longer than 5 s: train5, train6" in caplog.text
    assert "train14 and 5 more" in caplog.text


def test_an_unknown_duration_is_read_from_the_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(48_000), 16_000)
    config = CorpusConfig(write_corpus(tmp_path, number=1, duration=None), max_seconds=3)
    assert read_split(config, "train")[0].duration == 3.0
    with pytest.raises(InputError, match=r"no utterances of at most 2.9 s"):
        read_split(dataclasses.replace(config, max_seconds=2.9), "train")


def test_audio_that_cannot_be_read_is_left_to_who_needs_it(tmp_path: Path) -> None:
    write_corpus(tmp_path, number=3, duration=None)
    (tmp_path / "a.wav").write_text("no audio")
    config = CorpusConfig(str(tmp_path), max_seconds=10)
    assert [utterance.duration for utterance in read_split(config, "train")] == [None] * 3


def test_draws_are_seeded_ordered_and_nested(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write_corpus(tmp_path, split)
    config = CorpusConfig(str(tmp_path), limit=6)
    drawn = ids(config)
    assert len(set(drawn)) == 6
    assert drawn == sorted(drawn, key=lambda name: int(name.removeprefix("train")))
    assert drawn == ids(config)
    assert drawn != ids(dataclasses.replace(config, seed=1))
    assert set(drawn) < set(ids(dataclasses.replace(config, limit=12)))
    assert len(ids(dataclasses.replace(config, limit=99))) == 20
    # each limit is for its own split
    assert len(ids(config, "dev")) == len(ids(config, "test")) == 20
    config = CorpusConfig(str(tmp_path), test_limit=3)
    assert (len(ids(config)), len(ids(config, "dev")), len(ids(config, "test"))) == (20, 20, 3)


def test_the_draw_is_the_same_on_every_machine(tmp_path: Path) -> None:
    config = CorpusConfig(write_corpus(tmp_path), limit=4)
    assert ids(config) == ["train10", "train14", "train16", "train18"]


def test_languages(tmp_path: Path) -> None:
    config = CorpusConfig(write_corpus(tmp_path, number=1))
    assert read_split(config, "train")[0].languages == ("qug",)
    config = dataclasses.replace(config, language="zh+en")
    assert read_split(config, "train")[0].languages == ("zh", "en")
    config = dataclasses.replace(config, language="Scottish Gaelic, en ")
    assert read_split(config, "train")[0].languages == ("Scottish Gaelic", "en")
    config = dataclasses.replace(config, language="es")
    assert read_split(config, "train")[0].languages == ("es",)
    write_corpus(tmp_path, number=1, language=None)
    assert read_split(config, "train")[0].languages == ("es",)
    with pytest.raises(InputError, match="utterance 'train0' has no language"):
        read_split(dataclasses.replace(config, language=None), "train")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such corpus"):
        read_split(CorpusConfig(str(tmp_path / "nowhere")), "train")
    message = r"no split 'train', neither train\.jsonl nor train\.csv"
    with pytest.raises(InputError, match=message):
        read_split(CorpusConfig(str(tmp_path)), "train")
    write_corpus(tmp_path)
    (tmp_path / "train.csv").touch()
    with pytest.raises(InputError, match=r"both train\.jsonl and train\.csv"):
        read_split(CorpusConfig(str(tmp_path)), "train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reader": "kaldy"}, "reader 'kaldy' is unknown; give one of: manifest"),
        ({"reader": "kaldi", "subset": "ky"}, "subset: reader 'kaldi' does not take it"),
        ({"reader": "seame", "text_column": "x"}, "text_column: reader 'seame' does not take it"),
        ({"language": " + "}, "language: found ' \\+ ', wanted a code"),
        ({"max_seconds": 0}, "max_seconds is 0; give a number above 0"),
        ({"limit": 0}, "limit is 0"),
        ({"test_limit": -1}, "test_limit is -1"),
        ({"limit": "10"}, "limit is '10'; give a whole number above 0"),
        ({"limit": 0.5}, "limit is 0.5; give a whole number above 0"),
        ({"max_seconds": "5"}, "max_seconds is '5'; give a number above 0"),
        ({"subset": 7}, "subset is 7; give a name, or a list of names"),
        ({"subset": ["ky", 7]}, "give a name, or a list of names"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CorpusConfig("x", **settings)


def test_a_tuple_of_subsets_is_a_list() -> None:
    assert CorpusConfig("x", subset=("ky", "sah")).subset == ["ky", "sah"]  # type: ignore[arg-type]


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    config = CorpusConfig(write_corpus(tmp_path))
    with pytest.raises(
        InputError, match="split 'validation' is unknown; give one of: train, dev, test"
    ):
        read_split(config, "validation")  # type: ignore[arg-type]


def test_a_reader_is_a_row_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path, "other", 1)
    manifest = READERS["manifest"].read
    other = Reader(lambda source: manifest(dataclasses.replace(source, split="other")))
    monkeypatch.setitem(READERS, "mine", other)
    assert ids(CorpusConfig(str(tmp_path), reader="mine")) == ["other0"]


def test_subset_and_text_column_reach_the_reader(tmp_path: Path) -> None:
    write_tone(tmp_path / "ky/clips/a.mp3")
    write_lines(tmp_path / "ky/train.tsv", "path\tsentence\tnote", "a.mp3\tbir\teki")
    config = CorpusConfig(str(tmp_path), "common_voice", subset="ky", text_column="note")
    utterance = read_split(config, "train")[0]
    assert (utterance.text, utterance.languages) == ("eki", ("ky",))


def test_asru2019_is_read_from_kaldi_folders(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    write_lines(tmp_path / "test/wav.scp", "u1 a.wav")
    write_lines(tmp_path / "test/text", "u1 我 有 idea")
    config = CorpusConfig(str(tmp_path), "asru2019", language="zh+en")
    assert read_split(config, "test")[0].languages == ("zh", "en")


def test_real_corpora(shared_data: Path) -> None:
    config = CorpusConfig(str(shared_data / "tiny" / "killkan_qug"), max_seconds=3, limit=2)
    utterances = read_split(config, "train")
    assert len(utterances) == 2
    for utterance in utterances:
        assert utterance.languages == ("qug",)
        assert len(load_audio(utterance.audio)) == pytest.approx(utterance.duration * 16_000, abs=9)


def test_several_subsets_are_read_one_after_the_other_with_their_names(tmp_path: Path) -> None:
    for name, language in (("kyrgyz", "ky"), ("sakha", "sah")):
        tiny_corpus.write_corpus(tmp_path / name, train=4, languages=(language,))
    config = CorpusConfig(str(tmp_path), subset=["sakha", "kyrgyz"], limit=3)
    found = read_split(config, "train")
    assert [utterance.id[:7] for utterance in found] == ["sakha-t"] * 3 + ["kyrgyz-"] * 3
    assert [utterance.languages for utterance in found] == [("sah",)] * 3 + [("ky",)] * 3
    assert len({utterance.id for utterance in found}) == 6
    for wrong in ([], ["sakha", "sakha"]):
        with pytest.raises(InputError, match="give each one once"):
            CorpusConfig(str(tmp_path), subset=wrong)


def test_subsets_without_a_dev_part_do_not_drop_that_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, dev in (("kyrgyz", 0), ("sakha", 2), ("tatar", 0)):
        tiny_corpus.write_corpus(tmp_path / name, dev=dev)
        if not dev:
            (tmp_path / name / "dev.jsonl").unlink()
    config = CorpusConfig(str(tmp_path), subset=["kyrgyz", "sakha", "tatar"])
    with caplog.at_level(logging.INFO, "spt_whisper"):
        assert [utterance.id for utterance in read_dev(config)] == ["sakha-dev0", "sakha-dev1"]
        assert read_dev(dataclasses.replace(config, subset=["kyrgyz", "tatar"])) == []
    assert caplog.messages == [
        f"{tmp_path} has no dev part of kyrgyz, tatar: that of the others is used"
    ]
    (tmp_path / "sakha" / "dev.jsonl").rename(tmp_path / "sakha" / "valid.jsonl")
    with pytest.raises(MissingSplitError, match=r"no split 'valid'.*--corpus\.dev null"):
        read_dev(dataclasses.replace(config, dev="valid"))


def test_ids_of_subsets_stay_apart_and_name_files(tmp_path: Path) -> None:
    for name, identifier in (("a", "b-c"), ("a-b", "c"), ("real/x", "q")):
        tiny_corpus.write_corpus(tmp_path / name, train=1)
        path = tmp_path / name / "train.jsonl"
        row = json.loads(path.read_text().splitlines()[0])
        path.write_text(json.dumps({**row, "id": identifier, "speaker": "0"}))
    found = read_split(CorpusConfig(str(tmp_path), subset=["a", "real/x"]), "train")
    assert [utterance.id for utterance in found] == ["a-b-c", "real-x-q"]
    assert [utterance.speaker for utterance in found] == ["a-0", "real-x-0"]  # two people
    with pytest.raises(InputError, match="subset a-b: 'c' is 'a-b-c' in front of another subset"):
        read_split(CorpusConfig(str(tmp_path), subset=["a", "a-b"]), "train")
