"""
Request and response: as the handlers see them, and a response as it is sent.

The body goes out straight from disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from reconciler.local.server.protocol import (
    HttpRefusal,
    element,
    header_text,
    invalid,
    missing_header,
    texts,
    xml_document,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping, Sequence
    from email.message import Message

    from reconciler.local.server.body import Body
    from reconciler.local.server.faults import Fault

_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asks."""

    method: str
    path: tuple[str, ...]
    """Decoded, without the endpoint's own prefix: ``("projects", "demo", "resources", "a.py")``."""
    query: Mapping[str, str]
    headers: Message
    body: Body
    actor: str
    """Who asks, as an owner name."""

    def header(self, name: str) -> str | None:
        """The header as text, None when it was not sent."""
        value = self.headers.get(name)
        return None if value is None else header_text(value)

    def required_header(self, name: str) -> str:
        """The header as text; 400 when it was not sent, or is empty."""
        if value := self.header(name):
            return value
        raise missing_header(name)

    def flag(self, name: str) -> bool:
        """Whether a query parameter such as ``rIsPart=true`` is set."""
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str) -> int | None:
        """A query parameter that counts something."""
        value = self.query.get(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit()) or len(value) > 18:
            raise invalid(f"{name} must be a number")
        return int(value)


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


def xml_response(root: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A successful answer with a document."""
    return Response(status=200, content=xml_document(root), content_type="application/xml", headers=headers)


def created_response(*path: str) -> Response:
    """201 with the ``Location`` of the new object; the connection puts the endpoint before it."""
    return Response(status=201, headers=(("Location", "/" + "/".join(quote(part, safe="") for part in path)),))


def with_whole_location(response: Response, base: str) -> Response:
    """Return a response whose ``Location`` begins with `base`, the endpoint that the client used (recorded answers)."""
    if not any(name == "Location" for name, _ in response.headers):
        return response
    headers = tuple((name, base + value if name == "Location" else value) for name, value in response.headers)
    return replace(response, headers=headers)


def refusal_response(refusal: HttpRefusal, *, request_id: str, host_id: str) -> Response:
    """Return a refusal as the service writes it."""
    # PyODPS reads it only when all four elements are there.
    error = texts(Code=refusal.code, Message=refusal.message, RequestId=request_id, HostId=host_id)
    return replace(xml_response(element("Error", error), refusal.headers), status=refusal.status)


def fault_response(fault: Fault, *, request_id: str, host_id: str) -> Response:
    """Return the answer that a fault asks for: its own body, or a refusal with its code."""
    retry = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
    refusal = HttpRefusal(fault.status, fault.code, fault.message, retry)
    response = replace(refusal_response(refusal, request_id=request_id, host_id=host_id), is_own=not fault.in_between)
    if fault.body is None:
        return response
    return replace(response, content=fault.body.encode(), content_type=fault.content_type)


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
