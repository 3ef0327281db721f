"""Error responses: a refusal of the service's, and the failure that a fault asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.server.exchange import Response
from reconciler.local.server.protocol import HttpRefusal, error_xml

if TYPE_CHECKING:
    from reconciler.local.server.faults import Fault


def refusal_response(refusal: HttpRefusal, *, request_id: str, host_id: str) -> Response:
    """Return a refusal as the service writes it."""
    content = error_xml(refusal, request_id=request_id, host_id=host_id)
    return Response(status=refusal.status, headers=refusal.headers, content=content, content_type="application/xml")


def fault_response(fault: Fault, *, request_id: str, host_id: str) -> Response:
    """Return the answer that a fault asks for: its own body, or a refusal with its code."""
    retry = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
    if fault.body is None:
        refusal = HttpRefusal(fault.status, fault.code, fault.message, retry)
        return replace(refusal_response(refusal, request_id=request_id, host_id=host_id), is_own=not fault.in_between)
    return Response(
        status=fault.status,
        headers=retry,
        content=fault.body.encode(),
        content_type=fault.content_type,
        is_own=not fault.in_between,
    )
