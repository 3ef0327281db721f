"""
Requests to APIs of Alibaba Cloud in its ROA style, resources as paths and JSON: signed, sent and bounded; every failure an error of ours.

They are signed by version 3 [vendor's SDKs, whose requests these equal]. Documentation and SDKs spell errors differently, so both
spellings are read. A read is repeated when it fails in passing; a write is sent once. An update
that meets another one is refused with ConcurrentUpdateError [doc "Error codes"]: nothing was done, and whoever applies tries again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from urllib.parse import urlsplit

import requests

from reconciler.base.activity import activity
from reconciler.base.errors import ServiceError
from reconciler.base.redaction import redact_foreign
from reconciler.targets.credentials.acs3 import NO_BODY, acs3_headers, query_text
from reconciler.targets.transport import (
    LARGEST_ANSWER,
    PAUSES,
    TIMEOUT,
    UNKNOWN,
    Sessions,
    describe_refusal,
    excerpt_of,
    garbage_error,
    is_loopback,
    key_error,
    permission_error,
    read_body,
    redirected_to,
    refusal_error,
    repeat_read,
    service_time,
    unreachable_error,
    was_never_sent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.targets.credentials.session import Credentials, KeySource
    from reconciler.targets.fc.code_body import CodeBody

_log = logging.getLogger(__name__)

_BLOCK = 64 << 10
_TIMEOUT, _PAUSES = TIMEOUT, PAUSES
_PASSING = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 30.0

CONCURRENT = "ConcurrentUpdateError"
_NO_KEY = frozenset({"SignatureNotMatch", "InvalidAccessKeyId.NotFound", "InvalidAccessKeyID", "SignatureDoesNotMatch"})
_EXPIRED = frozenset({"InvalidSecurityToken.Expired", "SecurityTokenExpired", "InvalidSecurityToken"})

_REACH = "check `endpoint` and `region` of the target, the network and the proxy settings"


@dataclass(frozen=True)
class ApiRefusal:
    """What an answer that says no tells."""

    status: int
    code: str
    message: str
    request: str
    retry_after: float | None = None


@dataclass
class RoaClient:
    """One API in one region of an account, at one endpoint."""

    service: ClassVar[str]
    """As messages call it."""

    version: ClassVar[str]
    """Of the API."""

    endpoint: str
    region: str
    credentials: KeySource
    user_agent: str
    token: Callable[[], str]
    """A source of short random names: each request has one of its own."""

    _sessions: Sessions = field(init=False, default_factory=Sessions, repr=False)
    _date: str = field(init=False, default="")
    _origin: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.endpoint = self.endpoint.rstrip("/")

    # --- Reading ----------------------------------------------------------------------------------------------------------

    def get(self, action: str, path: str, **params: str) -> dict[str, Any]:
        """Read; repeated when the connection fails or the answer is 429, 502, 503 or 504."""
        return self._call("GET", action, path, params, again=True)

    def find(self, action: str, path: str, **params: str) -> dict[str, Any] | None:
        """Read what may not be there: None for 404."""
        try:
            return self.get(action, path, **params)
        except ServiceError as error:
            if error.status == 404:
                return None
            raise

    def fetch(self, url: str) -> Iterator[bytes]:
        """Yield the bytes behind an address that the service gave, which is signed itself and is asked without keys."""
        if urlsplit(url).scheme != "https" and not (is_loopback(url) and is_loopback(self.endpoint)):
            raise self.garbage("an address for code that is not https")
        try:
            with activity(f"waiting for {self.host}", is_minor=True):
                response = self._sessions.session(url).get(
                    url, headers={"User-Agent": self.user_agent}, timeout=_TIMEOUT, allow_redirects=False, stream=True
                )
            with response:
                if response.status_code != 200:
                    raise self.garbage("no content behind an address for code", response.status_code)
                yield from response.iter_content(_BLOCK)
        except requests.RequestException as cause:
            raise unreachable_error(self.host, cause, _REACH) from cause

    # --- Writing ----------------------------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        action: str,
        path: str,
        body: Mapping[str, Any] | CodeBody | None = None,
        **params: str,
    ) -> dict[str, Any]:
        """Write, once."""
        return self._call(method, action, path, params, body)

    def remove(self, action: str, path: str, **params: str) -> bool:
        """Delete; False if it is not there."""
        try:
            self._call("DELETE", action, path, params)
        except ServiceError as error:
            if error.status == 404:
                return False
            raise
        return True

    # --- The road of a request ----------------------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        action: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | CodeBody | None = None,
        *,
        again: bool = False,
    ) -> dict[str, Any]:
        content: CodeBody | bytes = (
            json.dumps(body, ensure_ascii=False).encode() if isinstance(body, dict) else body or b""  # type: ignore[assignment]
        )
        _log.debug("%s %s", action, path)
        try:
            with activity(f"waiting for {self.host}", is_minor=True):
                send = partial(self._once, method, action, path, params, content)
                response, sent_with = repeat_read(send, _PAUSES, _pause_after) if again else send()
                if response.status >= 400 and self._is_expiry(response) and self.credentials.renew(sent_with):
                    response, _ = send()
        except requests.RequestException as cause:
            hint = _REACH if again or was_never_sent(cause) else UNKNOWN
            raise unreachable_error(self.host, cause, hint) from cause
        except (ValueError, UnicodeError) as cause:
            raise self.garbage() from cause
        if response.status >= 400:
            self.raise_refusal(read_refusal(response))
        return self.read_document(response, action, may_be_empty=method != "GET")

    def _once(
        self, method: str, action: str, path: str, params: Mapping[str, str], body: CodeBody | bytes
    ) -> tuple[Reply, Credentials]:
        credentials = self.credentials.current()
        self._origin = credentials.origin
        route = self.route(path)
        digest = (hashlib.sha256(body).hexdigest() if body else NO_BODY) if isinstance(body, bytes) else body.sha256
        headers = acs3_headers(
            credentials,
            method,
            self.host,
            action,
            self.version,
            params,
            datetime.now(timezone.utc),
            self.token() + self.token(),
            path=route,
            body_sha256=digest,
            content_type="application/json" if body else "",
        )
        headers |= {"User-Agent": self.user_agent, "Accept": "application/json", **self.more_headers}
        url = f"{self.endpoint}{route}" + (f"?{query_text(params)}" if params else "")
        content: Any = body or None
        prepared = requests.Request(method, url, headers=headers, data=content).prepare()
        # As it is signed: requests would quote some signs otherwise.
        prepared.url = url
        return self._read_bounded(self._sessions.send(prepared, url, _TIMEOUT)), credentials

    def _read_bounded(self, response: requests.Response) -> Reply:
        with response:
            if host := redirected_to(response):
                raise self.garbage(f"redirects elsewhere, to {host}", response.status_code)
            body = read_body(response, _BLOCK)
            if body is None:
                raise self.garbage(f"the answer has more than {LARGEST_ANSWER >> 20} MiB")
            reply = Reply(response.status_code, response.headers, body)
        if reply.request or reply.status >= 400:
            # A refusal tells the time as well: while nothing but refusals come, leases run out all the same.
            self._date = reply.header("Date") or self._date
        return reply

    def read_document(self, reply: Reply, action: str, *, may_be_empty: bool) -> dict[str, Any]:
        """
        Return the object that an answer is.

        A deletion has none: then the service's name of the request says that it is no page. A reading has one, or a
        listing that was cut off would be a region with nothing in it.
        """
        if not reply.body.strip():
            if may_be_empty and (reply.status == 204 or reply.request):
                return {}
            raise self.garbage(f"{action} without an answer", reply.status)
        document = reply.document()
        if document is None:
            raise self.garbage(excerpt_of(reply.body))
        return document

    def route(self, path: str) -> str:
        """Return the path of a request, as it is signed."""
        return path

    @property
    def more_headers(self) -> Mapping[str, str]:
        """What requests have beside what all APIs want; it is not signed."""
        return {}

    # --- Errors -------------------------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]

    @property
    def location(self) -> str:
        """What is asked, for people."""
        return f"{self.scope} at {self.host}"

    @property
    def scope(self) -> str:
        return f"region {self.region}"

    def now(self) -> datetime:
        """Return the service's time, as its last answer told it."""
        return service_time(self._date, self.host)

    def garbage(self, text: str = "", status: int | None = None) -> ServiceError:
        """Return the error for an answer that is not one; `text` is what there was instead."""
        return garbage_error(self.host, self.service, text, "check `endpoint` of the target", status=status)

    def _is_expiry(self, reply: Reply) -> bool:
        refusal = read_refusal(reply)
        return refusal.status in {400, 401, 403} and refusal.code in _EXPIRED

    def raise_refusal(self, refusal: ApiRefusal) -> NoReturn:
        status, code = refusal.status, redact_foreign(refusal.code)[:100]
        reason = describe_refusal(refusal.message, refusal.request)
        if code in _NO_KEY | _EXPIRED or status == 401:
            hint = f"they come from {self._origin}; see `udfs doctor`" if self._origin else None
            raise key_error(self.host, reason, hint, status)
        if status == 403:
            raise permission_error(self.scope, reason, status, code)
        if not code:
            raise self.garbage(repr(describe_refusal(refusal.message, "")), status)
        raise refusal_error(code, reason, status, is_safe=code == CONCURRENT, retry_after=refusal.retry_after)


@dataclass(frozen=True)
class Reply:
    """What came back, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        return str(self.headers.get(name, ""))

    @property
    def request(self) -> str:
        """The service's name of the request; which header has it is not the same in all of its documentation."""
        return self.header("x-acs-request-id") or self.header("x-fc-request-id")

    @property
    def retry_after(self) -> float | None:
        text = self.header("Retry-After")
        return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

    def document(self) -> dict[str, Any] | None:
        """Return the body as a JSON object, or None."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def read_refusal(reply: Reply) -> ApiRefusal:
    """Read an error in either spelling; without a code, the beginning of the body stands for the message."""
    document = reply.document() or {}

    def text(*names: str) -> str:
        return next((value for name in names if isinstance(value := document.get(name), str) and value), "")

    message = text("Message", "message", "errorMessage", "ErrorMessage") or reply.body[:200].decode("utf-8", "replace")
    code = text("Code", "code", "errorCode", "ErrorCode")
    return ApiRefusal(reply.status, code, message, text("RequestId", "requestId") or reply.request, reply.retry_after)


def _pause_after(answer: tuple[Reply, Credentials]) -> float | None:
    reply, _ = answer
    return min(reply.retry_after or 0.0, _LONGEST_PAUSE) if reply.status in _PASSING else None
