"""A whole service under LitServe, from its start to SIGTERM.

LitServe runs the front and the workers in processes of their own, hands tasks over in batches, starts a worker anew that
died, and at the end lets the front finish before it stops the workers. Its own routes are not taken: the front is ours.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from types import FrameType

import torch
from litserve import LitServer
from litserve.utils import WorkerSetupStatus

from spt_whisper.errors import InputError
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.files import Prompt
from spt_whisper.serving.app import Service, build_app
from spt_whisper.serving.catalog import Catalog
from spt_whisper.serving.keys import read_keys
from spt_whisper.serving.metrics import Metrics
from spt_whisper.serving.settings import ServeConfig
from spt_whisper.serving.sources import BareSource, ModelSource, fixed_sources, sources_in
from spt_whisper.serving.transcription import Transcription
from spt_whisper.serving.worker import Worker, WorkerSettings
from spt_whisper.serving.workers import Workers
from spt_whisper.whisper.loading import HUB_PREFIX, SHORT_NAMES, find_model

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05  # between two looks at workers that load
_WORKER = "inference-worker"  # LitServe's name for their processes


def serve(config: ServeConfig) -> bool:
    """Serves until SIGTERM or Ctrl-C, which finish what is in hand; returns False where a worker could not begin.

    Raises:
        InputError: what is to be offered, or the keys, cannot be read, or a worker died while it loaded.
    """
    with _signals_as_interrupt():
        try:
            return _serve(config)
        except KeyboardInterrupt:  # before anything was in hand
            return True


def _serve(config: ServeConfig) -> bool:
    torch.set_num_threads(1)  # LitServe forks this process: threads would not come along
    _check_free(config.host, config.port)
    keys = read_keys(config.keys_file)
    if not keys.digests and config.host != "127.0.0.1":
        logger.warning("%s is open to the network, and no keys are set", config.host)
    named = fixed_sources(config)
    model = base_for(config.model, _prompts(named, config.prompts_folder))
    sources = (BareSource(_own_name(model)), *named)
    server, worker = _server(config, model, sources)
    workers_count = len(server.devices) * config.workers
    at_once = 2 * config.batch_size * workers_count  # a batch that is decoded, and one that waits
    workers = Workers(server, worker, at_once, config.limits.request_seconds)
    metrics = Metrics()
    transcription = Transcription(
        workers.ask, config.voice_activity, config.batch_size, metrics.batch_windows.observe
    )
    catalog = Catalog(sources, config.prompts_folder, workers.ask)
    service = Service(catalog, transcription, metrics, config.limits)
    address = f"[{config.host}]" if ":" in config.host else config.host
    server.app = build_app(
        service, keys, server.lifespan, config.reload_seconds, f"{address}:{config.port}"
    )
    return _run(server, config)


def _server(
    config: ServeConfig, model: str, sources: tuple[ModelSource, ...]
) -> tuple[LitServer, Worker]:
    worker = Worker(
        WorkerSettings(
            model,
            config.precision,
            sources,
            config.batch_size,
            config.batch_wait_seconds,
        )
    )
    server = _WatchedServer(
        worker,
        accelerator=config.device,
        workers_per_device=config.workers,
        timeout=config.limits.request_seconds,
        restart_workers=True,
    )
    if not server.devices:
        raise InputError(
            f"device: found {config.device!r}, which this machine does not have; wanted auto or cpu"
        )
    server.uvicorn_graceful_timeout = config.limits.stop_seconds
    return server, worker


class _WatchedServer(LitServer):
    """LitServe, which by itself would wait for ever for a worker that was killed while it loaded."""

    def verify_worker_status(self) -> None:
        """Waits until a worker is ready.

        Raises:
            RuntimeError: one could not begin, and has said why.
            InputError: one died.
        """
        told = {WorkerSetupStatus.READY, WorkerSetupStatus.ERROR}
        while told.isdisjoint(self.workers_setup_status.values()):
            for process in self.inference_workers:
                if process.exitcode:
                    raise InputError(
                        f"workers: one died while it loaded Whisper (exit code {process.exitcode}), perhaps for lack of "
                        "memory; use fewer workers or a smaller model"
                    )
            time.sleep(_LOOK_SECONDS)
        super().verify_worker_status()


def _run(server: LitServer, config: ServeConfig) -> bool:
    try:
        server.run(
            host=config.host,
            port=config.port,
            num_api_servers=1,
            log_level="warning",
            generate_client_file=False,
            pretty_logs=False,
            access_log=False,
            limit_concurrency=config.limits.connections,
        )
    except RuntimeError:  # a worker could not begin, and has said why
        return False
    finally:
        for process in active_children():
            if process.name == _WORKER:
                process.kill()
    return True


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """SIGTERM is like Ctrl-C, at which LitServe ends in order; the processes that it forks in the block only end."""
    own = os.getpid()

    def end(_signal: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:
            raise SystemExit
        # its watch over workers may fail now
        logging.getLogger("litserve").setLevel(logging.CRITICAL)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_free(host: str, port: int) -> None:
    """Refuses a port that is taken, before anything is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
        except OSError as error:
            raise InputError(
                f"port: {port} is not available ({error.strerror}); name another"
            ) from error


def _own_name(model: str) -> str:
    """What clients call a Whisper: its hub id, or its folder's name, never the folder's place.

    Raises:
        InputError: there is no such model.
    """
    if Path(model).is_dir():
        return Path(model).resolve().name
    find_model(model)
    return HUB_PREFIX + model if model in SHORT_NAMES else model


def _prompts(named: list[ModelSource], folder: str | None) -> list[Prompt]:
    """The prompts of every source, each of which is read once, so that faults of those named show now."""
    prompts = [
        own.prompt for source in named for own in source.read().values() if own.prompt is not None
    ]
    for source in sources_in(folder):
        try:
            prompts += [own.prompt for own in source.read().values() if own.prompt]
        except (InputError, OSError):  # the catalog will say so
            continue
    return prompts
