"""The demo as a user starts it, on the tiny Whisper."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.demo.tiny_prompts import random_prompt
from tests.tiny_corpus import write_model
from tests.tiny_model import tiny_whisper

PROMPT = "<b>{{7*7}}"  # a folder's name is a text like any other


@dataclass(frozen=True)
class Served:
    """A running demo."""

    address: str
    process: subprocess.Popen[str]
    folder: Path
    """Holds `speech.wav` (3 s), `long.wav` (13 s), `bad.wav`; and `tmp`, where the demo keeps its uploads."""


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page at a free port, with two prompts; takes audio of at most 12 s and 1 MB."""
    pytest.importorskip("gradio", reason="the demo needs pip install '.[demo]' in the clone")
    folder = tmp_path_factory.mktemp("demo")
    (folder / "tmp").mkdir()
    write_model(folder / "model", seed=3)
    for seed, name in ((1, PROMPT), (2, "second")):
        random_prompt(tiny_whisper(seed=3), seed).save_pretrained(folder / name)
    for seconds, name in ((3, "speech"), (13, "long"), (40, "large")):
        noise = np.random.default_rng(0).standard_normal(16_000 * seconds) * 0.1
        soundfile.write(folder / f"{name}.wav", noise, 16_000)
    (folder / "bad.wav").write_bytes(b"not audio at all")
    command = [
        sys.executable, "-m", "spt_whisper", "demo", "--model", "model", "--prompt", PROMPT, "second", "--port", "0",
        "--voice_activity", "null", "--decoding.tokens_per_second", "5", "--decoding.temperatures", "[0]",
        "--max_minutes", "0.2", "--max_megabytes", "1",
    ]  # fmt: skip
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found, line or process.communicate()[1]
        yield Served(found[1], process, folder)
    finally:
        process.terminate()
        _, error = process.communicate(timeout=300)
        assert process.returncode == 143, error
        assert error.endswith("spt-whisper demo: ended by SIGTERM\n")
        assert "Traceback" not in error
        assert list((folder / "tmp").iterdir()) == []  # no upload stays
