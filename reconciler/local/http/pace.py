"""
Pace of a client: bytes of a connection, with a bound on the time they take.

A client that sends a byte a minute would keep a thread for a day. So a head has to be there as a whole after some
seconds, and a body has to come at a rate that any line reaches.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from io import BufferedReader

_T = TypeVar("_T")

IDLE_SECONDS = 300.0
"""How long a connection may lie between two requests, or nothing be taken of an answer."""
HEAD_SECONDS = 30.0
BODY_SECONDS = 120.0
"""How long a body may be waited for in all, before what comes at the rate below earns it more."""
BODY_RATE = 1024.0
"""Bytes a second."""


class PacedReader:
    """The reading side of a connection. What comes too late ends in `TimeoutError`, and the connection is of no more use."""

    def __init__(self, connection: socket.socket, file: BufferedReader) -> None:
        self._connection = connection
        self._file = file
        self._seconds = 0.0

    def wait(self) -> bool:
        """Wait for the first byte of a request; return False when there will be none."""
        self._connection.settimeout(IDLE_SECONDS)
        return bool(self._file.peek(1))

    def begin_head(self) -> None:
        """What is read from here on is a head."""
        self._seconds = HEAD_SECONDS

    def begin_body(self) -> None:
        """What is read from here on is a body."""
        self._seconds = BODY_SECONDS

    def end(self) -> None:
        """Nothing is being read: the socket is for answers."""
        self._connection.settimeout(IDLE_SECONDS)

    def line(self, limit: int) -> bytes:
        """Return what comes up to and with the next line feed, at most `limit` bytes; less only where the client stopped."""
        line = b""
        while len(line) < limit and not line.endswith(b"\n"):
            # What lies in the buffer, else what one read of the socket gives.
            ready = self._read(lambda: self._file.peek(1))[: limit - len(line)]
            if not ready:
                break
            line += self._file.read(ready.find(b"\n") + 1 or len(ready))
        return line

    def readinto(self, buffer: memoryview) -> int:
        """Fill a part of `buffer`, and return how much; 0 where the client stopped."""
        count = self._read(lambda: self._file.readinto1(buffer))
        self._seconds = min(BODY_SECONDS, self._seconds + count / BODY_RATE)
        return count

    def _read(self, read: Callable[[], _T]) -> _T:
        # Only what is waited for the client counts, not what is done with what it sent.
        if self._seconds <= 0:
            raise TimeoutError("the client is too slow")
        self._connection.settimeout(self._seconds)
        start = time.monotonic()
        result = read()
        self._seconds -= time.monotonic() - start
        return result
