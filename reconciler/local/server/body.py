"""Request body: read once, in pieces, never whole unless it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.server.protocol import HttpRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase

CHUNK = 1 << 20
"""One read of a body. Large enough that the work is in hashing and in the disk, not here."""

_MAX_LINE = 8192
_MAX_TRAILERS = 100


class Disconnected(Exception):
    """The client went away in the middle of a body."""


class Body:
    """
    A request body on the connection, whichever way it is framed.

    `length` is None for ``Transfer-Encoding: chunked``. `begin` is called before the first byte is read: there the
    connection says *100 Continue* to a client that waits for it.
    """

    def __init__(self, stream: BufferedIOBase, length: int | None, begin: Callable[[], None]) -> None:
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
        elif self._left == 0 and self._line() != b"":
            raise self._framing_refusal("a chunk is longer than it says")
        return count

    def _next_chunk(self) -> bool:
        size = self._line().split(b";", 1)[0].strip()
        # int() alone would take "+5", "0x5" and "1_0", which another reader of the same bytes may not.
        if not size or len(size) > 15 or any(digit not in b"0123456789abcdefABCDEF" for digit in size):
            raise self._framing_refusal("a chunk has no size")
        self._left = int(size, 16)
        if self._left == 0:
            self._skip_trailers()
            self._done = True
        return self._left > 0

    def _skip_trailers(self) -> None:
        for _ in range(_MAX_TRAILERS):
            if self._line() == b"":
                return
        raise self._framing_refusal("too many trailers")

    def _line(self) -> bytes:
        line = self._stream.readline(_MAX_LINE)
        if not line:
            raise Disconnected("the client stopped in the middle of a body")
        if not line.endswith(b"\n"):
            raise self._framing_refusal("a line is too long")
        return line.rstrip(b"\r\n")

    def _framing_refusal(self, why: str) -> HttpRefusal:
        # 400; where the next request begins is no longer known, so the connection ends with it.
        self._broken = True
        return HttpRefusal(400, "InvalidParameter", f"The chunked request body cannot be read: {why}")
