"""
Fault injection.

A fault says which request it waits for and what then happens. It belongs to one server in one process; nothing of it is
stored.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.local.http.body import Body

Action = Literal["fail", "stall", "reset", "truncate", "kill", "signal"]
When = Literal["before", "during", "after"]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One rule.

    Which requests: `method` (any when None), `path` and `query` (regular expressions, searched for in the decoded path
    without the endpoint's prefix, and in the decoded query string). Of the requests that match, those from the `nth` on
    are hit, `times` of them, or all when `times` is None.
    """

    action: Action
    """
    fail: answer `status`. stall: wait `seconds`, then go on. reset: cut the connection with a TCP RST. truncate: send
    half of the answer, then close. kill: SIGKILL the client, then close. signal: send it `number`, then go on.
    """
    when: When = "before"
    """
    before: the request has no effect. during: when `after_bytes` of its body have come in; no effect either, but for a
    stall. after: it has its effect, only the answer is lost or replaced. A truncated answer is always *after*.
    """
    method: str | None = None
    path: str | None = None
    query: str | None = None
    nth: int = 1
    times: int | None = 1
    status: int = 503
    code: str = "ServiceUnavailable"
    message: str = "An injected fault"
    retry_after: int | None = None
    body: str | None = None
    """Sent instead of the error document: garbage, HTML, a cut-off document."""
    content_type: str = "application/xml"
    in_between: bool = False
    """Answered by something on the way, such as a proxy, which does not know the service's request ids."""
    seconds: float = 0.0
    after_bytes: int | None = None
    """For *during*. None: half of the body, or its first byte when its length is not announced."""
    pid: int | None = None
    """For *kill* and *signal*. None: the number in ``udfs-pid/<number>`` of the client's User-Agent."""
    number: int = signal.SIGTERM
    """For *signal*."""

    def __post_init__(self) -> None:
        _require(self.nth >= 1, "nth counts from 1")
        _require(self.times is None or self.times >= 1, "times is at least 1")
        _require(100 < self.status < 600, f"status {self.status}")
        _require(self.seconds >= 0, "seconds is not negative")
        _require(self.pid is None or self.pid > 1, f"pid {self.pid}")
        _require(self.number in {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}, f"signal {self.number}")
        for pattern in (self.path, self.query):
            try:
                re.compile(pattern or "")
            except re.error:
                raise ValueError(f"pattern {pattern!r}") from None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Fault:
        """Read a rule as JSON gives it; ValueError for what is unknown or of the wrong type."""
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise ValueError(f"not a fault: {error}") from error

    @property
    def point(self) -> When:
        """When it really happens."""
        return "after" if self.action == "truncate" else self.when

    @property
    def label(self) -> str:
        """How the request log names it, such as ``fail 503 after``."""
        return f"{self.action} {self.status} {self.point}" if self.action == "fail" else f"{self.action} {self.point}"


@dataclass
class _Counted:
    fault: Fault
    seen: int = field(default=0)

    def takes(self, method: str, path: str, query: str) -> bool:
        """Count the request if it matches, and say whether it is one to be hit."""
        fault = self.fault
        if fault.method is not None and fault.method.upper() != method:
            return False
        if fault.path is not None and not re.search(fault.path, path):
            return False
        if fault.query is not None and not re.search(fault.query, query):
            return False
        self.seen += 1
        return self.seen >= fault.nth and (fault.times is None or self.seen < fault.nth + fault.times)


class Faults:
    """The rules of a server. Each counts the requests it matches; the first that is due is applied."""

    def __init__(self) -> None:
        self._rules: list[_Counted] = []
        self._lock = threading.Lock()

    def add(self, rule: Fault | Mapping[str, Any]) -> None:
        """Add a rule, from its fields or as a value."""
        fault = rule if isinstance(rule, Fault) else Fault.parse(rule)
        with self._lock:
            self._rules.append(_Counted(fault))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[dict[str, Any]]:
        """The rules, each with how many requests it has matched."""
        with self._lock:
            return [{**msgspec.structs.asdict(rule.fault), "seen": rule.seen} for rule in self._rules]

    def pick(self, method: str, path: str, query: str) -> Fault | None:
        """What is to happen to this request."""
        if not self._rules:  # the usual case, and it costs nothing
            return None
        with self._lock:
            due = [rule.fault for rule in self._rules if rule.takes(method, path, query)]
        return due[0] if due else None


class FaultAnswer(Exception):
    """The answer is to be the fault's own."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.label)
        self.fault = fault


class Severed(Exception):
    """There is to be no answer."""

    def __init__(self, *, reset: bool, kill: int | None = None) -> None:
        super().__init__("severed")
        self.reset = reset
        self.kill = kill
        """The process to end first."""


class Strike:
    """A fault on its way through one request; with no fault, nothing happens."""

    def __init__(self, fault: Fault | None, client: int | None) -> None:
        self._fault = fault
        self._client = client
        self._pending = fault is not None
        self.truncates = False

    @property
    def label(self) -> str | None:
        """What the log says."""
        return self._fault.label if self._fault else None

    def watch(self, body: Body) -> None:
        """Arrange for what is to happen while `body` comes in."""
        if self._fault is None or self._fault.point != "during":
            return
        announced = body.length
        if announced == 0:
            self.act("during")
        received = self._fault.after_bytes if self._fault.after_bytes is not None else (announced or 2) // 2
        body.trip_at(max(1, received if announced is None else min(received, announced)), lambda: self.act("during"))

    def act(self, point: When) -> None:
        """Let it happen if this is where; raises `FaultAnswer` or `Severed` when the request ends here."""
        if self._fault is None or self._fault.point != point or not self._pending:
            return
        self._pending = False
        match self._fault.action:
            case "stall":
                time.sleep(self._fault.seconds)
            case "fail":
                raise FaultAnswer(self._fault)
            case "reset":
                raise Severed(reset=True)
            case "kill":
                raise Severed(reset=False, kill=self._fault.pid or self._client)
            case "truncate":
                self.truncates = True
            case "signal":
                if pid := self._fault.pid or self._client:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, self._fault.number)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
