"""Audio inside archives, unpacked once into the cache: tars, and tables that hold the bytes."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spt_whisper.cache import cached_folder, files_key
from spt_whisper.corpora.manifest import read_manifest
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

_KEY_DIGITS = 16  # of 64: enough to tell archives apart
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
_MANIFEST = "clips.jsonl"


@dataclass(frozen=True)
class Clip:
    """An utterance whose audio may be inside a table."""

    utterance: Utterance  # `audio` is its file, or the name that the corpus gives the bytes
    content: bytes | None  # an audio file; None: `utterance.audio` is a file by itself


def unpack_tar(archive: Path) -> Path:
    """Folder with the files of a `.tar.gz`, unpacked at the first call.

    Raises:
        InputError: the tar is damaged, or a member is neither a plain file below the folder nor a
            folder.
    """
    name = f"corpora/{archive.name}-{files_key([archive])[:_KEY_DIGITS]}"
    return cached_folder(name, lambda folder: _extract(archive, folder))


def unpack_clips(name: str, key: str, clips: Callable[[], Iterable[Clip]]) -> list[Utterance]:
    """Utterances of a table, with the audio in files; `clips` is called where they are not yet.

    Args:
        name: what to call the folder in the cache, for people.
        key: hex digits that change when the table does.
        clips: reads the table.
    """
    plain = re.sub(r"[^\w.-]", "-", name)
    folder = cached_folder(
        f"corpora/{plain}-{key[:_KEY_DIGITS]}", lambda folder: _write(clips(), folder)
    )
    return read_manifest(folder / _MANIFEST)


def _extract(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _extract_member(archive, tar, member, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{archive}: cannot be unpacked ({error}); it is damaged, fetch it again"
        ) from error


def _extract_member(
    archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path
) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise InputError(
            f"{archive}: member {member.name!r} leads out of the archive; get it from its makers"
        )
    content = None if member.issym() or member.islnk() else tar.extractfile(member)
    if content is not None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with content, (folder / path).open("wb") as file:
            shutil.copyfileobj(content, file)
    elif not member.isdir():
        raise InputError(
            f"{archive}: member {member.name!r} is a link or device; pack plain files only"
        )


def _write(clips: Iterable[Clip], folder: Path) -> None:
    """Writes the audio under names of ours, never the corpus's, and a manifest beside it."""
    with (folder / _MANIFEST).open("w", encoding="utf-8", newline="\n") as manifest:
        for number, clip in enumerate(clips, start=1):
            audio = clip.utterance.audio
            if clip.content is not None:
                suffix = audio.suffix.lower()
                audio = Path(f"{number:07d}{suffix if _SUFFIX.fullmatch(suffix) else ''}")
                (folder / audio).write_bytes(clip.content)
            row = {**dataclasses.asdict(clip.utterance), "audio": str(audio)}
            manifest.write(f"{json.dumps(row)}\n")
