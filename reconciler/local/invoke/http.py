"""
HTTP triggers of built-in runtimes: a request becomes an event, and what the function returns a response.

"Use an HTTP trigger to invoke a function" in the documentation has both structures: `rawPath` as it was sent, the path of the context decoded,
values of one header or parameter joined by commas, a body in base64 if it is "of the binary type" (here: no UTF-8), and a result without
`statusCode` as the body of a 200 of type application/json. That an error of the function is a 502 with the error as its body is a guess.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from reconciler.local.invoke.description import UNHANDLED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.local.invoke.description import FunctionAnswer

BAD_GATEWAY = 502


@dataclass(frozen=True)
class HttpRequest:
    """What came to the trigger."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """What goes back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def make_event(request: HttpRequest, *, account: str, domain: str, request_id: str, now: datetime) -> bytes:
    """Return the event of a request, at a moment with its time zone."""
    try:
        body, is_encoded = request.body.decode("utf-8"), False
    except UnicodeDecodeError:
        body, is_encoded = base64.b64encode(request.body).decode("ascii"), True
    event = {
        "version": "v1",
        "rawPath": request.path,
        "body": body,
        "isBase64Encoded": is_encoded,
        "headers": dict(request.headers),
        "queryParameters": dict(request.query),
        "requestContext": {
            "accountId": account,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": next((text for name, text in request.headers.items() if name.lower() == "user-agent"), ""),
            },
            "requestId": request_id,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timeEpoch": str(int(now.timestamp() * 1000)),
        },
    }
    return json.dumps(event).encode("ascii")


def make_response(answer: FunctionAnswer) -> HttpResponse:
    """Return the response of what a function answered."""
    headers = {"X-Fc-EventRequest-Id": answer.request_id}
    if answer.error is not None:
        error = {"Content-Type": "application/json", "X-Fc-Error-Type": UNHANDLED}
        return HttpResponse(BAD_GATEWAY, {**headers, **error}, answer.payload)
    fields = _read(answer.payload)
    if fields is None:
        return HttpResponse(200, {**headers, "Content-Type": "application/json"}, answer.payload)
    status, fields_of_headers, body = fields
    return HttpResponse(status, {**headers, "Content-Type": "application/json", **fields_of_headers}, body)


def _read(payload: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """Return status, headers and body of a result that is written as a response; None for any other result."""
    try:
        result: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(result, dict) or "statusCode" not in result:
        return None
    text = result.get("body", "")
    body = (text if isinstance(text, str) else json.dumps(text)).encode("utf-8", "surrogateescape")
    try:
        if result.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True)
        status = int(result["statusCode"])
    except (ValueError, TypeError, OverflowError, binascii.Error):
        return None
    headers = result.get("headers") or {}
    fields_of_headers = (
        {str(name).title(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    )
    return status, fields_of_headers, body
