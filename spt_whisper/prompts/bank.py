"""A bank on disk: prompts of many languages in one folder, over one shared part or each for itself.

    <bank>/shared/       the shared vectors: a folder like any prompt's (`prompts/files.py`), method `lapt`
    <bank>/<language>/   what the language adds to the shared vectors (`prompts/language_part.py`), or a whole prompt of it

There is no list of languages: adding one writes one new folder, and every older file stays the same to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from spt_whisper.atomic import check_nothing_lost, replacing_folder
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import MIX, PromptCard
from spt_whisper.prompts.files import KIND, SETTINGS_FILE, Prompt
from spt_whisper.prompts.folders import check_target
from spt_whisper.prompts.hub import find_folder
from spt_whisper.prompts.joining import join_prompts
from spt_whisper.prompts.language_aware import combine
from spt_whisper.prompts.language_names import check_names, composed, one_on_disk
from spt_whisper.prompts.language_part import (
    PART_KIND,
    LanguagePart,
    SharedPart,
    read_part,
    write_part,
)
from spt_whisper.prompts.misnamed import what_instead
from spt_whisper.prompts.safe_files import check_entries

SHARED_FOLDER = "shared"
SHARED_METHOD = "lapt"


@dataclass(frozen=True)
class Bank:
    """The prompts of many languages; `prompt(language)` is what `transcribe` takes."""

    folder: Path
    shared: Prompt | None
    parts: Mapping[str, LanguagePart]
    prompts: Mapping[str, Prompt]
    folders: dict[str, Path] = field(default_factory=dict)  # by language; one may have another name
    _made: dict[str, Prompt] = field(default_factory=dict)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Bank:
        """Reads a bank, all of it.

        Args:
            source: a folder, or a hub id (`owner/name` or `owner/name@revision`).

        Raises:
            InputError: there is no bank, or a part of it is missing, duplicated, damaged, or of another base.
        """
        return cls.from_folder(find_folder(str(source), "bank"))

    @classmethod
    def from_folder(cls, root: Path) -> Bank:
        """Reads a bank from a folder on disk, to which a language can be added.

        Raises:
            InputError: as above.
        """
        if not root.is_dir():
            raise InputError(
                f"bank {root}: no such folder; wanted one that `spt-whisper fit` wrote"
            )
        check_entries(root, root.iterdir())
        members = sorted(path for path in root.iterdir() if not path.name.startswith("."))
        of_parts = [member for member in members if (member / f"{PART_KIND}.json").is_file()]
        known, parts, folders = _read_parts(root, of_parts)
        shared: dict[str, Prompt] = {}
        whole: dict[str, Prompt] = {}
        for member in members:
            if member in of_parts or not member.is_dir():
                continue
            if not (member / SETTINGS_FILE).is_file():
                instead = what_instead(root, str(root), flags=False) or "restore or remove it"
                raise InputError(
                    f"bank {root}: {member} has neither {PART_KIND}.json nor {SETTINGS_FILE}; {instead}"
                )
            prompt = known.get(member) or Prompt.from_folder(member)
            if prompt.card.method == SHARED_METHOD:
                shared[member.name] = prompt
            else:
                language = composed(MIX.join(prompt.card.languages))
                _add_once(root, folders, language, member)
                whole[language] = prompt
        bank = cls(root, next(iter(shared.values()), None), parts, whole, folders)
        _check(bank, list(shared))
        return bank

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, in order of their names."""
        return tuple(sorted({**self.parts, **self.prompts}))

    @property
    def common_card(self) -> PromptCard:
        """The card of the run that made the bank: what its languages share, else the first language's."""
        return self.shared.card if self.shared else self.card(self.languages[0])

    def card(self, language: str) -> PromptCard:
        """Returns the card of one language.

        Raises:
            InputError: the bank has no such language.
        """
        language = composed(language)
        self._check_language(language)
        return (self.parts.get(language) or self.prompts[language]).card

    def prompt(self, languages: str | Sequence[str]) -> Prompt:
        """Returns the whole prompt of a language, the same object each time.

        Args:
            languages: one language, or several for mixed speech (`zh+en`). For a mix, returns the prompt trained on that mix if
                there is one; otherwise the languages' whole prompts concatenated; where one of them has a part (a LAPT bank), the
                main language's prompt, as in training. A mix given as one string needs all of its languages in the bank, and not
                parts of some and whole prompts of others; in a list, as a corpus has, the main one is enough.

        Raises:
            InputError: the bank has no such language, or one string names a part and a whole prompt.
        """
        listed = languages.split(MIX) if isinstance(languages, str) else languages
        names = [composed(name) for name in listed]
        if not names:
            raise InputError(f"bank {self.folder}: no language named; wanted at least one")
        key = MIX.join(names)
        if key not in self.languages and not isinstance(languages, str):
            names = [names[0], *(name for name in names[1:] if name in self.languages)]
            key = MIX.join(names)
        if key not in self.languages and any(name in self.parts for name in names):
            if isinstance(languages, str):
                self._check_parts(names)
            key, names = names[0], names[:1]
        if key not in self._made:
            self._made[key] = (
                self._whole(key)
                if key in self.languages or len(names) == 1
                else join_prompts([self.prompt(name) for name in names], f"{self.folder}/{key}")
            )
        return self._made[key]

    def add(self, member: LanguagePart | Prompt) -> Path:
        """Writes the part or the whole prompt of a new language into the bank; returns its folder.

        Raises:
            InputError: the language is there already, or its name is no folder's name.
        """
        language = MIX.join(member.card.languages)
        target = self.folder_for(language)
        if isinstance(member, Prompt):
            return member.save_pretrained(target)
        return write_part(target, member, self.folder / SHARED_FOLDER, self._shared().config)

    def folder_for(self, language: str) -> Path:
        """Returns the folder that a new language gets.

        Raises:
            InputError: the language is there already, or its name is no folder's name.
        """
        target = language_folder(self.folder, language)
        wanted = one_on_disk(language)
        alike = [name for name in self.languages if one_on_disk(name) == wanted]
        if composed(language) in alike:
            own = self.folders.get(composed(language), target)
            raise InputError(
                f"bank {self.folder}: has {language} already; remove {own} to learn it again"
            )
        check_names([*alike, language], self.folder, SHARED_FOLDER)
        for path in self.folder.glob("*"):
            if one_on_disk(path.name) == wanted:
                raise InputError(f"bank {self.folder}: has {path.name} already; rename {path}")
        return target

    def _shared(self) -> Prompt:
        if self.shared is None:
            raise InputError(
                f"bank {self.folder}: its prompts share nothing; wanted a bank of method lapt"
            )
        return self.shared

    def _check_language(self, language: str) -> None:
        if language not in self.languages:
            raise InputError(
                f"bank {self.folder}: no language {language!r}; wanted one of {', '.join(self.languages)}"
            )

    def _whole(self, language: str) -> Prompt:
        self._check_language(language)
        if language in self.prompts:
            return self.prompts[language]
        part, shared = self.parts[language], self._shared()
        return Prompt(
            part.aware.combined_config(shared.config),
            combine(shared.vectors, part.tensors, part.aware),
            part.card,
            f"{self.folder}/{language}",
        )

    def _check_parts(self, names: Sequence[str]) -> None:
        for name in names:
            self._check_language(name)
        for name in names:
            if name in self.prompts:
                raise InputError(
                    f"bank {self.folder}: {name} is a whole prompt, but not all of {MIX.join(names)}; name one language"
                )


@contextmanager
def new_bank(folder: Path, languages: Sequence[str]) -> Iterator[Path]:
    """Yields an empty folder for a bank of some languages, which takes the place of an older one at the end."""
    check_replaceable(folder, languages)
    with replacing_folder(folder) as made:
        yield made


def check_replaceable(folder: Path, languages: Sequence[str]) -> None:
    """Refuses to write a bank where other things would be lost, or where a language cannot name a folder.

    Raises:
        InputError: the folder holds languages that the new bank has not, or other things, or is no bank.
    """
    check_names(languages, folder, SHARED_FOLDER)
    if not folder.exists():
        return
    lost = sorted(set(Bank.from_folder(folder).languages) - set(map(composed, languages)))
    if lost:
        raise InputError(
            f"bank {folder}: has {', '.join(lost)}, which the new one would not have; name another output"
        )
    members = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for member in members:
        check_target(member, PART_KIND if (member / f"{PART_KIND}.json").is_file() else KIND)
    others = {*folder.iterdir()} - {*members, folder / "README.md"}
    check_nothing_lost(folder, "bank", others)


def language_folder(bank: Path, language: str) -> Path:
    """Returns the folder that a language gets.

    Raises:
        InputError: the name would lead elsewhere, or means something else.
    """
    check_names([language], bank, SHARED_FOLDER)
    return bank / composed(language)


def _read_parts(
    root: Path, folders: Sequence[Path]
) -> tuple[dict[Path, Prompt], dict[str, LanguagePart], dict[str, Path]]:
    """The shared prompt by its folder, read once for all, and the parts over it and their folders by language."""
    if not folders:
        return {}, {}, {}
    folder = root / SHARED_FOLDER
    if not (folder / SETTINGS_FILE).is_file():
        raise InputError(f"bank {root}: the shared part {folder} is missing; restore it")
    shared = SharedPart.read(folder)
    parts: dict[str, LanguagePart] = {}
    where: dict[str, Path] = {}
    for member in folders:
        part = read_part(member, shared)
        language = composed(part.language)
        _add_once(root, where, language, member)
        parts[language] = part
    return {folder: shared.prompt}, parts, where


def _add_once(root: Path, known: dict[str, Path], language: str, member: Path) -> None:
    if language in known:
        raise InputError(f"bank {root}: language {language} appears twice, once in {member}")
    known[language] = member


def _check(bank: Bank, shared: Sequence[str]) -> None:
    if len(shared) > 1:
        raise InputError(f"bank {bank.folder}: two shared parts, {' and '.join(shared)}; keep one")
    if not bank.languages:
        instead = what_instead(bank.folder, str(bank.folder), flags=False)
        raise InputError(
            f"bank {bank.folder}: no language in it; {instead or 'wanted one that `fit` wrote'}"
        )
    cards = {language: bank.card(language) for language in bank.languages}
    if bank.shared is not None:
        cards = {SHARED_FOLDER: bank.shared.card, **cards}
    base = next(iter(cards.values()))
    for name, card in cards.items():
        if (card.fingerprint, card.shape) != (base.fingerprint, base.shape):
            raise InputError(
                f"bank {bank.folder}: {name} is for {card.base} (weights {card.fingerprint[:12]}), the others for "
                f"{base.base} (weights {base.fingerprint[:12]}); keep prompts of one base"
            )
