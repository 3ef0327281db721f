"""
Verification of request signatures: who asks, and whether they can prove it.

``Authorization`` is ``ODPS <id>:<signature>`` (V2) or ``ODPS <id>/<yyyymmdd>/<region>/odps/aliyun_v4_request:<signature>``
(V4). Both sign the same text with HMAC-SHA1; V2 with the secret itself, V4 with a key derived from it. Source: PyODPS
and the Java SDK, and the vendor's protocol pages; the error codes are from answers of the service that users quote.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from reconciler.local.http.messages import HttpRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from email.message import Message

    from reconciler.local.server.settings import Settings

MAX_SKEW_SECONDS = 15 * 60
_SIGNED = frozenset({"content-md5", "content-type", "date"})

_CREDENTIAL = re.compile(
    r"ODPS (?P<id>[^\s:/]+)(?:/(?P<day>\d{8})/(?P<region>[^/:]*)/odps/aliyun_v4_request)?:(?P<signature>\S+)"
)


@dataclass(frozen=True)
class Credential:
    """What an ``Authorization`` header says."""

    access_id: str
    signature: str
    day: str | None = None
    """V4 only, like `region`: what the signing key was derived for."""
    region: str | None = None


def parse_authorization(authorization: str | None) -> Credential | None:
    """The credential in the header, None when there is none that we know how to read."""
    match = _CREDENTIAL.fullmatch(authorization or "")
    return Credential(match["id"], match["signature"], match["day"], match["region"]) if match else None


def actor(headers: Message, settings: Settings) -> str:
    """The owner name of whoever asks. Without signatures the access id in the header is believed."""
    credential = parse_authorization(headers.get("Authorization"))
    return settings.owner_of(credential.access_id if credential else None)


def require_valid(method: str, target: str, headers: Message, settings: Settings) -> None:
    """
    Refuse a request that is not signed as it should be.

    `target` is the path and query as sent, without the endpoint's own prefix, which is not signed.
    """
    if "Authorization" not in headers:
        raise HttpRefusal(401, "MissingAuthorization", "ODPS-0410041: Missing authorization in HTTP request")
    credential = parse_authorization(headers.get("Authorization"))
    if credential is None:
        raise HttpRefusal(401, "InvalidAuthorization", "ODPS-0410042:Invalid signature value - not in a known form")
    secret = settings.secret_of(credential.access_id)
    if secret is None:
        raise HttpRefusal(401, "InvalidAuthorization", "ODPS-0410051:Invalid credentials - accessKeyId not found")
    _require_recent(headers, credential)
    if not _matches(credential, secret, method, target, headers):
        raise HttpRefusal(
            401, "InvalidAuthorization", "ODPS-0410042:Invalid signature value - User signature does not match"
        )
    _require_session(headers, credential.access_id, settings)


def _require_session(headers: Message, access_id: str, settings: Settings) -> None:
    """Refuse a session's key without its own token, or after its end. The code of an end is PyODPS's, the texts are guesses."""
    session = settings.session_of(access_id)
    if session is None:
        return
    if headers.get("authorization-sts-token") != session.token:
        raise HttpRefusal(
            401, "InvalidAuthorization", "ODPS-0410051:Invalid credentials - the token is not that of the key"
        )
    if session.expires is not None and time.time() >= session.expires:
        raise HttpRefusal(
            401, "AuthenticationRequestExpired", "ODPS-0410031:Authentication request expired - the token ended"
        )


def _require_recent(headers: Message, credential: Credential) -> None:
    # Within 15 minutes, by documentation; the day of a V4 key may only differ around midnight (a guess).
    try:
        sent = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise _expiry_refusal("no usable Date header") from None
    if abs(time.time() - sent) > MAX_SKEW_SECONDS:
        raise _expiry_refusal(f"the expire time interval exceeds the max limitation: {MAX_SKEW_SECONDS * 1000}")
    days = {time.strftime("%Y%m%d", time.gmtime(sent + shift)) for shift in (-MAX_SKEW_SECONDS, MAX_SKEW_SECONDS)}
    if credential.day is not None and credential.day not in days:
        raise _expiry_refusal("the credential is for another day")


def _expiry_refusal(why: str) -> HttpRefusal:
    # The code is spelled as the service spells it, in an answer recorded in PyODPS's tests.
    return HttpRefusal(401, "RequestTimeTooSkewd", f"ODPS-0410031:Authentication request expired - {why}")


def _matches(credential: Credential, secret: str, method: str, target: str, headers: Message) -> bool:
    key = _key(credential, secret)
    expected = [
        base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha1)).decode()
        for text in _canonical(method, target, headers)
    ]
    return any(hmac.compare_digest(value.encode(), credential.signature.encode()) for value in expected)


def _key(credential: Credential, secret: str) -> bytes:
    # The signing key: V4 narrows the secret down to a day, a region and a service.
    if credential.day is None:
        return secret.encode()
    key = f"aliyun_v4{secret}".encode()
    for step in (credential.day, credential.region or "", "odps", "aliyun_v4_request"):
        key = hmac.digest(key, step.encode(), hashlib.sha256)
    return key


def _canonical(method: str, target: str, headers: Message) -> Iterator[str]:
    """
    The texts that the signature may be over.

    PyODPS decodes the whole target before it takes the query apart, others decode afterwards. The two differ when a
    value holds an encoded ``&``, ``+`` or ``?``; either is accepted.
    """
    whole = unquote(target)
    path, _, query = whole.partition("?")
    yield _text(method, path, parse_qsl(query, keep_blank_values=True), headers)
    path, _, query = target.partition("?")
    yield _text(method, unquote(path), parse_qsl(query, keep_blank_values=True), headers)


def _text(method: str, path: str, query: Sequence[tuple[str, str]], headers: Message) -> str:
    # Method, headers by name, then the resource with its query sorted; only `x-odps-` lines carry their name.
    params = dict(query)
    signed = {"content-md5": "", "content-type": ""}
    lowered = {name.lower(): value for name, value in headers.items()}
    signed |= {name: value for name, value in lowered.items() if name in _SIGNED or name.startswith("x-odps-")}
    signed |= {name: value for name, value in params.items() if name.startswith("x-odps-")}
    lines = [f"{name}:{signed[name]}" if name.startswith("x-odps-") else signed[name] for name in sorted(signed)]
    resource = "&".join(f"{name}={value}" if value else name for name, value in sorted(params.items()))
    return "\n".join([method, *lines, f"{path}?{resource}" if resource else path])
