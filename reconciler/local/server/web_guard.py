"""
Guard against web pages: a page in the user's browser can send requests to loopback, and none of them is served.

A page can make a name of its own point at 127.0.0.1, but then the Host header still has that name. And what it sends to
another site carries Origin or Sec-Fetch-Site, which no client of MaxCompute sends. Nothing that is served here is a page,
so that there is no origin of our own to be let in.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from reconciler.local.server.protocol import HttpRefusal, invalid, same_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.local.server.head import RequestHead

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(?::\d{0,5})?")


def require_own_host(head: RequestHead, names: Collection[str]) -> None:
    """Refuse what a web page might send; `names`, in lower case, are those a Host header may give beside loopback's."""
    if "Origin" in head.headers or head.headers.get("Sec-Fetch-Site", "none") != "none":
        raise HttpRefusal(403, "AccessDenied", "Requests of web pages are not served")
    host = head.headers.get("Host")
    if host is None:
        if head.version == (1, 0):
            return
        raise invalid("exactly one Host header is needed")
    if not _is_own(host, names):
        raise HttpRefusal(403, "AccessDenied", "The Host header names another host: serve --allow-host lets it in")


def _is_own(host: str, names: Collection[str]) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = same_name(match["name"].strip("[]"))
    if name == "localhost" or name in names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
