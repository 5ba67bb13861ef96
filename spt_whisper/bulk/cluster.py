"""Ray: joined where there is a cluster, else started on this machine for as long as a run lasts."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from spt_whisper.errors import InputError

_OBJECT_STORE_BYTES = 128 * 2**20  # shards name files and hold no audio


@contextmanager
def cluster() -> Iterator[None]:
    """Has Ray running in the block, quietly, and stops at its end what it started.

    The cluster is the one that this process is in, else that of RAY_ADDRESS, else one of this machine alone. A cluster
    of this machine keeps its files in the system's folder for temporary files, and sends no usage statistics.

    Raises:
        InputError: Ray is not installed, or there is no cluster at RAY_ADDRESS.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "--engine ray: ray is not installed; pip install '.[ray]' in the clone, or leave --engine out"
        )
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what users must see is raised
    import ray

    address = os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        yield
        return
    with _joined(address) if address else _started():
        yield


@contextmanager
def _joined(address: str) -> Iterator[None]:
    import ray

    _check_reachable(address)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        yield
    finally:
        ray.shutdown()


@contextmanager
def _started() -> Iterator[None]:
    import ray

    with tempfile.TemporaryDirectory(prefix="spt-ray-", ignore_cleanup_errors=True) as folder:
        try:
            ray.init(
                "local",
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
            yield
        finally:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes; names such as `auto` are left to it."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise InputError(
            f"RAY_ADDRESS={address}: no Ray cluster there ({error.strerror or error}); start one (ray start --head), or "
            "unset RAY_ADDRESS"
        ) from error
