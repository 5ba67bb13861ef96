"""Kaldi folders: with and without segments, and what is refused."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spt_whisper.corpora.kaldi import read_kaldi
from spt_whisper.corpora.source import CorpusSource
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import is_one_line, write_lines, write_tone


def write_corpus(root: Path, end: str = "\n") -> Path:
    """Two recordings, an utterance each."""
    for name in ("a", "b"):
        write_tone(root / f"audio/{name}.wav")
    write_lines(root / "train/wav.scp", "r1 audio/a.wav", f"r2 {root}/audio/b.wav", end=end)
    write_lines(root / "train/text", "u1 hello you", "u2\t你好 ok", end=end)
    write_lines(root / "train/segments", "u1 r1 0 0.05", "u2 r2 0.02 -1", end=end)
    write_lines(root / "train/utt2spk", "u1 s1", "u2 s2", end=end)
    return root


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_utterances_cut_out_of_recordings(tmp_path: Path, end: str) -> None:
    root = write_corpus(tmp_path, end)
    assert read_kaldi(CorpusSource(str(root), "train")) == [
        Utterance("u1", root / "audio/a.wav", "hello you", (), 0.05, 0.0, 0.05, "s1"),
        Utterance("u2", root / "audio/b.wav", "你好 ok", (), None, 0.02, None, "s2"),
    ]


def test_recordings_that_are_utterances(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    write_tone(tmp_path / "b c.wav")
    write_lines(tmp_path / "wav.scp", "u1 a.wav", "u2 b c.wav", "unused a.wav")
    write_lines(tmp_path / "text", "\ufeffu2 wide\u3000blank ", "", "u1")
    write_lines(tmp_path / "utt2lang", "u1 ky", "u2 zh en+ms")
    assert read_kaldi(CorpusSource(str(tmp_path), ".")) == [
        Utterance("u2", tmp_path / "b c.wav", "wide\u3000blank", ("zh", "en", "ms")),
        Utterance("u1", tmp_path / "a.wav", "", ("ky",)),
    ]


def test_a_command_is_refused_and_not_run(tmp_path: Path) -> None:
    root = write_corpus(tmp_path)
    write_lines(root / "train/wav.scp", "r1 audio/a.wav", f"r2 touch {root}/ran |")
    with pytest.raises(InputError, match=r"wav\.scp row 2: .*is a command, which is never run"):
        read_kaldi(CorpusSource(str(root), "train"))
    assert not (root / "ran").exists()


@pytest.mark.parametrize(
    ("file", "lines", "message"),
    [
        ("wav.scp", ["r1 audio/a.wav"], r"segments row 2: recording 'r2' has no audio"),
        ("wav.scp", ["r1"], r"wav\.scp row 1: recording 'r1' names no file"),
        ("wav.scp", ["r1 audio/c.wav"], r"wav\.scp row 1: audio .*audio/c\.wav is missing"),
        ("wav.scp", ["r1 ../a.wav"], r"wav\.scp row 1: audio '\.\./a\.wav' leads out of"),
        ("wav.scp", ["r1 audio/a.wav", "r1 audio/b.wav"], r"wav\.scp row 2: id 'r1' appears twice"),
        ("text", ["u1 x", "u2 y", "u1 z"], r"text row 3: id 'u1' appears twice"),
        ("text", ["u1 x", "u2 y", "u3 z"], r"text row 3: utterance 'u3' is not in utt2spk"),
        ("text", ["u1 x"], r"utt2spk row 2: utterance 'u2' is not in text"),
        ("segments", ["u1 r1 0 0.05"], r"text row 2: utterance 'u2' is not in segments"),
        ("segments", ["u1 r1 0", "u2 r2 0 1"], r"segments row 1: found 'r1 0'; give recording"),
        ("segments", ["u1 r1 1 1", "u2 r2 0 1"], r"segments row 1: found 'r1 1 1'"),
        ("segments", ["u1 r1 nan 1", "u2 r2 0 1"], r"segments row 1: found 'r1 nan 1'"),
        ("segments", ["u1 r1 0 inf", "u2 r2 0 1"], r"segments row 1: found 'r1 0 inf'"),
        ("segments", ["u1 r1 -2 -1", "u2 r2 0 1"], r"segments row 1: found 'r1 -2 -1'"),
        ("segments", ["u1 r1 a b", "u2 r2 0 1"], r"segments row 1: found 'r1 a b'"),
        ("segments", ["u1", "u2 r2 0 1"], r"segments row 1: nothing follows 'u1'"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(tmp_path: Path, file: str, lines: list[str], message: str) -> None:
    root = write_corpus(tmp_path)
    write_lines(root / "train" / file, *lines)
    with pytest.raises(InputError, match=message) as caught:
        read_kaldi(CorpusSource(str(root), "train"))
    assert is_one_line(caught.value)


@pytest.mark.parametrize("name", ["a/b", "..", "a\\b", "../../x"])
def test_ids_that_cannot_name_a_file(tmp_path: Path, name: str) -> None:
    write_tone(tmp_path / "a.wav")
    write_lines(tmp_path / "wav.scp", f"{name} a.wav")
    write_lines(tmp_path / "text", f"{name} x")
    with pytest.raises(InputError, match=r"text row 1: id .* cannot name a file"):
        read_kaldi(CorpusSource(str(tmp_path), "."))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no split 'train'; name a folder with wav\.scp and text"):
        read_kaldi(CorpusSource(str(tmp_path), "train"))
    with pytest.raises(InputError, match=r"nowhere: no such corpus"):
        read_kaldi(CorpusSource(str(tmp_path / "nowhere"), "train"))
    with pytest.raises(InputError, match=r"wav\.scp: no such file"):
        read_kaldi(CorpusSource(str(tmp_path), "."))
    write_lines(tmp_path / "wav.scp")
    write_lines(tmp_path / "text")
    with pytest.raises(InputError, match=r"text: has no utterances"):
        read_kaldi(CorpusSource(str(tmp_path), "."))


WORDS = st.text(string.ascii_letters + "ñ你\u3000'", min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(string.ascii_letters + string.digits, min_size=1), st.lists(WORDS)))
def test_every_folder_that_kaldi_can_write_is_read_back(texts: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_tone(root / "a.wav")
        write_lines(root / "wav.scp", *(f"{key} a.wav" for key in texts))
        write_lines(root / "text", *(" ".join((key, *words)) for key, words in texts.items()))
        if texts:
            utterances = read_kaldi(CorpusSource(name, "."))
            assert {u.id: u.text for u in utterances} == {k: " ".join(w) for k, w in texts.items()}
