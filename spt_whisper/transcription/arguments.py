"""What a caller passes to `Whisper`, as requests: folders and hub ids are read, one value stands for all recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.request import Audio, Request

_Read = TypeVar("_Read", Prompt, Bank)
_WANTED = "wanted a path or a waveform (an array or tensor at 16 kHz)"


class Opened:
    """The prompts and banks of one call; each folder or hub id is read once."""

    def __init__(self) -> None:
        self._prompts: dict[str, Prompt] = {}
        self._banks: dict[str, Bank] = {}

    def prompt(self, given: Any) -> Prompt | None:
        """Returns the prompt that was passed or named.

        Raises:
            InputError: there is none, or it is something else.
        """
        if given is None or isinstance(given, Prompt):
            return given
        if isinstance(given, str | Path):
            return _once(self._prompts, given, Prompt.from_pretrained)
        if isinstance(given, Bank):
            raise InputError(
                f"prompt: found a bank of {', '.join(given.languages)}; pass it as bank=, with a language of it or without"
            )
        raise InputError(
            f"prompt: found {type(given).__name__}, wanted a Prompt, or its folder or hub id"
        )

    def bank(self, given: Any) -> Bank | None:
        """Returns the bank that was passed or named.

        Raises:
            InputError: there is none, or it is something else.
        """
        if given is None or isinstance(given, Bank):
            return given
        if isinstance(given, str | Path):
            return _once(self._banks, given, Bank.from_pretrained)
        if isinstance(given, Prompt):
            raise InputError(f"bank: found prompt {given.name}; pass it as prompt=")
        raise InputError(
            f"bank: found {type(given).__name__}, wanted a Bank, or its folder or hub id"
        )

    def called(self, audio: Audio, prompt: Any, language: str | None, bank: Any) -> Request:
        """Returns the request of a caller who names a language as its corpus or bank does."""
        prompt, bank = self.prompt(prompt), self.bank(bank)
        if bank is not None and prompt is None and language is not None:
            return Request(audio, bank.prompt(language))  # with the tokens that it was trained with
        if prompt is not None and language is not None:
            language = prompt.card.code_of(language)
        return Request(audio, prompt, language, bank)

    def request(self, request: Request) -> Request:
        """Returns a request with what it names read."""
        prompt, bank = self.prompt(request.prompt), self.bank(request.bank)
        if prompt is request.prompt and bank is request.bank:
            return request
        return replace(request, prompt=prompt, bank=bank)


def _once(
    known: dict[str, _Read], source: str | Path, read: Callable[[str | Path], _Read]
) -> _Read:
    name = str(source)
    if name not in known:
        known[name] = read(source)
    return known[name]


def listed(audio: Any) -> list[Any]:
    """Returns the recordings, which may come from a generator, or the only one.

    Raises:
        InputError: it is neither, or one of them is no recording.
    """
    if isinstance(audio, Audio):
        return [audio]
    taken_apart = isinstance(audio, Mapping | bytes) or hasattr(audio, "columns")
    if taken_apart or not isinstance(audio, Iterable):
        raise InputError(f"audio: found {type(audio).__name__}, {_WANTED}, or several")
    recordings = list(audio)
    for number, recording in enumerate(recordings, 1):
        if not isinstance(recording, Audio):
            raise InputError(
                f"audio: item {number} is {type(recording).__name__}, {_WANTED}; "
                "a sample rate is not taken: resample to 16 kHz"
            )
    return recordings


def for_each(value: Any, count: int, name: str) -> list[Any]:
    """Returns a value for each recording: the one that stands for all, or those of a sequence.

    Raises:
        InputError: there are more or fewer than recordings.
    """
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return [value] * count
    if len(value) != count:
        raise InputError(
            f"{name}: {len(value)} given for {count} audio files; give one, or one for each"
        )
    return list(value)
