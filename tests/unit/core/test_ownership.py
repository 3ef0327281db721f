"""Whose an object is changes by name, and nothing else changes with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import Position, UsageError
from reconciler.core.diff import Action
from reconciler.core.kind import Mark
from reconciler.core.ownership import Side, adoption, carriers, release, to_adopt, to_release
from reconciler.core.record import Applied, Entry, Holder, Reading
from reconciler.core.state import Live
from reconciler.packages.content import Content
from reconciler.targets.maxcompute.names import mark_text
from reconciler.targets.maxcompute.objects import KINDS, Resource, function_key, resource_key
from tests.unit.core.states import (
    HERE,
    NOON,
    STACK,
    compare,
    digests,
    function,
    live,
    marker,
    resource,
    state,
    there,
    wanted,
)  # fmt: skip

if TYPE_CHECKING:
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan

TOP = Position("udfs.yaml", 1, 8)
A, F, G = resource_key("a.py"), function_key("f"), function_key("g")


def side(*there: Live, last: Entry | None = None) -> Side:
    return Side(Reading(live(*there), last=last), STACK, HERE, KINDS)


def holding(content: str) -> dict[Key, Content]:
    """Say that a.py holds this."""
    return {A: Content(Path("a.py"), *digests(content), len(content))}


def entry(*applied: Applied) -> Entry:
    return Entry(STACK, 1, Holder(), NOON, NOON, "committed", objects={one.object.key: one for one in applied})


def made(plan: Plan) -> list[tuple[str, str, str]]:
    return [
        (c.action.value, str(c.key), mark_text(c.mark, c.key.name) if c.mark else "")
        for c in plan.changes
    ]  # fmt: skip


def test_an_adopted_resource_keeps_its_bytes_and_its_mark_remembers_them() -> None:
    want = state(wanted(resource("a.py", "new"), "new", "f"), wanted(function("f", "a.py")))
    plan = adoption((A,), want, side(there(resource("a.py", "old"))), holding("old"))
    [change] = plan.changes
    assert change.desired is not None
    assert change.desired.object == resource("a.py", "old")
    assert change.mark == marker("old", "f")
    assert [found.field for found in change.differences] == ["content"]
    after = compare(want, live(Live(change.desired.object, mark=change.mark)), STACK)
    assert [(c.action, c.cause.value) for c in after.changes if c.key == A] == [(Action.UPDATE, "manifest")]


def test_a_mark_names_no_function_that_was_not_adopted_too() -> None:
    want = state(
        wanted(resource("a.py"), "one", "f", "g"), wanted(function("f", "a.py")), wanted(function("g", "a.py"))
    )
    project = side(there(resource("a.py")), there(function("f", "a.py")), there(function("g", "a.py")))
    assert [c.mark for c in adoption((A,), want, project, holding("one")).changes] == [marker("one")]
    same = adoption((A,), want, project, holding("one"), {A})
    assert [(c.mark, c.differences) for c in same.changes] == [(marker("one"), ())]
    together = adoption((A, F), want, project, holding("one"))
    assert [c.mark for c in together.changes] == [marker("one", "f"), None]


def test_what_another_stack_has_and_what_is_of_another_type_is_refused() -> None:
    want = state(wanted(resource("a.py", kind="file")))
    theirs = adoption((A,), want, side(there(resource("a.py"), marker(stack="geo"))), holding("one"))
    assert [problem.code for problem in theirs.refusals] == ["E502", "E508"]


def test_a_table_is_adopted_without_bytes() -> None:
    table = Resource("t", "table", table="demo.t")
    plan = adoption((table.key,), state(wanted(table, None)), side(there(table)), {})
    assert made(plan) == [("adopt", "resource t", mark_text(Mark(STACK), "t"))]


def test_names_to_adopt_are_in_the_manifest_in_the_project_and_not_ours_already() -> None:
    want = state(wanted(resource("a.py")), wanted(function("f", "a.py")), wanted(resource("f"), "one"))
    project = side(there(resource("a.py"), marker()), there(function("f", "a.py")), there(resource("F")))
    assert to_adopt(["F", "a.py", "f"], want, project) == (F, resource_key("f"))
    with pytest.raises(UsageError) as error:
        to_adopt(["g", "h"], state(wanted(function("g", "a.py"))), project)
    assert [problem.code for problem in error.value.problems] == ["E509", "E509"]


def test_only_what_is_ours_and_not_in_the_manifest_is_let_go() -> None:
    project = side(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py")), there(resource("b.py")))
    assert to_release(["F", "a.py", "f"], {}, project) == (F, A)
    with pytest.raises(UsageError) as error:
        to_release(["a.py", "b.py", "c.py"], state(wanted(resource("a.py"))), project)
    assert sorted(problem.message for problem in error.value.problems) == [
        "'b.py' cannot be disowned: stack 'risk' does not manage it",
        "'c.py' cannot be disowned: it is not in the project",
        "resource a.py is in the manifest, and cannot be disowned",
    ]


def test_no_mark_speaks_for_a_function_that_was_let_go() -> None:
    project = side(there(resource("a.py"), marker("one", "f", "g")), there(function("f", "a.py")))
    assert carriers((F,), project) == (A,)
    plan = release((F,), project, holding("one"), TOP)
    assert made(plan) == [
        ("update", "resource a.py", mark_text(marker("one", "g"), "a.py")),
        ("release", "function f", ""),
    ]
    assert plan.refusals == ()


def test_a_mark_is_not_renewed_over_an_edit_that_it_would_hide() -> None:
    project = side(there(resource("a.py", "hacked"), marker("one", "f")), there(function("f", "a.py")))
    assert [problem.code for problem in release((F,), project, holding("hacked"), TOP).refusals] == ["E510"]


def test_a_function_that_only_a_mark_made_ours_is_remembered_when_the_mark_goes() -> None:
    module, f = there(resource("a.py"), marker("one", "f")), there(function("f", "a.py"))
    plan = release((A,), side(module, f), holding("one"), TOP)
    assert made(plan) == [("release", "resource a.py", "")]
    assert [(c.action, c.key) for c in plan.unchanged] == [(Action.KEEP, F)]
    known = entry(Applied(f.object, created=NOON))
    assert release((A,), side(module, f, last=known), holding("one"), TOP).unchanged == ()


def test_what_is_let_go_says_in_its_comment_whose_it_was() -> None:
    plan = release((A,), side(there(resource("a.py"), marker())), holding("one"), TOP)
    assert plan.changes[0].desired is not None
    assert plan.changes[0].desired.object == resource("a.py", comment="was managed by udfs, stack risk")
