"""How alike the languages of a bank are: in how they sound to bare Whisper, and in what their parts change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spt_whisper.prompts.bank import Bank


@dataclass(frozen=True)
class Similarity:
    """Cosines between languages."""

    what: str
    languages: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]  # a row and a column for each language, in this order

    def nearest(self, language: str) -> str | None:
        """Returns the other language with the largest cosine; None for a language that is not here."""
        if language not in self.languages:
            return None
        row = dict(zip(self.languages, self.cosines[self.languages.index(language)], strict=True))
        del row[language]
        return max(row, key=lambda other: row[other])


def similarities(bank: Bank) -> list[Similarity]:
    """Returns what can be said of a bank: keys, and effects where its languages share vectors."""
    found = (key_similarity(bank), effect_similarity(bank))
    return [similarity for similarity in found if similarity is not None]


def key_similarity(bank: Bank) -> Similarity | None:
    """Returns the cosines of the languages' mean log-posteriors, centered over the bank; None for fewer than two,
    or where they are of Whispers with other languages.

    Centering takes away what all languages of the bank have in common; of two languages it leaves -1.
    """
    keys = {language: bank.card(language).key for language in bank.languages}
    posteriors = {
        language: torch.tensor(key.log_posterior, dtype=torch.float64)
        for language, key in keys.items()
        if key is not None
    }
    if len(posteriors) < 2 or len({len(own) for own in posteriors.values()}) > 1:
        return None
    mean = torch.stack(list(posteriors.values())).mean(dim=0)
    centered = {language: posterior - mean for language, posterior in posteriors.items()}
    return _similarity("Sound (mean log-posterior, centered)", centered)


def effect_similarity(bank: Bank) -> Similarity | None:
    """Returns the cosines of what the languages' parts change in the shared vectors; None for fewer than two parts.

    The change is the combined vectors less the shared ones, flattened; vectors of a language's own (`concat`) count
    whole. Language tokens are left out.
    """
    if bank.shared is None or len(bank.parts) < 2:
        return None
    shared = bank.shared.vectors.named_tensors()
    effects = {}
    for language in bank.parts:
        whole = bank.prompt(language).vectors.named_tensors()
        effects[language] = torch.cat([_change(whole[name], shared[name]) for name in shared])
    return _similarity("Effect (combined less shared vectors)", effects)


def _change(whole: Tensor, shared: Tensor) -> Tensor:
    """(1, L, N, ...) less (1, L, N_shared, ...), whose positions come first, flattened."""
    change = whole.double()
    change[:, :, : shared.shape[2]] -= shared
    return change.flatten()


def _similarity(what: str, vectors: dict[str, Tensor]) -> Similarity:
    stacked = torch.stack(list(vectors.values()))
    directions = functional.normalize(stacked, dim=1)
    cosines = directions @ directions.T  # (languages, languages)
    return Similarity(what, tuple(vectors), tuple(tuple(row) for row in cosines.tolist()))
