"""
Request head: request line and header fields in the grammar of RFC 9112, without the liberties it allows a reader.

What another reader of the same bytes might take for something else is refused and never mended: that is how a second
request is hidden in a first. With the refusal the connection ends, because where the next request begins is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import TYPE_CHECKING

from reconciler.local.http.messages import malformation

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

MAX_LINE = 64 << 10
MAX_FIELD_BYTES = 64 << 10
MAX_FIELDS = 100

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"{1,64}) (/[!-~]*) HTTP/(\d)\.(\d)")
_FIELD = re.compile(rb"(" + _TOKEN + rb"+):([\t -~\x80-\xff]*)")
_SINGLE = {"authorization", "content-length", "content-md5", "content-type", "date", "expect", "host"} | {
    "origin", "sec-fetch-site", "transfer-encoding", "user-agent",
}  # fmt: skip
"""Fields that are read here, and of which two would be read in two ways; so would two of one field of a service's own."""

_OF_SERVICES = ("x-odps-", "x-acs-", "x-fc-", "x-oss-")


@dataclass(frozen=True)
class RequestHead:
    """A request without its body."""

    method: str
    target: str
    """Path and query, as they were sent."""
    version: tuple[int, int]
    headers: Message

    @property
    def closes(self) -> bool:
        """Whether the client wants the connection to end with this request; so does everybody who speaks HTTP/1.0."""
        options = ",".join(self.headers.get_all("Connection", []))
        return self.version < (1, 1) or "close" in {option.strip().lower() for option in options.split(",")}

    @property
    def body_length(self) -> int | None:
        """Bytes of the body, None when it comes in chunks; raises `MalformedRequest`."""
        length, coding = self.headers.get("Content-Length"), self.headers.get("Transfer-Encoding")
        if coding is not None:
            if length is not None or coding.lower() != "chunked" or self.version < (1, 1):
                raise malformation("Transfer-Encoding and Content-Length cannot be understood together")
            return None
        if length is None:
            return 0
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise malformation("Content-Length is not a number")
        return int(length)


def read_head(read_line: Callable[[int], bytes]) -> RequestHead:
    """
    Read a head by lines; raises `MalformedRequest`.

    `read_line` returns bytes up to and with the next line feed, but no more than it is told; it ends a client that takes
    too long.
    """
    line = read_line(MAX_LINE)
    if len(line) >= MAX_LINE:
        raise malformation("the request line is too long", 414)
    words = _REQUEST_LINE.fullmatch(_content(line))
    if words is None:
        raise malformation("the first line is no request")
    version = int(words[3]), int(words[4])
    if version not in ((1, 0), (1, 1)):
        raise malformation("the version of HTTP is not spoken here", 505)
    # Slashes at the start count as one, as `http.server` has it: an endpoint may be written with one at its end.
    target = re.sub("^//+", "/", words[2].decode("ascii"))
    return RequestHead(words[1].decode("ascii"), target, version, _read_fields(read_line))


def _read_fields(read_line: Callable[[int], bytes]) -> Message:
    headers = HTTPMessage()
    room = MAX_FIELD_BYTES
    for _ in range(MAX_FIELDS + 1):
        line = read_line(room)
        if len(line) >= room:
            raise malformation("the header fields are too long", 431)
        room -= len(line)
        if line == b"\r\n":
            return headers
        name, value = parse_field(line)
        if name in headers and (name.lower() in _SINGLE or name.lower().startswith(_OF_SERVICES)):
            raise malformation(f"{name} is sent twice")
        headers[name] = value
    raise malformation("there are too many header fields", 431)


def parse_field(line: bytes) -> tuple[str, str]:
    """Return name and value of a line, as it came; raises `MalformedRequest`."""
    field = _FIELD.fullmatch(_content(line))
    if field is None:
        raise malformation("a header field cannot be read")
    return field[1].decode("ascii"), field[2].strip(b" \t").decode("latin-1")


def _content(line: bytes) -> bytes:
    # A line feed alone ends a line for some readers and not for others; so does a carriage return, which no pattern takes.
    if not line.endswith(b"\r\n"):
        raise malformation("a line does not end with CR LF")
    return line[:-2]
