"""Addresses of services, as a manifest may name them."""

from __future__ import annotations

from urllib.parse import urlsplit


def why_not_an_address(endpoint: str, path: str = "") -> str | None:
    """
    Return what is wrong with an endpoint, which ends in the path that the service has, if it has one.

    It is never repeated: it may hold a password.
    """
    if endpoint == "local":
        return None
    if not endpoint.isprintable() or " " in endpoint:
        return "an address holds no space or line break"
    try:
        parts = urlsplit(endpoint)
        has_port = parts.port != 0
    except ValueError:
        return "the address cannot be understood"
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
        ending = f" and ends in {path}" if path else ""
        return f"'local', or an address that begins with http:// or https://{ending}"
    # The endpoint is printed in plans and logs.
    if "@" in parts.netloc:
        return "an address holds no user and password: credentials come from the environment"
    if parts.query or parts.fragment:
        return f"an address ends with its path, which is {path}" if path else "an address ends with its host or port"
    return None
