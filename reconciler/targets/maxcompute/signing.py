"""
Request signatures, version 2: HMAC-SHA1 over the method, the signed headers and the resource, by the secret itself.

Byte for byte what PyODPS's `CloudAccount` and `StsAccount` send; a test compares them. Theirs cannot be imported without
pandas' and NumPy's, whichever are installed, and all of PyODPS's models (DECISIONS, 46).
"""

from __future__ import annotations

import base64
import hmac
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlparse

if TYPE_CHECKING:
    from requests import PreparedRequest

    from reconciler.targets.credentials.session import Credentials

_SIGNED = ("content-md5", "content-type", "date")
_SIGNED_PREFIX = "x-odps-"


def put_signature(credentials: Credentials, request: PreparedRequest, endpoint: str) -> None:
    """Put the signature into a request's headers, and the time and the security token; of a bearer the token alone."""
    request.headers.setdefault("Date", formatdate(usegmt=True))
    if credentials.is_bearer:
        request.headers["x-odps-bearer-token"] = credentials.token or ""
        return
    text = canonical_text(request, endpoint)
    signature = base64.b64encode(hmac.digest(credentials.secret.encode(), text.encode(), "sha1")).decode()
    request.headers["Authorization"] = f"ODPS {credentials.access_id}:{signature}"
    if credentials.token:
        request.headers["authorization-sts-token"] = credentials.token


def canonical_text(request: PreparedRequest, endpoint: str) -> str:
    """Return what is signed: method, headers by name, and the resource with its query sorted."""
    # The endpoint's own path is not part of the resource, and what PyODPS signs is decoded before it is taken apart.
    address = urlparse(unquote((request.url or "")[len(endpoint) :]), allow_fragments=False)
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    signed = dict.fromkeys(_SIGNED, "")
    for name, value in request.headers.items():
        if name.lower() in _SIGNED or name.lower().startswith(_SIGNED_PREFIX):
            signed[name.lower()] = value
    signed |= {name: value for name, value in query.items() if name.startswith(_SIGNED_PREFIX)}
    # Only the service's own headers are signed with their names.
    lines = [f"{name}:{value}" if name.startswith(_SIGNED_PREFIX) else value for name, value in sorted(signed.items())]
    parameters = "&".join(f"{name}={value}" if value else name for name, value in sorted(query.items()))
    resource = f"{address.path}?{parameters}" if address.query else address.path
    return "\n".join([request.method or "", *lines, resource])
