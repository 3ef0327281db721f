"""
Requests to MaxCompute: signed, sent and bounded; every failure an error of ours.

A read is repeated when it fails in passing; a write is sent once, because a stream that is half read cannot be sent again. No
redirect is followed: the body and the security token would go to wherever the answer says.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

import requests

from reconciler.base.activity import activity
from reconciler.base.errors import ServiceError
from reconciler.base.redaction import redact_foreign
from reconciler.targets.maxcompute.refusal import ServiceRefusal, refusal_of
from reconciler.targets.maxcompute.signing import put_signature
from reconciler.targets.transport import (
    LARGEST_ANSWER,
    PAUSES,
    TIMEOUT,
    UNKNOWN,
    Sessions,
    describe_refusal,
    excerpt_of,
    garbage_error,
    innermost_reason,
    key_error,
    permission_error,
    read_body,
    redirected_to,
    refusal_error,
    repeat_read,
    service_time,
    tame_session,
    unreachable_error,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from reconciler.targets.credentials.session import Credentials, KeySource

# PyODPS logs each request with its headers at DEBUG, Authorization included, and a token that it reloads at INFO.
logging.getLogger("odps").setLevel(logging.WARNING)

_log = logging.getLogger(__name__)
TOO_LARGE = "TooLarge"
"""The code, ours, of an error for an answer with more."""

_BLOCK = 1024 * 1024
_SMALL_BLOCK = 16 * 1024
"""What is read at once of an answer with a bound: 16 KiB of deflate hold at most 16 MiB."""

_MAX_ANSWER, _TIMEOUT, _PAUSES = LARGEST_ANSWER, TIMEOUT, PAUSES
_PASSING = {502, 503, 504}
"""Answers for which a read is repeated; so it is for connections that fail."""

_REACH = "check `endpoint` of the target (it ends in /api), the network and the proxy settings"


class Client:
    """One project, and a schema in it, at one endpoint."""

    def __init__(
        self, endpoint: str, project: str, schema: str | None, credentials: KeySource, user_agent: str
    ) -> None:
        """Each request is signed with what `credentials` has at that moment."""
        self.endpoint, self.project, self.schema = endpoint.rstrip("/"), project, schema
        self.credentials = credentials
        self._agent = user_agent
        self._sessions = Sessions()
        self._date = self._origin = ""

    def get(self, path: str, **params: str) -> Answer:
        """Read; repeated when the connection fails or the answer is 502, 503 or 504."""
        return self._send("get", path, params, again=True)

    def send(
        self, method: str, path: str, *, headers: dict[str, str], body: Iterable[bytes] | bytes = b"", **params: str
    ) -> Answer:
        """Write, once."""
        return self._send(method, path, params, headers=headers, data=body)

    def stream(self, path: str) -> Iterable[bytes]:
        """Read a body of any size in pieces."""
        answer = self._send("get", path, {}, again=True, streaming=True)
        try:
            yield from answer.response.iter_content(_BLOCK)
        except requests.RequestException as cause:
            self.unreachable(cause)
        finally:
            answer.response.close()

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        *,
        again: bool = False,
        headers: Mapping[str, str] | None = None,
        data: Iterable[bytes] | bytes | None = None,
        streaming: bool = False,
    ) -> Answer:
        route = f"/projects/{quote(self.project, safe='')}{path}"
        _log.debug("%s %s%s", method.upper(), route, f"?{'&'.join(params)}" if params else "")
        scope = {"curr_project": self.project, **({"curr_schema": self.schema} if self.schema else {})}
        request = requests.Request(
            method.upper(),
            self.endpoint + route,
            # The service takes the second one as the program's name, and signs it.
            headers={**(headers or {}), "User-Agent": self._agent, "x-odps-user-agent": self._agent},
            params={**params, **scope},
            data=data,
        )
        try:
            with activity(f"waiting for {self._host}", is_minor=True):
                send = partial(self._once, request, streaming)
                answer = repeat_read(send, _PAUSES, _pause_after) if again else send()
            # Nothing was done, so a write may be sent again, if its body can be.
            if not answer.is_ok and _can_repeat(data) and self._has_renewed(answer):
                answer = send()
        except requests.RequestException as cause:
            never_left = again or isinstance(cause, requests.ConnectTimeout)
            self.unreachable(cause, hint=_REACH if never_left else UNKNOWN)
        except (ValueError, UnicodeError) as cause:
            raise self.garbage() from cause
        if not answer.is_ok:
            self.raise_refusal(refusal_of(answer.status, answer.headers, answer.body))
        return answer

    def _once(self, request: requests.Request, streaming: bool) -> Answer:
        prepared = request.prepare()
        credentials = self.credentials.current()
        self._origin = credentials.origin
        put_signature(credentials, prepared, self.endpoint)
        response = self._sessions.send(prepared, self.endpoint, _TIMEOUT)
        return self._read_bounded(response, credentials, streaming=streaming)

    @property
    def access_key(self) -> Credentials | None:
        """What requests are signed with now, for those to another service of the same account; None where a token alone is sent."""
        credentials = self.credentials.current()
        return None if credentials.is_bearer else credentials

    def _has_renewed(self, answer: Answer) -> bool:
        """Say whether a session was refused as expired, and there is another one now."""
        refusal = refusal_of(answer.status, answer.headers, answer.body)
        return is_expiry(refusal) and self.credentials.renew(answer.signed_with)

    def entry(self) -> Any:
        """Return PyODPS's entry object, for what needs its models: SQL."""
        from odps import ODPS

        from reconciler.targets.maxcompute.account import SessionAccount

        account = SessionAccount(self.credentials)
        # Without a host for Logview it would ask for one at once, before it is tamed.
        odps = ODPS(
            account=account,
            project=self.project,
            endpoint=self.endpoint,
            schema=self.schema,
            logview_host=self.endpoint,
            overwrite_global=False,
        )
        tame_session(odps.rest.session, self.endpoint)
        return odps

    def _read_bounded(self, response: requests.Response, credentials: Credentials, *, streaming: bool) -> Answer:
        """Return an answer with its body, unless that is to be streamed; a redirect is an error, and a body without end."""
        if host := redirected_to(response):
            response.close()
            raise self.garbage(f"redirects elsewhere, to {host}", response.status_code)
        # The service names every request that it answers. What has a 200 and no such name is a page that somebody in
        # between shows, and would make a write look done.
        named = response.headers.get("x-odps-request-id")
        if named:
            # A refusal tells the time as well: while nothing but refusals come, leases run out all the same.
            self._date = response.headers.get("Date") or self._date
        if streaming and response.ok and named:
            return Answer(self, response, credentials)
        body = read_body(response, _SMALL_BLOCK, _MAX_ANSWER)
        if body is None:
            code = TOO_LARGE if response.ok else ""
            raise self.garbage(f"the answer has more than {_MAX_ANSWER >> 20} MiB", code=code)
        if response.ok and not named:
            raise self.garbage(excerpt_of(body))
        return Answer(self, response, credentials, body)

    def garbage(self, text: str = "", status: int | None = None, code: str = "") -> ServiceError:
        """Return the error for an answer that is not one; `text` is what there was instead."""
        return garbage_error(self._host, "MaxCompute", text, "the endpoint ends in /api", status=status, code=code)

    def now(self) -> datetime:
        """Return the service's time, as its last answer told it."""
        return service_time(self._date, self._host)

    def raise_refusal(self, refusal: ServiceRefusal, cause: Exception | None = None) -> NoReturn:
        """Raise the error for an answer that says no."""
        status, code = refusal.status, redact_foreign(refusal.code)[:100]
        message = " ".join(redact_foreign(refusal.message).split())
        reason = describe_refusal(refusal.message, refusal.request)
        if status is None:
            raise ServiceError(
                "E601", f"{self._host} does not answer: {message[:300]}", hint=_REACH, outcome="safe"
            ) from cause
        if status == 401 or code in _BAD_CREDENTIALS:
            hint = f"they come from {self._origin}; see `udfs doctor`" if self._origin not in {"", _KEY_ID} else _KEYS
            raise key_error(self._host, reason, hint, status)
        if status == 403 or code in _NO_PERMISSION:
            raise permission_error(f"project '{self.project}'", reason, status, code)
        if code == "NoSuchProject" or "ODPS-0420111" in message:
            raise ServiceError(
                "E606",
                f"{self._host} has no project '{self.project}'",
                hint="check `project` of the target, and that the account is a member of it",
                status=status,
                service_code="NoSuchProject",
            )
        if not code:
            if status == 404:
                raise ServiceError("E605", reason, status=status, service_code="NoSuchObject")
            raise self.garbage(repr(message), status) from cause
        raise refusal_error(code, reason, status, retry_after=refusal.retry_after)

    def unreachable(self, cause: Exception, hint: str = _REACH) -> NoReturn:
        """Raise the error for a service that does not answer."""
        if isinstance(cause, requests.exceptions.ProxyError):
            reason = redact_foreign(innermost_reason(cause))
            chosen = requests.utils.select_proxy(self.endpoint, requests.utils.get_environ_proxies(self.endpoint)) or ""
            # Without its credentials.
            proxy = urlsplit(chosen if "//" in chosen else f"//{chosen}").netloc.rpartition("@")[2]
            raise ServiceError(
                "E601",
                f"{self._host} is not reached: the proxy {proxy} refuses or does not answer: {reason}",
                hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
                outcome="safe",
            ) from cause
        raise unreachable_error(self._host, cause, hint) from cause

    @property
    def place(self) -> str:
        """What is asked, for people."""
        schema = f", schema {self.schema}" if self.schema else ""
        return f"project {self.project}{schema} at {self._host}"

    @property
    def _host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    client: Client
    response: requests.Response
    signed_with: Credentials
    body: bytes = b""
    """Empty where the response is streamed."""

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def is_ok(self) -> bool:
        return self.status < 400

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    def header(self, name: str, default: str = "") -> str:
        return str(self.headers.get(name, default))

    def xml(self, root: str) -> Element:
        """Return the body as an element named `root`; E604 for anything else, a DOCTYPE or another encoding included."""
        from xml.etree import ElementTree as ET

        try:
            # Read as UTF-8 whatever the XML declares, so that what is looked for below cannot be spelled otherwise.
            text = self.body.decode("utf-8-sig")
            if "<!DOCTYPE" in text:
                raise self.client.garbage("a DOCTYPE")
            element = ET.fromstring(text)
        except (UnicodeDecodeError, ET.ParseError) as cause:
            raise self.client.garbage(excerpt_of(self.body)) from cause
        if element.tag != root:
            raise self.client.garbage(repr(f"<{element.tag}>"))
        return element


_KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEYS = "check ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary ones, ALIBABA_CLOUD_SECURITY_TOKEN"
_BAD_CREDENTIALS = {"Unauthorized", "InvalidAuthorization", "MissingAuthorization", "SignatureNotMatch"}
_NO_PERMISSION = {"NoPermission", "AccessDenied"}


def resource_headers(name: str, kind: str) -> dict[str, str]:
    """Return what a request says of a resource that it brings."""
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment;filename={name}",
        "x-odps-resource-type": kind,
        "x-odps-resource-name": name,
    }


def is_expiry(refusal: ServiceRefusal) -> bool:
    """Say whether credentials were refused because they ended: PyODPS's word for it, and a text that is a guess."""
    return refusal.code == "AuthenticationRequestExpired" or (
        refusal.status in {401, 403} and "token" in refusal.message.lower() and "expire" in refusal.message.lower()
    )


def _pause_after(answer: Answer) -> float | None:
    return 0.0 if answer.status in _PASSING else None


def _can_repeat(data: object) -> bool:
    """Say whether a body can be sent once more: bytes can, and what begins anew whenever it is gone through."""
    return data is None or isinstance(data, bytes) or iter(data) is not data  # type: ignore[call-overload]
