"""Request and response as the handlers see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from reconciler.local.server.protocol import header_text, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from reconciler.local.server.body import Body


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
    is_own: bool = True
    """Whether the service itself answers; what stands in between does not know its request ids."""

    @property
    def length(self) -> int:
        """Bytes of body."""
        return len(self.content) + sum(span.count for span in self.spans)

    def close(self) -> None:
        """Let go of the files."""
        for span in self.spans:
            span.file.close()


def xml_response(content: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A successful answer with a document."""
    return Response(status=200, content=content, content_type="application/xml", headers=headers)


def created_response(*path: str) -> Response:
    """201 with the ``Location`` of the new object, as a log of the service shows it for other objects."""
    return Response(status=201, headers=(("Location", "/" + "/".join(quote(part, safe="") for part in path)),))
