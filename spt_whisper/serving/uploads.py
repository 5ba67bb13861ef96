"""What was uploaded, as audio of bounded length: a file of its own that is gone with the request."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import BinaryIO

from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, stream_audio
from spt_whisper.errors import InputError
from spt_whisper.transcription.pieces import AbandonedError
from spt_whisper.transcription.request import Request

_LONGEST_NAME = 100  # characters of a file's name in a message


@dataclass(frozen=True)
class UploadedAudio(Request):
    """A file of the service, which messages call by the client's name for it."""

    client_name: str = "file"
    longest_seconds: float = 0.0
    abandoned: Event = field(default_factory=Event, compare=False)  # set: nobody wants it any more

    @property
    def name(self) -> str:
        """As the client called it."""
        return " ".join(self.client_name.split())[:_LONGEST_NAME] or "file"

    def blocks(self) -> Iterator[Tensor]:
        """Yields the audio in blocks (samples,).

        Its length is counted in blocks first, since a small file may hold days of silence, and headers lie.

        Raises:
            InputError: it cannot be read, or is too long.
        """
        try:
            samples = 0
            for block in stream_audio(str(self.audio)):
                if self.abandoned.is_set():
                    raise AbandonedError
                samples += block.shape[0]
                if samples > self.longest_seconds * SAMPLE_RATE:
                    raise InputError(
                        f"{self.audio}: longer than {self.longest_seconds:g} s; cut it into parts"
                    )
            yield from stream_audio(str(self.audio))
        except InputError as error:
            message = str(error).replace(str(self.audio), self.name)
            raise InputError(message) from error


@contextmanager
def kept_on_disk(upload: BinaryIO) -> Iterator[Path]:
    """Yields a file with what was uploaded; audio is decoded from files."""
    with tempfile.TemporaryDirectory(prefix="spt-whisper-serve-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as file:
            shutil.copyfileobj(upload, file)
        yield path
