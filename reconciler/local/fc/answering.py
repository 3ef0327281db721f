"""Wire protocol of Function Compute: how a request is checked, and how what is wrong with it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.local.fc.downloads import ROOT, CodeDownload
from reconciler.local.fc.gateway import GatewayProtocol, path_parts, read_api_request, require_signer
from reconciler.local.fc.objects import ObjectCall, object_refusal
from reconciler.local.fc.refusals import invalid_argument, path_not_supported
from reconciler.local.fc.routes import VERSION, find_handler, make_routes
from reconciler.local.fc.triggers import TRIGGER_ROOT
from reconciler.local.http.messages import UNREADABLE, HttpRefusal, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.fc.invocations import Invoker
    from reconciler.local.fc.routes import RouteTable
    from reconciler.local.fc.service import FcService
    from reconciler.local.http.body import Body
    from reconciler.local.http.connection import PendingCall
    from reconciler.local.http.head import RequestHead


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
        require_signer(self.head, self.service)
        self.service.pace.require_room()
        handler = find_handler(self.routes, self.head.method, self.parts)
        return handler(read_api_request(self.head, self.parts, body, request_id, self.service))


@dataclass(frozen=True)
class FcProtocol(GatewayProtocol):
    """What a server's connections ask of the service."""

    service: FcService
    invoker: Callable[[], Invoker]
    """What runs functions: it is made for the first that is called."""

    @cached_property
    def _routes(self) -> RouteTable:
        return make_routes(self.service, lambda request: self.invoker().invoke(request))

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Read: the first in the tools of Function Compute, the second in the gateway's SDKs, the third in that of OSS."""
        return [(name, request_id) for name in ("X-Fc-Request-Id", "x-acs-request-id", "x-oss-request-id")]

    def open_call(self, head: RequestHead) -> PendingCall:
        try:
            parts = path_parts(head.target)
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
