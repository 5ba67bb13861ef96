"""Where `spt-whisper transcribe` puts transcripts: on standard output, or in a folder where what is done stays done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from spt_whisper.errors import InputError
from spt_whisper.printable import printable
from spt_whisper.transcription.files import AudioFile
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.transcript_records import (
    RECORD_ENDING,
    State,
    TranscriptRecords,
    audio_key,
)
from spt_whisper.transcription.writers import WRITERS

_LONGEST_NAME = 255  # bytes, on all common file systems
Done = tuple[int, Transcript | InputError]  # place of a file among the jobs, and what was found


@dataclass(frozen=True)
class Job:
    """A file, and what is to be made of it."""

    audio: AudioFile
    formats: tuple[str, ...]
    key: str = ""  # of what the transcripts are made from, where it is kept


class Output(Protocol):
    """Where transcripts go."""

    def job(self, audio: AudioFile) -> Job:
        """Returns what is to be made of a file: no format where all is there.

        Raises:
            InputError: the file cannot be read.
        """
        ...

    def arranged(self, batches: Iterable[list[Done]]) -> Iterable[list[Done]]:
        """Returns files that are done in the order in which they are given."""
        ...

    def give(self, job: Job, transcript: Transcript) -> None:
        """Puts a transcript where it belongs."""
        ...


@dataclass(frozen=True)
class Printed:
    """Transcripts go to standard output, under their files' names where there are several."""

    formats: tuple[str, ...]
    named: bool

    def job(self, audio: AudioFile) -> Job:
        """Everything is to be made."""
        return Job(audio, self.formats)

    def arranged(self, batches: Iterable[list[Done]]) -> Iterable[list[Done]]:
        """In the order of the jobs, one by one."""
        from spt_whisper.transcription.recordings import in_order

        return ([done] for done in enumerate(in_order(chain.from_iterable(batches))))

    def give(self, job: Job, transcript: Transcript) -> None:
        """Prints at once."""
        if self.named:
            print(f"==> {printable(job.audio.path)} <==")
        for name in job.formats:
            written = WRITERS[name](transcript).rstrip("\n")
            print(_harmless(written) if sys.stdout.isatty() else written, flush=True)


def _harmless(text: str) -> str:
    """The text without what could steer a terminal: a prompt of somebody else's decides what is written."""
    return "".join(sign if sign in "\n\t" else printable(sign) for sign in text)


@dataclass(frozen=True)
class InFolder:
    """Transcripts go to files; those that are finished, or that the user has edited, are not made again."""

    records: TranscriptRecords
    formats: tuple[str, ...]
    work: str  # digest of all but the audio that decides a text
    overwrite: bool

    def job(self, audio: AudioFile) -> Job:
        """What is missing, or would come out otherwise now; says what is left alone."""
        self._check_name(audio)
        key = audio_key(audio.path, self.work)
        wanted = tuple(name for name in self.formats if self._is_wanted(audio, name, key))
        return Job(audio, wanted, key)

    def arranged(self, batches: Iterable[list[Done]]) -> Iterable[list[Done]]:
        """As they come, so that nothing that is done waits for what is not."""
        return batches

    def give(self, job: Job, transcript: Transcript) -> None:
        """Writes each format, whole or not at all."""
        for name in job.formats:
            self.records.write(f"{job.audio.name}.{name}", WRITERS[name](transcript), job.key)

    def _check_name(self, audio: AudioFile) -> None:
        """Refuses a file whose transcripts would have names that are too long."""
        ending = max((f".{name}{RECORD_ENDING}" for name in self.formats), key=len)
        length = len(os.fsencode(Path(audio.name).name + ending))
        if length > _LONGEST_NAME:
            raise InputError(
                f"{audio.path}: found a name that with {ending} takes {length} bytes, wanted {_LONGEST_NAME} at most; "
                "rename it"
            )

    def _is_wanted(self, audio: AudioFile, name: str, key: str) -> bool:
        if self.overwrite:
            return True
        transcript = f"{audio.name}.{name}"
        state = self.records.state(transcript, key)
        if state is State.EDITED:
            say(
                f"{self.records.folder / transcript}: was changed since it was written, so it is kept; "
                "--overwrite true replaces it"
            )
        return state in (State.MISSING, State.STALE)


def say(line: object) -> None:
    """Tells the user something in one line, on standard error."""
    print(f"spt-whisper transcribe: {printable(line)}", file=sys.stderr)
