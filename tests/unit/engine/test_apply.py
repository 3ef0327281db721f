"""Changes are made in order, against what was planned, and reported one by one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import AccessError, LeaseHeld, ServiceError, StalePlan, UdfsError
from reconciler.engine.apply import Patience, apply
from tests.builders import Silent
from tests.unit.core.states import (
    HASTE,
    HERE,
    STACK,
    Dictionary,
    function,
    make,
    marker,
    resource,
    state,
    there,
    wanted,
)

if TYPE_CHECKING:
    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan
    from reconciler.core.report import Report

WANTED = state(wanted(resource("a.py", "two"), "two", "f"), wanted(function("f", "a.py")))


def deployed() -> Dictionary:
    objects = (there(resource("a.py"), marker("one", "f")), there(function("f", "a.py")))
    return Dictionary({entry.object.key: entry for entry in objects})


def plan_for(target: Dictionary) -> Plan:
    return make(WANTED, target.read().live, stack=STACK, destination=HERE)


def test_an_object_that_moved_after_the_plan_is_left_alone() -> None:
    target = deployed()
    plan = plan_for(target)
    hacked = there(resource("a.py", "hacked"), marker("one", "f"), updater="ALIYUN$eve")
    target.objects[hacked.object.key] = hacked
    report = apply(plan, target, {}, Silent(), patience=HASTE)
    assert isinstance(report.error, StalePlan)
    assert str(report.error) == "resource a.py was changed by ALIYUN$eve since the plan was made"
    assert target.objects[hacked.object.key] is hacked
    assert not target.written


def test_an_object_that_went_away_after_the_plan_is_not_put_back_silently() -> None:
    target = deployed()
    plan = plan_for(target)
    target.objects.clear()
    assert (
        str(apply(plan, target, {}, Silent(), patience=HASTE).error) == "resource a.py is gone since the plan was made"
    )


def stricken(name: str, error: Exception) -> Dictionary:
    """Return an empty project in which writing one object fails."""

    def strike(change: Change) -> None:
        if change.key.name == name:
            raise error

    return Dictionary(before_write=strike)


def outcomes(report: Report) -> dict[str, str]:
    return {change.key.name: outcome.value for change, outcome in report.outcomes}


TWO = WANTED | state(wanted(resource("b.py"), "one", "g"), wanted(function("g", "b.py", class_path="b.F")))


def test_a_failure_blocks_what_needs_it_and_nothing_else() -> None:
    target = stricken("a.py", ServiceError("E605", "no"))
    report = apply(make(TWO, {}, stack=STACK, destination=HERE), target, {}, Silent(), patience=HASTE)
    assert outcomes(report) == {"a.py": "failed", "f": "not tried", "b.py": "done", "g": "done"}
    assert not report.complete


def test_nothing_is_deleted_after_a_failure() -> None:
    target = stricken("b.py", ServiceError("E605", "no"))
    target.objects = deployed().objects
    desired = state(wanted(resource("b.py"), "one", "g"), wanted(function("g", "b.py", class_path="b.F")))
    report = apply(
        make(desired, target.read().live, stack=STACK, destination=HERE), target, {}, Silent(), patience=HASTE
    )
    assert set(outcomes(report).values()) == {"failed", "not tried"}
    assert not target.written


@pytest.mark.parametrize("error", [StalePlan("E506", "moved"), AccessError("E602", "no"), LeaseHeld("E613", "lost")])
def test_some_failures_say_that_nobody_should_go_on(error: UdfsError) -> None:
    target = stricken("a.py", error)
    plan = make(TWO, {}, stack=STACK, destination=HERE)
    report = apply(plan, target, {}, Silent(), patience=HASTE, writers=1)
    assert outcomes(report)["g"] == "not tried"
    assert report.error is error


def test_every_failure_is_told() -> None:
    def strike(change: Change) -> None:
        raise ServiceError("E605", f"no {change.key.name}")

    report = apply(
        make(TWO, {}, stack=STACK, destination=HERE), Dictionary(before_write=strike), {}, Silent(), patience=HASTE
    )
    assert report.error is not None
    assert sorted(problem.message for problem in report.error.problems) == ["no a.py", "no b.py"]


def test_an_error_that_is_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        apply(
            make(TWO, {}, stack=STACK, destination=HERE),
            stricken("a.py", ZeroDivisionError()),
            {},
            Silent(),
            patience=HASTE,
        )


def test_a_run_that_is_asked_to_end_finishes_what_is_in_flight_and_begins_nothing_new() -> None:
    patience = Patience(time.monotonic)

    def press(change: Change) -> None:
        patience.stop.set()

    report = apply(
        make(WANTED, {}, stack=STACK, destination=HERE),
        Dictionary(before_write=press),
        {},
        Silent(),
        patience=patience,
    )
    assert outcomes(report) == {"a.py": "done", "f": "not tried"}
    assert report.interrupted
    assert [str(change.key) for change in report.done] == ["resource a.py"]


def test_what_waits_for_a_hand_is_not_begun_either() -> None:
    patience = Patience(time.monotonic)
    many = state(*(wanted(resource(f"{n}.py", "two"), "two") for n in range(9)))

    def press(change: Change) -> None:
        patience.stop.set()

    target = Dictionary(before_write=press)
    report = apply(make(many, {}, stack=STACK, destination=HERE), target, {}, Silent(), patience=patience, writers=2)
    assert len(report.done) <= 2
    assert set(outcomes(report).values()) == {"done", "not tried"}


def test_a_run_that_is_to_end_waits_for_no_second_attempt() -> None:
    patience = Patience(time.monotonic, first_wait=60)

    def strike(change: Change) -> None:
        patience.stop.set()
        raise ServiceError("E605", "busy", outcome="safe")

    target = Dictionary(before_write=strike)
    report = apply(make(WANTED, {}, stack=STACK, destination=HERE), target, {}, Silent(), patience=patience)
    assert outcomes(report)["a.py"] == "failed"


@pytest.mark.parametrize(
    ("patience", "attempts"),
    [
        (Patience(lambda: 0.0, first_wait=0.001, attempts=3), 3),
        (Patience(lambda: 0.0, first_wait=10, deadline=5), 1),
    ],
)
def test_patience_ends_with_attempts_and_with_time(patience: Patience, attempts: int) -> None:
    tried = []

    def strike(change: Change) -> None:
        tried.append(change)
        raise ServiceError("E605", "busy", outcome="safe")

    apply(
        make(state(wanted(resource("a.py"))), {}, stack=STACK, destination=HERE),
        Dictionary(before_write=strike),
        {},
        Silent(),
        patience=patience,
    )
    assert len(tried) == attempts


def test_the_service_is_left_alone_as_long_as_it_asks() -> None:
    waited = []

    class Watching(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    patience = Patience(lambda: 0.0, Watching(), first_wait=1, attempts=3, longest_wait=1.5)
    error = ServiceError("E605", "busy", outcome="safe", retry_after=7)
    apply(
        make(state(wanted(resource("a.py"))), {}, stack=STACK, destination=HERE),
        stricken("a.py", error),
        {},
        Silent(),
        patience=patience,
    )
    calm = ServiceError("E605", "busy", outcome="safe")
    apply(
        make(state(wanted(resource("a.py"))), {}, stack=STACK, destination=HERE),
        stricken("a.py", calm),
        {},
        Silent(),
        patience=patience,
    )
    assert waited == [7, 7, 1, 1.5]


def test_many_writers_do_the_same_as_one() -> None:
    wants = state(*(entry for n in range(40) for entry in (
        wanted(resource(f"m{n}.py"), "one", f"f{n}"), wanted(function(f"f{n}", f"m{n}.py", class_path=f"m{n}.F"))
    )))  # fmt: skip
    one, many = Dictionary(), Dictionary()
    for target, writers in ((one, 1), (many, 8)):
        assert apply(
            make(wants, {}, stack=STACK, destination=HERE), target, {}, Silent(), patience=HASTE, writers=writers
        ).complete
    assert one.objects == many.objects
    assert sorted(one.written) == sorted(many.written)
