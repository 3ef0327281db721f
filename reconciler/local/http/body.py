"""Request body: read once, in pieces, never whole unless it is small."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.local.http.head import parse_field
from reconciler.local.http.messages import HttpRefusal, MalformedRequest, malformation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.local.http.pace import PacedReader

CHUNK = 1 << 20
"""One read of a body. Large enough that the work is in hashing and in the disk, not here."""

_MAX_LINE = 8192
_MAX_TRAILERS = 100
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}\r\n")
"""Extensions are refused: nobody sends them, and readers disagree on where they end."""


class Disconnected(Exception):
    """The client went away in the middle of a body."""


class Body:
    """
    A request body on the connection, whichever way it is framed.

    `length` is None for ``Transfer-Encoding: chunked``. `begin` is called before the first byte is read: there the
    connection says *100 Continue* to a client that waits for it.
    """

    def __init__(self, stream: PacedReader, length: int | None, begin: Callable[[], None]) -> None:
        self.length = length
        self.received = 0
        self._stream = stream
        self._begin: Callable[[], None] | None = begin
        self._left = length or 0  # of the body, or of the current chunk
        self._done = length == 0
        self._broken = False
        self._trip: tuple[int, Callable[[], None]] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether all of it was read."""
        return self._done

    @property
    def is_begun(self) -> bool:
        """Whether the client was told to send it."""
        return self._begin is None or self._done

    def trip_at(self, received: int, action: Callable[[], None]) -> None:
        """Call `action` once, as soon as `received` bytes have come in."""
        self._trip = (received, action)

    def pieces(self) -> Iterator[memoryview]:
        """Yield the rest of the body; a piece is valid until the next one is asked for."""
        buffer = memoryview(bytearray(min(CHUNK, self.length) if self.length else CHUNK))
        while count := self._read(buffer):
            yield buffer[:count]

    def whole(self, limit: int) -> bytes:
        """All of a small body."""
        content = bytearray()
        for piece in self.pieces():
            content += piece
            if len(content) > limit:
                raise HttpRefusal(400, "InvalidParameter", f"The request body is larger than {limit} bytes")
        return bytes(content)

    def discard(self, limit: int) -> bool:
        """Read and forget the rest, so that the connection can serve the next request; False if it is too much."""
        self._trip = None
        if self._broken:
            return False
        remaining = limit
        for piece in self.pieces():
            remaining -= len(piece)
            if remaining < 0:
                return False
        return True

    def _read(self, buffer: memoryview) -> int:
        """Fill `buffer` from the body; 0 only at its end."""
        if self._done:
            return 0
        if self._begin is not None:
            begin, self._begin = self._begin, None
            begin()
            self._stream.begin_body()
        self._trip_if_due()
        count = self._fill(buffer[: self._until_trip(len(buffer))])
        self.received += count
        self._trip_if_due()
        return count

    def _until_trip(self, count: int) -> int:
        return min(count, self._trip[0] - self.received) if self._trip else count

    def _trip_if_due(self) -> None:
        if self._trip and self.received >= self._trip[0]:
            action, self._trip = self._trip[1], None
            action()

    def _fill(self, buffer: memoryview) -> int:
        if self.length is None and self._left == 0 and not self._next_chunk():
            return 0
        goal = min(len(buffer), self._left)
        count = 0
        while count < goal:
            got = self._stream.readinto(buffer[count:goal])
            if not got:
                raise Disconnected("the client stopped in the middle of a body")
            count += got
        self._left -= count
        if self.length is not None:
            self._done = self._left == 0
        elif self._left == 0 and self._line() != b"\r\n":
            raise self._framing_refusal("a chunk is longer than it says")
        return count

    def _next_chunk(self) -> bool:
        size = self._line()
        if _CHUNK_SIZE.fullmatch(size) is None:
            raise self._framing_refusal("a chunk has no size")
        self._left = int(size, 16)
        if self._left == 0:
            self._skip_trailers()
            self._done = True
        return self._left > 0

    def _skip_trailers(self) -> None:
        for _ in range(_MAX_TRAILERS):
            line = self._line()
            if line == b"\r\n":
                return
            self._check_trailer(line)
        raise self._framing_refusal("too many trailers")

    def _check_trailer(self, line: bytes) -> None:
        try:
            parse_field(line)
        except MalformedRequest:
            self._broken = True
            raise

    def _line(self) -> bytes:
        line = self._stream.line(_MAX_LINE)
        if not line.endswith(b"\n"):
            if len(line) < _MAX_LINE:
                raise Disconnected("the client stopped in the middle of a body")
            raise self._framing_refusal("a line is too long")
        return line

    def _framing_refusal(self, why: str) -> MalformedRequest:
        # Where the next request begins is no longer known.
        self._broken = True
        return malformation(f"the chunked body cannot be read: {why}")
