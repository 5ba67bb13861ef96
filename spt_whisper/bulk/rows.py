"""Rows of a manifest that are to be transcribed, each with its prompt and language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spt_whisper.bulk.settings import BulkJob
from spt_whisper.corpora.manifest import read_manifest_rows
from spt_whisper.corpora.rows import LANGUAGE_SEPARATOR, check_id
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import MIX
from spt_whisper.prompts.files import Prompt


@dataclass(frozen=True)
class BulkRow:
    """One utterance or file."""

    id: str  # unique in the manifest
    audio: str  # as the manifest names it
    path: str  # absolute
    start: float | None  # seconds into the file; None: from its beginning
    end: float | None  # seconds into the file; None: to its end
    language: str | None  # as the manifest has it, and once prompts are read Whisper's code or None
    prompt: str | None  # None: bare Whisper


def read_rows(job: BulkJob) -> list[BulkRow]:
    """Returns the rows of the manifest, in its order.

    Raises:
        InputError: names the file, and the row and column that are missing or wrong.
    """
    manifest = Path(job.manifest)
    seen: set[str] = set()
    rows = []
    for fields in read_manifest_rows(manifest):
        start, end = fields.part()
        row = BulkRow(
            fields.text("id"),
            fields.text("audio"),
            str(fields.audio().absolute()),
            start,
            end,
            MIX.join(fields.names("languages", "language", separator=LANGUAGE_SEPARATOR))
            or job.language,
            fields.optional("prompt") or job.prompt,
        )
        check_id(manifest, fields.number, row.id, seen)
        rows.append(row)
    if not rows:
        raise InputError(f"{manifest}: has no rows; give a file with one a line")
    return rows


def read_prompts(
    rows: Sequence[BulkRow], bank_folder: str | None
) -> tuple[list[BulkRow], dict[str, Prompt]]:
    """Reads every prompt that rows name, or take from the bank, once.

    Returns:
        The rows with the prompts' names and Whisper's language codes, and the prompts by name.

    Raises:
        InputError: a prompt cannot be read, or the bank has none for a row's language.
    """
    bank = Bank.from_pretrained(bank_folder) if bank_folder else None
    prompts: dict[str, Prompt] = {}
    placed = []
    for row in rows:
        name, code = row.prompt, row.language
        if name is not None and name not in prompts:
            prompts[name] = Prompt.from_pretrained(name)
        elif name is None and bank is not None:
            name = f"{bank.folder}/{row.language}"
            prompts[name], code = bank.prompt(_languages_for(row, bank)), None
        if name is not None and code is not None:
            code = prompts[name].card.code_of(code)
        placed.append(replace(row, prompt=name, language=code))
    return placed, prompts


def _languages_for(row: BulkRow, bank: Bank) -> list[str]:
    """The row's languages, by which the bank's prompt is chosen."""
    if row.language is None:
        raise InputError(
            f"row {row.id}: no language for bank {bank.folder}; wanted one of {', '.join(bank.languages)}"
        )
    return row.language.split(MIX)
