"""What many tests need: the folder of real corpora, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real corpora (SPT_WHISPER_DATA); tests that need it are skipped without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPT_WHISPER_DATA", default))
    if not (folder / "tiny").is_dir():
        pytest.skip(f"no real corpora at {folder}; set SPT_WHISPER_DATA to their folder")
    return folder
