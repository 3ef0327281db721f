"""
Objects of OSS: entries of the ledger where the manifest names a bucket, and files of targets that take them from there.

``x-oss-forbid-overwrite: true`` makes a write create an object or be refused (409 FileAlreadyExists) [doc "PutObject"], which is a
compare-and-swap; a bucket with versioning turned on does not heed it [doc "PutObject"], so such a bucket is not to be named. Requests
are signed by OSS's version 4 [doc "Include signatures in the Authorization header (V4)"].
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import requests

from reconciler.base.activity import activity
from reconciler.base.errors import AccessError, ServiceError
from reconciler.base.numbers import whole_number
from reconciler.base.redaction import redact_foreign
from reconciler.engine.ledger import epochs_of
from reconciler.targets.transport import (
    Sessions,
    is_loopback,
    read_body,
    service_time,
    unreachable_error,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.core.record import Swap
    from reconciler.targets.credentials.session import Credentials, KeySource
    from reconciler.targets.planned_files import FileBody

ALGORITHM = "OSS4-HMAC-SHA256"
_BLOCK = 64 << 10
_ATTEMPTS = 3
"""How often a read is sent that fails in passing."""

_MOST_PAGES = 100
_NO_KEY = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurityToken", "SecurityTokenExpired"})
"""Codes of a key that is none, or not the right one [doc "Error codes" of OSS]."""


@dataclass(frozen=True)
class Bucket:
    """One bucket, and the key under which what is ours stands in it."""

    name: str
    region: str
    endpoint: str
    """Of the bucket's region: ``https://oss-cn-hangzhou.aliyuncs.com``; the bucket's name goes before the host, on loopback into the path."""

    credentials: KeySource
    user_agent: str
    prefix: str = "udfs/"

    def address(self, key: str) -> str:
        """Return where an object is."""
        parts = urlsplit(self.endpoint)
        if is_loopback(self.endpoint):
            return f"{self.endpoint.rstrip('/')}/{self.name}/{_quote_key(key)}"
        return f"{parts.scheme}://{self.name}.{parts.netloc}/{_quote_key(key)}"


@dataclass(frozen=True)
class OssAnswer:
    """An answer of OSS."""

    status: int
    body: bytes
    code: str = ""


@dataclass
class OssClient:
    """Requests about the objects of a bucket."""

    bucket: Bucket
    _sessions: Sessions = field(init=False, default_factory=Sessions, repr=False)
    _date: str = field(init=False, default="")

    def put(self, key: str, content: bytes | FileBody, *, only_create: bool = False, about: str = "") -> OssAnswer:
        """Write an object; 409 where it is only to be created and is there."""
        headers = {
            "content-type": "application/octet-stream",
            **({"x-oss-forbid-overwrite": "true"} if only_create else {}),
            # A header holds ASCII alone.
            **({"x-oss-meta-about": quote(about, safe=" ,:;/.")} if about else {}),
        }
        return self._send("PUT", key, headers=headers, content=content)

    def get(self, key: str) -> bytes | None:
        """Return an object's content, or None."""
        answer = self._read(key, {})
        return None if answer.status == 404 else answer.body

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        self._send("DELETE", key, allowed=(404,))

    def fetch(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in pieces, however large it is; a `ServiceError` of status 404 if it is not there."""
        with self._open("GET", key, {}, {}, None) as response:
            if response.status_code != 200:
                code, message = _error_of(response.content)
                raise self._refusal(response.status_code, code, message)
            try:
                yield from response.iter_content(_BLOCK)
            except requests.RequestException as cause:
                raise self._unreachable(cause) from cause

    def keys(self, prefix: str) -> Iterable[str]:
        """Yield the keys of the objects that begin so."""
        return (key for key, _ in self.entries(prefix))

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size in bytes of the objects whose keys begin so."""
        token = ""
        for _ in range(_MOST_PAGES):
            query = {"list-type": "2", "prefix": prefix, "max-keys": "1000"}
            body = self._read("", {**query, **({"continuation-token": token} if token else {})}).body
            if b"<!" in body.replace(b"<![CDATA[", b""):
                raise self._garbage("a DOCTYPE")
            try:
                root = ET.fromstring(body)
            except ET.ParseError as error:
                raise self._garbage("something that is no list") from error
            # Whether names stand in a namespace is not the same in all of its answers.
            texts = [(element.tag.rpartition("}")[2], element.text or "") for element in root.iter()]
            key = ""
            for tag, text in texts:
                if tag == "Key":
                    key = text
                elif tag == "Size" and key:
                    yield key, whole_number(text) or 0
            token = next((text for tag, text in texts if tag == "NextContinuationToken"), "")
            if not token:
                return
        raise self._garbage("a list without end")

    def now(self) -> datetime:
        """Return OSS's time, as its last answer told it."""
        return service_time(self._date, self._host)

    def _read(self, key: str, query: Mapping[str, str]) -> OssAnswer:
        for attempt in range(_ATTEMPTS):
            try:
                return self._send("GET", key, query, allowed=(404,) if key else ())
            except ServiceError as error:
                if error.outcome == "final" or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
        allowed: tuple[int, ...] = (),
    ) -> OssAnswer:
        with self._open(method, key, query or {}, headers or {}, content) as response:
            try:
                body = read_body(response, _BLOCK)
            except requests.RequestException as cause:
                raise self._unreachable(cause) from cause
        if body is None:
            raise self._garbage("more than any entry has")
        if response.headers.get("x-oss-request-id"):
            self._date = response.headers.get("Date") or self._date
        elif response.status_code < 400:
            raise self._garbage("a page that is not OSS's", response.status_code)
        code, message = _error_of(body)
        if response.status_code >= 300 and response.status_code not in allowed:
            raise self._refusal(response.status_code, code, message)
        return OssAnswer(response.status_code, body, code)

    def _open(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], content: Any
    ) -> requests.Response:
        """Send a request, and return its answer before its body is read."""
        signed = oss4_headers(
            self.bucket.credentials.current(),
            method,
            self.bucket.name,
            key,
            query,
            headers,
            region=self.bucket.region,
            now=datetime.now(timezone.utc),
        )
        url = self.bucket.address(key) + (f"?{_query_text(query)}" if query else "")
        prepared = requests.Request(
            method, url, headers={**signed, "User-Agent": self.bucket.user_agent}, data=content
        ).prepare()
        prepared.url = url
        try:
            with activity(f"waiting for {self._host}", is_minor=True):
                return self._sessions.send(prepared, self.bucket.endpoint)
        except requests.RequestException as cause:
            raise self._unreachable(cause) from cause

    def _unreachable(self, cause: Exception) -> ServiceError:
        return unreachable_error(
            self._host, cause, "check the bucket of the target, the network and the proxy settings"
        )

    def _refusal(self, status: int, code: str, message: str) -> ServiceError:
        code = redact_foreign(code)[:100]
        message = " ".join(redact_foreign(message).split())[:300]
        if code in _NO_KEY:
            return AccessError(
                "E602", f"OSS refuses the credentials for bucket {self.bucket.name}: {code} {message}", status=status
            )
        if status in {401, 403}:
            hint = f"plan reads, and apply writes, below {self.bucket.prefix} of that bucket"
            return AccessError(
                "E603", f"not permitted in bucket {self.bucket.name}: {code} {message}", hint=hint, status=status
            )
        return ServiceError(
            "E605",
            f"OSS answers {code or status} for bucket {self.bucket.name}: {message}",
            status=status,
            service_code=code,
            outcome="unknown" if status >= 500 else "safe" if status == 429 else "final",
        )

    def _garbage(self, text: str, status: int | None = None) -> ServiceError:
        return ServiceError("E604", f"{self._host} answered with {text}", status=status, outcome="unknown")

    @property
    def _host(self) -> str:
        return urlsplit(self.bucket.address("")).netloc


@dataclass(frozen=True)
class OssEntries:
    """A `Store` of objects."""

    client: OssClient
    swap: Swap = "create if absent"

    def epochs(self, stack: str, functions: Iterable[str]) -> tuple[int, ...]:
        prefix = f"{self.client.bucket.prefix}udfs.{stack}."
        keys = (key.removeprefix(self.client.bucket.prefix) for key in self.client.keys(prefix))
        return epochs_of(keys, stack)

    def create(self, name: str, content: bytes, comment: str) -> bool:
        try:
            self.client.put(self._key(name), content, only_create=True, about=comment)
        except ServiceError as error:
            if error.status == 409:
                return False
            raise
        return True

    def replace(self, name: str, content: bytes, comment: str) -> None:
        self.client.put(self._key(name), content, about=comment)

    def fetch(self, name: str) -> bytes | None:
        return self.client.get(self._key(name))

    def remove(self, name: str) -> None:
        self.client.delete(self._key(name))

    def now(self) -> datetime:
        return self.client.now()

    def _key(self, name: str) -> str:
        return f"{self.client.bucket.prefix}{name}"


def oss4_headers(
    credentials: Credentials,
    method: str,
    bucket: str,
    key: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a request, signed; the payload is not, as in the vendor's own clients."""
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    signed = {
        **headers,
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "x-oss-date": stamp,
        **({"x-oss-security-token": credentials.token} if credentials.token else {}),
    }
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    path = _quote_key(f"/{bucket}/{key}")
    canonical = f"{method}\n{path}\n{_query_text(query)}\n{lines}\n\nUNSIGNED-PAYLOAD"
    scope = f"{day}/{region}/oss/aliyun_v4_request"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = f"aliyun_v4{credentials.secret}".encode()
    for part in (day, region, "oss", "aliyun_v4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    return {**signed, "Authorization": f"{ALGORITHM} Credential={credentials.access_id}/{scope},Signature={signature}"}


def _quote_key(key: str) -> str:
    return quote(key, safe="-_.~/")


def _query_text(query: Mapping[str, str]) -> str:
    pairs = ((quote(name, safe="-_.~"), quote(query[name], safe="-_.~")) for name in sorted(query))
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def _error_of(body: bytes) -> tuple[str, str]:
    """Return code and message of an error's XML."""
    if not body.startswith(b"<") or b"<!" in body or b"<Code>" not in body:
        return "", ""
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        return "", ""
    return root.findtext("Code") or "", root.findtext("Message") or ""
