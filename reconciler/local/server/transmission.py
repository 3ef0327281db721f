"""Transmission of a response: status line and headers, and the body straight from disk."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from reconciler.local.server.exchange import Response


def encode_head(response: Response, extra: Sequence[tuple[str, str]], *, closes: bool) -> bytes:
    """Return status line and headers. Values are sent as UTF-8: what came in as such goes out as it came."""
    headers = [*extra, *response.headers]
    if response.status != HTTPStatus.NO_CONTENT:
        headers += [("Content-Type", response.content_type), ("Content-Length", str(response.length))]
    if closes:
        headers.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {response.status} {_reason(response.status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
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


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
