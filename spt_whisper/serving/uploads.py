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

    def counted(self) -> Iterator[None]:
        """Counts its length, and yields after each block: a small file may hold days of silence, and headers lie.

        Raises:
            InputError: it cannot be read, or is too long.
        """
        samples = 0
        with self._client_named():
            for block in stream_audio(str(self.audio)):
                samples += block.shape[0]
                if samples > self.longest_seconds * SAMPLE_RATE:
                    raise InputError(
                        f"{self.audio}: longer than {self.longest_seconds:g} s; cut it into parts"
                    )
                yield

    def blocks(self) -> Iterator[Tensor]:
        """Yields the audio in blocks (samples,); count it first.

        Raises:
            InputError: it cannot be read.
        """
        with self._client_named():
            yield from stream_audio(str(self.audio))

    @contextmanager
    def _client_named(self) -> Iterator[None]:
        """Errors of the block call it as the client did."""
        try:
            yield
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
