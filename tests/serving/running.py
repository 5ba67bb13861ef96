"""A real service in a process of its own: a tiny Whisper, a folder of prompts, a bank and small limits."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai
import psutil
import requests
import torch

from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.transcription.transcriber import Whisper
from tests.tiny_corpus import write_corpus, write_model

KEY = "a-key-of-the-tests-only"
START_SECONDS = 300.0  # on a machine that is busy with other things


@dataclass(frozen=True)
class Running:
    """A service."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def transcriptions(self) -> str:
        return f"{self.url}/v1/audio/transcriptions"

    @property
    def audio(self) -> list[Path]:
        """Short files of noise."""
        return sorted((self.folder / "corpus" / "audio").glob("*.wav"))

    def client(self, **settings: Any) -> openai.OpenAI:
        """OpenAI's own client."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=KEY, **settings)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers(), timeout=300)

    def post(self, file: tuple[str, bytes] | Path, **fields: Any) -> requests.Response:
        """Posts a file, with fields of the form; a dictionary's own way, so that they may be wrong."""
        content = (file.name, file.read_bytes()) if isinstance(file, Path) else file
        form = {"model": "whisper-1", **fields}
        return requests.post(
            self.transcriptions, headers=headers(), data=form, files={"file": content}, timeout=300
        )

    def metric(self, name: str) -> float:
        """One figure of /metrics, by its name with labels."""
        lines = self.get("/metrics").text.splitlines()
        values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")]
        return values[0] if values else 0.0

    def memory(self) -> float:
        """Resident mebibytes of all its processes."""
        parent = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(True))) / 2**20

    def workers(self) -> list[psutil.Process]:
        """The processes that hold Whisper: those that LitServe starts afresh, where it forks the others."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def terminate(self) -> None:
        """Ends it as systemd would."""
        self.process.send_signal(signal.SIGTERM)


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


def write_home(folder: Path) -> Path:
    """A model, a corpus, two prompts (one with a name of its own letters) and a bank of two languages."""
    write_model(folder / "model")
    write_corpus(folder / "corpus")
    whisper = Whisper.from_pretrained(folder / "model")
    for number, (place, language) in enumerate(
        (("prompts/kichwa", "qug"), ("prompts/ñandú", "gn"), ("andes/quz", "quz"), ("andes/ay", "ay")),
    ):  # fmt: skip
        prompt_of(whisper, language, number).save_pretrained(folder / place)
    return folder


def prompt_of(whisper: Whisper, language: str, seed: int) -> Prompt:
    """A random prompt that changes texts; its key is so far from any sound that routing leaves it."""
    frozen = whisper.frozen
    generator = torch.Generator().manual_seed(seed)
    config = PromptConfig(site="feed_forward", length=3)
    vectors = start_vectors(config, frozen.shape, generator).map(
        lambda tensor: tensor + 2 * torch.randn(tensor.shape, generator=generator)
    )
    width = frozen.config.d_model
    key = LanguageKey((-1.4,) * len(frozen.tokens.languages), (50.0,) * width, (0.05,) * width)
    card = PromptCard(frozen.name, frozen.fingerprint, frozen.shape, (language,), ("es",), (2.0,))
    return Prompt(config, vectors, replace(card, key=key))


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[Running]:
    """Starts a service, waits until it answers, and ends it."""
    with starting(folder, *flags) as service:
        ended = service.process.poll
        wait_for(lambda: ended() is not None or answers(service.port), START_SECONDS)
        assert ended() is None, service.log.read_text()
        yield service


@contextmanager
def starting(folder: Path, *flags: str) -> Iterator[Running]:
    """Starts a service, which does not answer yet, and ends it."""
    port = free_port()
    log = folder / f"log-{port}.txt"
    environment = {**os.environ, "SPT_WHISPER_API_KEYS": KEY, "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable, "-m", "spt_whisper", "serve", "--model", str(folder / "model"), "--port", str(port),
        "--voice_activity", "null", "--device", "cpu", *flags,
    ]  # fmt: skip
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, text=True)  # fmt: skip
    try:
        yield Running(process, port, folder, log)
    finally:
        if process.poll() is None:
            for child in (*psutil.Process(process.pid).children(True), process):
                child.kill()
            process.wait()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(condition: Any, seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.05)


def replace_folder(new: Path, target: Path) -> None:
    """Puts a folder in a place at once."""
    if target.exists():
        shutil.rmtree(target)
    new.rename(target)
