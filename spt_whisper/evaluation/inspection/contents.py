"""What a prompt's folder or a bank's holds: its tensors with their norms, and each language of a bank in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spt_whisper.evaluation.inspection.similarity import Similarity, key_similarity
from spt_whisper.evaluation.report import Report, report_of
from spt_whisper.prompts.bank import SHARED_FOLDER, Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.places import PLACES

_NUMBERS = tuple({f".{part}" for place in PLACES.values() for part in place.kind.numbers})


@dataclass(frozen=True)
class TensorSize:
    """One tensor: its shape, and the L2 norms of its vectors (of biases and gates: absolute values)."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    mean_norm: float
    least_norm: float
    largest_norm: float


@dataclass(frozen=True)
class BankRow:
    """One language of a bank; utterances and hours are those of the run that made it, which may be several languages'."""

    language: str
    tokens: tuple[str, ...]
    parameters: int
    method: str
    utterances: int | None
    hours: float | None
    nearest: str | None  # the other language that sounds most alike


def stored_tensors(subject: Prompt | Bank) -> dict[str, Tensor]:
    """Returns the tensors as the files hold them; those of a bank with `language: ` in front."""
    if isinstance(subject, Prompt):
        return {name: tensor[0] for name, tensor in subject.vectors.named_tensors().items()}
    members: dict[str, Mapping[str, Tensor]] = {}
    if subject.shared is not None:
        members[SHARED_FOLDER] = stored_tensors(subject.shared)
    for language in subject.languages:
        part = subject.parts.get(language)
        members[language] = part.tensors if part else stored_tensors(subject.prompts[language])
    return {
        f"{member}: {name}": tensor
        for member, tensors in members.items()
        for name, tensor in tensors.items()
    }


def tensor_sizes(tensors: Mapping[str, Tensor]) -> list[TensorSize]:
    """Returns shape and norms of tensors (..., D), or of biases and gates (L, N)."""
    return [_size(name, tensor) for name, tensor in tensors.items()]


def bank_rows(bank: Bank) -> list[BankRow]:
    """Returns a row for each language of a bank, in order of their names."""
    sounds = key_similarity(bank)
    return [_bank_row(bank, language, sounds) for language in bank.languages]


def report_beside(source: str) -> Report | None:
    """Returns the report that `evaluate` wrote beside a prompt's or a bank's folder, if there is one.

    Raises:
        InputError: it is broken.
    """
    path = report_of(Path(source))
    return Report.read(path) if Path(source).is_dir() and path.is_file() else None


def _size(name: str, tensor: Tensor) -> TensorSize:
    vectors = tensor.reshape(-1, 1 if name.endswith(_NUMBERS) else tensor.shape[-1])
    norms = vectors.norm(dim=1)
    return TensorSize(
        name,
        tuple(tensor.shape),
        tensor.numel(),
        float(norms.mean()),
        float(norms.min()),
        float(norms.max()),
    )


def _bank_row(bank: Bank, language: str, sounds: Similarity | None) -> BankRow:
    card = bank.card(language)
    return BankRow(
        language,
        card.language_tokens,
        (bank.parts.get(language) or bank.prompts[language]).parameter_count,
        card.method,
        card.training.get("utterances"),
        card.training.get("hours"),
        sounds.nearest(language) if sounds else None,
    )
