"""Which transcripts in a folder are finished, so that what is done is not done again.

Beside the transcripts stands a small JSON for each, which appears with it:

    OUTPUT/NAME                     the transcript: NAME is the audio's name and the format, such as talks/a.mp4.srt
    OUTPUT/.spt-whisper/NAME.json   {"format_version": 1, "key", "transcript", "former"}: SHA-256, 64 hex digits each

`key` is of all that decides the text: the audio, the weights, the prompts, the settings, this library's version.
`transcript` is of the file as it was written, `former` of the one that it took the place of, null where there was none: a
file that holds anything else is somebody's own, and is left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spt_whisper import __version__
from spt_whisper.atomic import replacing
from spt_whisper.errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import
    from spt_whisper.prompts.files import Prompt

FORMAT_VERSION = 1
RECORDS = ".spt-whisper"
RECORD_ENDING = ".json"
_READ_WHOLE = (
    16 * 2**20
)  # bytes; up to this size audio is known by its content, which is read in milliseconds


class State(Enum):
    """How a transcript stands."""

    MISSING = "missing"  # never made, or deleted
    STALE = "stale"  # made from other audio, or in another way
    FINISHED = "finished"  # would come out the same
    EDITED = "edited"  # not as it was written, or not written by us


@dataclass(frozen=True)
class TranscriptRecords:
    """The transcripts in a folder, and what each was made from."""

    folder: Path

    def state(self, name: str, key: str) -> State:
        """Returns how the transcript `name` stands to what would be made from `key` now."""
        path = self.folder / name
        if not path.exists():
            return State.MISSING
        record = self._read(name)
        if record is None or not path.is_file():
            return State.EDITED
        digest = _digest(path.read_bytes())
        if digest == record.transcript:
            return State.FINISHED if record.key == key else State.STALE
        return State.STALE if digest == record.former else State.EDITED

    def write(self, name: str, text: str, key: str) -> None:
        """Writes a transcript and what it was made from: both whole, or on a full disk neither.

        The record appears first: killed between the two, the run leaves a transcript that is missing, or one that is known as
        outdated, not one that looks like somebody's own and would stay.
        """
        older = self.folder / name
        former = _digest(older.read_bytes()) if older.is_file() else None
        record = _Record(FORMAT_VERSION, key, _digest(text.encode()), former)
        with replacing(self.folder / name) as made:
            made.write_text(text, encoding="utf-8", newline="\n")
            with replacing(self._record(name)) as told:
                told.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8", newline="\n")

    def _record(self, name: str) -> Path:
        return self.folder / RECORDS / f"{name}{RECORD_ENDING}"

    def _read(self, name: str) -> _Record | None:
        """The record of a transcript; none where there is none, or none that we could have written."""
        try:
            record = _Record(**json.loads(self._record(name).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return record if record.format_version == FORMAT_VERSION else None


@dataclass(frozen=True)
class _Record:
    format_version: int
    key: str
    transcript: str
    former: str | None


def work_digest(model: str, prompts: Sequence[Prompt], settings: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of all but the audio that decides a text.

    Args:
        model: fingerprint of the weights.
        prompts: that may be used, whole.
        settings: that change the text, as JSON values.
    """
    from spt_whisper.prompts.folders import digest_tensors

    known = [
        [asdict(prompt.config), asdict(prompt.card), digest_tensors(prompt.vectors.named_tensors())]
        for prompt in prompts
    ]
    return _digest(json.dumps([__version__, model, known, settings], sort_keys=True).encode())


def audio_key(audio: Path, work: str) -> str:
    """Returns the key of a transcript: SHA-256 over the work and what the audio is.

    A file of up to 16 MiB is known by its content, wherever and however old it is; a longer one by its size and the
    time of its last change, so that hours of video need not be read to find that there is nothing to do.

    Args:
        audio: the file.
        work: its `work_digest`.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        state = audio.stat()
        if state.st_size > _READ_WHOLE:
            return _digest(f"{work} {state.st_size} {state.st_mtime_ns}".encode())
        return _digest(f"{work} {_digest(audio.read_bytes())}".encode())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{audio}: cannot be read ({reason}); give an audio file") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
