"""LitServe's loop of batches, but an idle worker waits at its queue, where LitServe's asks it a thousand times a second."""

from __future__ import annotations

from queue import Empty, Queue
from typing import Any

from litserve import LitAPI
from litserve.loops import BatchedLoop
from litserve.transport.base import MessageTransport

_WAIT_SECONDS = 1.0


class WaitingLoop(BatchedLoop):
    """Waits for a first task, and lets LitServe collect the rest of its batch."""

    def get_batch_requests(
        self, lit_api: LitAPI, request_queue: Queue[Any], transport: MessageTransport
    ) -> tuple[list[Any], list[Any]]:
        """Returns a batch, or an empty one where nothing came for a second; and what has waited too long."""
        try:
            first = request_queue.get(timeout=_WAIT_SECONDS)
        except Empty:
            return [], []
        return super().get_batch_requests(lit_api, _Begun(first, request_queue), transport)


class _Begun:
    """A queue, with a task in front that was taken from it."""

    def __init__(self, first: Any, rest: Queue[Any]) -> None:
        self._first, self._rest = [first], rest

    def get(self, timeout: float) -> Any:
        return self._first.pop() if self._first else self._rest.get(timeout=timeout)

    def get_nowait(self) -> Any:
        return self._first.pop() if self._first else self._rest.get_nowait()
