"""
Faults during an apply over real HTTP: what may be sent again is, what may have happened is looked at, the rest is told.

Each fault strikes once, before or after the effect, at each kind of write; then the project must be as wanted, and no
change may have been made twice.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import StalePlan
from reconciler.core.record import Holder
from reconciler.engine.apply import Patience
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import resource_key
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.workflow import applying
from tests.builders import Silent
from tests.canary import SECRET
from tests.unit.core.states import HASTE, HERE, STACK, digests, function, make, resource, state, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.report import Report
    from reconciler.core.state import DesiredState
    from reconciler.local import Server

FIRST = state(
    wanted(resource("a.py"), "one", "f"), wanted(resource("b.csv", kind="file")), wanted(function("f", "a.py", "b.csv"))
)
SECOND = state(wanted(resource("a.py", "two"), "two", "f"), wanted(function("f", "a.py", class_path="a.G")))

FAULTS: list[dict[str, Any]] = [
    {"action": "fail", "status": 429, "code": "Throttled", "retry_after": 0, "when": "before"},
    *(
        {"action": "fail", "status": status, "when": when}
        for status in (500, 502, 503, 504)
        for when in ("before", "after")
    ),
    *({"action": "reset", "when": when} for when in ("before", "during", "after")),
    {"action": "truncate", "when": "after"},
    {"action": "fail", "status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html", "when": "after"},
]
WRITES = [
    (FIRST, "POST", r"/resources$"),
    (FIRST, "POST", r"/functions$"),
    (SECOND, "PUT", r"/resources/a\.py"),
    (SECOND, "PUT", r"/functions/f"),
    (SECOND, "DELETE", r"/resources/b\.csv"),
]


def apply(server: Server, desired: DesiredState, contents: dict[str, Path]) -> Report:
    target = MaxCompute(Client(server.url, "demo", None, Credentials("ann", SECRET), "test"), STACK, lambda: "t")
    reading = target.read()
    plan = make(desired, reading.live, stack=STACK, destination=HERE, last=reading.last)
    return applying.apply_plan(plan, reading, target, contents, Holder("ann"), Silent(), patience=HASTE)


def is_as(server: Server, desired: DesiredState) -> bool:
    target = MaxCompute(Client(server.url, "demo", None, Credentials("ann", SECRET), "test"), STACK, lambda: "t")
    return not make(desired, target.read(full=True).live, stack=STACK, destination=HERE).changes


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda f: " ".join(str(f[k]) for k in ("action", "status", "when") if k in f)
)
@pytest.mark.parametrize(
    ("desired", "method", "path"), WRITES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fault_that_passes_is_survived(
    fault: dict[str, Any], desired: DesiredState, method: str, path: str, server: Server, contents: dict[str, Path]
) -> None:
    if desired is SECOND:
        assert apply(server, FIRST, contents).complete
    server.clear_requests()
    # The first POST of a resource is the lease; the one after it is struck.
    nth = 2 if (method, path) == ("POST", r"/resources$") else 1
    server.faults.add({**fault, "method": method, "path": path, "nth": nth})
    report = apply(server, desired, contents)
    assert report.complete, report.error
    assert is_as(server, desired)
    took_effect = Counter(
        (sent.method, sent.path) for sent in server.requests
        if sent.method in {"PUT", "DELETE"} and "udfs." not in sent.path and (sent.fault is None or "after" in sent.fault)
    )  # fmt: skip
    assert set(took_effect.values()) <= {1}, "nothing is made twice"


def test_a_rival_who_comes_between_two_attempts_is_noticed(server: Server, contents: dict[str, Path]) -> None:
    assert apply(server, FIRST, contents).complete
    server.faults.add({"action": "fail", "status": 500, "method": "PUT", "path": r"/resources/a\.py", "when": "before"})

    class Meanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            other = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
            headers = {"x-odps-resource-type": "py", "x-odps-resource-name": "a.py"}
            other.send("put", "/resources/a.py", headers=headers, body=b"rival")
            return False

    target = MaxCompute(Client(server.url, "demo", None, Credentials("ann", SECRET), "test"), STACK, lambda: "t")
    reading = target.read()
    plan = make(SECOND, reading.live, stack=STACK, destination=HERE, last=reading.last)
    patience = Patience(time.monotonic, Meanwhile())
    report = applying.apply_plan(plan, reading, target, contents, Holder("ann"), Silent(), patience=patience)
    assert isinstance(report.error, StalePlan)
    assert "was changed by ALIYUN$eve" in str(report.error)
    target.download(resource_key("a.py"), contents[digests("one")[0]])
    assert contents[digests("one")[0]].read_bytes() == b"rival"
