"""
Guard against web pages: a page in the user's browser can send requests to loopback, and none of them is served.

A page can make a name of its own point at 127.0.0.1, but then the Host header still has that name. And what it sends to
another site carries Origin, which no client of MaxCompute sends.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from reconciler.local.server.protocol import HttpRefusal, invalid

if TYPE_CHECKING:
    from email.message import Message


def require_own_host(headers: Message, version: str, names: frozenset[str] | None) -> None:
    """Refuse what a web page might send; `names` are those a Host header may give, None for any."""
    if "Origin" in headers:
        raise HttpRefusal(403, "AccessDenied", "Requests of web pages are not served")
    hosts = headers.get_all("Host", [])
    if version == "HTTP/1.0" and not hosts:
        return
    if len(hosts) != 1:
        raise invalid("exactly one Host header is needed")
    if names is not None and not _is_own(hosts[0], names):
        raise HttpRefusal(403, "AccessDenied", "The Host header names another host")


def _is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine: a loopback address, ``localhost``, or what the server was bound to."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").lower()
    if name in names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
