"""
Requests for tokens and sessions: small, bounded, over TLS, and never redirected.

What is asked here is worth as much as what is answered: neither stands in an error.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from reconciler.base.activity import activity
from reconciler.base.errors import AccessError
from reconciler.base.redaction import redact_foreign
from reconciler.targets.transport import is_loopback, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = (5.0, 15.0)
_PAUSES = (0.2, 0.6, 1.8)
"""Seconds before a question is asked again that nobody answered, or that was answered with 429 or 5xx."""

_MAX_ANSWER = 256 * 1024


@dataclass(frozen=True)
class TokenAnswer:
    """What came back, whatever it says."""

    status: int
    date: str
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty if it is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    def excerpt(self) -> str:
        """Return the beginning of the body, for people."""
        text = redact_foreign(self.body[:4096].decode("utf-8", "replace"))
        return repr(" ".join(text.split())[:120])


def ask(
    method: str,
    url: str,
    *,
    purpose: str,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> TokenAnswer:
    """Send a question and return the answer; E591 where there is none, after a few attempts."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    require_tls(url, purpose)
    with activity(f"waiting for {host}", is_minor=True), requests.Session() as session:
        for pause in (*_PAUSES, None):
            try:
                answer = _once(session, method, url, headers, params, form)
            except (requests.RequestException, ValueError, UnicodeError) as error:
                if pause is None or not isinstance(error, requests.RequestException):
                    raise no_answer(host, purpose, _reason(error)) from None
            else:
                if pause is None or (answer.status < 500 and answer.status != 429):
                    return answer
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _once(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
    form: Mapping[str, str] | None,
) -> TokenAnswer:
    with session.request(
        method, url, headers=headers, params=params, data=form, timeout=_TIMEOUT, allow_redirects=False, stream=True
    ) as response:
        body = read_body(response, 16 * 1024, _MAX_ANSWER)
        if body is None:
            raise ValueError("the answer has no end")
        return TokenAnswer(response.status_code, response.headers.get("Date", ""), body)


def require_tls(url: str, purpose: str) -> None:
    """Refuse an address over which a token would go in the clear: E591; this machine itself is no network."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        hint = "the address is https://…"
        raise AccessError("E591", f"{purpose} goes over TLS alone, not over {parts.scheme or 'no scheme'}", hint=hint)


def no_answer(host: str, purpose: str, reason: str) -> AccessError:
    """Return the error for a service of tokens that does not answer, or not with what was asked for."""
    return AccessError(
        "E591",
        f"{purpose}: {host} {reason}",
        hint="try again; if it lasts, check the network and the proxy settings (HTTPS_PROXY, REQUESTS_CA_BUNDLE)",
        outcome="safe",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "shows a certificate that is not trusted here"
    if isinstance(error, requests.exceptions.ProxyError):
        return "is not reached: the proxy refuses or does not answer"
    if isinstance(error, requests.Timeout):
        return "does not answer in time"
    if isinstance(error, requests.RequestException):
        return "does not answer"
    return f"answers nonsense: {error}"
