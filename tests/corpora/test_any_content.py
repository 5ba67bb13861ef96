"""Whatever stands in a corpus's files, a reader gives utterances or one line; nothing else ever comes out or is written."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.errors import InputError
from tests.corpora.tones import tone, write_tone


def manifest(root: Path, content: bytes) -> CorpusConfig:
    (root / "train.jsonl").write_bytes(content)
    return CorpusConfig(str(root))


def table(root: Path, content: bytes) -> CorpusConfig:
    (root / "train.csv").write_bytes(b"id,audio,text,language\n" + content)
    return CorpusConfig(str(root))


def kaldi(root: Path, content: bytes) -> CorpusConfig:
    (root / "train").mkdir()
    (root / "train" / "text").write_bytes(content)
    (root / "train" / "wav.scp").write_bytes(content)
    return CorpusConfig(str(root), "kaldi", language="qug")


def segments(root: Path, content: bytes) -> CorpusConfig:
    (root / "train").mkdir()
    (root / "train" / "text").write_text("u1 ari\n")
    (root / "train" / "wav.scp").write_text("r1 a.wav\n")
    (root / "train" / "segments").write_bytes(content)
    return CorpusConfig(str(root), "kaldi", language="qug")


def fleurs(root: Path, content: bytes) -> CorpusConfig:
    folder = root / "data" / "ky_kg"
    (folder / "audio").mkdir(parents=True)
    (folder / "train.tsv").write_bytes(content)
    with tarfile.open(folder / "audio" / "train.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("train/a.wav")
        info.size = len(tone())
        archive.addfile(info, io.BytesIO(tone()))
    return CorpusConfig(str(root), "fleurs", subset="ky_kg")


def parquet(root: Path, content: bytes) -> CorpusConfig:
    folder = root / "parquet-data" / "ky_kg"
    folder.mkdir(parents=True)
    (folder / "train-00000-of-00001.parquet").write_bytes(content)
    return CorpusConfig(str(root), "fleurs", subset="ky_kg")


def common_voice(root: Path, content: bytes) -> CorpusConfig:
    write_tone(root / "clips" / "a.mp3")
    header = b"client_id\tpath\tsentence\tlocale\n"
    (root / "train.tsv").write_bytes(header + content)
    return CorpusConfig(str(root), "common_voice")


def seame(root: Path, content: bytes) -> CorpusConfig:
    conversation = root / "conversation"
    write_tone(conversation / "audio" / "01NC01FBX_0101.flac")
    (conversation / "transcript" / "phaseII").mkdir(parents=True)
    (conversation / "transcript" / "phaseII" / "01NC01FBX_0101.txt").write_bytes(content)
    return CorpusConfig(str(root), "seame", dev=None)


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            [
                '{"id": "a", "audio": "a.wav", "text": "x", "language": "qug"}',
                '{"id": "../a", "audio": "../../etc/passwd", "text": "x"}',
                '{"id": 1, "audio": [], "text": null, "duration": "NaN"}',
                "u1 touch here |", "u1 r1 0.0 -1", "u1 r1 nan inf", "u1 a.wav", "r1\t0\t50\tCS\t我 okay",
                "7\ta.wav\tБир.\tбир\tб и р |\t1600\tMALE", "f\ta.mp3\tБир\tky", "\u202e\u0301", "\ufeff",
            ]
        ),
    ),
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize(
    "write", [manifest, table, kaldi, segments, fleurs, parquet, common_voice, seame]
)
@settings(max_examples=25, deadline=None)
@example(content=b"\x00\t\x0b")  # a line break of Unicode in a file name
@given(content=st.one_of(st.binary(max_size=60), LINES.map(lambda rows: "\n".join(rows).encode())))
def test_any_content_gives_utterances_or_one_line(
    write: Callable[[Path, bytes], CorpusConfig], content: bytes
) -> None:
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        root = Path(temporary) / "corpus"
        root.mkdir()
        patch.chdir(root)
        patch.setenv("SPT_WHISPER_CACHE", str(Path(temporary) / "cache"))
        config = write(root, content)
        before = set(root.rglob("*"))
        utterances, said = [], "read"
        try:
            utterances = read_split(config, "train")
        except InputError as error:
            said = str(error)
        assert len(said.splitlines()) == 1
        assert len({utterance.id for utterance in utterances}) == len(utterances)
        assert all(".." not in utterance.id for utterance in utterances)
        assert set(root.rglob("*")) == before  # no command ran, nothing was written
        beside = {path.name for path in Path(temporary).iterdir()}
        assert beside <= {"corpus", "cache"}
