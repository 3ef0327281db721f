"""
Transport: what the clients of all services have to know of HTTP over requests, and of its failures.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import threading
import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from reconciler.base.errors import AccessError, ServiceError
from reconciler.base.files import ROOM
from reconciler.base.hints import Command
from reconciler.base.numbers import is_countable
from reconciler.base.redaction import redact_foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from reconciler.base.hints import Hint

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

TIMEOUT = (10.0, 120.0)
"""Seconds to connect, and between two pieces of an answer. A merge of parts answers only when it is done."""

PAUSES = (0.1, 0.2, 0.4, 0.8)
"""Seconds before a read is repeated."""

LARGEST_ANSWER = 64 << 20
"""Bytes of a listing or an entry that are taken, far above any page: about 1,000 entries of well under 2 KB each."""

UNKNOWN = "whether the change was made is not known; run the same command again, it looks first"

_OUTCOMES: Mapping[int, Literal["safe", "unknown"]] = {
    429: "safe",
    500: "unknown",
    502: "unknown",
    503: "unknown",
    504: "unknown",
}
"""429 says that nothing was done. Behind the others the service may have acted: nothing documents that it did not."""

_NO_ROOM = 507
"""As the local service answers; nothing says that the other one ever does."""


class Sessions:
    """Connections to one service: a session of requests for each thread, for it is not safe to be shared by several."""

    def __init__(self) -> None:
        self._threads = threading.local()

    def session(self, endpoint: str) -> requests.Session:
        """Return this thread's session, for requests to `endpoint`."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
        tame_session(session, endpoint)
        return session

    def send(
        self, prepared: requests.PreparedRequest, endpoint: str, timeout: tuple[float, float] = TIMEOUT
    ) -> requests.Response:
        """Send a request as it was prepared, and return its answer before its body is read."""
        session, url = self.session(endpoint), prepared.url or ""
        settings: Any = session.merge_environment_settings(url, {}, True, None, None)
        # Not by the session, which would follow a redirect, or read its body to the end before anybody sees that it is
        # one: what is sent, and the token with it, would go to wherever it leads.
        return session.get_adapter(url).send(prepared, timeout=timeout, **settings)


def tame_session(session: requests.Session, endpoint: str) -> None:
    """Keep a session from going where `endpoint` did not say."""
    session.max_redirects = 0
    # A proxy's loopback is another machine, and what is signed for this one is none of its business.
    session.trust_env = not is_loopback(endpoint)


def repeat_read(send: Callable[[], _T], pauses: Iterable[float], pause_after: Callable[[_T], float | None]) -> _T:
    """
    Send a read until it is answered, as often as there are pauses, and return the last answer.

    `pause_after` says of an answer how many seconds must pass at least before the next one; None if it stands.
    """
    for pause in pauses:
        try:
            answer = send()
        except (requests.ConnectionError, requests.ReadTimeout) as error:
            _log.debug("again, after %s", type(error).__name__)
        else:
            least = pause_after(answer)
            if least is None:
                return answer
            pause = max(pause, least)
        time.sleep(pause)
    return send()


def redirected_to(response: requests.Response) -> str | None:
    """Return the host, or a word for it, that an answer redirects to; None if it does not."""
    if not 300 <= response.status_code < 400:
        return None
    return urlsplit(response.headers.get("Location", "")).netloc.rpartition("@")[2] or "another place"


def read_body(response: requests.Response, block: int, most: int = LARGEST_ANSWER) -> bytes | None:
    """Return the body of an answer, read in pieces of `block` bytes; None if it has more than `most`."""
    body = bytearray()
    for piece in response.iter_content(block):
        body += piece
        if len(body) > most:
            response.close()
            return None
    return bytes(body)


def excerpt_of(body: bytes) -> str:
    """Return the beginning of what is not the service's, for people."""
    return repr(" ".join(body[:200].decode("utf-8", "replace").split()))


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


def describe_refusal(message: str, request: str) -> str:
    """Return what a service says as it refuses, without secrets, and its name of the request."""
    reason, request = " ".join(redact_foreign(message).split())[:300], redact_foreign(request)[:100]
    return f"{reason} (request {request})" if request else reason


def key_error(host: str, reason: str, hint: str | None, status: int | None) -> AccessError:
    """Return the error for credentials that are none, or no longer."""
    return AccessError("E602", f"{host} refuses the credentials: {reason}", hint=hint, status=status)


def permission_error(scope: str, reason: str, status: int, code: str) -> AccessError:
    """Return the error for what an account may not do in `scope`: a project, a region."""
    return AccessError(
        "E603",
        f"not permitted in {scope}: {reason}",
        hint=("what a plan needs and lacks: `", Command("doctor"), "`, with its --target"),
        status=status,
        service_code=code,
    )


def refusal_error(
    code: str, reason: str, status: int, *, retry_after: float | None, is_safe: bool = False
) -> ServiceError:
    """Return the error for a refusal that has a code of the service; `is_safe` if nothing was done for sure."""
    return ServiceError(
        "E605",
        f"the service answers {code}: {reason}",
        status=status,
        service_code=code,
        hint=ROOM if status == _NO_ROOM else None,
        outcome="safe" if is_safe else _OUTCOMES.get(status, "final"),
        retry_after=retry_after,
    )


def unreachable_error(host: str, cause: Exception, hint: Hint | None) -> ServiceError:
    """Return the error for a service that does not answer."""
    return ServiceError(
        "E601",
        f"{host} does not answer: {redact_foreign(innermost_reason(cause))}",
        hint=hint,
        outcome="safe" if was_never_sent(cause) else "unknown",
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
