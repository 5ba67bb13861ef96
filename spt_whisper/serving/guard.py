"""In front of everything: keys, the bounded queue, and bodies that are too large or too slow. Nothing is read before.

LitServe's own key header compares in variable time and its queue and uploads have no bound, so this stands here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spt_whisper.serving.faults import Fault, fault_response
from spt_whisper.serving.keys import Keys
from spt_whisper.serving.metrics import Metrics
from spt_whisper.serving.settings import Limits

HEALTH = "/healthz"
TRANSCRIPTIONS = "/v1/audio/transcriptions"
PATHS = frozenset({HEALTH, TRANSCRIPTIONS, "/v1/models", "/metrics", "/openapi.json"})
_MEGABYTE = 1_000_000


class Guard:
    """Lets through what may be answered."""

    def __init__(self, app: ASGIApp, keys: Keys, limits: Limits, metrics: Metrics) -> None:
        """Takes the app behind it."""
        self.app, self.keys, self.limits, self.metrics = app, keys, limits, metrics
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or has it answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        counted = self._counted(scope, send)
        try:
            headers = Headers(scope=scope)
            self._check_key(scope["path"], headers)
            self._check_length(headers)
            body = _Body(receive, self.limits)
            if scope["path"] == TRANSCRIPTIONS and scope["method"] == "POST":
                with self._place():
                    await self.app(scope, body.receive, counted)
            else:
                await self.app(scope, body.receive, counted)
        except HTTPException as fault:
            await fault_response(fault)(scope, receive, counted)
        except Exception:  # Starlette answers it, in front of us
            self._count(scope, HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    def _check_key(self, path: str, headers: Headers) -> None:
        if path != HEALTH and not self.keys.open_with(headers.get("authorization")):
            raise Fault(
                HTTPStatus.UNAUTHORIZED,
                "no valid key given; send the header 'Authorization: Bearer KEY'",
                "invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.limits.upload_megabytes * _MEGABYTE:
            raise _too_large(self.limits)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for transcriptions.

        Raises:
            Fault: all are taken.
        """
        if self._in_hand >= self.limits.requests:
            raise Fault(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"the limit of {self.limits.requests} concurrent transcriptions is reached; try again later",
                "rate_limit_exceeded",
                headers={"Retry-After": str(self.limits.retry_seconds)},
            )
        self._in_hand += 1
        self.metrics.in_hand.set(self._in_hand)
        started = time.perf_counter()
        try:
            yield
        finally:
            self._in_hand -= 1
            self.metrics.in_hand.set(self._in_hand)
            self.metrics.seconds.observe(time.perf_counter() - started)

    def _counted(self, scope: Scope, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"])
            await send(message)

        return counted

    def _count(self, scope: Scope, status: int) -> None:
        path = scope["path"] if scope["path"] in PATHS else "other"
        self.metrics.requests.labels(path, str(int(status))).inc()


class _Body:
    """A request's body as it comes, up to a size and a time."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._ends = asyncio.get_running_loop().time() + limits.upload_seconds
        self._bytes, self._whole = 0, False

    async def receive(self) -> Message:
        if self._whole:  # what comes now is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise Fault(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request took longer than {self._limits.upload_seconds:g} s to arrive",
                headers={"Connection": "close"},
            ) from None
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._bytes > self._limits.upload_megabytes * _MEGABYTE:
            raise _too_large(self._limits)
        return message


def _too_large(limits: Limits) -> Fault:
    return Fault(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the request has more than {limits.upload_megabytes:g} MB; cut the audio, or send FLAC or Opus",
        "request_too_large",
        "file",
    )
