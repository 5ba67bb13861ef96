"""One engine in a process of its own, so that its memory and its threads are its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measure import peak_mebibytes, seconds_of
from recognizers import LOADERS, Recognizer, Setup

_loaded: dict[str, tuple[Recognizer, list[np.ndarray]]] = {}  # in the engine's process: one engine


@dataclass(frozen=True)
class Pass:
    """One pass over all recordings."""

    seconds: float
    texts: list[str]
    peak_mebibytes: float  # most memory that the process has had until now


class EngineProcess:
    """An engine that is loaded, and waits between its passes."""

    def __init__(self, engine: str, setup: Setup, recordings: Sequence[Path]) -> None:
        """Starts the process, loads the engine and lets it hear the first recording for nothing.

        Args:
            engine: a name in `LOADERS`.
            setup: what it is told.
            recordings: waveforms, as .npy files.
        """
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self._pool.submit(_load, engine, setup, list(recordings)).result()

    def transcribe(self) -> Pass:
        """Lets the engine hear all recordings once."""
        return self._pool.submit(_transcribe).result()

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown()


def _load(engine: str, setup: Setup, recordings: list[Path]) -> None:
    torch.set_num_threads(setup.threads)
    waveforms = [np.load(path) for path in recordings]
    recognizer = LOADERS[engine](setup)
    recognizer([waveforms[0][: 16_000 * 5]])
    _loaded["engine"] = (recognizer, waveforms)


def _transcribe() -> Pass:
    recognizer, waveforms = _loaded["engine"]
    texts: list[str] = []
    seconds = seconds_of(lambda: texts.extend(recognizer(waveforms)))
    return Pass(seconds, texts, peak_mebibytes())
