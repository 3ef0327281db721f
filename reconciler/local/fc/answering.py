"""Wire protocol of Function Compute: how a request is checked, and how what is wrong with it is written."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.fc.downloads import ROOT, CodeDownload
from reconciler.local.fc.object_signing import access_id_of_object
from reconciler.local.fc.objects import ObjectCall, object_refusal
from reconciler.local.fc.refusals import invalid_argument, path_not_supported
from reconciler.local.fc.routes import VERSION, find_handler, make_routes
from reconciler.local.fc.service import FcRequest, query_parameters
from reconciler.local.fc.signing import access_id_of, require_body, require_signature
from reconciler.local.fc.triggers import TRIGGER_ROOT
from reconciler.local.http.messages import UNREADABLE, HttpRefusal, MalformedRequest, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from reconciler.local.fc.invocations import Invoker
    from reconciler.local.fc.routes import RouteTable
    from reconciler.local.fc.service import FcService
    from reconciler.local.http.body import Body
    from reconciler.local.http.connection import PendingCall
    from reconciler.local.http.head import RequestHead

_WITH_BODY = frozenset({"POST", "PUT"})


@dataclass(frozen=True)
class FcCall:
    """A request of the control API."""

    service: FcService
    routes: RouteTable
    head: RequestHead
    parts: tuple[str, ...]
    """Decoded, what stands behind the version."""

    @property
    def path(self) -> str:
        """Decoded: ``/2023-03-30/functions``."""
        return "/".join(("", VERSION, *self.parts))

    def answer(self, body: Body, request_id: str) -> Response:
        """Look at a request in this order: who asks, how often, what is asked; then answer it."""
        service, method, headers = self.service, self.head.method, self.head.headers
        if service.settings.is_signed:
            require_signature(method, self.head.target, headers, service.settings, service.clock())
        service.pace.require_room()
        handler = find_handler(self.routes, method, self.parts)
        if method in _WITH_BODY and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            # There may be a body after all, and no telling where it ends.
            raise MalformedRequest(411, "MissingContentLength", "required HTTP header Content-Length was not specified")
        if method not in _WITH_BODY and service.settings.is_signed:
            require_body(headers, b"")
        request = FcRequest(
            method=method,
            path=self.parts,
            query=query_parameters(self.head.target.partition("?")[2]),
            headers=headers,
            body=body,
            request_id=request_id,
            is_signed=service.settings.is_signed,
        )
        return handler(request)


@dataclass(frozen=True)
class FcProtocol:
    """What a server's connections ask of the service."""

    service: FcService
    invoker: Callable[[], Invoker]
    """What runs functions: it is made for the first that is called."""

    @cached_property
    def _routes(self) -> RouteTable:
        return make_routes(self.service, lambda request: self.invoker().invoke(request))

    @property
    def has_control(self) -> bool:
        return self.service.settings.control

    @property
    def latency_ms(self) -> int:
        return self.service.settings.latency_ms

    @property
    def most_skipped(self) -> int:
        return self.service.settings.max_oss_code_bytes

    @cached_property
    def clock(self) -> Callable[[], float]:
        return self.service.clock

    def new_request_id(self) -> str:
        """A UUID, as documented examples have it."""
        return str(uuid.uuid4()).upper()

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Read: the first in the tools of Function Compute, the second in the gateway's SDKs, the third in that of OSS."""
        return [(name, request_id) for name in ("X-Fc-Request-Id", "x-acs-request-id", "x-oss-request-id")]

    def actor_of(self, headers: Message) -> str:
        return access_id_of(headers) or access_id_of_object(headers)

    def open_call(self, head: RequestHead) -> PendingCall:
        raw = head.target.partition("?")[0].split("/")[1:]
        try:
            parts = tuple(unquote(part, errors="strict") for part in raw)
        except UnicodeDecodeError:
            raise invalid_argument("the path is not UTF-8") from None
        if parts[0] == VERSION:
            return FcCall(self.service, self._routes, head, parts[1:])
        if parts[0] == ROOT:
            return CodeDownload(self.service, head.method, parts)
        if parts[0] == TRIGGER_ROOT:
            from reconciler.local.fc.invocations import TriggerCall

            return TriggerCall(self.invoker(), head, parts)
        if parts[0].startswith("_"):
            raise path_not_supported(head.method, "/".join(("", *parts)))
        return ObjectCall(self.service, head, parts[0], "/".join(parts[1:]))

    def answer_refusal(self, refusal: HttpRefusal, request_id: str, path: str) -> Response:
        code = "InvalidArgument" if refusal.code == UNREADABLE else refusal.code
        if path and not path.startswith((f"/{VERSION}", "/_")):
            return object_refusal(refusal, code, request_id, self.service.address)
        document = {"RequestId": request_id}
        if self.service.settings.error_fields != "errorCode":
            document |= {"Code": code, "Message": refusal.message}
        if self.service.settings.error_fields != "Code":
            document |= {"errorCode": code, "errorMessage": refusal.message}
        return Response(
            status=refusal.status,
            content=json.dumps(document).encode(),
            content_type="application/json",
            headers=refusal.headers,
        )

    def internal_refusal(self) -> HttpRefusal:
        """500, documented."""
        return HttpRefusal(500, "InternalServerError", "an internal error has occurred")
