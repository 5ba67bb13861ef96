"""Ctrl-C and SIGTERM end a run with an exception, but wait where what is done is being kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from spt_whisper.errors import TerminatedError

_ENDING = (signal.SIGINT, signal.SIGTERM)


class EndingSignals:
    """Hears the signals that ask the program to end; `held` makes them wait."""

    def __init__(self) -> None:
        """Hears nothing yet."""
        self._holding = False
        self._waiting: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes in the block takes effect at its end, however often it comes: `timeout` sends it twice.

        Raises:
            KeyboardInterrupt: Ctrl-C came meanwhile.
            TerminatedError: SIGTERM came meanwhile.
        """
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._waiting is not None:
            _end(self._waiting)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Is the handler of the signals."""
        if self._holding:
            self._waiting = number
        else:
            _end(number)


@contextmanager
def ending_signals() -> Iterator[EndingSignals]:
    """Has Ctrl-C raise KeyboardInterrupt, and SIGTERM TerminatedError, which by itself would end Python at once.

    A signal that the process was started to ignore, as `nohup` does, stays ignored. Outside of the main thread, where
    Python handles no signals, nothing changes.
    """
    signals = EndingSignals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    heeded = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signals.hear) for number in heeded}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_as_interrupt() -> Iterator[Callable[[], None]]:
    """Has SIGTERM raise KeyboardInterrupt in the block, the one exception that Ray lets through, and TerminatedError at its end.

    Yields what hears the signal again where another has taken it, as `ray.init` does. Of several signals the first counts.
    """
    ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if not heard:
            heard.append(number)
            raise KeyboardInterrupt

    def listen() -> None:
        signal.signal(signal.SIGTERM, hear)

    before = signal.getsignal(signal.SIGTERM)
    listen()
    try:
        yield listen
    except KeyboardInterrupt:
        if heard:
            _end(heard[0])
        raise
    except SystemExit:  # what Ray makes of the signal before `listen` is called
        _end(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int) -> NoReturn:
    if number == signal.SIGTERM:
        raise TerminatedError("ended by SIGTERM")
    raise KeyboardInterrupt
