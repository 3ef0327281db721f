"""
HTTP messages: refusals, and responses as they are sent.

The body goes out straight from disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping, Sequence

_REASONS = {status.value: status.phrase for status in HTTPStatus}

UNREADABLE = ""
"""The code of a refusal that HTTP itself asks for: each service has a name of its own for what it cannot read."""


class HttpRefusal(Exception):
    """An answer that says no; the transaction it is raised in is rolled back."""

    def __init__(self, status: int, code: str, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = tuple(headers)


class MalformedRequest(HttpRefusal):
    """A request of which nobody can say where it ends: the connection ends with the answer."""


def malformation(why: str, status: int = 400) -> MalformedRequest:
    """Return the refusal of bytes that are no request."""
    return MalformedRequest(status, UNREADABLE, why)


def bad_request(why: str) -> HttpRefusal:
    """Return the refusal of a request whose end is known, and no more."""
    return HttpRefusal(400, UNREADABLE, why)


@dataclass(frozen=True)
class Span:
    """A stretch of an open file, to be sent as it is."""

    file: BinaryIO
    offset: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Response:
    """What is answered; `spans` go out after `content`, straight from disk."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    content_type: str = "text/plain;charset=utf-8"
    spans: tuple[Span, ...] = field(default=())
    pieces: Iterable[bytes | memoryview] | None = None
    """A body in the place of the others, of which nobody knows how long it will be: it is sent as it comes about."""
    is_own: bool = True
    """Whether the service itself answers; what stands in between does not know its request ids."""

    @property
    def length(self) -> int:
        """Bytes of body, as far as they are known before it is sent."""
        return len(self.content) + sum(span.count for span in self.spans)

    def close(self) -> None:
        """Let go of the files."""
        for span in self.spans:
            span.file.close()


def answer_json(document: Mapping[str, Any]) -> Response:
    """Return an answer that holds a document."""
    return Response(status=200, content=json.dumps(document).encode(), content_type="application/json")


def encode_head(response: Response, extra: Sequence[tuple[str, str]], *, closes: bool) -> bytes:
    """Return status line and headers. Values are sent as UTF-8: what came in as such goes out as it came."""
    headers = [*extra, *response.headers]
    if response.status != HTTPStatus.NO_CONTENT:
        length = ("Content-Length", str(response.length))
        framing = length if response.pieces is None else ("Transfer-Encoding", "chunked")
        headers += [("Content-Type", response.content_type), framing]
    if closes:
        headers.append(("Connection", "close"))
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def transmit(connection: socket.socket, head: bytes, response: Response, limit: int) -> None:
    """Send `limit` bytes of the answer: all of it, unless it is to be truncated."""
    first = (head + response.content)[:limit]
    connection.sendall(first)
    limit -= len(first)
    for span in response.spans:
        if (count := min(span.count, limit)) > 0:
            connection.sendfile(span.file, span.offset, count)
            limit -= count
    if response.pieces is not None and limit >= 0 and len(first) == len(head):
        _send_chunks(connection, response.pieces)


def _send_chunks(connection: socket.socket, pieces: Iterable[bytes | memoryview]) -> None:
    for piece in pieces:
        if piece:
            connection.sendall(b"".join((b"%x\r\n" % len(piece), piece, b"\r\n")))
    connection.sendall(b"0\r\n\r\n")
