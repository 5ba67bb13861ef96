"""Text normalization: the normalizers for scoring, and what is done to training targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from spt_whisper.errors import InputError
from spt_whisper.text.english import (
    english_numbers,
    expand_english_contractions,
    remove_english_fillers,
    remove_punctuation_around_numbers,
)
from spt_whisper.text.steps import (
    Step,
    collapse_whitespace,
    decimal_digits,
    join_digit_groups,
    lowercase,
    nfc,
    nfkc,
    remove_punctuation,
    remove_tags,
    simplify_chinese,
)

STEPS: dict[str, Step] = {
    "nfc": nfc,
    "nfkc": nfkc,
    "lowercase": lowercase,
    "remove_tags": remove_tags,
    "simplify_chinese": simplify_chinese,
    "decimal_digits": decimal_digits,
    "join_digit_groups": join_digit_groups,
    "remove_english_fillers": remove_english_fillers,
    "expand_english_contractions": expand_english_contractions,
    "remove_punctuation_around_numbers": remove_punctuation_around_numbers,
    "english_numbers": english_numbers,
    "remove_punctuation": remove_punctuation,
    "collapse_whitespace": collapse_whitespace,
}


_BYTE_ORDER_MARK = "\ufeff"  # Notepad and Excel put one in front of a file; it is never text
_MOST_ROUNDS = 10  # two are enough for the normalizers here; steps in an order of the user's own may never agree


@dataclass(frozen=True)
class Normalizer:
    """Named steps, applied in order; the name stands beside every number scored with it.

    All of them run again until nothing changes, so that a text normalized twice is the same:
    one step may make work for an earlier one (薴 is simplified to 苧, and that to 苎).
    """

    name: str
    steps: tuple[str, ...]

    def __post_init__(self) -> None:
        for step in self.steps:
            if step not in STEPS:
                raise InputError(f"text step {step!r} is unknown; give some of: {', '.join(STEPS)}")

    def __call__(self, text: str) -> str:
        """`text` after all steps."""
        for _ in range(_MOST_ROUNDS):
            before, text = text, self._run(text)
            if text == before:
                break
        return text

    def _run(self, text: str) -> str:
        for step in self.steps:
            text = STEPS[step](text)
        return text


NORMALIZERS: dict[str, Normalizer] = {
    normalizer.name: normalizer
    for normalizer in (
        Normalizer("raw", ("collapse_whitespace",)),  # the letters as they are written
        Normalizer("basic", ("nfkc", "lowercase", "remove_punctuation", "collapse_whitespace")),
        Normalizer(
            "english",  # close to Whisper's own, see english.py
            (
                "nfkc",
                "lowercase",
                "remove_tags",
                "remove_english_fillers",
                "expand_english_contractions",
                "join_digit_groups",
                "remove_punctuation_around_numbers",
                "english_numbers",
                "collapse_whitespace",
            ),
        ),
        Normalizer(
            "code_switching",  # Mandarin with another language
            (
                "nfkc",
                "lowercase",
                "remove_tags",
                "simplify_chinese",
                "decimal_digits",
                "remove_punctuation",
                "collapse_whitespace",
            ),
        ),
    )
}


def get_normalizer(name: str) -> Normalizer:
    """The normalizer of that name, or one of the steps given: `nfkc,lowercase`.

    Raises:
        InputError: there is none, or an unknown step.
    """
    if name in NORMALIZERS:
        return NORMALIZERS[name]
    if "," in name or name in STEPS:
        return Normalizer(name, tuple(step.strip() for step in name.split(",")))
    raise InputError(
        f"normalizer {name!r} is unknown; give one of: {', '.join(NORMALIZERS)}; "
        f"or some of these steps, with commas between: {', '.join(STEPS)}"
    )


@dataclass(frozen=True)
class TextProcessing:
    """What is done to the text that a prompt is trained to write.

    Composed letters (NFC), single blanks and no byte order mark always; the rest as set.
    """

    lowercase: bool = False
    """Write everything in lower case."""
    remove_punctuation: bool = False
    """Write no punctuation and no symbols; an apostrophe inside a word stays, one at its edge (ʼ too) goes."""

    @classmethod
    def of_card(cls, settings: Mapping[str, bool]) -> TextProcessing:
        """Returns the processing that a prompt's card names.

        Raises:
            InputError: this program does not know it, so it would teach a bank's next language other texts.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise InputError(
                f"card.text: found {', '.join(unknown)}, wanted some of {', '.join(known)}; install a newer version"
            )
        return cls(**settings)

    def apply(self, text: str) -> str:
        """The training target for `text`."""
        text = nfc(text.replace(_BYTE_ORDER_MARK, ""))
        if self.lowercase:
            text = lowercase(text)
        if self.remove_punctuation:
            text = remove_punctuation(text)
        return collapse_whitespace(text)
