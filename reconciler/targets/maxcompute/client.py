"""
Requests to MaxCompute: signed and sent by PyODPS's `RestClient`, every failure an error of ours.

The client is built without the ``ODPS`` entry object, whose constructor asks for ``/logview/host`` and whose calls ask
for ``/tenants``; neither is needed for resources and functions [seen on the wire, PyODPS 0.13.2].
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import requests
from odps import errors as odps_errors
from odps.accounts import CloudAccount, StsAccount, from_environments
from odps.rest import RestClient
from urllib3.exceptions import NewConnectionError

from reconciler.errors import AccessError, ServiceError, StalePlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# PyODPS logs each request with its headers at DEBUG, Authorization included.
logging.getLogger("odps").setLevel(logging.INFO)

_log = logging.getLogger(__name__)
_MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of XML that are taken. A listing page holds about 1,000 entries of well under 2 KB each."""

_BLOCK = 1024 * 1024
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
            self._unreachable(cause)
        finally:
            answer.response.close()

    def _send(self, method: str, path: str, params: dict[str, str], *, again: bool = False, **kwargs: Any) -> Answer:
        rest = self._again if again else self._once
        place = f"/projects/{quote(self.project, safe='')}{path}"
        _log.debug("%s %s%s", method.upper(), place, f"?{'&'.join(params)}" if params else "")
        try:
            answer = Answer(rest.request(self.endpoint + place, method, params=params, timeout=_TIMEOUT, **kwargs))
        except odps_errors.ODPSError as cause:
            self._refused(cause)
        except requests.RequestException as cause:
            self._unreachable(cause, hint=_REACH if again else _UNKNOWN)
        except (ValueError, UnicodeError) as cause:
            # PyODPS decodes an error's body without asking what it is.
            raise _garbage(self.endpoint) from cause
        self._date = answer.header("Date") or self._date
        return answer

    def now(self) -> datetime:
        """
        Return the service's time, as its last answer told it.

        Leases are compared by it, so that a machine with a wrong clock neither robs nor blocks anybody.
        """
        try:
            return parsedate_to_datetime(self._date)
        except (TypeError, ValueError) as cause:
            raise ServiceError("E604", f"{self._host} does not tell the time: {self._date[:40]!r}") from cause

    def _refused(self, cause: odps_errors.ODPSError) -> NoReturn:
        status, code = cause.status_code, cause.code or ""
        told = " ".join(str(cause.args[0] if cause.args else cause).split())
        reason = f"{told[:300]} (request {cause.request_id})" if cause.request_id else told[:300]
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
            raise _garbage(self.endpoint, status, told) from cause
        raise ServiceError(
            "E605",
            f"the service answers {code}: {reason}",
            status=status,
            service_code=code,
            outcome=_OUTCOMES.get(status, "final"),
            retry_after=_seconds(cause),
        )

    def _unreachable(self, cause: Exception, hint: str = _REACH) -> NoReturn:
        raise ServiceError(
            "E601",
            f"{self._host} does not answer: {_plainly(cause)}",
            hint=hint,
            outcome="safe" if _never_sent(cause) else "unknown",
        ) from cause

    @property
    def _host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    response: requests.Response

    def header(self, name: str, default: str = "") -> str:
        return str(self.response.headers.get(name, default))

    def xml(self, root: str) -> ET.Element:
        """Return the body as an element named `root`; E604 for anything else, a DOCTYPE included."""
        body = self.response.content
        if len(body) > _MAX_ANSWER or b"<!DOCTYPE" in body:
            raise _garbage(self.response.url)
        try:
            element = ET.fromstring(body)
        except ET.ParseError as cause:
            raise _garbage(self.response.url, text=body[:200].decode("utf-8", "replace")) from cause
        if element.tag != root:
            raise _garbage(self.response.url, text=f"<{element.tag}>")
        return element


_KEYS = "check ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN"
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
                "E607", "no credentials were found in the environment", hint=_KEYS.replace("check", "set")
            )
        return found
    if credentials.token:
        return StsAccount(credentials.access_id, credentials.secret, credentials.token)
    return CloudAccount(credentials.access_id, credentials.secret)


def _garbage(endpoint: str, status: int | None = None, text: str = "") -> ServiceError:
    parts = urlsplit(endpoint)
    shown = f": {' '.join(text.split())[:120]!r}" if text else ""
    return ServiceError(
        "E604",
        f"{parts.netloc.rpartition('@')[2]} answered{f' {status}' if status else ''} with something that is not "
        f"MaxCompute's{shown}",
        hint="the endpoint ends in /api; a proxy or a login page may stand in between",
        status=status,
        # A gateway's page says nothing about what happened behind the gateway.
        outcome="unknown" if status is None or status >= 500 else "final",
    )


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
