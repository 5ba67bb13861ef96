"""Common Voice (Ardila et al., LREC 2020, arXiv 1912.06670) as it is released.

    <language>/<split>.tsv            a header, no quoting; train, dev, test, validated, ...
    <language>/clips/*.mp3            named by the column `path`, in 2019 without their `.mp3`
    <language>/clip_durations.tsv     milliseconds; since 2023

`path` and `sentence` are required; `client_id` (speaker) and `locale` (language) are used where
they are, the other columns differ between releases and are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spt_whisper.corpora.rows import clip_in, read_lines, row_error, unique
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance

Columns = dict[str, str]


def read_common_voice(source: CorpusSource) -> list[Utterance]:
    """Utterances of one split; the root is a language's folder, or `subset` names the one in it.

    Raises:
        InputError: there is no such split, a row is broken or its clip is missing.
    """
    folder = source.path / (source.subset or ".")
    table = folder / f"{source.split}.tsv"
    if not table.is_file():
        found = ", ".join(sorted(path.stem for path in folder.glob("*.tsv"))) or "none"
        raise MissingSplitError(
            f"{folder}: no split {source.split!r} (no {table.name}); found: {found}; "
            "give the language's folder as root, or its name as subset"
        )
    text_column = source.text_column or "sentence"
    durations = _durations(folder / "clip_durations.tsv")
    rows = _rows(table, ("path", text_column))
    return unique(
        table,
        (
            (number, _utterance(table, number, row, text_column, source.subset, durations))
            for number, row in rows
        ),
    )


def _utterance(
    table: Path,
    number: int,
    row: Columns,
    text_column: str,
    subset: str | None,
    durations: dict[str, float],
) -> Utterance:
    name = row["path"] if Path(row["path"]).suffix else f"{row['path']}.mp3"
    language = row.get("locale") or subset
    return Utterance(
        id=Path(name).stem,
        audio=clip_in(table.parent / "clips", name, table, number),
        text=row[text_column],
        languages=(language,) if language else (),
        duration=durations.get(name),
        speaker=row.get("client_id") or None,
    )


def _durations(table: Path) -> dict[str, float]:
    """Seconds by name of clip; nothing where the release has no such file."""
    if not table.is_file():
        return {}
    column = "duration[ms]"
    durations = {}
    for number, row in _rows(table, ("clip", column)):
        if not (row[column].isascii() and row[column].isdigit()):
            raise row_error(table, number, f"{column} is {row[column]!r}; give milliseconds")
        if milliseconds := int(row[column]):  # 0: it was not measured
            durations[row["clip"]] = milliseconds / 1000
    return durations


def _rows(table: Path, required: tuple[str, ...]) -> Iterator[tuple[int, Columns]]:
    """Rows under the header, which is row 1."""
    lines = read_lines(table)
    _, first = next(lines, (1, ""))
    header = first.split("\t")
    for name in required:
        if name not in header:
            raise row_error(table, 1, f"no column {name!r}; found: {', '.join(header)}")
    for number, line in lines:
        values = line.split("\t")
        if len(values) != len(header):
            problem = f"found {len(values)} columns; give {len(header)}, as the header"
            raise row_error(table, number, problem)
        yield number, dict(zip(header, values, strict=True))
