"""How Gradio is told, before it is imported, to keep uploads private and to report nothing."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from spt_whisper.errors import TerminatedError


@contextmanager
def private_uploads() -> Iterator[None]:
    """Uploads go to a folder that only this user can read, and that is gone at the end, also at SIGTERM.

    Gradio reads its variables as it is imported: import it within.

    Raises:
        TerminatedError: SIGTERM came.
    """
    with tempfile.TemporaryDirectory(prefix="spt-whisper-demo-") as folder:
        variables = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        with _environment(variables), _cleaning_up_at_sigterm():
            yield


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _cleaning_up_at_sigterm() -> Iterator[None]:
    """The signal becomes an exception; by itself it would end Python at once."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise TerminatedError("ended by SIGTERM")

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
