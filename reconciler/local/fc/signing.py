"""
Verification of signatures: ACS3-HMAC-SHA256 of the control API.

``Authorization`` is ``ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<a;b>,Signature=<hex>``. Signed are method, path and query as
they were sent, the named headers, and the SHA-256 of the body, which ``x-acs-content-sha256`` says. Documented as signature version 3
of the vendor's gateway, and read in its SDKs; codes of refusals are those of Function Compute's list where it has one.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from reconciler.local.http.messages import HttpRefusal

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.fc.settings import AccessKey, FcSettings

MOST_SKEW_SECONDS = 15 * 60
_ALGORITHM = "ACS3-HMAC-SHA256"
_CREDENTIAL = re.compile(
    _ALGORITHM
    + r" Credential=(?P<id>[^\s,]+), ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_MUST_BE_SIGNED = frozenset({"host", "x-acs-content-sha256", "x-acs-date"})


def access_id_of(headers: Message) -> str:
    """Return the access id that a header of the control API names, or nothing; it is not proven."""
    match = _CREDENTIAL.fullmatch(headers.get("Authorization", ""))
    return match["id"] if match else ""


def require_signature(method: str, target: str, headers: Message, settings: FcSettings, now: float) -> None:
    """Refuse a request that is not signed as it should be; the body is looked at when it has been read."""
    if "Authorization" not in headers:
        raise HttpRefusal(400, "MissingRequiredHeader", "required HTTP header Authorization was not specified")
    match = _CREDENTIAL.fullmatch(headers.get("Authorization", ""))
    if match is None:
        raise mismatch("the Authorization header is in no known form")
    key = settings.key_of(match["id"])
    if key is None:
        raise HttpRefusal(403, "InvalidAccessKeyID", f"invalid access key ID '{match['id']}'")
    names = match["headers"].split(";")
    for name in sorted(_MUST_BE_SIGNED):
        if name not in headers:
            raise HttpRefusal(400, "MissingRequiredHeader", f"required HTTP header {name} was not specified")
    if not set(names) >= _MUST_BE_SIGNED:
        raise mismatch("host, x-acs-date and x-acs-content-sha256 must be among the signed headers")
    _require_recent(headers, now)
    text = f"{_ALGORITHM}\n{hashlib.sha256(_canonical_request(method, target, headers, names)).hexdigest()}"
    signature = hmac.digest(key.secret.encode(), text.encode(), hashlib.sha256).hex()
    if not hmac.compare_digest(signature, match["signature"]):
        raise mismatch("Check your access key and signing method")
    require_session(headers.get("x-acs-security-token"), key, now)


def require_body(headers: Message, content: bytes | bytearray) -> None:
    """Refuse a body that is not the one whose hash was signed."""
    if headers.get("x-acs-content-sha256", "").lower() != hashlib.sha256(content).hexdigest():
        raise mismatch("the body is not the one that x-acs-content-sha256 was made of")


def mismatch(why: str) -> HttpRefusal:
    """403, documented."""
    text = f"The request signature we calculated does not match the signature you provided. {why}"
    return HttpRefusal(403, "SignatureNotMatch", text)


def require_session(token: str | None, key: AccessKey, now: float) -> None:
    """Refuse a session's key without its own token, or after its end. The codes are the gateway's (read in its SDKs' tests)."""
    if key.token is None:
        return
    if token != key.token:
        raise HttpRefusal(403, "InvalidSecurityToken.MismatchWithAccessKey", "the token is not that of the key")
    if key.expires is not None and now >= key.expires:
        raise HttpRefusal(403, "InvalidSecurityToken.Expired", "the token ended")


def _require_recent(headers: Message, now: float) -> None:
    # Fifteen minutes: documented for the gateway, whose code this is.
    try:
        sent = calendar.timegm(time.strptime(headers.get("x-acs-date", ""), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        raise HttpRefusal(
            400, "InvalidTimeStamp.Format", "x-acs-date is no time such as 2023-04-01T08:15:27Z"
        ) from None
    if abs(now - sent) > MOST_SKEW_SECONDS:
        raise HttpRefusal(400, "InvalidTimeStamp.Expired", "x-acs-date is more than 15 minutes from the service's time")


def _canonical_request(method: str, target: str, headers: Message, names: list[str]) -> bytes:
    path, _, query = target.partition("?")
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
    lines = "".join(f"{name}:{','.join(headers.get_all(name, [])).strip()}\n" for name in sorted(names))
    digest = headers.get("x-acs-content-sha256", "")
    return "\n".join((method, path, canonical_query, lines, ";".join(names), digest)).encode("latin-1", "replace")
