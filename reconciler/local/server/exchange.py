"""
Request and response: as the handlers see them, and a response as it is sent.

The body goes out straight from disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from reconciler.local.http.messages import Response
from reconciler.local.http.request import ClientRequest
from reconciler.local.server.protocol import element, header_text, invalid, missing_header, texts, xml_document

if TYPE_CHECKING:
    from reconciler.local.http.messages import HttpRefusal


@dataclass(frozen=True, kw_only=True)
class Request(ClientRequest):
    """What a client asks."""

    most_digits: ClassVar[int] = 18

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

    def refusal(self, why: str) -> HttpRefusal:
        return invalid(why)


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
