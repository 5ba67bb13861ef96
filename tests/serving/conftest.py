"""One service for all tests of this folder: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.running import Running, running, write_home


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("serving"))


@pytest.fixture(scope="package")
def service(home: Path) -> Iterator[Running]:
    flags = (
        "--prompts-folder", str(home / "prompts"), "--bank", str(home / "andes"), "--reload_seconds", "0.2",
        "--batch_wait_seconds", "0.2", "--limits.requests", "8", "--limits.upload_megabytes", "20",
        "--limits.upload_seconds", "2", "--limits.audio_seconds", "60",
    )  # fmt: skip
    with running(home, *flags) as found:
        yield found
