"""
Ctrl-C and a pipeline's SIGTERM while changes are made.

An exception in the middle of bookkeeping could lose a result, so the first signal only asks: what is in flight is finished
and written down. The second one interrupts for real.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def first_asks(stop: Event, heard: Callable[[], None]) -> Iterator[None]:
    """Let the first signal set `stop` and be `heard`, and the second raise KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        heard()

    # What is ignored (SIGHUP under nohup) stays ignored.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
