"""Prompts and banks as tables for the terminal: card, tensors, nearest tokens, languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spt_whisper.evaluation.inspection.contents import BankRow, TensorSize
from spt_whisper.evaluation.inspection.lens import NearToken, VectorReading
from spt_whisper.evaluation.inspection.similarity import Similarity
from spt_whisper.printable import cell
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import Provenance
from spt_whisper.prompts.files import Prompt

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.console import JustifyMethod
    from rich.table import Table

_TENSOR_COLUMNS: dict[str, Callable[[TensorSize], str]] = {
    "tensor": lambda size: size.name,
    "shape": lambda size: " x ".join(map(str, size.shape)),
    "size": lambda size: f"{size.parameters:,}",
    "mean": lambda size: f"{size.mean_norm:.3f}",
    "min": lambda size: f"{size.least_norm:.3f}",
    "max": lambda size: f"{size.largest_norm:.3f}",
}
_NEAR_COLUMNS: dict[str, Callable[[VectorReading], str]] = {
    "norm": lambda reading: f"{reading.norm:.3f}",
    "first": lambda reading: _token(reading.tokens[0]),
    "second": lambda reading: _token(reading.tokens[1]),
    "third": lambda reading: _token(reading.tokens[2]),
}
_EMBEDDING_COLUMNS: dict[str, Callable[[VectorReading], str]] = {
    "language": lambda reading: reading.language,
    "site": lambda reading: reading.site,
    "vector": lambda reading: str(reading.position),
    **_NEAR_COLUMNS,
}
_SLOT_COLUMNS: dict[str, Callable[[VectorReading], str]] = {
    "layer": lambda reading: str(reading.layer),
    "slot": lambda reading: str(reading.position),
    **_NEAR_COLUMNS,
}
_BANK_COLUMNS: dict[str, Callable[[BankRow], str]] = {
    "language": lambda row: row.language,
    "tokens": lambda row: " ".join(row.tokens),
    "parameters": lambda row: f"{row.parameters:,}",
    "method": lambda row: row.method,
    "utterances": lambda row: "-" if row.utterances is None else f"{row.utterances:,}",
    "hours": lambda row: "-" if row.hours is None else f"{row.hours:g}",
    "sounds like": lambda row: row.nearest or "-",
}
_TEXT_COLUMNS = ("tensor", "site", "tokens", "language", "method")


def card_table(prompt: Prompt) -> Table:
    """What a prompt was made for and from."""
    from rich.table import Table

    card, config = prompt.card, prompt.config
    rows: dict[str, object] = {
        "base": f"{card.base} (weights {card.fingerprint[:12]})",
        "method": card.method,
        "prompt": f"side {config.side}, site {', '.join(config.sites)}, length {config.length}",
        "parameters": f"{prompt.parameter_count:,}",
        "languages": ", ".join(card.languages),
        "language tokens": " ".join(card.language_tokens),
        "window": card.windows_text,
        **{f"training: {name.replace('_', ' ')}": value for name, value in card.training.items()},
        **_made_with(card.provenance),
    }
    table = Table(title=cell(prompt.name), show_header=False)
    for name, value in rows.items():
        table.add_row(cell(name), cell(value))
    return table


def _made_with(provenance: Provenance | None) -> dict[str, object]:
    if provenance is None:
        return {}
    return {
        "made with": ", ".join(f"{name} {found}" for name, found in provenance.versions.items()),
        "git": provenance.git or "-",
        "data": provenance.data[:12],
    }


def tensor_table(sizes: Sequence[TensorSize]) -> Table:
    """One row a tensor, with L2 norms of its vectors; of biases and gates, absolute values."""
    return _table("Tensors, and the norms of their vectors", _TENSOR_COLUMNS, sizes)


def embedding_table(readings: Sequence[VectorReading]) -> Table:
    """One row a vector, with the nearest token embeddings."""
    return _table("Decoder: nearest token embeddings (cosine)", _EMBEDDING_COLUMNS, readings)


def slot_table(readings: Sequence[VectorReading]) -> Table:
    """One row a slot of one prompt, with the tokens that its value promotes."""
    title = "Decoder: tokens that the largest slots promote (logit; a lens, no meaning)"
    return _table(title, _SLOT_COLUMNS, readings)


def bank_table(bank: Bank, rows: Sequence[BankRow]) -> Table:
    """One row a language; the base, which is one for all, is in the title."""
    table = _table(f"{bank.folder}, for {bank.card(bank.languages[0]).base}", _BANK_COLUMNS, rows)
    shared = f"beside {bank.shared.parameter_count:,} shared parameters; " if bank.shared else ""
    table.caption = (
        f"{shared}utterances and hours are of the run that made it, all its languages together"
    )
    table.caption_justify = "left"
    return table


def similarity_table(similarity: Similarity) -> Table:
    """Cosines between languages, one row and one column each."""
    from rich.table import Table

    table = Table("", title=cell(f"{similarity.what}: cosine"))
    for language in similarity.languages:
        table.add_column(cell(language), justify="right")
    for language, row in zip(similarity.languages, similarity.cosines, strict=True):
        table.add_row(cell(language), *(f"{cosine:z.2f}" for cosine in row))
    return table


def _token(token: NearToken) -> str:
    return f"{token.text!r} {token.score:.2f}"


def _table(title: str, columns: dict[str, Callable[..., str]], rows: Sequence[object]) -> Table:
    from rich.table import Table

    table = Table(title=cell(title))
    for heading in columns:
        justify: JustifyMethod = "left" if heading in _TEXT_COLUMNS else "right"
        name = heading == "tensor"  # one word, which a reader may want to copy
        table.add_column(cell(heading), justify=justify, no_wrap=name)
    for row in rows:
        table.add_row(*(cell(read(row)) for read in columns.values()))
    return table
