"""
Request signatures, version 3: HMAC-SHA256 over method, path, query, headers and the hash of the body.

By it Alibaba Cloud's newer APIs are asked, DataWorks and Function Compute among them [doc "Request syntax and signature method V3"].
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.targets.credentials.session import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"
NO_BODY = hashlib.sha256(b"").hexdigest()


def acs3_headers(
    credentials: Credentials,
    method: str,
    host: str,
    action: str,
    version: str,
    query: Mapping[str, str],
    now: datetime,
    nonce: str,
    *,
    path: str = "/",
    body_sha256: str = NO_BODY,
    content_type: str = "",
) -> dict[str, str]:
    """Return the headers of a request, signed; `path` is quoted already, `query` is not."""
    headers = {
        **({"content-type": content_type} if content_type else {}),
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": body_sha256,
        "x-acs-date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
        **({"x-acs-security-token": credentials.token} if credentials.token else {}),
    }
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    canonical = f"{method}\n{path}\n{query_text(query)}\n{lines}\n{';'.join(names)}\n{body_sha256}"
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(credentials.secret.encode(), text.encode(), "sha256").hex()
    signed = f"Credential={credentials.access_id},SignedHeaders={';'.join(names)},Signature={signature}"
    return {**headers, "Authorization": f"{ALGORITHM} {signed}"}


def query_text(query: Mapping[str, str]) -> str:
    """Return a query sorted and quoted as it is signed."""
    return "&".join(f"{quote_part(name)}={quote_part(query[name])}" for name in sorted(query))


def quote_part(text: str) -> str:
    """Return a part of a path or a query, quoted as it is signed: letters, digits and four signs stay."""
    return quote(text, safe="-_.~")
