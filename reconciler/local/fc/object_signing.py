"""
Verification of signatures of OSS, version 4, in the Authorization header.

``OSS4-HMAC-SHA256 Credential=<id>/<yyyymmdd>/<region>/oss/aliyun_v4_request,AdditionalHeaders=<a;b>,Signature=<hex>``: documented, and
read in the vendor's SDK. Version 1 and addresses that are signed are not taken here; the codes of refusals are documented.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.local.fc.signing import MOST_SKEW_SECONDS
from reconciler.local.http.messages import HttpRefusal

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.fc.settings import FcSettings

_ALGORITHM = "OSS4-HMAC-SHA256"
_CREDENTIAL = re.compile(
    _ALGORITHM + r" Credential=(?P<id>[^/\s,]+)/(?P<day>\d{8})/(?P<region>[^/,]*)/oss/aliyun_v4_request"
    r"(?:, ?AdditionalHeaders=(?P<headers>[a-z0-9;-]*))?, ?Signature=(?P<signature>[0-9a-f]{64})"
)
_PLAIN = frozenset({"content-type", "content-md5"})


def access_id_of_object(headers: Message) -> str:
    """Return the access id that a header of OSS names, or nothing; it is not proven."""
    match = _CREDENTIAL.fullmatch(headers.get("Authorization", ""))
    return match["id"] if match else ""


def require_object_signature(
    method: str, resource: str, query: str, headers: Message, settings: FcSettings, now: float
) -> None:
    """Refuse a request about a bucket or an object that is not signed as it should be; `resource` is decoded."""
    if "Authorization" not in headers:
        raise HttpRefusal(403, "AccessDenied", "You have no right to access this object.")
    match = _CREDENTIAL.fullmatch(headers.get("Authorization", ""))
    if match is None:
        raise HttpRefusal(400, "InvalidArgument", "Authorization must be a signature of version 4")
    key = settings.key_of(match["id"])
    if key is None:
        raise HttpRefusal(
            403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records."
        )
    _require_time(headers.get("x-oss-date", ""), match["day"], now)
    canonical = _canonical_request(method, resource, query, headers, match["headers"] or "")
    if not hmac.compare_digest(_sign(canonical, key.secret, headers.get("x-oss-date", ""), match), match["signature"]):
        text = "The request signature we calculated does not match the signature you provided."
        raise HttpRefusal(403, "SignatureDoesNotMatch", f"{text} Check your key and signing method.")
    if key.token is not None and headers.get("x-oss-security-token") != key.token:
        raise HttpRefusal(403, "InvalidSecurityToken", "The security token you provided is invalid.")
    if key.expires is not None and now >= key.expires:
        raise HttpRefusal(403, "SecurityTokenExpired", "The security token you provided has expired.")


def _canonical_request(method: str, resource: str, query: str, headers: Message, additional: str) -> str:
    names = [name for name in additional.split(";") if name]
    lowered = {name.lower(): value for name, value in headers.items()}
    chosen = {name for name in lowered if name.startswith("x-oss-") or name in _PLAIN or name in names}
    lines = "".join(f"{name}:{lowered[name]}\n" for name in sorted(chosen))
    payload = headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD")
    return "\n".join((method, quote(resource, safe="/"), _canonical_query(query), lines, ";".join(names), payload))


def _sign(canonical: str, secret: str, sent: str, scope: re.Match[str]) -> str:
    key = f"aliyun_v4{secret}".encode()
    for step in (scope["day"], scope["region"], "oss", "aliyun_v4_request"):
        key = hmac.digest(key, step.encode(), hashlib.sha256)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{sent}\n{scope['day']}/{scope['region']}/oss/aliyun_v4_request\n{digest}"
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def _require_time(sent: str, day: str, now: float) -> None:
    try:
        seconds = calendar.timegm(time.strptime(sent, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise HttpRefusal(400, "InvalidArgument", "x-oss-date is no time such as 20231203T121212Z") from None
    if abs(now - seconds) > MOST_SKEW_SECONDS or not sent.startswith(day):
        raise HttpRefusal(
            403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
        )


def _canonical_query(query: str) -> str:
    # As it was sent, which the SDK signs, too; `a=` and `a` are the same.
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)
