"""The front's way to the workers: LitServe's queue, kept short, so that what is asked for last is not first forgotten."""

from __future__ import annotations

import asyncio

from litserve import LitServer
from litserve.server import RegularRequestHandler

from spt_whisper.serving.tasks import Answer, Task
from spt_whisper.serving.worker import Worker


class Workers:
    """Asks workers; at most so many tasks are in LitServe's queue or being done, others wait here in order."""

    def __init__(self, server: LitServer, worker: Worker, at_once: int, seconds: float) -> None:
        """Takes LitServe, and how many tasks at once, and how long one may take."""
        self._handler = RegularRequestHandler(worker, server)
        self._room = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._running: set[asyncio.Task[Answer]] = set()

    async def ask(self, task: Task) -> Answer:
        """Returns the answer to a task.

        A caller that is cancelled while it waits costs nothing; later, the task is done for nobody, since LitServe takes
        nothing back, and its place is free only then.

        Raises:
            TimeoutError: there was no answer in time.
            HTTPException: the worker failed.
        """
        await self._room.acquire()
        asked = asyncio.create_task(self._ask(task))
        self._running.add(asked)
        asked.add_done_callback(self._done)
        return await asyncio.shield(asked)

    async def _ask(self, task: Task) -> Answer:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._handler.handle_request(task, type(task))
        finally:
            self._room.release()

    def _done(self, asked: asyncio.Task[Answer]) -> None:
        self._running.discard(asked)
        if not asked.cancelled():
            asked.exception()  # seen, also where nobody waits for it any more
