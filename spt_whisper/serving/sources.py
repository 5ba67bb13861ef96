"""Where the models of a service come from: Whisper itself, prompts and banks; one class each with the same methods."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spt_whisper.errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import
    from spt_whisper.prompts.bank import Bank
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.serving.settings import ServeConfig

BARE_NAME = "whisper-1"  # as OpenAI calls its Whisper
AUTO_KEY = ""  # of what stands for a whole source: the bank that chooses, the one prompt


@dataclass(frozen=True)
class Offered:
    """What a source puts on Whisper: a prompt, a bank to choose from, or nothing."""

    prompt: Prompt | None = None
    bank: Bank | None = None


class ModelSource(Protocol):
    """Some models, by files that may change."""

    @property
    def name(self) -> str:
        """What clients call it."""
        ...

    def version(self) -> str:
        """Changes whenever the files do."""
        ...

    def is_there(self) -> bool:
        """Whether it is still to be found on this machine."""
        ...

    def read(self) -> Mapping[str, Offered]:
        """Reads what there is, by key.

        Raises:
            InputError: it is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class BareSource:
    """Whisper without prompts, by OpenAI's name and its own."""

    own_name: str
    name: str = BARE_NAME

    def version(self) -> str:
        """Weights never change."""
        return ""

    def is_there(self) -> bool:
        """It has no files of its own."""
        return True

    def read(self) -> Mapping[str, Offered]:
        """Nothing is put on it."""
        return {AUTO_KEY: Offered(), self.own_name: Offered()}


@dataclass(frozen=True)
class _Place:
    """A folder, which clients call by a name."""

    name: str
    place: str

    def version(self) -> str:
        """Of its folder."""
        return files_version(Path(self.place))

    def is_there(self) -> bool:
        """Whether its folder is."""
        return Path(self.place).is_dir()


class PromptSource(_Place):
    """One prompt."""

    def read(self) -> Mapping[str, Offered]:
        """Reads the prompt."""
        from spt_whisper.prompts.files import Prompt

        return {AUTO_KEY: Offered(Prompt.from_folder(Path(self.place), self.name))}


class BankSource(_Place):
    """A bank: each language, and the whole of it, of which each window takes the one that it sounds like."""

    def read(self) -> Mapping[str, Offered]:
        """Reads the bank."""
        from spt_whisper.prompts.bank import Bank

        bank = Bank.from_folder(Path(self.place))
        own = {language: Offered(bank.prompt(language)) for language in bank.languages}
        return {AUTO_KEY: Offered(bank=bank), **own}


def fixed_sources(config: ServeConfig) -> list[ModelSource]:
    """Returns the prompts and the bank that are named on the command line; the hub is asked now, and never again.

    Raises:
        InputError: two have one name, or one is neither a folder nor on the hub.
    """
    sources: list[ModelSource] = [_prompt_source(given) for given in config.prompt]
    if config.bank:
        sources.append(BankSource(_name(config.bank), _folder(config.bank, "bank")))
    names = [BARE_NAME, *(source.name for source in sources)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"prompt: two are called {twice!r}; name them, as in --prompt kichwa=DIR aymara=DIR"
        )
    return sources


def sources_in(folder: str | None) -> Iterator[ModelSource]:
    """Yields the prompts of a folder of prompts, in order of their names."""
    from spt_whisper.prompts.files import SETTINGS_FILE

    if folder is None:
        return
    for member in sorted(Path(folder).iterdir()):
        if member.name.startswith("."):  # of one that is being written
            continue
        try:
            offered = (member / SETTINGS_FILE).is_file()
        except OSError:  # whoever reads it says why it cannot be read
            offered = True
        if offered:
            yield PromptSource(member.name, str(member))


def files_version(folder: Path) -> str:
    """Returns a digest of names, sizes and times of a folder's files; of no folder, that of none."""
    digest = hashlib.sha256()
    with suppress(OSError):  # what goes meanwhile is another version's at the next look
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            found = path.lstat()
            name = os.fsencode(path.relative_to(folder))
            digest.update(b"%s\n%d %d\n" % (name, found.st_size, found.st_mtime_ns))
    return digest.hexdigest()


def _prompt_source(given: str) -> PromptSource:
    """A prompt given as NAME=DIR, or by its folder or hub id alone; folders may have an equals sign in their own names."""
    name, separator, place = given.partition("=")
    if separator and not Path(given).is_dir():
        return PromptSource(name, _folder(place, "prompt"))
    return PromptSource(_name(given), _folder(given, "prompt"))


def _name(place: str) -> str:
    return Path(place).resolve().name if Path(place).is_dir() else place


def _folder(place: str, what: str) -> str:
    """The folder; of a hub id, that of what the hub has now, so that all workers read the same."""
    from spt_whisper.prompts.hub import find_folder

    return str(find_folder(place, what))
