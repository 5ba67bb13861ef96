"""The check of a corpus: each fault, planted in a sound corpus, is found, named and weighed."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.evaluation.data.check import CorpusCheck, check_corpus
from spt_whisper.evaluation.data.findings import Finding
from spt_whisper.evaluation.data.settings import CheckConfig
from spt_whisper.evaluation.data.table import check_tables
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_tokenizer

Row = dict[str, object]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tokenizer without weights: bytes as tokens."""
    folder = tmp_path_factory.mktemp("model")
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus without a fault: every text and every audio is there once."""
    folder = write_corpus(tmp_path / "corpus")
    for split in ("train", "dev", "test"):
        rows = read_rows(folder, split)
        write_rows(folder, split, [{**row, "text": f"{row['text']} {row['id']}"} for row in rows])
    return folder


def read_rows(folder: Path, split: str) -> list[Row]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").split("\n")[:-1]]  # fmt: skip


def write_rows(folder: Path, split: str, rows: Sequence[Row]) -> None:
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    (folder / f"{split}.jsonl").write_text(text, "utf-8")


def change(folder: Path, split: str, index: int, **columns: object) -> None:
    rows = read_rows(folder, split)
    rows[index].update(columns)
    write_rows(folder, split, rows)


def write_audio(folder: Path, name: str, samples: np.ndarray) -> None:
    soundfile.write(folder / "audio" / name, samples.astype(np.float32), 16_000)


def check(folder: Path, model: str, window_seconds: float = 30.0) -> CorpusCheck:
    config = CheckConfig(CorpusConfig(str(folder)), model, window_seconds, workers=2)
    return check_corpus(config)


def only(found: CorpusCheck) -> Finding:
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


def test_a_sound_corpus_is_fit_and_counted(corpus: Path, model: str) -> None:
    found = check(corpus, model)
    assert found.findings == ()
    assert found.fit_to_train
    train, dev, test = found.parts
    assert [part.name for part in found.parts] == ["train", "dev", "test"]
    assert (train.utterances, dev.utterances, test.utterances) == (6, 2, 3)
    assert train.seconds == pytest.approx(sum(0.5 + 0.1 * index for index in range(6)))
    assert train.lengths == (5, 1, 0, 0, 0, 0, 0, 0, 0, 0)  # 0.5 to 0.9 s, and 1.0 s
    assert train.languages == {"qug": 6}
    assert train.speakers is None
    texts = [row["text"] for row in read_rows(corpus, "train")]
    assert train.tokens == sum(len(text.encode()) for text in texts)
    assert [(cost.character, cost.tokens, cost.count) for cost in found.characters] == [("ñ", 2, 4)]


FAULTS = {  # what is done to the second training row, the level and the words of the finding
    "missing audio": ({"audio": "audio/none.wav"}, "error", "audio missing or unreadable"),
    "a cut behind the end": ({"start": 9.0, "duration": None}, "error", "audio missing or unreadable"),
    "empty text": ({"text": "  "}, "error", "empty text"),
    "too much text": ({"text": "a" * 443}, "warning", "text over 448 decoder positions"),
    "repeated text": ({"text": "Ari, TRAIN0!"}, "warning", "text of an earlier utterance"),
    "no word": ({"text": "... [noise] —"}, "warning", "no letter in the text"),
    "a tag too few": (
        {"word_languages": ["qug"]}, "warning", "word languages that do not fit the words",
    ),
    "wrong duration": ({"duration": 1.6}, "warning", "duration off by over 0.25 s"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_row_is_one_finding(fault: str, corpus: Path, model: str) -> None:
    columns, level, what = FAULTS[fault]
    change(corpus, "train", 1, **columns)
    found = check(corpus, model)
    finding = only(found)
    assert (finding.level, finding.part, finding.what) == (level, "train", what)
    assert (finding.count, finding.examples) == (1, ("train1",))
    assert found.fit_to_train == (level == "warning")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"end": 0.000001}, "no sample between 0 and 1e-06 s; fix the utterance's end"),
        ({"start": 0.2, "end": 0.20001}, "no sample between 0.2 and 0.20001 s; fix the utterance"),
        (
            {"start": 0.7, "end": 0.8},
            "no audio after 0.7 s, the file has 0.60 s; fix the utterance",
        ),
    ],
)
def test_a_cut_without_a_sample_says_why(
    columns: Row, reason: str, corpus: Path, model: str
) -> None:
    change(corpus, "train", 1, duration=None, **columns)
    assert f"train1.wav: {reason}" in only(check(corpus, model)).reason


def test_442_tokens_still_fit_the_decoder(corpus: Path, model: str) -> None:
    change(corpus, "train", 1, text="a" * 441)
    assert check(corpus, model).findings == ()


def test_tokens_are_those_of_the_text_as_training_writes_it(corpus: Path, model: str) -> None:
    change(corpus, "train", 1, text="e\u0302\u0301" * 120)  # 600 bytes, composed 360
    assert check(corpus, model).findings == ()


def test_the_reason_of_unreadable_audio_is_passed_on(corpus: Path, model: str) -> None:
    (corpus / "audio" / "dev1.wav").write_text("not audio")
    finding = only(check(corpus, model))
    assert (finding.part, finding.examples) == ("dev", ("dev1",))
    assert finding.reason.startswith(f"{corpus}/audio/dev1.wav: cannot be read as audio")


def test_silent_and_clipped_audio_is_named(corpus: Path, model: str) -> None:
    wave = np.sin(np.arange(9_600) * 0.05)
    write_audio(corpus, "train1.wav", 2e-4 * wave)
    write_audio(corpus, "train2.wav", np.clip(3 * wave, -1, 1))
    silent, clipped = check(corpus, model).findings
    assert (silent.what, silent.examples) == ("silent (below -75 dB)", ("train1",))
    assert (clipped.what, clipped.examples) == ("clipped (over 0.1% of samples)", ("train2",))
    write_audio(corpus, "train1.wav", 1e-3 * wave)  # quiet, as some of FLEURS is
    assert only(check(corpus, model)) == clipped
    write_audio(corpus, "train1.wav", np.zeros(9_600))  # zeros have no level at all
    assert check(corpus, model).findings[0] == silent


def test_the_same_audio_in_train_and_test_is_an_error(corpus: Path, model: str) -> None:
    samples, _ = soundfile.read(corpus / "audio" / "train3.wav", dtype="int16")
    soundfile.write(corpus / "audio" / "copy.flac", samples, 16_000)  # other bytes, same sound
    change(corpus, "test", 2, audio="audio/copy.flac", duration=None)
    found = check(corpus, model)
    finding = only(found)
    assert (finding.level, finding.part) == ("error", "train, test")
    assert (finding.what, finding.examples) == ("same audio in both", ("test2",))
    assert not found.fit_to_train


def test_other_leaks_are_warnings(corpus: Path, model: str) -> None:
    change(corpus, "dev", 0, audio="audio/train3.wav", duration=None)
    change(corpus, "test", 0, text="ari train0", speaker="ana")
    change(corpus, "train", 2, speaker="ana")
    found = check(corpus, model)
    assert {(f.level, f.part, f.what, f.examples) for f in found.findings} == {
        ("warning", "train, dev", "same audio in both", ("dev0",)),
        ("warning", "train, test", "same text in both", ("test0",)),
        ("warning", "train, test", "same speaker in both", ("test0",)),
    }
    assert [part.speakers for part in found.parts] == [1, None, 1]


def test_one_manifest_for_every_split_is_told(corpus: Path, model: str) -> None:
    found = check_corpus(CheckConfig(CorpusConfig(str(corpus / "train.jsonl")), model=model))
    assert found.fit_to_train
    assert [(finding.level, finding.what) for finding in found.findings] == [
        ("warning", "one file is every split")
    ]


def test_cuts_out_of_one_file_are_told_apart(corpus: Path, model: str) -> None:
    """Each cut is measured by itself, though its file is decoded once."""
    wave = np.sin(np.arange(64_000) * 0.05) * np.linspace(0.1, 0.5, 64_000)
    write_audio(corpus, "long.wav", wave)
    long = {"audio": "audio/long.wav", "duration": None}
    change(corpus, "train", 0, start=0.0, end=1.5, **long)
    change(corpus, "train", 1, start=1.5, end=4.0, **long)
    found = check(corpus, model)
    assert found.findings == ()
    assert found.parts[0].lengths[:3] == (3, 2, 1)
    change(corpus, "test", 0, start=1.5, end=4.0, **long)
    assert only(check(corpus, model)).examples == ("test0",)


def test_what_does_not_fit_the_window_is_named(corpus: Path, model: str) -> None:
    finding = only(check(corpus, model, window_seconds=0.9))
    assert (finding.level, finding.what) == ("warning", "longer than 0.9 s")
    assert (finding.part, finding.examples) == ("train", ("train5",))
    change(corpus, "dev", 0, text="a" * 450)
    write_audio(corpus, "dev1.wav", np.sin(np.arange(32_000) * 0.07))
    change(corpus, "dev", 1, duration=2.0)
    found = check(corpus, model, window_seconds=1.5)
    assert not found.fit_to_train
    assert found.findings[0] == Finding("error", "dev", "nothing fits 1.5 s and 448 positions")


def test_text_that_does_not_belong_to_its_audio_is_named(corpus: Path, model: str) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for index in range(40):
        seconds = 2 + 0.1 * index
        write_audio(corpus, f"p{index}.wav", 0.1 * generator.standard_normal(int(16_000 * seconds)))
        size = round(seconds * 12 * generator.uniform(0.8, 1.2))
        text = "".join(generator.choice(list("aeikmn"), size))
        rows.append({"id": f"p{index}", "audio": f"audio/p{index}.wav", "text": text, "language": "x"})  # fmt: skip
    write_rows(corpus, "train", rows)
    assert check(corpus, model).findings == ()
    change(corpus, "train", 7, text=str(rows[7]["text"]) * 5)
    change(corpus, "train", 30, text="a")
    finding = only(check(corpus, model))
    assert finding.what == "pace far off: text and audio misaligned?"
    assert finding.examples == ("p7", "p30")


def test_duplicate_ids_make_the_split_an_error(corpus: Path, model: str) -> None:
    change(corpus, "test", 1, id="test0")
    found = check(corpus, model)
    finding = only(found)
    assert (finding.level, finding.part) == ("error", "test")
    assert "id 'test0' appears twice" in finding.reason
    assert [part.name for part in found.parts] == ["train", "dev"]


def test_splits_are_checked_as_far_as_they_are_there(corpus: Path, model: str) -> None:
    (corpus / "dev.jsonl").unlink()
    found = check(corpus, model)
    assert (only(found).level, only(found).what) == ("warning", "split is not there")
    config = CheckConfig(CorpusConfig(str(corpus), dev=None), model)
    assert check_corpus(config).findings == ()
    (corpus / "train.jsonl").unlink()
    assert not check_corpus(config).fit_to_train
    (corpus / "test.jsonl").unlink()
    with pytest.raises(InputError, match="no split 'train'"):
        check_corpus(config)


def test_an_empty_dev_part_leaves_the_corpus_fit(corpus: Path, model: str) -> None:
    (corpus / "dev.jsonl").write_text("")
    found = check(corpus, model)
    assert found.fit_to_train
    assert "dev.jsonl: has no utterances" in only(found).reason


def test_the_json_says_all_that_was_found(corpus: Path, model: str, tmp_path: Path) -> None:
    change(corpus, "train", 1, text="")
    found = check(corpus, model)
    found.write(tmp_path / "out" / "check.json")
    written = json.loads((tmp_path / "out" / "check.json").read_text("utf-8"))
    assert (written["format_version"], written["fit_to_train"]) == (1, False)
    assert written["findings"] == [
        {
            "level": "error", "part": "train", "what": "empty text",
            "count": 1, "examples": ["train1"], "reason": "",
        }
    ]  # fmt: skip
    assert len(written["parts"][0]["lengths"]) == len(written["length_bins"])


def test_the_tables_name_everything_at_100_columns(corpus: Path, model: str) -> None:
    change(corpus, "train", 1, text="", id="[bold]x\x9b", language="q\x1b[2J")
    console = Console(file=io.StringIO(), width=100)
    found = check(corpus, model)
    for table in check_tables(found):
        console.print(table)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("train", "qug 5", "latin small letter n with tilde", r"[bold]x\x9b"):
        assert expected in printed
    assert r"q\x1b[2J" in "".join(printed.split())
    assert not {"\x1b", "\x9b"} & set(printed)
    assert "unfit to train on: train: empty text" in printed
    fine = replace(found, findings=())
    assert [str(table) for table in check_tables(fine)][-1] == "fit to train on"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_seconds": 31.0}, "window_seconds: found 31, wanted more than 0 and at most 30"),
        ({"workers": 0}, "workers: found 0, wanted at least 1"),
        (
            {"output": "train.jsonl"},
            r"output: found train\.jsonl, wanted a file that ends in \.json",
        ),
        ({"model": "no-such-model"}, "model 'no-such-model': no such folder"),
    ],
)
def test_wrong_settings_are_refused(
    settings: dict[str, object], message: str, corpus: Path, model: str
) -> None:
    values = {"model": model, **settings}
    with pytest.raises(InputError, match=message):
        check_corpus(CheckConfig(CorpusConfig(str(corpus)), **values))  # type: ignore[arg-type]


def test_a_folder_without_a_tokenizer_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()  # of which transformers makes a tokenizer without tokens
    with pytest.raises(InputError, match=r"empty: no tokenizer\.json in it"):
        check(corpus, str(tmp_path / "empty"))


def test_real_corpora_are_fit(shared_data: Path, model: str) -> None:
    found = check(shared_data / "tiny" / "killkan_qug", model)
    assert found.fit_to_train
    assert [part.utterances for part in found.parts] == [16, 4, 8]
