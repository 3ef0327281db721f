"""Wire protocol of MaxCompute: how a request is checked, and how what is wrong with it is written."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.http.messages import UNREADABLE, HttpRefusal, MalformedRequest, Response
from reconciler.local.http.request import has_no_length, parse_parameters
from reconciler.local.server import routes, signing
from reconciler.local.server.exchange import Request, refusal_response, with_whole_location
from reconciler.local.server.protocol import invalid

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead
    from reconciler.local.server.service import LocalService


@dataclass(frozen=True)
class MaxComputeCall:
    """A request to a path of the service."""

    service: LocalService
    head: RequestHead
    raw_path: str
    """Without the endpoint's own prefix, which is not signed."""
    parts: tuple[str, ...]
    actor: str

    @property
    def path(self) -> str:
        """Decoded, without the endpoint's prefix."""
        return "/" + "/".join(self.parts)

    def answer(self, body: Body, request_id: str) -> Response:
        """Look at a request in this order: who asks, what is asked, may that be; then answer it."""
        del request_id  # no handler needs it
        settings, method, headers = self.service.settings, self.head.method, self.head.headers
        whole_path, question, query = self.head.target.partition("?")
        if settings.is_signed:
            signing.require_valid(method, self.raw_path + question + query, headers, settings)
        handler = routes.handler(method, self.parts)
        if has_no_length(self.head):
            raise MalformedRequest(411, "MissingContentLength", "ODPS-0420021: Missing Content-Length in HTTP request")
        if settings.denied:
            from reconciler.local.server.permissions import require_permission

            require_permission(method, self.parts, settings.denied)
        request = Request(
            method=method,
            path=self.parts,
            query=parse_parameters(query, invalid),
            headers=headers,
            body=body,
            actor=self.actor,
        )
        endpoint = f"http://{headers.get('Host', '')}{whole_path.removesuffix(self.raw_path)}"
        return with_whole_location(handler(self.service, request), endpoint)


@dataclass(frozen=True)
class MaxComputeProtocol:
    """What a server's connections ask of the service."""

    service: LocalService

    def new_request_id(self) -> str:
        return secrets.token_hex(12).upper()

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-odps-request-id", request_id)]

    def actor_of(self, headers: Message) -> str:
        return signing.actor(headers, self.service.settings)

    def open_call(self, head: RequestHead) -> MaxComputeCall:
        raw_path, parts = routes.split_path(head.target.partition("?")[0])
        return MaxComputeCall(self.service, head, raw_path, parts, self.actor_of(head.headers))

    def answer_refusal(self, refusal: HttpRefusal, request_id: str, path: str) -> Response:
        del path  # all are written alike
        if refusal.code == UNREADABLE:
            parameter = invalid(refusal.message)
            refusal = HttpRefusal(refusal.status, parameter.code, parameter.message, refusal.headers)
        return refusal_response(refusal, request_id=request_id, host_id=self.service.host)

    def internal_refusal(self) -> HttpRefusal:
        return HttpRefusal(500, "InternalServerError", "ODPS-0010000:System internal error")
