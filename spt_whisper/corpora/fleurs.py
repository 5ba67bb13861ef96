"""FLEURS (Conneau et al., SLT 2022, arXiv 2205.12446) as it lies on disk, in either layout.

    data/<language>/<split>.tsv                  no header, no quoting, the seven columns below
    data/<language>/audio/<split>.tar.gz         one folder <split>/ of 16 kHz wavs; may be unpacked
    parquet-data/<language>/<split>-*.parquet    the same with the wavs inside

The split is `train`, `dev` or `test`, the language a code such as `ky_kg`. FLEURS's `id` is of a
sentence, which several people read; an utterance's id here is the name of its wav. There are no
speakers.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.cache import files_key
from spt_whisper.corpora.language_codes import language_code
from spt_whisper.corpora.rows import check_id, clip_in, read_lines, row_error, unique
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.unpacking import Clip, unpack_clips, unpack_tar
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

_TSV = (
    "id", "file_name", "raw_transcription", "transcription", "characters", "num_samples", "gender",
)  # fmt: skip
_PARQUET = ("audio", "path", "num_samples")  # and the text
TEXT_COLUMNS = ("transcription", "raw_transcription")  # lower case without punctuation; as written


def read_fleurs(source: CorpusSource) -> list[Utterance]:
    """Utterances of one split of one language; the TSV layout where both are there.

    Raises:
        InputError: there is no such language or split, or a row or archive is broken.
    """
    root, language = source.path, source.subset
    if language is None:
        names = sorted({folder.name for folder in root.glob("*data/*") if folder.is_dir()})
        found = ", ".join(names) or "none"
        raise InputError(f"{root}: FLEURS wants a language; give subset, one of: {found}")
    text_column = source.text_column or TEXT_COLUMNS[0]
    if text_column not in TEXT_COLUMNS:
        raise InputError(
            f"text_column {text_column!r} is not in FLEURS; give one of: {', '.join(TEXT_COLUMNS)}"
        )
    table = root / "data" / language / f"{source.split}.tsv"
    if table.is_file():
        return unique(table, _tsv_utterances(table, text_column))
    folder = root / "parquet-data" / language
    shards = sorted(folder.glob(f"{glob.escape(source.split)}-*.parquet"))
    if not shards:
        raise MissingSplitError(
            f"{root}: no split {source.split!r} of {language!r}, neither {table.relative_to(root)} "
            f"nor parquet-data/{language}/{source.split}-*.parquet; add it or name another"
        )
    return unpack_clips(
        f"fleurs-{language}-{source.split}-{text_column}", files_key(shards),
        lambda: _parquet_clips(shards, text_column),
    )  # fmt: skip


def _tsv_utterances(table: Path, text_column: str) -> Iterator[tuple[int, Utterance]]:
    language = _language_of(table.parent)
    audio = _audio_folder(table)
    for number, line in read_lines(table):
        values = line.split("\t")
        if len(values) != len(_TSV):
            problem = f"found {len(values)} columns; give {len(_TSV)}: {', '.join(_TSV)}"
            raise row_error(table, number, problem)
        row = dict(zip(_TSV, values, strict=True))
        name = row["file_name"]
        path = clip_in(audio, name, table, number)
        yield number, _utterance(table, number, row, path, text_column, language)


def _audio_folder(table: Path) -> Path:
    """Folder of a split's wavs: as the user unpacked it, else from the cache."""
    folder = table.parent / "audio" / table.stem
    if folder.is_dir():
        return folder
    archive = folder.with_name(f"{table.stem}.tar.gz")
    if not archive.is_file():
        raise InputError(f"{table}: no audio, neither {archive} nor {folder}; fetch the tar.gz")
    return unpack_tar(archive) / table.stem


def _language_of(folder: Path) -> str:
    return language_code(folder.name) or folder.name.split("_")[0]


def _parquet_clips(shards: list[Path], text_column: str) -> Iterator[Clip]:
    seen: set[str] = set()
    for shard in shards:
        language = _language_of(shard.parent)
        for number, row in _parquet_rows(shard, (*_PARQUET, text_column)):
            audio = row["audio"] or {}
            name = PurePosixPath(audio.get("path") or row["path"] or "").name
            utterance = _utterance(shard, number, row, Path(name), text_column, language)
            check_id(shard, number, utterance.id, seen)
            if not audio.get("bytes"):
                raise row_error(shard, number, "no audio bytes; fetch the file again")
            yield Clip(utterance, audio["bytes"])
    if not seen:
        raise MissingSplitError(f"{shards[0]}: has no utterances; fetch the file again")


def _parquet_rows(shard: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(shard) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                found = ", ".join(file.schema_arrow.names)
                raise InputError(f"{shard}: no column {missing[0]!r}; found: {found}")
            number = 0
            for batch in file.iter_batches(batch_size=32, columns=list(columns)):  # some 20 MB
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{shard}: is no parquet ({reason}); fetch the file again") from error


def _utterance(
    path: Path, number: int, row: Mapping[str, Any], audio: Path, text_column: str, language: str
) -> Utterance:
    samples = str(row["num_samples"])
    if not (samples.isascii() and samples.isdigit() and int(samples)):
        raise row_error(path, number, f"num_samples is {samples!r}; give a number above 0")
    if not isinstance(row[text_column], str) or not audio.stem:
        raise row_error(path, number, f"no {text_column} or no audio name; fetch the file again")
    return Utterance(
        id=audio.stem,
        audio=audio,
        text=row[text_column],
        languages=(language,),
        duration=int(samples) / SAMPLE_RATE,
    )
