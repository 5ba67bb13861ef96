"""The synthetic Esperanto corpus: what is in it, and that the same call gives the same corpus."""

from __future__ import annotations

import collections
import hashlib
import importlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SPLITS = ("train", "dev", "test")
SMALL = ("--train", "12", "--dev", "6", "--test", "12", "--seed", "3")


def make(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / "make_esperanto.py"), "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def rows_of(folder: Path, split: str) -> list[dict]:
    return [
        json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").split("\n")[:-1]
    ]


def all_rows(folder: Path) -> list[dict]:
    return [row for split in SPLITS for row in rows_of(folder, split)]


def content(folder: Path) -> dict[str, str]:
    """The digest of every file: of the samples for audio, of the bytes for all else."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".flac":
            data = soundfile.read(path, dtype="int16")[0].tobytes()
        elif path.is_file():
            data = path.read_bytes()
        else:
            continue
        digests[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return digests


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("esperanto") / "corpus"
    done = make(out, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "30 utterances" in done.stdout
    return out


@pytest.fixture(scope="module")
def tool() -> dict[str, ModuleType]:
    """The tool's modules, which live outside the package."""
    sys.path.insert(0, str(TOOLS))
    try:
        names = ("corpus", "grammar", "speech", "lexicon")
        return {name: importlib.import_module(f"esperanto.{name}") for name in names}
    finally:
        sys.path.remove(str(TOOLS))


def test_rows_have_the_fields_of_a_manifest(corpus: Path) -> None:
    fields = {"id", "audio", "text", "language", "duration", "speaker"}
    assert [len(rows_of(corpus, split)) for split in SPLITS] == [12, 6, 12]
    rows = all_rows(corpus)
    assert all(set(row) == fields and row["language"] == "eo" for row in rows)
    assert len({row["id"] for row in rows}) == 30
    assert {row["audio"] for row in rows} == {
        f"audio/{path.name}" for path in (corpus / "audio").iterdir()
    }


def test_audio_is_16_khz_mono_of_the_stated_duration_and_not_clipped(corpus: Path) -> None:
    for row in all_rows(corpus):
        samples, rate = soundfile.read(corpus / row["audio"])
        assert (rate, samples.ndim) == (16_000, 1)
        assert row["duration"] == len(samples) / rate
        assert 1 <= row["duration"] <= 8
        assert 0.45 < abs(samples).max() < 0.55
        assert samples.std() > 0.02  # speech, not a click in silence
        assert abs(samples[:800]).max() < 0.02  # starts in silence


def test_each_split_uses_the_twelve_voices_evenly(corpus: Path, tool: dict) -> None:
    voices = tool["speech"].VOICES
    assert len(set(voices)) == 12
    for split in ("train", "test"):
        assert {row["speaker"] for row in rows_of(corpus, split)} == set(voices)
    assert max(collections.Counter(row["speaker"] for row in rows_of(corpus, "dev")).values()) == 1


def test_two_processes_give_the_same_corpus(corpus: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "again", *SMALL).returncode == 0
    assert content(tmp_path / "again") == content(corpus)


def test_six_utterances_do_not_depend_on_what_was_spoken_before(corpus: Path, tool: dict) -> None:
    speak = tool["corpus"].utterance_audio
    rows = rows_of(corpus, "test")[:6]
    for row in reversed(rows):
        samples = speak(row["text"], row["speaker"], f"3 {row['id']}")
        stored = soundfile.read(corpus / row["audio"], dtype="float32")[0]
        assert len(samples) == len(stored)
        assert abs(samples - stored).max() <= 1.01 / 32768


def test_another_seed_gives_other_sentences(tool: dict) -> None:
    config, sentences = tool["corpus"].CorpusConfig, tool["corpus"].sentences
    first, second = (sentences(config(50, 5, 5, seed))["train"] for seed in (0, 1))
    assert len(set(first) & set(second)) < 5


def test_a_larger_train_split_leaves_dev_and_test_alone(tool: dict) -> None:
    config, sentences = tool["corpus"].CorpusConfig, tool["corpus"].sentences
    small, large = sentences(config(10, 5, 5)), sentences(config(40, 5, 5))
    assert (small["dev"], small["test"]) == (large["dev"], large["test"])
    assert small["train"] == large["train"][:10]


def test_default_splits_are_disjoint_after_folding(tool: dict) -> None:
    drawn = tool["corpus"].sentences(tool["corpus"].CorpusConfig())
    assert {split: len(texts) for split, texts in drawn.items()} == {
        "train": 400,
        "dev": 40,
        "test": 100,
    }
    folded = [tool["grammar"].fold(text) for texts in drawn.values() for text in texts]
    assert len(set(folded)) == 540


def test_texts_are_esperanto_letters_and_punctuation(tool: dict) -> None:
    letters = "abcĉdefgĝhĥijĵklmnoprsŝtuŭvz"
    drawn = tool["corpus"].sentences(tool["corpus"].CorpusConfig())
    texts = [text for split in drawn.values() for text in split]
    sentence = re.compile(rf"[{letters.upper()}][{letters}]*(,? [{letters}]+){{4,8}}[.?!]")
    assert [text for text in texts if not sentence.fullmatch(text)] == []
    assert set("ĉĝĥĵŝŭ") <= set("".join(texts))


def test_train_shows_nearly_every_word_of_test(tool: dict) -> None:
    drawn = tool["corpus"].sentences(tool["corpus"].CorpusConfig())
    fold = tool["grammar"].fold
    known = {word for text in drawn["train"] for word in fold(text).split()}
    words = [word for text in drawn["test"] for word in fold(text).split()]
    assert sum(word not in known for word in words) / len(words) < 0.1


def test_lexicon_is_moderate_and_all_of_it_is_used(tool: dict) -> None:
    stems = tool["lexicon"].stems()
    assert 150 <= len(stems) <= 220
    text = " ".join(tool["corpus"].sentences(tool["corpus"].CorpusConfig())["train"]).lower()
    assert [stem for stem in stems if not re.search(rf"\b{stem}", text)] == []


ADJECTIVE_BESIDE_NOUN = re.compile(r"\b(\w{3,}?)a(j?n?) (\w{2,}?)o(j?n?)\b")
DETERMINER_BESIDE_NOUN = re.compile(
    r"\b(?:tiu|mia|via|lia|ŝia|nia|ilia|sia)(j?n?) \w{2,}?o(j?n?)\b"
)


def test_nouns_agree_with_what_stands_before_them(tool: dict) -> None:
    grammar = tool["grammar"].Grammar(random.Random(11))
    text = " ".join(grammar.sentence() for _ in range(500)).lower()
    adjectives = ADJECTIVE_BESIDE_NOUN.findall(text)
    determiners = DETERMINER_BESIDE_NOUN.findall(text)
    assert len(adjectives) > 100
    assert len(determiners) > 50
    assert [pair for pair in adjectives if pair[1] != pair[3]] == []
    assert [pair for pair in determiners if pair[0] != pair[1]] == []
    assert re.search(r"\bla \w+ajn \w+ojn\b", text)


def test_the_same_call_again_does_nothing(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    done = make(corpus, *SMALL)
    assert done.returncode == 0
    assert "already there" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_other_arguments_or_a_lost_file_make_it_anew(tmp_path: Path) -> None:
    out = tmp_path / "eo"
    assert make(out, "--train", "2", "--dev", "1", "--test", "1").returncode == 0
    assert make(out, "--train", "1", "--dev", "1", "--test", "1").returncode == 0
    assert len(all_rows(out)) == len(list((out / "audio").iterdir())) == 3
    (out / "audio" / "dev-00000.flac").unlink()
    done = make(out, "--train", "1", "--dev", "1", "--test", "1")
    assert "made in" in done.stdout
    assert (out / "audio" / "dev-00000.flac").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["eo"]


def test_a_corpus_of_an_older_grammar_is_made_anew(tmp_path: Path) -> None:
    sizes = ("--train", "1", "--dev", "1", "--test", "1")
    assert make(tmp_path / "eo", *sizes).returncode == 0
    path = tmp_path / "eo" / "corpus.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**record, "sentences_sha256": "0" * 64}), "utf-8")
    assert "made in" in make(tmp_path / "eo", *sizes).stdout
    assert json.loads(path.read_text("utf-8")) == record


def test_a_foreign_folder_is_refused_and_kept(tmp_path: Path) -> None:
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "README.md").write_text("# My own recordings\n")
    done = make(foreign, *SMALL)
    assert done.returncode == 2
    assert "did not make" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "README.md"]


def test_a_stranger_in_our_folder_is_refused_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "eo"
    assert make(out, "--train", "1", "--dev", "1", "--test", "1").returncode == 0
    (out / "prompt.safetensors").write_bytes(b"precious")
    done = make(out, "--train", "2", "--dev", "1", "--test", "1")
    assert done.returncode == 2
    assert "prompt.safetensors" in done.stderr
    assert (out / "prompt.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--train", "0"), r"--train is 0; wanted 1 to 20000"),
        (("--test", "999999"), r"--test is 999999; wanted 1 to 20000"),
        (("--seed", "-1"), r"--seed is -1; wanted 0 or more"),
    ],
)
def test_wrong_numbers_are_named(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = make(tmp_path / "eo", *arguments)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_grammar_that_runs_dry_is_an_error(tool: dict) -> None:
    grammar = tool["grammar"]
    words = iter(["Mi ridas.", "Vi ridas!"] * 1000)
    with pytest.raises(grammar.CorpusError, match="gave 2 new sentences where 3 were wanted"):
        grammar.draw_sentences(lambda: next(words), 3, set())


def test_an_unknown_voice_is_an_error_not_the_plain_voice(tool: dict) -> None:
    speech = tool["speech"]
    with pytest.raises(speech.SpeechError, match="no voice variant 'nobody'"):
        speech.speak("Saluton.", speech.Manner("eo+nobody", 160, 50, 50))


def test_the_readme_says_that_it_is_synthetic(corpus: Path, tool: dict) -> None:
    readme = (corpus / "README.md").read_text("utf-8")
    assert readme.startswith(tool["corpus"].MARKER)
    for needed in ("not real speech", "espeak-ng 1.", "--seed 3", "GPL-3.0", "12 train, 6 dev"):
        assert needed in readme
