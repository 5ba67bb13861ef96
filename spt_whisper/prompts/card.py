"""What a prompt was made for and from: its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import check_windows
from spt_whisper.errors import InputError
from spt_whisper.prompts.model_shape import ModelShape

AUTO = "auto"  # as a language: what it sounds like
MIX = "+"  # of languages in one utterance: zh+en
# of `PromptCard.training` what is read again, and of which type it is
_READ_AGAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "hours": ((int, float), "a number"),
    "utterances": ((int,), "a whole number"),
    "start": ((str,), "a digest"),
    "sources": ((list, tuple), "a list of names"),
}
_MOST = 1e15  # hours or utterances
_LARGEST = 1e6  # in a key; what Whisper hears stays far below
KEY_DIGITS = 5  # decimals of a key's numbers in prompt.json


@dataclass(frozen=True)
class LanguageKey:
    """How a language sounds to bare Whisper, by which related languages and speech in it are found."""

    log_posterior: tuple[float, ...]
    """Mean log-probability of each of Whisper's languages over training audio, in the order of its tokens."""
    state: tuple[float, ...]
    """Mean encoder state over training audio, (D,)."""
    spread: tuple[float, ...] = ()
    """Standard deviation of the encoder state, pooled over an utterance, between utterances, (D,); empty: not known."""


@dataclass(frozen=True)
class Provenance:
    """With what a prompt was made, so that it can be made again."""

    versions: dict[str, str]
    """Package -> version; of Python, too."""
    git: str | None
    """Commit of the code, followed by `-dirty` if that was changed; None: installed, not cloned."""
    data: str
    """SHA-256 over the utterances of train and dev, after those that do not fit were dropped."""


@dataclass(frozen=True)
class PromptCard:
    """What a prompt was made for, and from what."""

    base: str
    """Name of the Whisper that it was trained with."""
    fingerprint: str
    """SHA-256 of that Whisper's weights."""
    shape: ModelShape
    languages: tuple[str, ...]
    """Languages of the speech, as the corpus names them."""
    language_tokens: tuple[str, ...]
    """Codes of the Whisper language tokens that stand for them (a proxy where Whisper has none)."""
    windows: tuple[float, ...] = (float(WINDOW_SECONDS),)
    """The windows it was trained with, in seconds, ascending; audio gets the shortest that holds it."""
    method: str = "prompt"
    """The method that made it."""
    signs: tuple[int, ...] = ()
    """Tokens that Whisper's own list suppresses but the training texts contain, such as an apostrophe in front of a word: with
    the prompt on, they may be written."""
    text: dict[str, bool] = field(default_factory=dict)
    """What was done to the training texts."""
    key: LanguageKey | None = None
    """How the training speech sounds to bare Whisper."""
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Language, as the corpus names it -> codes of its tokens; `language_tokens` are empty where these differ."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """The recipe as run."""
    training: dict[str, Any] = field(default_factory=dict)
    """Numbers of the training run: utterances, last loss, seconds."""
    provenance: Provenance | None = None
    """What the run was made with; None where the prompt was made from other prompts."""

    def __post_init__(self) -> None:
        check_windows(self.windows)
        if self.key is not None:
            _check_key(self.key, self.shape.width)
        _check_training(self.training)

    def code_of(self, language: str) -> str | None:
        """Returns Whisper's code for a language that a user names; None: the tokens that it was trained with.

        Args:
            language: as the corpus named it (`zh+en` for mixed speech), else one of Whisper's codes.
        """
        codes = self.codes.get(language, ())
        if codes and codes != self.language_tokens:
            return MIX.join(codes)
        trained = set(language.split(MIX)) <= set(self.languages)
        return None if codes or trained else language

    @property
    def window_seconds(self) -> float:
        """The longest window it was trained with, to which longer speech is cut."""
        return self.windows[-1]

    @property
    def windows_text(self) -> str:
        """The windows for people: `10 s`, or `4, 6, 10 s`."""
        return ", ".join(f"{window:g}" for window in self.windows) + " s"


def _check_key(key: LanguageKey, width: int) -> None:
    if len(key.state) != width or len(key.spread) not in (0, width):
        raise InputError(
            f"key: a state of {len(key.state)} and a spread of {len(key.spread)} numbers, wanted {width}"
        )
    if not key.log_posterior:
        raise InputError(
            "key: has no log_posterior, wanted one number for each of Whisper's languages"
        )
    if not all(abs(number) <= _LARGEST for number in (*key.log_posterior, *key.state, *key.spread)):
        raise InputError(f"key: holds NaN or infinity, or a number beyond {_LARGEST:g}")


def _check_training(training: Mapping[str, Any]) -> None:
    for name, (kinds, wanted) in _READ_AGAIN.items():
        value = training.get(name, kinds[0]())
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or (isinstance(value, int | float) and not 0 <= value <= _MOST):
            limits = "" if int not in kinds else f" from 0 to {_MOST:g}"
            raise InputError(f"training.{name}: found {value!r:.80}, wanted {wanted}{limits}")
