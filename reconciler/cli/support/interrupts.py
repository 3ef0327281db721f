"""
Ctrl-C and a pipeline's SIGTERM while changes are made.

An exception in the middle of bookkeeping could lose a result, so the first signal only asks: what is in flight is finished
and written down. The second one interrupts for real.
"""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interruptible(all_is_said: Event) -> None:
    """
    Let a pipeline's SIGTERM, and a terminal that goes away, end a run as Ctrl-C does: with a report of what was done.

    Once `all_is_said`, what still comes ends the process at once, and not with a traceback.
    """

    def interrupt(number: int, frame: Any) -> None:
        if all_is_said.is_set():
            os._exit(130)
        raise KeyboardInterrupt

    def ignore() -> None:
        for number in heeded:
            signal.signal(number, signal.SIG_IGN)

    heeded = _signals()
    for number in heeded:
        signal.signal(number, interrupt)
    # Later than that the interpreter takes its handlers back, and a signal would kill it and hide the exit code.
    atexit.register(ignore)


def _signals() -> list[signal.Signals]:
    """Return the signals that are not ignored: SIGHUP under nohup stays so."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def first_asks(stop: Event, heard: Callable[[], None]) -> Iterator[None]:
    """Let the first signal set `stop` and be `heard`, and the second raise KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        heard()

    before = {number: signal.signal(number, handle) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
