"""
Guard against web pages: a page in the user's browser can send requests to loopback, and none of them is served.

A page can make a name of its own point at 127.0.0.1, but then the Host header still has that name. And what it sends to
another site carries Origin or Sec-Fetch-Site, which no client of a service sends. A service serves no page, so that it has
no origin of its own to let in; a site of pages lets in what its own pages send, and these alone.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.local.http.head import RequestHead

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(?::\d{0,5})?")


def require_own_host(head: RequestHead, names: Collection[str]) -> None:
    """Refuse what a web page might send; `names`, in lower case, are those a Host header may give beside loopback's."""
    if "Origin" in head.headers or head.headers.get("Sec-Fetch-Site", "none") != "none":
        raise HttpRefusal(403, "AccessDenied", "Requests of web pages are not served")
    host = head.headers.get("Host")
    if host is None:
        if head.version == (1, 0):
            return
        raise bad_request("exactly one Host header is needed")
    if not _is_own(host, names):
        raise HttpRefusal(403, "AccessDenied", "The Host header names another host: serve --allow-host lets it in")


def require_own_page(head: RequestHead) -> None:
    """
    Refuse what any page but those of this very address might send: another site's, and that of another port.

    A user's forward (``ssh -L``) has a port of its own, so that the Host header may have any; what a page of ours sends comes
    from the origin that the header names.
    """
    host = head.headers.get("Host", "")
    if not _is_own(host, ()):
        raise HttpRefusal(403, "AccessDenied", "The Host header names another host than this machine")
    if head.headers.get("Origin", f"http://{host}") != f"http://{host}":
        raise HttpRefusal(403, "AccessDenied", "Requests of other web pages are not served")
    if head.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise HttpRefusal(403, "AccessDenied", "Links of other web pages are not served: type or paste the address")


def _is_own(host: str, names: Collection[str]) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]").lower()
    if name == "localhost" or name in names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
