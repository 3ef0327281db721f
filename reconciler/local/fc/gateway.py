"""
Requests at the vendor's gateway, which stands before Function Compute and Realtime Compute alike.

How requests are signed, and how they are called in answers, is the gateway's; documented as its signature version 3, and read in its SDKs.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.fc.object_signing import access_id_of_object
from reconciler.local.fc.service import FcRequest, query_parameters
from reconciler.local.fc.signing import access_id_of, require_body, require_signature
from reconciler.local.http.messages import MalformedRequest
from reconciler.local.http.request import has_no_length

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.fc.service import FcService
    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead

_WITH_BODY = frozenset({"POST", "PUT"})


class GatewayProtocol:
    """What the services behind the gateway have in common of a `WireProtocol`."""

    def new_request_id(self) -> str:
        """A UUID, as documented examples have it."""
        return str(uuid.uuid4()).upper()

    def actor_of(self, headers: Message) -> str:
        """Return the access id that signs a request, of the API or of OSS; it is not proven."""
        return access_id_of(headers) or access_id_of_object(headers)


def path_parts(target: str) -> tuple[str, ...]:
    """Return the decoded parts of a path; raises UnicodeDecodeError."""
    return tuple(unquote(part, errors="strict") for part in target.partition("?")[0].split("/")[1:])


def require_signer(head: RequestHead, service: FcService) -> None:
    """Refuse a request of the API that is not signed as it should be, where requests are to be signed."""
    if service.settings.is_signed:
        require_signature(head.method, head.target, head.headers, service.settings, service.clock())


def read_api_request(
    head: RequestHead, path: tuple[str, ...], body: Body, request_id: str, service: FcService
) -> FcRequest:
    """Return a request as handlers take it, once it is known whose it is; refuse a body that has no end, or is not the signed one."""
    is_signed = service.settings.is_signed
    if has_no_length(head):
        raise MalformedRequest(411, "MissingContentLength", "required HTTP header Content-Length was not specified")
    if is_signed and head.method not in _WITH_BODY:
        require_body(head.headers, b"")
    return FcRequest(
        method=head.method,
        path=path,
        query=query_parameters(head.target.partition("?")[2]),
        headers=head.headers,
        body=body,
        request_id=request_id,
        is_signed=is_signed,
    )
