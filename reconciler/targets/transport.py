"""
Transport: what the clients of all services have to know of HTTP over requests, and of its failures.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from reconciler.base.errors import ServiceError
from reconciler.base.numbers import is_countable
from reconciler.base.redaction import redact_foreign

if TYPE_CHECKING:
    from datetime import datetime


@lru_cache(maxsize=4096)
def parse_http_date(text: str) -> datetime | None:
    """Read an RFC 1123 date as UTC; None for what is not one, and for what cannot be compared with one."""
    try:
        parsed = parsedate_to_datetime(text)
        # A zone of -0000 is read as no zone at all.
        when = parsed.astimezone(timezone.utc) if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
        return when if is_countable(when) else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def service_time(date: str, host: str) -> datetime:
    """
    Return the time that a service told by the Date of its last answer; E604 where it tells none.

    Leases are compared by it, so that a machine with a wrong clock neither robs nor blocks anybody.
    """
    moment = parse_http_date(date)
    if moment is None:
        raise ServiceError("E604", f"{host} does not tell the time: {redact_foreign(date)[:40]!r}")
    return moment


def garbage_error(host: str, service: str, text: str, hint: str, *, status: int | None, code: str = "") -> ServiceError:
    """Return the error for an answer that is not the service's; `text` is what there was instead."""
    shown = f": {' '.join(redact_foreign(text).split())[:200]}" if text else ""
    return ServiceError(
        "E604",
        f"{host} answered{f' {status}' if status else ''} with something that is not {service}'s{shown}",
        hint=f"{hint}; a proxy or a login page may stand in between",
        status=status,
        service_code=code,
        # A gateway's page says nothing about what happened behind the gateway.
        outcome="unknown" if status is None or status >= 500 else "final",
    )


def is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def was_never_sent(cause: BaseException) -> bool:
    """Say whether a connection failed before anything could be sent over it."""
    if isinstance(cause, (requests.ConnectTimeout, NewConnectionError)):
        return True
    inner = _inner(cause)
    return inner is not None and was_never_sent(inner)


def innermost_reason(cause: Exception) -> str:
    """Return the innermost reason of a chain of library errors, without addresses, numbers and class names."""
    reason: BaseException = cause
    while (inner := _inner(reason)) is not None:
        reason = inner
    text = str(reason) or type(reason).__name__
    return re.sub(r".*(?:>: |\): |\[Errno -?\d+\] |\[SSL: \w+\] )", "", text)


def _inner(error: BaseException) -> BaseException | None:
    nested = (getattr(error, "reason", None), *error.args)
    return next((inner for inner in nested if isinstance(inner, BaseException)), None)
