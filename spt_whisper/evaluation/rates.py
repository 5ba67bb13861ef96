"""The error rates of a report: what each counts, what it is called, which stand beside it."""

from __future__ import annotations

from dataclasses import dataclass

from spt_whisper.text.units import RateName


@dataclass(frozen=True)
class Rate:
    """One error rate."""

    unit: str  # the field of `UnitErrors` that it is of
    title: str  # at the head of a column
    name: str
    shown: tuple[RateName, ...]  # the columns of a corpus that it says most about


RATES: dict[RateName, Rate] = {
    "wer": Rate("words", "WER", "Word error rate", ("wer", "cer")),
    # without blanks between words, there is no word error rate to speak of
    "cer": Rate("characters", "CER", "Character error rate", ("cer",)),
    "mixed_error_rate": Rate("mixed", "mixed", "Mixed error rate", ("mixed_error_rate", "cer")),
}
