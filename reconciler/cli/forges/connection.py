"""
Connection to a forge: requests that carry a token to one origin, and to no other.

The token goes over HTTPS, or to this machine itself; a redirect is followed on the same origin alone. Nothing that is raised
or shown holds it. A request that may be sent twice is sent again where no answer came; what makes something new is not, since
the forge may have made it: who sent it looks first (`ForgeFailure.outcome`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from time import sleep, time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

Outcome: TypeAlias = Literal["refused", "unknown"]

_TIMEOUT = (10.0, 30.0)
"""Seconds for the connection, and for each part of the answer."""

_LONGEST_ANSWER = 32 << 20
"""Bytes. A page of a hundred comments of 65,536 characters has 26 MB at the most."""

_ATTEMPTS = 3
_PATIENCE = 60.0
"""Seconds that a request waits in all where the forge wants to be left alone: a comment is not worth more of a runner's time."""

_SHOWN = 200
"""Characters of a forge's own words."""

_PAGE = 100
"""Items of a page, the most that GitHub and GitLab give."""

_MOST_PAGES = 100


class ForgeFailure(Exception):
    """What a forge did not do, in words for the log; it never ends a command."""

    def __init__(self, reason: str, outcome: Outcome = "refused", status: int | None = None) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome
        """*unknown* if the forge may have done it all the same."""
        self.status = status


@dataclass(frozen=True)
class ForgeReply:
    """An answer that says yes."""

    status: int
    value: Any
    """The JSON."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass
class ForgeConnection:
    """What a token may say to one forge."""

    base: str
    """Of the API, such as ``https://api.github.com``."""

    token: str = field(repr=False)
    header: str
    """The name of the header that carries the token."""

    prefix: str = ""
    """What stands before the token in it."""

    headers: Mapping[str, str] = field(default_factory=dict)
    _session: requests.Session | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.base = self.base.rstrip("/")
        self.token = self.token.strip()
        if not re.fullmatch(r"[!-~]+", self.token):
            raise ForgeFailure("the token is empty, or no token")
        _require_private(self.base)

    def get(self, path: str, **query: str | int) -> Any:
        """Return what a path shows."""
        return self.send("GET", path, query=query).value

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """Yield the items of a list, page by page; raises ForgeFailure for one that does not end."""
        for page in range(1, _MOST_PAGES + 1):
            items = self.get(path, **query, per_page=_PAGE, page=page)
            if not isinstance(items, list):
                raise ForgeFailure("the forge answers with something that is no list")
            yield from items
            if len(items) < _PAGE:
                return
        raise ForgeFailure(f"the forge lists more than {_PAGE * _MOST_PAGES:,} entries")

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> ForgeReply:
        """Send a request and return the answer; raises ForgeFailure for one that says no, and where none came."""
        may_repeat = method != "POST"
        patience = _PATIENCE
        for attempt in range(1, _ATTEMPTS + 1):
            is_last = attempt == _ATTEMPTS
            try:
                answer = self._ask(method, self.base + path, body, query)
            except OSError as error:  # what requests raises is one
                from reconciler.targets.transport import was_never_sent

                was_sent = not was_never_sent(error)
                if is_last or (was_sent and not may_repeat):
                    outcome: Outcome = "unknown" if was_sent else "refused"
                    raise ForgeFailure(self._clean(_silence(error)), outcome) from None
                sleep(attempt)
                continue
            if answer.status < 300:
                return ForgeReply(answer.status, _json(answer))
            pause = _pause(answer)
            if pause is not None and pause <= patience and not is_last:
                patience -= pause
                sleep(pause)
            elif answer.status >= 500 and may_repeat and not is_last:
                sleep(attempt)
            else:
                raise self._failure(answer)
        raise AssertionError("the last attempt returns or raises")

    def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None, query: Mapping[str, str | int] | None
    ) -> _Answer:
        """Send a request, and again to where a redirect on the same origin leads."""
        answer = self._send_once(method, url, body, query)
        for _ in range(3):
            target = answer.headers.get("Location")
            # What a redirect of the others would do with a body is up to each client.
            follows = answer.status in {307, 308} or (answer.status in {301, 302} and method == "GET")
            if not target or not follows or _origin(urljoin(url, target)) != _origin(self.base):
                break
            url = urljoin(url, target)
            answer = self._send_once(method, url, body, None)
        return answer

    def _send_once(
        self, method: str, url: str, body: Mapping[str, Any] | None, query: Mapping[str, str | int] | None
    ) -> _Answer:
        import requests

        from reconciler.targets.transport import read_body

        if self._session is None:
            self._session = requests.Session()
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if sent is not None else {}
        response = self._session.request(
            method,
            url,
            params=dict(query or {}),
            data=sent,
            headers={"Accept": "application/json", "User-Agent": "udfs", **self.headers, **headers},
            # As a function, so that no .netrc of the machine takes its place.
            auth=self._sign,
            timeout=_TIMEOUT,
            allow_redirects=False,
            stream=True,
        )
        with response:
            content = read_body(response, 1 << 16, _LONGEST_ANSWER)
        if content is None:
            raise OSError("the answer is longer than any real one")
        return _Answer(response.status_code, response.headers, content)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self.header] = self.prefix + self.token
        return request

    def _failure(self, answer: _Answer) -> ForgeFailure:
        status = answer.status
        try:
            message = json.loads(answer.content).get("message")
        except (ValueError, RecursionError, AttributeError):
            message = None
        said = f": {message}" if isinstance(message, str) and message else ""
        if status < 400:
            said = f": it sends us elsewhere, to {_origin(answer.headers.get('Location', ''))[1] or 'nowhere'}"
        limit = " (rate limit)" if _pause(answer) is not None else ""
        return ForgeFailure(self._clean(f"{status}{limit}{said}"), "unknown" if status >= 500 else "refused", status)

    def _clean(self, text: str) -> str:
        """Return text of others in one line, short, and without the token."""
        text = safe(text.replace(self.token, "[token]"))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _json(answer: _Answer) -> Any:
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise ForgeFailure("the forge answers with something that is no JSON", "unknown") from None


def _require_private(base: str) -> None:
    """Raise ForgeFailure for an address to which a token must not go."""
    scheme, host, _ = _origin(base)
    if not host or not re.fullmatch(r"https?://[\w.:/\[\]~-]+", base, re.ASCII):
        raise ForgeFailure("the address of the API is not one: it is to be https://HOST/PATH")
    from reconciler.targets.transport import is_loopback

    if scheme != "https" and not is_loopback(base):
        raise ForgeFailure("the address of the API is not https, and the token is not sent in the clear")


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None


def _silence(error: OSError) -> str:
    import requests

    from reconciler.targets.transport import was_never_sent

    if isinstance(error, requests.exceptions.SSLError):
        return "no connection: the certificate is not accepted"
    if was_never_sent(error):
        return "no connection"
    return "no answer within the time" if isinstance(error, requests.exceptions.Timeout) else "no answer"


def _pause(answer: _Answer) -> float | None:
    """
    Return how many seconds the forge wants to be left alone; None if it does not say so.

    GitHub says it with 403 or 429, and ``Retry-After``, or ``x-ratelimit-remaining: 0`` and ``x-ratelimit-reset`` in seconds since
    1970 [docs.github.com, "Rate limits for the REST API"]; GitLab and Yunxiao with 429.
    """
    if answer.status not in {403, 429}:
        return None
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - time())
    # Without a time a minute is what GitHub asks for.
    return 60.0 if answer.status == 429 else None
