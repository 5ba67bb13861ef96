"""Files, folders and globs, as a user names them, into audio files and the names of their transcripts."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from spt_whisper.errors import InputError

# what a folder or a glob gives; a file that is named by itself is tried whatever its ending
AUDIO_ENDINGS = frozenset({
    ".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi", ".caf", ".eac3",
    ".flac", ".flv", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg",
    ".mpga", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".tta", ".vob", ".w64", ".wav", ".webm", ".wma", ".wmv", ".wv",
})  # fmt: skip


@dataclass(frozen=True)
class AudioFile:
    """An audio file that is to be transcribed."""

    path: Path
    """Where it is, as the user named it or the folder that it is in."""
    name: str
    """What its transcripts are called below the output folder, without the format: relative, no `..`, its own."""


def find_audio(names: Sequence[str]) -> list[AudioFile]:
    """Returns the audio files that are meant, each once, in the order of the names.

    A folder gives all audio and video files in it and its folders, sorted, without hidden ones; linked folders are
    followed, each folder once. A glob (`*`, `?`, `[...]`, `**`) that names no file itself gives what the shell would.

    Args:
        names: files, folders and globs.

    Returns:
        Audio files. Their names are those of the files, or the paths below the folders that were named; where two of
        them would be the same, all are the real paths below the innermost folder that holds all the files.

    Raises:
        InputError: a file that is not there, or a folder or a glob without audio.
    """
    found: dict[Path, AudioFile] = {}  # by the real path
    for name in names:
        members = list(_members(name))
        if not members:
            raise InputError(f"{name}: no audio or video file in it; name another folder or glob")
        for member in members:
            found.setdefault(member.path.resolve(), member)
    return _told_apart(found)


def _members(name: str) -> Iterator[AudioFile]:
    """The audio files of one name."""
    path = Path(name)
    if name and path.is_dir():
        for file in _below(path, set()):
            yield AudioFile(file, file.relative_to(path).as_posix())
    elif name and path.is_file():
        yield AudioFile(path, path.name)
    elif name and path.exists():
        raise InputError(f"{name}: is a pipe or a device; write its audio to a file first")
    elif glob.has_magic(name):
        for hit in _hits(path):
            if hit.is_dir() or _is_audio(hit):
                yield from _members(str(hit))
    else:
        raise InputError(f"{name or repr(name)}: no such file or folder; name one that is there")


def _below(folder: Path, visited: set[Path]) -> Iterator[Path]:
    """Audio files in a folder and its folders; `visited` are real paths, so that links in a circle end."""
    real = folder.resolve()
    if real in visited:
        return
    visited.add(real)
    for child in sorted(folder.iterdir()):
        if child.name.startswith("."):
            continue
        if child.is_dir():
            yield from _below(child, visited)
        elif _is_audio(child):
            yield child


def _hits(pattern: Path) -> list[Path]:
    """What a glob gives, sorted; hidden files and those in hidden folders only where it names a dot in their place."""
    root = Path(pattern.anchor)
    try:
        hits = sorted(root.glob(str(pattern.relative_to(root))))
    except ValueError as error:
        raise InputError(
            f"{pattern}: is not a glob ({error}); wanted one such as 'talks/*.mp4'"
        ) from error
    return [hit for hit in hits if _in_the_open(hit.parts, pattern.parts)]


def _in_the_open(hit: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a pattern give those of a path, and a dot in front only where they have one, as in the shell."""
    if not hit or not pattern:
        return not hit and all(part == "**" for part in pattern)
    shown = pattern[0].startswith(".") or not hit[0].startswith(".")
    if pattern[0] == "**":
        return _in_the_open(hit, pattern[1:]) or (shown and _in_the_open(hit[1:], pattern))
    return shown and fnmatchcase(hit[0], pattern[0]) and _in_the_open(hit[1:], pattern[1:])


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_ENDINGS and path.is_file()


def _told_apart(found: dict[Path, AudioFile]) -> list[AudioFile]:
    """The files, under names that differ."""
    if len({file.name for file in found.values()}) == len(found):
        return list(found.values())
    common = os.path.commonpath([real.parent for real in found])
    return [
        AudioFile(file.path, real.relative_to(common).as_posix()) for real, file in found.items()
    ]
