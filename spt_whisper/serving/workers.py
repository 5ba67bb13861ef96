"""The front's way to the workers: LitServe's queue, kept short, so that what is asked for last is not first forgotten."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

from fastapi import HTTPException
from litserve import LitServer
from litserve.server import RegularRequestHandler
from litserve.utils import LitAPIStatus, ResponseBufferItem, WorkerSetupStatus

from spt_whisper.serving.tasks import Answer, Task
from spt_whisper.serving.worker import Worker

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0  # between two looks at the workers; to start one takes longer than two
_DIED = "a worker died while it worked on this request; send it again"


class Workers:
    """Asks workers; at most so many tasks are in LitServe's queue or being done, others wait here in order."""

    def __init__(self, server: LitServer, worker: Worker, at_once: int, seconds: float) -> None:
        """Takes LitServe, and how many tasks at once, and how long one may take."""
        self._server, self._path = server, worker.api_path
        self._handler = RegularRequestHandler(worker, server)
        self._room = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._running: set[asyncio.Task[Answer]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._unclaimed: set[str] = set()  # at the last look

    async def ask(self, task: Task) -> Answer:
        """Returns the answer to a task.

        A caller that is cancelled while it waits costs nothing; later, the task is done for nobody, since LitServe takes
        nothing back, and its place is free only then.

        Raises:
            TimeoutError: there was no answer in time.
            HTTPException: the worker failed; 503: it died.
        """
        await self._room.acquire()
        asked = asyncio.create_task(self._ask(task))
        self._running.add(asked)
        asked.add_done_callback(self._done)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
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

    async def _watch(self) -> None:
        """Ends what is lost, as long as anything is being done."""
        while self._running:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                self._end_lost()
            except (OSError, EOFError):  # LitServe itself has ended
                return

    def _end_lost(self) -> None:
        """Ends the tasks that a worker had taken and died with: LitServe starts it anew, and never answers them.

        A worker says which tasks it has taken, so those of other workers go on, as do those still in the queue. While a
        worker is being started, a task that was out of the queue at two looks, and that no worker has claimed, counts
        as lost too, whoever took it: it was on its way to the one that died.
        """
        down = {
            int(name.rpartition("_")[2])
            for name, status in self._server.workers_setup_status.items()
            if status != WorkerSetupStatus.READY
        }
        taken = self._taken() if down else {}
        unclaimed = {uid for uid, item in taken.items() if item.worker_id is None}
        twice, self._unclaimed = unclaimed & self._unclaimed, unclaimed
        lost = [item for uid, item in taken.items() if item.worker_id in down or uid in twice]
        if lost:
            logger.warning("a worker died; tasks lost with it: %d", len(lost))
        for item in lost:
            told = HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, _DIED)
            item.response = (told, LitAPIStatus.ERROR)
            item.event.set()

    def _taken(self) -> dict[str, ResponseBufferItem]:
        """The tasks that have no answer and are not in the queue: all but the last ones that were put into it."""
        unanswered = [
            (uid, item)
            for uid, item in self._server.response_buffer.items()
            if not item.event.is_set()
        ]
        queued = self._server.litapi_request_queues[self._path].qsize()
        return dict(unanswered[: len(unanswered) - queued])
