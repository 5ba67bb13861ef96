"""Tasks that a worker takes with it when it dies, in a LitServe without processes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from litserve.utils import LitAPIStatus
from starlette.exceptions import HTTPException

from spt_whisper.serving import workers as module
from spt_whisper.serving.catalog import Chosen
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import Answer, Edition, Look, Refused, ServedModel, Window
from spt_whisper.serving.transcription import Asked, Transcription
from spt_whisper.serving.uploads import UploadedAudio
from spt_whisper.serving.workers import Workers
from spt_whisper.whisper.options import DecodingOptions

AT_ONCE = 4
EDITION = Edition(BareSource("tiny"), "")
Item = Any  # LitServe's, of a task without an answer


class Served:
    """What the front sees of LitServe: a queue, tasks without an answer, and how the workers are."""

    def __init__(self, workers: int) -> None:
        self.queue: Queue[Any] = Queue()
        self.litapi_request_queues = {"/predict": self.queue}
        self.response_buffer: dict[str, Item] = {}
        self.workers_setup_status = {f"predict_{number}": "ready" for number in range(workers)}
        self.app = SimpleNamespace(response_queue_id=0)
        self.active_requests = 0
        self._callback_runner = SimpleNamespace(trigger_event=lambda *_, **__: None)

    def _get_request_queue(self, path: str) -> Queue[Any]:
        return self.litapi_request_queues[path]

    def taken(self, worker: int | None) -> Item:
        """A worker takes the next task, and says so, or dies before it could."""
        _, uid, _, _ = self.queue.get_nowait()
        self.response_buffer[uid].worker_id = worker
        return self.response_buffer[uid]

    def set_status(self, worker: int, status: str) -> None:
        self.workers_setup_status[f"predict_{worker}"] = status


def answer(item: Item) -> None:
    item.response = (Refused("done"), LitAPIStatus.OK)
    item.event.set()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Served, Workers]]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)

    def made(count: int) -> tuple[Served, Workers]:
        served: Any = Served(count)
        worker: Any = SimpleNamespace(api_path="/predict")
        return served, Workers(served, worker, AT_ONCE, seconds=600)

    return made


async def asked(served: Served, workers: Workers, count: int) -> list[asyncio.Task[Answer]]:
    """Asks, and returns once as many as have a place are in the queue."""
    tasks = [asyncio.create_task(workers.ask(Look(EDITION))) for _ in range(count)]
    await until(lambda: served.queue.qsize() == min(count, AT_ONCE))
    return tasks


def is_lost(task: asyncio.Task[Answer]) -> bool:
    if not task.done():
        return False
    error = task.exception()
    assert error is None or isinstance(error, HTTPException)
    return error is not None and error.status_code == 503 and "a worker died" in error.detail


def test_what_a_worker_died_with_is_lost_and_what_waits_is_not(
    workers: Callable[..., tuple[Served, Workers]],
) -> None:
    async def run() -> None:
        served, own = workers(1)
        tasks = await asked(served, own, 6)  # two more than have a place
        answer(served.taken(0))
        served.taken(0)
        served.taken(None)
        await until(tasks[0].done)
        assert not any(task.done() for task in tasks[1:])
        served.set_status(0, "starting")
        await until(lambda: is_lost(tasks[1]) and is_lost(tasks[2]))
        await until(lambda: served.queue.qsize() == 3)  # the places are taken by the others
        served.set_status(0, "ready")
        for _ in range(3):
            answer(served.taken(0))
        assert await asyncio.gather(tasks[0], *tasks[3:]) == [Refused("done")] * 4

    asyncio.run(run())


def test_tasks_of_other_workers_go_on(workers: Callable[..., tuple[Served, Workers]]) -> None:
    async def run() -> None:
        served, own = workers(2)
        tasks = await asked(served, own, 3)
        items = [served.taken(worker) for worker in (0, 1, 0)]
        served.set_status(1, "starting")
        await until(lambda: is_lost(tasks[1]))
        answer(items[0])
        answer(items[2])
        assert await tasks[0] == await tasks[2] == Refused("done")

    asyncio.run(run())


def test_an_upload_ends_with_the_first_window_that_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []

    async def lost(window: Window) -> Answer:
        asked.append(window.start)
        await asyncio.sleep(0.1)
        raise HTTPException(503, "a worker died")

    async def gone() -> bool:
        return False

    soundfile.write(tmp_path / "a.flac", np.zeros(5 * 60 * 16_000, np.float32), 16_000)
    audio = UploadedAudio(str(tmp_path / "a.flac"), longest_seconds=3600.0)
    model = ServedModel("whisper-1", EDITION, "", 30.0)
    request = Asked(audio, Chosen(model, None), DecodingOptions())
    transcription = Transcription(lost, None, 2, lambda _: None)
    with pytest.raises(HTTPException, match="a worker died"):
        asyncio.run(transcription.transcribe(request, gone))
    assert len(asked) == 2
    gc.collect()
    assert "never retrieved" not in caplog.text
