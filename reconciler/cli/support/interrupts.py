"""
Ctrl-C and a pipeline's SIGTERM while changes are made.

An exception in the middle of bookkeeping could lose a result, so the first signal only asks: what is in flight is finished
and written down. The second one interrupts for real.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NUDGE = signal.SIGURG
"""It wakes whoever waits and means nothing."""

_RAISED = 2
"""Signals that raise: one to end the work and one to end its report, as `timeout` sends them."""

_NUDGES = (0.05, 0.2, 1.0)
"""Seconds after a signal."""


def interruptible(all_is_said: Event) -> None:
    """
    Let a pipeline's SIGTERM, and a terminal that goes away, end a run as Ctrl-C does: with a report of what was done.

    The second one ends the telling. What comes after it, or once `all_is_said`, ends the process at once: whatever catches an
    exception can itself be interrupted, and the interpreter would report that by a traceback and a signal's exit code.
    """
    heard = 0

    def interrupt(number: int, frame: Any) -> None:
        nonlocal heard
        heard += 1
        if all_is_said.is_set() or heard > _RAISED:
            os._exit(130)
        raise KeyboardInterrupt

    def end(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            os._exit(130)
        sys.__excepthook__(kind, error, trace)

    def ignore() -> None:
        for number in heeded:
            signal.signal(number, signal.SIG_IGN)

    heeded = _signals()
    for number in heeded:
        signal.signal(number, interrupt)
    sys.excepthook = end
    _wake_on_signals()
    # Later than that the interpreter takes its handlers back, and a signal would kill it and hide the exit code.
    atexit.register(ignore)


def _wake_on_signals() -> None:
    """
    Wake the main thread after a signal, until it has seen it.

    Python runs handlers in the main thread when that comes to it. A signal that arrives just before it waits for a lock, or is
    delivered to another thread, interrupts no wait, and without this would be heard when the service answers.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    main = threading.main_thread().ident

    def nudge() -> None:
        while numbers := os.read(reader, 64):
            if set(numbers) - {_NUDGE}:
                for seconds in _NUDGES:
                    time.sleep(seconds)
                    signal.pthread_kill(main, _NUDGE)  # type: ignore[arg-type]

    signal.signal(_NUDGE, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=nudge, name="udfs-signals", daemon=True).start()


def _signals() -> list[signal.Signals]:
    """Return the signals that are not ignored: SIGHUP under nohup stays so."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def first_asks(stop: Event, heard: Callable[[], None]) -> Iterator[None]:
    """Let the first signal set `stop` and be `heard`, and the second raise KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            if callable(outer := before.get(signal.Signals(number))):
                outer(number, frame)
            raise KeyboardInterrupt
        stop.set()
        heard()

    before = {number: signal.getsignal(number) for number in _signals()}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
