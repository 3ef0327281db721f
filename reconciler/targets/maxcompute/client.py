"""
Requests to MaxCompute: signed and sent by PyODPS's `RestClient`, every failure an error of ours.

The client is built without the ``ODPS`` entry object, whose constructor asks for ``/logview/host`` and whose calls ask
for ``/tenants``; neither is needed for resources and functions [seen on the wire, PyODPS 0.13.2].
"""

from __future__ import annotations

import ipaddress
import logging
import re
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import requests
from odps import errors as odps_errors
from odps.accounts import CloudAccount, StsAccount, from_environments
from odps.rest import RestClient
from urllib3.exceptions import NewConnectionError

from reconciler.base.errors import AccessError, ServiceError, StalePlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# PyODPS logs each request with its headers at DEBUG, Authorization included, and a token that it reloads at INFO.
logging.getLogger("odps").setLevel(logging.WARNING)

_log = logging.getLogger(__name__)
_MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of a listing or an entry that are taken. A listing page holds about 1,000 entries of well under 2 KB each."""

TOO_LARGE = "TooLarge"
"""The code, ours, of an error for an answer with more."""

_BLOCK = 1024 * 1024
_SMALL_BLOCK = 16 * 1024
"""What is read at once of an answer with a bound: 16 KiB of deflate hold at most 16 MiB."""

_SIGNATURE = re.compile(r"\bODPS\s+[^\s:]+:[\w+/=-]{16,}")
_SHORTEST_SECRET = 8
"""Below this it is no secret but a word, such as the local service's, and may stand in a message."""
_TIMEOUT = (10.0, 120.0)
"""Seconds to connect, and between two pieces of an answer. A merge of parts answers only when it is done."""


_REACH = "check `endpoint` of the target (it ends in /api), the network and the proxy settings"
_OUTCOMES: dict[int, Literal["safe", "unknown"]] = {
    429: "safe",
    500: "unknown",
    502: "unknown",
    503: "unknown",
    504: "unknown",
}
"""429 says that nothing was done. Behind the others the service may have acted: nothing documents that it did not."""

_UNKNOWN = "whether the change was made is not known; run the same command again, it looks first"


@dataclass(frozen=True, repr=False)
class Credentials:
    """An access key; never printed."""

    access_id: str
    secret: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class Client:
    """One project, and a schema in it, at one endpoint."""

    def __init__(
        self, endpoint: str, project: str, schema: str | None, credentials: Credentials | None, user_agent: str
    ) -> None:
        """Without credentials, use what PyODPS finds in its own environment variables (E607 if nothing)."""
        self.endpoint, self.project, self.schema = endpoint.rstrip("/"), project, schema
        account = _account(credentials)
        # A client that retries a streamed PUT would send what is left of the stream; writes are never retried here.
        self._once = RestClient(account, self.endpoint, project, schema, user_agent=user_agent, retry_enabled=False)
        self._again = self._once.with_retry_enabled(True)
        self._account = account
        self._date = ""

    def get(self, path: str, **params: str) -> Answer:
        """Read; repeated by PyODPS when the connection fails or the answer is 502, 503 or 504."""
        return self._send("get", path, params, again=True)

    def send(
        self, method: str, path: str, *, headers: dict[str, str], body: Iterable[bytes] | bytes = b"", **params: str
    ) -> Answer:
        """Write, once."""
        return self._send(method, path, params, headers=headers, data=body)

    def stream(self, path: str) -> Iterable[bytes]:
        """Read a body of any size in pieces."""
        answer = self._send("get", path, {}, again=True, stream=True)
        try:
            yield from answer.response.iter_content(_BLOCK)
        except requests.RequestException as cause:
            self.unreachable(cause)
        finally:
            answer.response.close()

    def _send(self, method: str, path: str, params: dict[str, str], *, again: bool = False, **kwargs: Any) -> Answer:
        rest = self._again if again else self._once
        place = f"/projects/{quote(self.project, safe='')}{path}"
        _log.debug("%s %s%s", method.upper(), place, f"?{'&'.join(params)}" if params else "")
        self._tame(rest.session)
        hooks = {"response": partial(self._bounded, streaming=kwargs.get("stream", False))}
        try:
            response = rest.request(
                self.endpoint + place, method, params=params, timeout=_TIMEOUT, hooks=hooks, **kwargs
            )
        except odps_errors.ODPSError as cause:
            self.refused(cause)
        except requests.RequestException as cause:
            self.unreachable(cause, hint=_REACH if again else _UNKNOWN)
        except (ValueError, UnicodeError) as cause:
            # PyODPS decodes an error's body without asking what it is.
            raise self.garbage() from cause
        return Answer(self, response)

    def entry(self) -> Any:
        """Return PyODPS's entry object, for what needs its models: SQL."""
        from odps import ODPS

        # Without a host for Logview it would ask for one at once, before it is tamed.
        made = ODPS(
            account=self._account,
            project=self.project,
            endpoint=self.endpoint,
            schema=self.schema,
            logview_host=self.endpoint,
            overwrite_global=False,
        )
        self._tame(made.rest.session)
        return made

    def _tame(self, session: requests.Session) -> None:
        """Keep a session, of which there is one a thread, from going where the endpoint did not say."""
        session.max_redirects = 0
        if _is_loopback(self.endpoint):
            # A proxy's loopback is another machine, and what is signed for this one is none of its business.
            session.trust_env = False

    def _bounded(self, response: requests.Response, *, streaming: bool, **_: Any) -> requests.Response | None:
        """
        Look at an answer before anything else does: no redirect is followed, and no body is taken that never ends.

        requests would forward the body and the security token to wherever the answer says.
        """
        if 300 <= response.status_code < 400:
            response.close()
            place = urlsplit(response.headers.get("Location", "")).netloc.rpartition("@")[2] or "another place"
            raise self.garbage(f"redirects elsewhere, to {place}", response.status_code)
        # The service names every request that it answers. What has a 200 and no such name is a page that somebody in
        # between shows, and would make a write look done.
        named = response.headers.get("x-odps-request-id")
        if named:
            # A refusal tells the time as well: while nothing but refusals come, leases run out all the same.
            self._date = response.headers.get("Date") or self._date
        foreign = response.ok and not named
        if streaming and response.ok and not foreign:
            return None
        body = bytearray()
        for piece in response.iter_content(_SMALL_BLOCK):
            body += piece
            if len(body) > _MAX_ANSWER:
                response.close()
                code = TOO_LARGE if response.ok else ""
                raise self.garbage(f"the answer has more than {_MAX_ANSWER >> 20} MiB", code=code)
        if foreign:
            raise self.garbage(repr(" ".join(body[:200].decode("utf-8", "replace").split())))
        if not response.ok and (b"\0" in body or b"<!ENTITY" in body):
            # PyODPS parses an error's body without asking what is in it.
            body.clear()
        return _whole(response, bytes(body))

    def redact(self, text: str) -> str:
        """Take out what a service, or a library, may echo of the credentials."""
        for secret in _secrets_of(self._account):
            text = text.replace(secret, "…")
        return _SIGNATURE.sub("ODPS …", text)

    def garbage(self, text: str = "", status: int | None = None, code: str = "") -> ServiceError:
        """Return the error for an answer that is not one; `text` is what there was instead."""
        shown = f": {' '.join(self.redact(text).split())[:200]}" if text else ""
        return ServiceError(
            "E604",
            f"{self._host} answered{f' {status}' if status else ''} with something that is not MaxCompute's{shown}",
            hint="the endpoint ends in /api; a proxy or a login page may stand in between",
            status=status,
            service_code=code,
            # A gateway's page says nothing about what happened behind the gateway.
            outcome="unknown" if status is None or status >= 500 else "final",
        )

    def now(self) -> datetime:
        """
        Return the service's time, as its last answer told it.

        Leases are compared by it, so that a machine with a wrong clock neither robs nor blocks anybody.
        """
        told = moment(self._date)
        if told is None:
            raise ServiceError("E604", f"{self._host} does not tell the time: {self.redact(self._date)[:40]!r}")
        return told

    def refused(self, cause: odps_errors.ODPSError) -> NoReturn:
        """Raise the error for an answer that says no."""
        status, code = cause.status_code, self.redact(str(cause.code or ""))[:100]
        told = " ".join(self.redact(str(cause.args[0] if cause.args else cause)).split())
        request = self.redact(str(cause.request_id or ""))[:100]
        reason = f"{told[:300]} (request {request})" if request else told[:300]
        if status is None:
            raise ServiceError(
                "E601", f"{self._host} does not answer: {told[:300]}", hint=_REACH, outcome="safe"
            ) from cause
        if status == 401 or code in _BAD_CREDENTIALS:
            raise AccessError("E602", f"{self._host} refuses the credentials: {reason}", hint=_KEYS, status=status)
        if status == 403 or code in _NO_PERMISSION:
            raise AccessError(
                "E603", f"not permitted in project '{self.project}': {reason}", status=status, service_code=code
            )
        if code == "NoSuchProject" or "ODPS-0420111" in told:
            raise ServiceError(
                "E606",
                f"{self._host} has no project '{self.project}'",
                hint="check `project` of the target, and that the account is a member of it",
                status=status,
                service_code="NoSuchProject",
            )
        if code == str(status) or not code:
            if status == 404:
                raise ServiceError("E605", reason, status=status, service_code="NoSuchObject")
            raise self.garbage(repr(told), status) from cause
        raise ServiceError(
            "E605",
            f"the service answers {code}: {reason}",
            status=status,
            service_code=code,
            outcome=_OUTCOMES.get(status, "final"),
            retry_after=_seconds(cause),
        )

    def unreachable(self, cause: Exception, hint: str = _REACH) -> NoReturn:
        """Raise the error for a service that does not answer."""
        reason = self.redact(_plainly(cause))
        if isinstance(cause, requests.exceptions.ProxyError):
            raise ServiceError(
                "E601",
                f"{self._host} is not reached: the proxy {_proxy_for(self.endpoint)} refuses or does not answer: {reason}",
                hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
                outcome="safe",
            ) from cause
        raise ServiceError(
            "E601",
            f"{self._host} does not answer: {reason}",
            hint=hint,
            outcome="safe" if _never_sent(cause) else "unknown",
        ) from cause

    @property
    def _host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    client: Client
    response: requests.Response

    def header(self, name: str, default: str = "") -> str:
        return str(self.response.headers.get(name, default))

    def xml(self, root: str) -> ET.Element:
        """Return the body as an element named `root`; E604 for anything else, a DOCTYPE or another encoding included."""
        body = self.response.content
        try:
            # Read as UTF-8 whatever the XML declares, so that what is looked for below cannot be spelled otherwise.
            text = body.decode("utf-8-sig")
            if "<!DOCTYPE" in text:
                raise self.client.garbage("a DOCTYPE")
            element = ET.fromstring(text)
        except (UnicodeDecodeError, ET.ParseError) as cause:
            raise self.client.garbage(repr(" ".join(body[:200].decode("utf-8", "replace").split()))) from cause
        if element.tag != root:
            raise self.client.garbage(repr(f"<{element.tag}>"))
        return element


_KEYS = "check ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary ones, ALIBABA_CLOUD_SECURITY_TOKEN"
_BAD_CREDENTIALS = {"Unauthorized", "InvalidAuthorization", "MissingAuthorization", "SignatureNotMatch"}
_NO_PERMISSION = {"NoPermission", "AccessDenied"}


def gone_stale(key: object, told: str) -> StalePlan:
    """Return the error for an object that moved between the reading and the writing."""
    return StalePlan(
        "E506", f"{key} {told} since the plan was made", hint="run the command again and look at the new plan"
    )


def _account(credentials: Credentials | None) -> Any:
    if credentials is None:
        found = from_environments()
        if found is None:
            raise AccessError(
                "E607",
                "no credentials were found in the environment",
                hint="set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET; temporary ones also have "
                "an ALIBABA_CLOUD_SECURITY_TOKEN",
            )
        return found
    if credentials.token:
        return StsAccount(credentials.access_id, credentials.secret, credentials.token)
    return CloudAccount(credentials.access_id, credentials.secret)


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime | None:
    """Read an RFC 1123 date as UTC; None for what is not one, and for what cannot be compared with one."""
    try:
        told = parsedate_to_datetime(text)
        # A zone of -0000 is read as no zone at all.
        return told.astimezone(timezone.utc) if told.tzinfo else told.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _whole(response: requests.Response, body: bytes) -> requests.Response:
    """Return a response whose body has been read."""
    read = requests.Response()
    read.status_code, read.headers, read.reason = response.status_code, response.headers, response.reason
    read.url, read.request, read.encoding = response.url, response.request, response.encoding
    read.raw = BytesIO(body)
    return read


def _secrets_of(account: Any) -> tuple[str, ...]:
    """Return what no message may hold, also as `repr` writes it, the longest first."""
    names = ("secret_access_key", "sts_token", "token")
    found = {value for name in names if isinstance(value := getattr(account, name, None), str)}
    found |= {repr(value)[1:-1] for value in found}
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len, reverse=True))


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(endpoint: str) -> str:
    """Return the host of the proxy that requests takes for an endpoint, without its credentials."""
    chosen = requests.utils.select_proxy(endpoint, requests.utils.get_environ_proxies(endpoint)) or ""
    return urlsplit(chosen if "//" in chosen else f"//{chosen}").netloc.rpartition("@")[2]


def _never_sent(cause: BaseException) -> bool:
    """Say whether a connection failed before anything could be sent over it."""
    if isinstance(cause, (requests.ConnectTimeout, NewConnectionError)):
        return True
    inner = _inner(cause)
    return inner is not None and _never_sent(inner)


def _seconds(cause: odps_errors.ODPSError) -> float | None:
    """Return what Retry-After asks for, in seconds; its form as a date is not read."""
    headers = getattr(cause, "response_headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    return float(text) if text.isdigit() else None


def _plainly(cause: Exception) -> str:
    """Return the innermost reason of a chain of library errors, without addresses, numbers and class names."""
    reason: BaseException = cause
    while (inner := _inner(reason)) is not None:
        reason = inner
    text = str(reason) or type(reason).__name__
    return re.sub(r".*(?:>: |\): |\[Errno -?\d+\] |\[SSL: \w+\] )", "", text)


def _inner(error: BaseException) -> BaseException | None:
    nested = (getattr(error, "reason", None), *error.args)
    return next((one for one in nested if isinstance(one, BaseException)), None)
