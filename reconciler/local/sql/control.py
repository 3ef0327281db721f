"""Control of a running statement: an end from outside, or because its time is over."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.local.sql.problems import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Control:
    """A way to end a statement from outside."""

    stopped: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False
    _connection: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """End it soon."""
        self.stopped.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()

    def time_out(self) -> None:
        """End it because its time is over."""
        self.timed_out = True
        self.stop()

    @contextmanager
    def watching(self, connection: Any) -> Iterator[None]:
        """Let `stop` interrupt a connection."""
        with self._lock:
            self._connection = connection
        try:
            if self.stopped.is_set():
                raise Stopped
            yield
        finally:
            with self._lock:
                self._connection = None
