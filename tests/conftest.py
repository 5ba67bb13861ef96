"""What tests share: the number of threads, and the folder of real corpora, where there is one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# a shell ignores Ctrl-C in what it starts in the background, and every program started from there would do so too
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """A worker in a test sets the process's number of threads, on which the last bits of sums depend."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real corpora (SPT_WHISPER_DATA); tests that need it are skipped without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPT_WHISPER_DATA", default))
    if not (folder / "tiny").is_dir():
        pytest.skip(f"no real corpora at {folder}; set SPT_WHISPER_DATA to their folder")
    return folder
