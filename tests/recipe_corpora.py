"""A few utterances of 0.1 s for every recipe, in the true layout of its corpus."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from esperanto.corpus import CorpusConfig, make_corpus
from tests.corpora.tones import SAMPLES, tone, write_lines, write_tone
from tests.tiny_corpus import write_corpus

SPLITS = ("train", "dev", "test")


def write_asru2019(root: Path) -> Path:
    """Kaldi folders, as the user has made them."""
    for split in SPLITS:
        names = [f"{split}{index}" for index in range(2)]
        for name in names:
            write_tone(root / f"audio/{name}.wav")
        write_lines(root / split / "wav.scp", *(f"{name} audio/{name}.wav" for name in names))
        write_lines(root / split / "text", *(f"{name} 我 喜欢 music" for name in names))
        write_lines(root / split / "utt2spk", *(f"{name} s{name}" for name in names))
    return root


def write_common_voice(root: Path) -> Path:
    """Four languages beside each other."""
    for language in ("ky", "sah", "cv", "ug"):
        for split in SPLITS:
            names = [f"common_voice_{language}_{split}{index}.mp3" for index in range(2)]
            for name in names:
                write_tone(root / language / "clips" / name)
            rows = (f"f{split}\t{name}\tБир, эки\t2\t0\t{language}" for name in names)
            header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tlocale"
            write_lines(root / language / f"{split}.tsv", header, *rows)
    return root


def write_fleurs(root: Path) -> Path:
    """One language as tables and archives."""
    folder = root / "data/ky_kg"
    (folder / "audio").mkdir(parents=True)
    for split in SPLITS:
        names = [f"{split}{index}.wav" for index in range(2)]
        rows = (f"7\t{name}\tБир.\tбир\tб и р |\t{SAMPLES}\tMALE" for name in names)
        write_lines(folder / f"{split}.tsv", *rows)
        with tarfile.open(folder / f"audio/{split}.tar.gz", "w:gz") as archive:
            for name in names:
                info = tarfile.TarInfo(f"{split}/{name}")
                info.size = len(tone())
                archive.addfile(info, io.BytesIO(tone()))
    return root


def write_quickstart(root: Path) -> Path:
    """Esperanto as the quickstart makes it."""
    make_corpus(root, CorpusConfig(train=2, dev=2, test=2))
    return root


def write_seame(root: Path) -> Path:
    """A conversation to train on and one of each test set, with the LDC's transcripts and the test sets' folders."""
    conversation = root / "seame_d1/data/conversation"
    for recording in ("01NC01FBX_0101", "06NC12MAY_0101", "16NC06FBP_0101"):
        write_tone(conversation / f"audio/{recording}.flac")
        rows = (f"{recording}\t0\t50\tCS\t我 觉得 okay", f"{recording}\t50\t90\tZH\t好")
        write_lines(conversation / f"transcript/phaseII/{recording}.txt", *rows)
    for test_set, speaker, recording in (
        ("dev_man", "nc12m", "06nc12may_0101"), ("dev_sge", "nc06f", "16nc06fbp_0101"),
    ):  # fmt: skip
        name = f"{speaker}-{recording}-00000-00005"
        write_lines(root / test_set / "text", f"{name} 我 觉 得 okay")
        write_lines(root / test_set / "segments", f"{name} {recording} 0.00 0.05")
        write_lines(root / test_set / "utt2spk", f"{name} {speaker}")
        write_lines(root / test_set / "wav.scp", f"{recording} sox ./x.wav -t wav - |")
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "asru2019": write_asru2019,
    "common_voice": write_common_voice,
    "expansion": write_common_voice,
    "fleurs": write_fleurs,
    "kichwa": write_corpus,
    "quickstart": write_quickstart,
    "seame": write_seame,
}
"""The corpus of each recipe, by the recipe's name."""
