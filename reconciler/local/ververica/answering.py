"""Wire protocol of the API: how a request is checked, and how what is wrong with it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.local.fc.gateway import GatewayProtocol, path_parts, read_api_request, require_signer
from reconciler.local.fc.objects import ObjectCall, object_refusal
from reconciler.local.fc.signing import access_id_of
from reconciler.local.http.messages import UNREADABLE, HttpRefusal, Response
from reconciler.local.ververica.routes import find_route, make_api_routes
from reconciler.local.ververica.service import ApiRequest
from reconciler.local.ververica.uploads import ROOT, PresignedUpload

if TYPE_CHECKING:
    from reconciler.local.http.body import Body
    from reconciler.local.http.connection import PendingCall
    from reconciler.local.http.head import RequestHead
    from reconciler.local.ververica.routes import Routes
    from reconciler.local.ververica.service import VervericaService

_ROOTS = frozenset({"api", "artifacts", "flink-ui"})
"""Paths of the API begin so: no bucket of the local OSS can be called so."""

_ANYBODY = "local"


@dataclass(frozen=True)
class ApiCall:
    """A request of the API."""

    service: VervericaService
    routes: Routes
    head: RequestHead
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """Decoded: ``/api/v2/namespaces/risk-default/deployments``."""
        return "/".join(("", *self.parts))

    def answer(self, body: Body, request_id: str) -> Response:
        """Look at a request in this order: who asks, for which workspace, what is asked; then answer it."""
        service, method, headers = self.service, self.head.method, self.head.headers
        require_signer(self.head, service.objects)
        workspace = service.settings.workspace
        if workspace and headers.get("workspace") != workspace:
            # A guess.
            raise HttpRefusal(
                403, "Forbidden.Workspace", f"the workspace {headers.get('workspace', '')} is none of yours"
            )
        route = find_route(self.routes, method, self.parts)
        if route is None:
            # What the gateway says of an action that no API has (read in its SDKs).
            raise HttpRefusal(404, "InvalidAction.NotFound", f"there is no {method} of {self.path}")
        plain = read_api_request(self.head, route.names, body, request_id, service.objects)
        return route.handler(ApiRequest(plain, route.namespace, access_id_of(headers) or _ANYBODY))


@dataclass(frozen=True)
class VervericaProtocol(GatewayProtocol):
    """What a server's connections ask of the service."""

    service: VervericaService

    @cached_property
    def _routes(self) -> Routes:
        return make_api_routes(self.service)

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Read: the first in the gateway's SDKs, the second in that of OSS."""
        return [(name, request_id) for name in ("x-acs-request-id", "x-oss-request-id")]

    def open_call(self, head: RequestHead) -> PendingCall:
        try:
            parts = path_parts(head.target)
        except UnicodeDecodeError:
            raise HttpRefusal(400, "InvalidParameter", "the path is not UTF-8") from None
        if parts[0] == ROOT:
            return PresignedUpload(self.service, head, "/".join(parts[1:]))
        if parts[0] in _ROOTS or parts[0].startswith("_"):
            return ApiCall(self.service, self._routes, head, parts)
        return ObjectCall(self.service.objects, head, parts[0], "/".join(parts[1:]))

    def answer_refusal(self, refusal: HttpRefusal, request_id: str, path: str) -> Response:
        code = "InvalidParameter" if refusal.code == UNREADABLE else refusal.code
        root = path.split("/")[1] if path else "api"
        if root not in _ROOTS and not (root.startswith("_") and root != ROOT):
            return object_refusal(refusal, code, request_id, self.service.objects.address)
        status = refusal.status
        if status == 200:
            status = int(self.service.settings.business_status)
            document = {
                "requestId": request_id,
                "success": False,
                "httpCode": status,
                "errorCode": code,
                "errorMessage": refusal.message,
            }
        else:
            document = {"RequestId": request_id, "Code": code, "Message": refusal.message}
        content = json.dumps(document, ensure_ascii=False).encode()
        kind = "application/json;charset=utf-8"
        return Response(status=status, content=content, content_type=kind, headers=refusal.headers)

    def internal_refusal(self) -> HttpRefusal:
        """500, documented for the gateway."""
        return HttpRefusal(500, "InternalError", "an internal error has occurred")
