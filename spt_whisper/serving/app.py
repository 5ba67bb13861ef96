"""The routes of the service, as OpenAI's clients know them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response, UploadFile
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.formparsers import MultiPartParser

from spt_whisper import __version__
from spt_whisper.errors import InputError
from spt_whisper.serving.answers import LAYOUTS, TIMED, Granularity, ResponseFormat
from spt_whisper.serving.catalog import Catalog
from spt_whisper.serving.faults import ErrorAnswer, Fault, handle_faults
from spt_whisper.serving.guard import HEALTH, TRANSCRIPTIONS, Guard
from spt_whisper.serving.keys import Keys
from spt_whisper.serving.metrics import Metrics
from spt_whisper.serving.settings import Limits
from spt_whisper.serving.transcription import Asked, Transcription
from spt_whisper.serving.uploads import UploadedAudio, kept_on_disk
from spt_whisper.whisper.options import DecodingOptions

logger = logging.getLogger(__name__)
_IN_MEMORY = 2**20  # bytes of an upload; more goes to disk while it comes
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "A parameter or the audio is wrong",
        401: "No valid key",
        404: "No such model",
        408: "The request came too slowly",
        413: "The request is too large",
        429: "Too many transcriptions are running; see Retry-After",
        500: "A fault of the service",
        503: "A worker died while it worked on the request",
        504: "The transcript took too long",
    }.items()
}


class TranscriptionForm(BaseModel):
    """What `POST /v1/audio/transcriptions` takes; what OpenAI knows beside is left aside."""

    file: UploadFile
    model: str = Field(min_length=1, max_length=256)
    language: str | None = Field(None, max_length=64)
    prompt: str = Field("", max_length=4096)
    response_format: ResponseFormat = "json"
    temperature: float = Field(0.0, ge=0, le=1)
    timestamp_granularities: list[Granularity] = Field([], alias="timestamp_granularities[]")

    @property
    def options(self) -> DecodingOptions:
        """How to decode: as everywhere here, temperature 0 may rise where a text looks wrong."""
        options = DecodingOptions(
            timestamps=self.response_format in TIMED,
            word_timestamps=self.response_format == "verbose_json"
            and "word" in self.timestamp_granularities,
            text_prompt=self.prompt or None,
        )
        return replace(options, temperatures=[self.temperature]) if self.temperature else options


class ModelFields(BaseModel):
    """A model, as OpenAI lists it."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "spt-whisper"


class ModelList(BaseModel):
    """The models."""

    object: str = "list"
    data: list[ModelFields]


@dataclass(frozen=True)
class Service:
    """What the routes use."""

    catalog: Catalog
    transcription: Transcription
    metrics: Metrics
    limits: Limits

    async def transcribe(
        self,
        request: Request,
        form: Annotated[TranscriptionForm, Form(media_type="multipart/form-data")],
    ) -> Response:
        """Transcribes an audio file."""
        chosen = self.catalog.choose(form.model, form.language)
        try:
            async with asyncio.timeout(self.limits.request_seconds):
                with kept_on_disk(form.file.file) as path:
                    audio = UploadedAudio(
                        path,
                        client_name=form.file.filename or "",
                        longest_seconds=self.limits.audio_seconds,
                    )
                    heard = await self.transcription.transcribe(
                        Asked(audio, chosen, form.options), request.is_disconnected
                    )
        except TimeoutError:
            raise Fault(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"no transcript within {self.limits.request_seconds:g} s; send shorter audio, or try later",
            ) from None
        except InputError as error:
            raise Fault(HTTPStatus.BAD_REQUEST, str(error)) from error
        self.metrics.audio_seconds.inc(heard.transcript.duration)
        return LAYOUTS[form.response_format](heard, form.timestamp_granularities)

    async def list_models(self) -> ModelList:
        """Lists the models: prompts, banks, their languages, and Whisper itself."""
        return ModelList(data=[ModelFields(id=name) for name in self.catalog.models])

    async def show_model(self, name: str) -> ModelFields:
        """Shows one model."""
        return ModelFields(id=self.catalog.choose(name, None).model.name)

    async def health(self) -> dict[str, str]:
        """Tells that the service answers."""
        return {"status": "ok"}

    async def show_metrics(self) -> Response:
        """Tells Prometheus how it goes."""
        self.metrics.models.set(len(self.catalog.models))
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def build_app(
    service: Service,
    keys: Keys,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    reload_seconds: float,
    address: str,
) -> FastAPI:
    """Returns the app.

    Args:
        service: what its routes use.
        keys: who may use it.
        lifespan: of what runs it, around the app's own.
        reload_seconds: how often models are looked for.
        address: of the service, to be told once it is ready.
    """
    MultiPartParser.spool_max_size = _IN_MEMORY  # LitServe keeps uploads of any size in memory

    @asynccontextmanager
    async def watched(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            await service.catalog.try_refresh()
            logger.info("http://%s/v1 (Ctrl-C ends it)", address)
            watching = asyncio.create_task(service.catalog.watch(reload_seconds))
            try:
                yield
            finally:
                watching.cancel()

    app = FastAPI(
        title="SPT-Whisper", version=__version__, lifespan=watched, docs_url=None, redoc_url=None
    )
    handle_faults(app)
    app.add_middleware(Guard, keys=keys, limits=service.limits, metrics=service.metrics)
    for method, path, endpoint in (
        ("POST", TRANSCRIPTIONS, service.transcribe),
        ("GET", "/v1/models", service.list_models),
        ("GET", "/v1/models/{name:path}", service.show_model),
        ("GET", HEALTH, service.health),
        ("GET", "/metrics", service.show_metrics),
    ):
        app.add_api_route(path, endpoint, methods=[method], responses=_ERRORS)
    return app
