"""How fast the service answers: latency and throughput at several numbers of clients, with and without batches.

    python benchmarks/serving.py --data DIR [--clients 1 8 32] [--requests 32] [--batch-size 8] [--json PATH]

Two services run side by side on this machine, on 127.0.0.1: one batches windows, the other decodes each alone. In each round
both get each load in turn: so many of OpenAI's clients send the same requests, each the next one as soon as it has its answer.
A request is one clip of the corpus, and one window; where there are no more requests than clients, all come at once.
Models go round: bare Whisper and prompts, which are untrained feed-forward slots: they change no text and cost what trained
ones do. `ratio` is audio a second with batches / without, the median of the rounds; latencies are of all rounds.
"""

from __future__ import annotations

import argparse
import io
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import openai
import soundfile
from measure import PACKAGES, conditions, publish, settings_parser
from prompted_rows import PROMPTS, load_whisper, untrained_prompt
from speech import Clip, add_flags, read_clips

from spt_whisper.audio import SAMPLE_RATE

WINDOW_SECONDS = 10.0
START_SECONDS = 600.0  # on a busy machine
ON, OFF = "batches", "one by one"


@dataclass(frozen=True)
class Load:
    """One service under one load."""

    service: str
    clients: int
    requests: int  # of all rounds
    p50_seconds: float
    p95_seconds: float
    audio_seconds_a_second: float  # median of the rounds
    ratio: float | None  # to the service without batches
    failed: int


@dataclass
class Round:
    """What one service did with one load in one round."""

    seconds: float
    audio_seconds: float
    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def pace(self) -> float:
        """Seconds of audio in a second."""
        return self.audio_seconds / self.seconds


@dataclass(frozen=True)
class Upload:
    """What is sent: a file, and to which model."""

    content: bytes
    seconds: float
    model: str


def uploads(clips: Sequence[Clip], models: Sequence[str], count: int) -> list[Upload]:
    """So many uploads: clips in turn, again from the first where they do not suffice, and models in turn."""
    found = []
    for number, clip in enumerate(islice(cycle(clips), count)):
        file = io.BytesIO()
        soundfile.write(file, clip.waveform, SAMPLE_RATE, format="FLAC")
        found.append(Upload(file.getvalue(), clip.seconds, models[number % len(models)]))
    return found


def load(port: int, sent: Sequence[Upload], clients: int, language: str) -> Round:
    """Has so many clients send all uploads."""
    client = openai.OpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=600
    )
    result = Round(0.0, sum(own.seconds for own in sent))

    def send(own: Upload) -> None:
        begin = time.perf_counter()
        try:
            client.audio.transcriptions.create(
                model=own.model, file=("clip.flac", own.content), language=language
            )
        except openai.OpenAIError as error:
            result.failed += 1
            print(error, file=sys.stderr)
        result.latencies.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, sent))
    result.seconds = time.perf_counter() - begin
    return result


@contextmanager
def service(settings: argparse.Namespace, prompts: Path, batch_size: int) -> Iterator[int]:
    """Runs a service; yields its port once it answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        sys.executable, "-m", "spt_whisper", "serve", "--model", settings.model, "--device", settings.device,
        "--precision", settings.dtype, "--prompts-folder", str(prompts), "--port", str(port),
        "--batch_size", str(batch_size),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + START_SECONDS
        while not answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"the service did not start: {' '.join(command)}")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Whether a service is ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except (URLError, OSError):
        return False


def write_prompts(settings: argparse.Namespace, folder: Path) -> list[str]:
    """Writes untrained prompts; returns the names of all models, Whisper's too."""
    whisper = load_whisper(settings)
    names = [f"prompt{number}" for number in range(settings.prompts)]
    for number, name in enumerate(names):
        prompt = untrained_prompt(whisper, PROMPTS["feed-forward N=64"], number)
        card = replace(prompt.card, windows=(WINDOW_SECONDS,))
        replace(prompt, card=card).save_pretrained(folder / name)
    return ["whisper-1", *names]


def measure(
    settings: argparse.Namespace, ports: dict[str, int], sent: Sequence[Upload]
) -> list[Load]:
    """Measures every load on both services in turn, round by round; one load before the first is not counted."""
    found: dict[tuple[int, str], list[Round]] = {}
    for name in ports:
        load(ports[name], sent[: settings.batch_size], settings.batch_size, settings.language)
    for number in range(settings.repeats):
        for clients in settings.clients:
            for name in (ON, OFF) if number % 2 == 0 else (OFF, ON):
                result = load(ports[name], sent, clients, settings.language)
                found.setdefault((clients, name), []).append(result)
    return [row(found, clients, name) for clients in settings.clients for name in (ON, OFF)]


def row(found: dict[tuple[int, str], list[Round]], clients: int, name: str) -> Load:
    """One row of the table."""
    rounds = found[clients, name]
    latencies = [seconds for own in rounds for seconds in own.latencies]
    ratios = [
        one.pace / other.pace
        for one, other in zip(found[clients, ON], found[clients, OFF], strict=True)
    ]
    return Load(
        name,
        clients,
        len(latencies),
        float(np.percentile(latencies, 50)),
        float(np.percentile(latencies, 95)),
        statistics.median(own.pace for own in rounds),
        statistics.median(ratios) if name == ON else None,
        sum(own.failed for own in rounds),
    )


def main() -> None:
    """Measures, and publishes the table."""
    parser = settings_parser(__doc__)
    add_flags(parser)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="(%(default)s)")
    parser.add_argument("--requests", type=int, default=32, help="of each load (%(default)s)")
    parser.add_argument("--prompts", type=int, default=3, help="different ones (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="windows (%(default)s)")
    settings = parser.parse_args()
    made = conditions(
        settings, (*PACKAGES, "litserve"), batch_size=settings.batch_size, prompts=settings.prompts,
        requests_of_a_load=settings.requests,
    )  # fmt: skip
    clips = [clip for clip in read_clips(settings) if clip.seconds <= WINDOW_SECONDS]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        models = write_prompts(settings, Path(folder))
        ports = {
            name: stack.enter_context(service(settings, Path(folder), size))
            for name, size in ((ON, settings.batch_size), (OFF, 1))
        }
        rows = measure(settings, ports, uploads(clips, models, settings.requests))
    publish("The service under load", made, rows, settings.json)


if __name__ == "__main__":
    main()
