"""Data sets of the Hugging Face hub, or local folders that `datasets` can read.

The root is a hub id (`google/fleurs`, `owner/name@revision`) or a folder, the subset a hub
configuration, the split as the data set names it; for `dev` its `validation` does, too. Rows are streamed and their audio
goes to the cache, so that nothing is kept twice; a later call needs neither the hub nor `datasets`
when the revision is given in full. Streamed in Arrow's format because `datasets` hands out audio
otherwise only through torchcodec, even undecoded.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from spt_whisper.cache import files_key
from spt_whisper.corpora.rows import check_id, path_below, row_error
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.unpacking import Clip, unpack_clips
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

TEXT_COLUMNS = ("text", "transcription", "sentence", "transcript")  # the first that is there
SPEAKER_COLUMNS = ("speaker_id", "client_id", "speaker")

_SYNONYMS = {"dev": "validation"}  # as most data sets call it
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BATCH = 16  # rows in memory at a time

logger = logging.getLogger(__name__)


def read_huggingface(source: CorpusSource) -> list[Utterance]:
    """Utterances of one split, without languages: the corpus's setting says them.

    An utterance's id is the name of its audio, with the row where that is missing or there twice. Rows without a text
    are left out, and a warning says how many.

    Raises:
        InputError: the data set cannot be read, or has no audio or no text column.
    """
    key = hashlib.sha256(repr((source, _version(source.root))).encode()).hexdigest()
    name = "-".join(part for part in (source.root, source.subset, source.split) if part)
    return unpack_clips(name[-80:], key, lambda: _clips(source))


def _version(root: str) -> str:
    """What changes with the data set: the commit on the hub, or sizes and times of local files."""
    if Path(root).is_dir():
        return files_key(path for path in Path(root).rglob("*") if path.is_file())
    name, _, revision = root.partition("@")
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(name, revision=revision or None).sha)
    except Exception as error:  # of the network, the hub and the name: they share no base class
        raise InputError(
            f"{root}: no such folder, and not available from the hub ({_one_line(error)}); check "
            "the name and the network, or give owner/name@commit to read it from the cache"
        ) from error


def _clips(source: CorpusSource) -> Iterator[Clip]:
    dataset, audio = _open(source)
    place = Path(source.root)
    text = _text_column(source, list(dataset.features))
    speaker = next((name for name in SPEAKER_COLUMNS if name in dataset.features), None)
    columns = [name for name in (audio, text, speaker) if name]
    seen: set[str] = set()
    textless = 0
    for number, row in enumerate(_rows(source, dataset.select_columns(columns)), start=1):
        if row[text] is None:
            textless += 1
            continue
        if not isinstance(row[text], str):
            raise row_error(place, number, f"column {text!r} is {row[text]!r}; give a string")
        path, content = _audio(place, number, audio, row[audio])
        utterance = Utterance(
            id=_identifier(path, number, seen),
            audio=Path(path).absolute() if content is None else Path(path),
            text=row[text],
            languages=(),
            duration=None,
            speaker=None if speaker is None or row[speaker] is None else str(row[speaker]),
        )
        check_id(place, number, utterance.id, seen)
        yield Clip(utterance, content)
    if textless:
        logger.warning("%s: %d rows without a text (%s) are left out", source.root, textless, text)
    if not seen:
        raise _without_rows(source)


def _without_rows(source: CorpusSource) -> MissingSplitError:
    return MissingSplitError(
        f"{source.root}: split {source.split!r} has no rows; name another split"
    )


def _audio(place: Path, number: int, column: str, value: Any) -> tuple[str, bytes | None]:
    """Name of a row's audio, and its bytes; None for a file on this disk."""
    if isinstance(value, str):
        value = {"path": value}
    path, content = (value and value.get(part) for part in ("path", "bytes"))
    if content:
        return path or "", content
    if not path:
        raise row_error(place, number, f"column {column!r} is empty; drop the row")
    if place.is_dir() and "://" not in path:
        path = str(path_below(place, path, place, number))
    return path, _fetched(place, number, path)


def _open(source: CorpusSource) -> tuple[Any, str]:
    """The data set, streamed, and its audio column."""
    from datasets import Audio, load_dataset

    local = Path(source.root).is_dir()
    name, _, revision = (source.root, "", "") if local else source.root.partition("@")
    try:
        dataset = load_dataset(
            name, source.subset, split=source.split, revision=revision or None, streaming=True
        )
        dataset = dataset._resolve_features()  # a CSV's and JSON's are told by the first rows
    except StopIteration as error:  # there is no first row
        raise _without_rows(source) from error
    except Exception as error:  # of files, formats, names and the hub: they share no base class
        splits = _splits(source, name, revision)
        synonym = _SYNONYMS.get(source.split)
        if splits and source.split not in splits:
            if synonym in splits:
                logger.info("%s: split %r is its %r", source.root, source.split, synonym)
                return _open(replace(source, split=synonym))
            raise MissingSplitError(
                f"{source.root}: no split {source.split!r}; found: {', '.join(splits)}; "
                "name it as the data set does"
            ) from error
        raise InputError(
            f"{source.root}: cannot be read ({_one_line(error)}); check root, subset and split"
        ) from error
    features = dataset.features or {}
    columns = [column for column, kind in features.items() if isinstance(kind, Audio)]
    columns = columns or [column for column in ("audio",) if column in features]
    if len(columns) != 1:
        found = ", ".join(features) or "none that it tells"
        raise InputError(
            f"{source.root}: wanted one audio column, found {len(columns)} in: {found}; "
            "give a data set with one, or with a column named 'audio'"
        )
    if getattr(features[columns[0]], "dtype", "") not in ("string", "large_string"):  # a path
        dataset = dataset.cast_column(columns[0], Audio(decode=False))
    return dataset.with_format("arrow"), columns[0]


def _splits(source: CorpusSource, name: str, revision: str) -> list[str]:
    """The names of the data set's splits; none where it cannot be read, and the split is not what is missing."""
    from datasets import get_dataset_split_names

    try:
        return list(get_dataset_split_names(name, source.subset, revision=revision or None))
    except Exception:  # as above
        return []


def _text_column(source: CorpusSource, columns: list[str]) -> str:
    wanted = TEXT_COLUMNS if source.text_column is None else (source.text_column,)
    for column in wanted:
        if column in columns:
            return column
    raise InputError(
        f"{source.root}: no text column {' or '.join(wanted)}; "
        f"give text_column, one of: {', '.join(columns)}"
    )


def _rows(source: CorpusSource, dataset: Any) -> Iterator[dict[str, Any]]:
    tables = dataset.iter(batch_size=_BATCH)
    while True:
        try:
            table = next(tables, None)
        except Exception as error:  # as in _open: files are opened at the first row
            raise InputError(
                f"{source.root}: cannot be read further ({_one_line(error)}); fetch it again"
            ) from error
        if table is None:
            return
        yield from table.to_pylist()


def _fetched(place: Path, number: int, path: str) -> bytes | None:
    """Bytes of an audio file on the hub or inside an archive; None for one on this disk."""
    if Path(path).is_file():
        return None
    if "://" not in path:
        raise row_error(place, number, f"audio {path} is missing; restore it or drop the row")
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            return bytes(file.read())
    except Exception as error:  # of any file system that fsspec knows
        problem = f"audio {path} cannot be fetched ({_one_line(error)}); try again"
        raise row_error(place, number, problem) from error


def _identifier(path: str, number: int, seen: set[str]) -> str:
    name = PurePosixPath(path.split("::")[0].replace("\\", "/")).stem
    plain = re.sub(r"[\x00-\x1f]", "", name)
    if not plain:
        return str(number)
    names = itertools.chain([plain], (f"{plain}-{more}" for more in itertools.count(number)))
    return next(name for name in names if name not in seen)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
