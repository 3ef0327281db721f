"""Wire protocol of the API: how a request is checked, and how what is wrong with it is written."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.fc.object_signing import access_id_of_object
from reconciler.local.fc.objects import ObjectCall, object_refusal
from reconciler.local.fc.service import FcRequest, query_parameters
from reconciler.local.fc.signing import access_id_of, require_body, require_signature
from reconciler.local.http.messages import UNREADABLE, HttpRefusal, MalformedRequest, Response
from reconciler.local.ververica.routes import find_route, make_api_routes
from reconciler.local.ververica.service import ApiRequest
from reconciler.local.ververica.uploads import ROOT, PresignedUpload

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from reconciler.local.http.body import Body
    from reconciler.local.http.connection import PendingCall
    from reconciler.local.http.head import RequestHead
    from reconciler.local.ververica.routes import Routes
    from reconciler.local.ververica.service import VervericaService

_ROOTS = frozenset({"api", "artifacts", "flink-ui"})
"""Paths of the API begin so: no bucket of the local OSS can be called so."""

_WITH_BODY = frozenset({"POST", "PUT"})
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
        fc = service.objects
        if fc.settings.is_signed:
            require_signature(method, self.head.target, headers, fc.settings, fc.clock())
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
        if method in _WITH_BODY and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            raise MalformedRequest(411, "MissingContentLength", "required HTTP header Content-Length was not specified")
        if method not in _WITH_BODY and fc.settings.is_signed:
            require_body(headers, b"")
        plain = FcRequest(
            method=method,
            path=route.names,
            query=query_parameters(self.head.target.partition("?")[2]),
            headers=headers,
            body=body,
            request_id=request_id,
            is_signed=fc.settings.is_signed,
        )
        return route.handler(ApiRequest(plain, route.namespace, access_id_of(headers) or _ANYBODY))


@dataclass(frozen=True)
class VervericaProtocol:
    """What a server's connections ask of the service."""

    service: VervericaService

    @cached_property
    def _routes(self) -> Routes:
        return make_api_routes(self.service)

    @property
    def has_control(self) -> bool:
        return self.service.settings.control

    @property
    def latency_ms(self) -> int:
        return self.service.settings.latency_ms

    @property
    def most_skipped(self) -> int:
        return self.service.objects.settings.max_oss_code_bytes

    @cached_property
    def clock(self) -> Callable[[], float]:
        return self.service.objects.clock

    def new_request_id(self) -> str:
        """A UUID, as documented examples have it."""
        return str(uuid.uuid4()).upper()

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Read: the first in the gateway's SDKs, the second in that of OSS."""
        return [(name, request_id) for name in ("x-acs-request-id", "x-oss-request-id")]

    def actor_of(self, headers: Message) -> str:
        return access_id_of(headers) or access_id_of_object(headers)

    def open_call(self, head: RequestHead) -> PendingCall:
        raw = head.target.partition("?")[0].split("/")[1:]
        try:
            parts = tuple(unquote(part, errors="strict") for part in raw)
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
