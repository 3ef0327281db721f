"""Changes are made in order, against what was planned, and reported one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.apply import Silent, apply
from reconciler.errors import ServiceError, StalePlan
from reconciler.plan import Plan, make
from reconciler.report import Outcome
from tests.unit.core.states import HERE, STACK, Dictionary, function, marker, resource, state, there, wanted

if TYPE_CHECKING:
    from reconciler.diff import Change

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
    report = apply(plan, target, {}, Silent())
    assert isinstance(report.error, StalePlan)
    assert str(report.error) == "resource a.py was changed by ALIYUN$eve since the plan was made"
    assert target.objects[hacked.object.key] is hacked
    assert not target.written


def test_an_object_that_went_away_after_the_plan_is_not_put_back_silently() -> None:
    target = deployed()
    plan = plan_for(target)
    target.objects.clear()
    assert str(apply(plan, target, {}, Silent()).error) == "resource a.py is gone since the plan was made"


@pytest.mark.parametrize("cause", [ServiceError("E605", "no"), KeyboardInterrupt()])
def test_a_run_that_is_cut_off_says_what_was_done_and_what_was_not(cause: BaseException) -> None:
    def strike(change: Change) -> None:
        if change.key.kind == "function":
            raise cause

    target = Dictionary(before_write=strike)
    wants = WANTED | state(wanted(function("g", "a.py")))
    report = apply(make(wants, {}, stack=STACK, destination=HERE), target, {}, Silent())
    assert [outcome for _, outcome in report.outcomes] == [Outcome.DONE, Outcome.FAILED, Outcome.NOT_TRIED]
    assert report.interrupted is isinstance(cause, KeyboardInterrupt)
    assert not report.complete
    assert [str(change.key) for change in report.done] == ["resource a.py"]
