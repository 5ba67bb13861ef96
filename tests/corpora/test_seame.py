"""SEAME: the LDC's release beside the two public test sets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from spt_whisper.corpora.seame import read_seame, speaker_of
from spt_whisper.corpora.source import CorpusSource
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from tests.corpora.tones import is_one_line, write_lines, write_tone

CONVERSATION = "seame_d1/data/conversation"
INTERVIEW = "seame_d2/data/interview"
TRAIN = (
    "01NC01FBX_0101\t1620\t4590\tCS\t我 觉得 (ppl) it's <v-noise> okay",
    "01NC01FBX_0101\t5000\t6004\tEN\tyes lah",
)


def write_corpus(root: Path, *lines: str, end: str = "\n") -> Path:
    """Two training recordings, one of each test set, and their transcripts."""
    for part, name in (
        (CONVERSATION, "01NC01FBX_0101"), (CONVERSATION, "06NC12MAY_0101"),
        (INTERVIEW, "NI01MAX_0101"), (INTERVIEW, "NI06FBP_0101"),
    ):  # fmt: skip
        write_tone(root / part / f"audio/{name}.flac")
        own = (f"{name}\t0\t900\tZH\t好",)
        transcript = root / part / f"transcript/phaseII/{name}.txt"
        write_lines(transcript, *(lines if name.startswith("01") else own), end=end)
    for test_set, speaker, recording in (
        ("dev_man", "nc12m", "06nc12may_0101"), ("dev_sge", "ni06f", "ni06fbp_0101"),
    ):  # fmt: skip
        names = [f"{speaker}-{recording}-00162-00459", f"{speaker}-{recording}-00500-00600"]
        folder = root / test_set
        write_lines(folder / "text", f"{names[0]} 对 對 okay <noise>", f"{names[1]} <unk>")
        write_lines(folder / "utt2spk", *(f"{name} {speaker}" for name in names))
        times = ("1.62 4.59", "5.00 6.00")
        cuts = zip(names, times, strict=True)
        write_lines(folder / "segments", *(f"{name} {recording} {time}" for name, time in cuts))
        write_lines(folder / "wav.scp", f"{recording} sox ./x.wav -t wav - |")  # never read
    return root


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_train_is_all_speakers_of_neither_test_set(tmp_path: Path, end: str) -> None:
    root = write_corpus(tmp_path, *TRAIN, end=end)
    first = root / CONVERSATION / "audio/01NC01FBX_0101.flac"
    second = root / INTERVIEW / "audio/NI01MAX_0101.flac"
    assert read_seame(CorpusSource(str(root), "train")) == [
        Utterance(
            "nc01f-01nc01fbx_0101-00162-00459", first, "我 觉得 it's okay", ("zh", "en"),
            pytest.approx(2.97), 1.62, 4.59, "nc01f",
        ),
        Utterance(
            "nc01f-01nc01fbx_0101-00500-00600", first, "yes lah", ("en",),
            pytest.approx(1.004), 5.0, 6.004, "nc01f",
        ),
        Utterance(
            "ni01m-ni01max_0101-00000-00090", second, "好", ("zh",), 0.9, 0.0, 0.9, "ni01m"
        ),
    ]  # fmt: skip


def test_test_sets_are_cut_out_of_the_release(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_corpus(tmp_path, *TRAIN)
    with caplog.at_level(logging.WARNING):
        assert read_seame(CorpusSource(str(root), "dev_man")) == [
            Utterance(
                "nc12m-06nc12may_0101-00162-00459",
                root / CONVERSATION / "audio/06NC12MAY_0101.flac",
                "对 對 okay", ("zh", "en"), pytest.approx(2.97), 1.62, 4.59, "nc12m",
            ),
        ]  # fmt: skip
    assert "dropped 1 of 2 utterances without words" in caplog.text
    utterances = read_seame(CorpusSource(str(root), "dev_sge"))
    assert [utterance.audio.name for utterance in utterances] == ["NI06FBP_0101.flac"]


def test_a_test_speaker_is_held_out_in_other_recordings_too(tmp_path: Path) -> None:
    root = write_corpus(tmp_path, *TRAIN)
    write_tone(root / CONVERSATION / "audio/16NC12MBQ_0101.flac")
    transcript = root / CONVERSATION / "transcript/phaseII/16NC12MBQ_0101.txt"
    write_lines(transcript, "16NC12MBQ_0101\t0\t900\tZH\t好")
    speakers = {utterance.speaker for utterance in read_seame(CorpusSource(str(root), "train"))}
    assert speakers == {"nc01f", "ni01m"}


def test_slips_and_marks_alone_are_dropped(tmp_path: Path) -> None:
    slips = ("01NC01FBX_0101\t7000\t7010\tEN\tx", "01NC01FBX_0101\t8000\t9000\tZH\t(ppb) <unk> ppo")
    root = write_corpus(tmp_path, *TRAIN, *slips)
    assert len(read_seame(CorpusSource(str(root), "train"))) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("01NC01FBX_0101\t1\t2\ttext", r"found 4 columns; give recording, start, end, language"),
        ("01NC01FBX_0101\t1\t2000\tMS\tx", r"language is 'MS'; give one of: EN, ZH, CS"),
        ("01NC01FBX_0101\tone\t2\tEN\tx", r"found 'one' to '2'; give milliseconds"),
        ("99NC01FBX_0101\t1\t2\tEN\tx", r"recording '99NC01FBX_0101' has no audio"),
        (TRAIN[1], r"id 'nc01f-.*' appears twice"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, line: str, message: str) -> None:
    root = write_corpus(tmp_path, *TRAIN, line)
    with pytest.raises(InputError, match=rf"01NC01FBX_0101\.txt row 3: {message}") as caught:
        read_seame(CorpusSource(str(root), "train"))
    assert is_one_line(caught.value)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no audio/\*\.flac below it; give the folder of LDC"):
        read_seame(CorpusSource(str(tmp_path), "train"))
    write_tone(tmp_path / INTERVIEW / "audio/NI01MAX_0101.flac")
    with pytest.raises(InputError, match=r"no dev_man; add the test sets of SEAME-dev-set"):
        read_seame(CorpusSource(str(tmp_path), "train"))
    for name in ("dev_man", "dev_sge"):
        write_lines(tmp_path / name / "text", "u1 x")
        write_lines(tmp_path / name / "segments", "u1 ni01max_0101 0 1")
    with pytest.raises(InputError, match=r"no transcript/phaseII/\*\.txt to train on"):
        read_seame(CorpusSource(str(tmp_path), "train"))
    with pytest.raises(InputError, match=r"no split 'dev'; name one of: train, dev_man, dev_sge"):
        read_seame(CorpusSource(str(tmp_path), "dev"))


@pytest.mark.parametrize(
    ("recording", "speaker"),
    [
        ("06nc12may_0101", "nc12m"), ("46NC41MBP_0101", "nc41m"),
        ("ui07faz_0105", "ui07f"), ("NI01MAX_0101", "ni01m"),
    ],
)  # fmt: skip
def test_speakers_as_the_test_sets_write_them(recording: str, speaker: str) -> None:
    assert speaker_of(recording) == speaker


def test_particles_pauses_and_foreign_words_are_words_as_the_test_sets_have_them(
    tmp_path: Path,
) -> None:
    line = "01NC01FBX_0101\t0\t900\tCS\t好吃 [啦] (er) (ppb) like #nasi-lemak# [lah] <v-noise> okay"
    first, *_ = read_seame(CorpusSource(str(write_corpus(tmp_path, line)), "train"))
    assert first.text == "好吃 啦 er like nasi-lemak lah okay"
