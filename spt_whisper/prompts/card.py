"""What a prompt was made for and from: its card, and the README that people and the Hugging Face Hub read."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from spt_whisper.prompts.config import ModelShape, PromptConfig


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
    window_seconds: float = 30.0
    """The window it was trained with."""
    method: str = "prompt"
    """The method that made it."""
    text: dict[str, Any] = field(default_factory=dict)
    """What was done to the training texts."""
    key: LanguageKey | None = None
    """How the training speech sounds to bare Whisper."""
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Language, as the corpus names it -> codes of its tokens; `language_tokens` are empty where these differ."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """The recipe as run."""
    training: dict[str, Any] = field(default_factory=dict)
    """Numbers of the training run: utterances, last loss, seconds."""


def read_card(values: dict[str, Any]) -> PromptCard:
    """Returns the card that JSON holds.

    Raises:
        KeyError, TypeError: a field is missing or unknown.
    """
    unknown = set(values) - {item.name for item in fields(PromptCard)}
    if unknown:
        raise KeyError(f"unknown {sorted(unknown)}")
    sequences = {key: tuple(values[key]) for key in ("languages", "language_tokens")}
    made = {
        "shape": ModelShape(**_mapping(values["shape"])),
        "codes": {name: tuple(codes) for name, codes in _mapping(values.get("codes", {})).items()},
    }
    if values.get("key") is not None:
        key = _mapping(values["key"])
        made["key"] = LanguageKey(**{name: tuple(numbers) for name, numbers in key.items()})
    return PromptCard(**{**values, **sequences, **made})


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"found {value!r}, wanted a mapping")
    return value


def render_readme(config: PromptConfig, card: PromptCard) -> str:
    """Returns the README.md of a prompt's folder."""
    languages = ", ".join(card.languages) or "unknown"
    training = "".join(
        f"- {key.replace('_', ' ')}: {value}\n" for key, value in card.training.items()
    )
    return (
        "---\n"
        f"base_model: {card.base}\n"
        "library_name: spt-whisper\n"
        "pipeline_tag: automatic-speech-recognition\n"
        f"language: [{languages}]\n"
        "tags: [whisper, soft-prompt]\n"
        "---\n"
        f"# A soft prompt for {card.base}: {languages}\n\n"
        f"Side {config.side}, site {config.site}, length {config.length}; language token "
        f"{', '.join(card.language_tokens)}; window {card.window_seconds:g} s. Whisper itself is unchanged.\n\n"
        "```python\n"
        "from spt_whisper import Prompt, Whisper\n"
        f'whisper = Whisper.from_pretrained("{card.base}")\n'
        'prompt = Prompt.from_pretrained("THIS FOLDER")\n'
        'print(whisper.transcribe("speech.wav", prompt=prompt).text)\n'
        "```\n\n"
        f"## Training\n{training}"
    )
