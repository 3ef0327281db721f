"""
Error answers of the service, as XML or JSON.

Anything may stand in an error's body: what is not the service's own has no code, and its text is the message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_PHRASES = {401: "unauthorized", 404: "not found"}
"""What is said instead of the page that a server shows."""


@dataclass(frozen=True)
class ServiceRefusal:
    """An answer that says no."""

    status: int | None
    """None where there was no answer."""
    code: str
    """The service's own; nothing if somebody in between answered."""
    message: str
    request: str = ""
    """What the service calls the request."""
    retry_after: float | None = None
    """Seconds."""


def refusal_of(status: int, headers: Mapping[str, str], body: bytes) -> ServiceRefusal:
    """Read an answer that is not ok, whatever its body holds."""
    request = headers.get("x-odps-request-id", "")
    # Its form as a date is not read.
    after = headers.get("Retry-After", "")
    seconds = whole_number(after)
    for parts in (_xml, _json):
        if (refusal := parts(body)) is not None:
            code, message, name = refusal
            return ServiceRefusal(status, code, message, name or request, seconds)
    page = body.decode("utf-8", "replace").strip() or str(status)
    return ServiceRefusal(status, "", _PHRASES.get(status, page), request, seconds)


def _xml(body: bytes) -> tuple[str, str, str] | None:
    from xml.etree import ElementTree as ET

    # Entities may multiply without end, and the service sends none.
    if b"<!ENTITY" in body or b"\0" in body:
        return None
    try:
        root = ET.fromstring(body)
    except (ET.ParseError, ValueError, LookupError):
        return None
    code, message = root.findtext("Code"), root.findtext("Message")
    return None if not code or message is None else (code, message, root.findtext("RequestId") or "")


def _json(body: bytes) -> tuple[str, str, str] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("Message"), str):
        return None
    return str(document.get("Code") or ""), document["Message"], str(document.get("RequestId") or "")
