"""What somebody did behind the manifest's back, told from what the manifest did itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position
from reconciler.base.hints import spell
from reconciler.core.diff import ignoring
from reconciler.core.drift import Deviation, Drift, Exemption, tolerate
from reconciler.core.plan import needs, restoring
from reconciler.core.record import Applied, Entry, Holder, Step
from reconciler.manifest.section import read_section
from reconciler.targets.maxcompute.manifest import Ignored
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import CATALOG, Function
from tests.unit.core.states import HERE, NOON, STACK, find, function, live, make, marker, resource, state, there, wanted

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.base.errors import Problem
    from reconciler.core.kind import Key
    from reconciler.core.state import DesiredState, Live, LiveState, Object

MODULE, DATA = resource("a.py"), resource("d.csv", kind="file", comment="ours")
WANTED = state(wanted(MODULE, "one", "f"), wanted(DATA), wanted(function("f", "a.py", "d.csv")))
APPLIED = {
    obj.key: Applied(obj, created=NOON if isinstance(obj, Function) else None)
    for obj in (w.object for w in WANTED.values())
}
LAST = Entry(STACK, 1, Holder(), NOON, NOON, "committed", objects=APPLIED)


def project(*others: Live, without: str = "") -> LiveState:
    """Return what the last apply left, with `others` in its place."""
    left = live(there(MODULE, marker("one", "f")), there(DATA, marker()), there(function("f", "a.py", "d.csv")))
    return {key: have for key, have in {**left, **live(*others)}.items() if key.name != without}


def told(have: LiveState, desired: DesiredState = WANTED, last: Entry | None = LAST) -> dict[str, str]:
    return {one.key.name: f"{one.kind.value}: {one.obstacle}" for one in find(desired, have, STACK, last).drifted}


EDITED = [
    ("content", there(resource("a.py", "hacked"), marker("one", "f")), "a.py", "edited: "),
    ("comment", there(DATA._replace(comment="theirs"), marker()), "d.csv", "edited: "),
    ("class", there(function("f", "a.py", "d.csv", class_path="a.G")), "f", "edited: "),
    ("list", there(function("f", "a.py")), "f", "list changed: "),
    ("type", there(DATA._replace(type="py"), marker()), "d.csv", "type changed: a type is not changed in place"),
    ("creation", there(function("f", "a.py"))._replace(created=NOON + timedelta(1)), "f", "recreated: "),
    ("mark", there(DATA), "d.csv", "name taken: nothing marks it as ours any more"),
    ("stack", there(DATA._replace(size=9), marker(stack="geo")), "d.csv", "name taken: the name was taken"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "edit", "name", "said"), EDITED, ids=[case[0] for case in EDITED])
def test_each_edit_is_told_for_what_it_is(what: str, edit: Live, name: str, said: str) -> None:
    assert told(project(edit)) == {name: said}


def test_what_the_last_apply_left_is_no_drift() -> None:
    assert find(WANTED, project(), STACK, LAST) == Drift((), 0, 3)


def test_what_the_manifest_changed_waits_and_is_no_drift() -> None:
    moved = {**WANTED, **state(wanted(resource("a.py", "new"), "new", "f"), wanted(function("g", "a.py")))}
    fewer = {key: want for key, want in moved.items() if key.name != "d.csv"}
    assert find(fewer, project(), STACK, LAST) == Drift((), 3, 1)


def test_what_both_changed_cannot_be_brought_back_by_itself() -> None:
    moved = {**WANTED, **state(wanted(resource("a.py", "new"), "new", "f"))}
    assert told(project(there(resource("a.py", "hacked"), marker("one", "f"))), moved) == {
        "a.py": "edited: the manifest has changed it too"
    }
    assert told(project(without="a.py"), moved) == {"a.py": "deleted: the manifest has changed it too"}


def test_who_and_when_are_told_as_far_as_the_service_does() -> None:
    found = find(WANTED, project(there(resource("a.py", "hacked"), marker("one", "f")), without="f"), STACK, LAST)
    assert [one.sentence for one in found.drifted] == [
        "was deleted (the service does not tell by whom)",
        "was edited by ALIYUN$bob on 2026-11-20 12:00Z",
    ]


@pytest.mark.parametrize(
    ("taken", "hint"),
    [
        (there(DATA), "take it over: udfs adopt d.csv"),
        (there(DATA._replace(size=9), marker(stack="geo")), "only stack 'geo' can let go of it, by disowning it"),
    ],
    ids=["nobody's", "another stack's"],
)
def test_what_has_taken_a_name_is_adopted_only_where_that_is_not_refused(taken: Live, hint: str) -> None:
    [found] = find(WANTED, project(taken), STACK, LAST).drifted
    assert spell(found.problem.hint).endswith(hint)


def test_without_a_ledger_a_deletion_is_known_and_what_was_there_is_not() -> None:
    assert told(project(without="f"), last=None) == {"f": "deleted: what was there before is not known"}
    assert told(project(there(function("f", "a.py"))), last=None) == {
        "f": "list changed: what was there before is not known"
    }


def test_what_an_unfinished_run_left_is_not_blamed_on_anybody() -> None:
    steps = tuple(Step("update", key.kind, key.name, "failed") for key in WANTED)
    cut_off = replace(LAST, outcome="interrupted", steps=steps)
    edits = there(function("f", "a.py")), there(DATA._replace(comment="older"), marker())
    assert told(project(*edits), last=cut_off) == {}
    assert told(project(without="f"), last=cut_off) == {}
    assert find(WANTED, project(*edits), STACK, cut_off).waiting == 2


@pytest.mark.parametrize("outcome", ["unknown", "failed", "not tried"])
def test_what_a_cut_off_run_was_to_bring_back_is_drift_until_it_is_there(outcome: str) -> None:
    steps = tuple(Step("update", key.kind, key.name, outcome, restores=True) for key in WANTED)
    cut_off = replace(LAST, outcome="interrupted", steps=steps)
    hacked = there(resource("a.py", "hacked"), marker("one", "f"))
    assert told(project(hacked), last=cut_off) == told(project(hacked)) == {"a.py": "edited: "}
    assert told(project(without="f"), last=cut_off) == {"f": "deleted: "}
    assert told(project(), last=cut_off) == {}
    assert restored(project(hacked, without="f"), last=cut_off) == ["update resource a.py", "create function f"]


def restored(have: LiveState, desired: DesiredState = WANTED, last: Entry = LAST) -> list[str]:
    plan = make(desired, have, stack=STACK, destination=HERE, last=last)
    back = restoring(plan, find(desired, have, STACK, last))
    assert back.refusals == ()
    return [f"{change.action.value} {change.key}" for change in back.changes]


def test_only_what_was_changed_outside_is_brought_back() -> None:
    more = {**WANTED, **state(wanted(function("g", "a.py")), wanted(resource("d.csv", "new", kind="file"), "new"))}
    assert restored(project(there(resource("a.py", "hacked"), marker("one", "f"))), more) == ["update resource a.py"]
    assert restored(project(without="a.py")) == ["create resource a.py"]


def test_a_function_is_not_brought_back_without_its_resources() -> None:
    taken = there(DATA)
    assert restored(project(there(function("f", "a.py")), taken)) == []
    assert restored(project(there(function("f", "a.py")), without="d.csv")) == [
        "create resource d.csv",
        "update function f",
    ]


@pytest.mark.parametrize("kind", list(Deviation))
def test_every_kind_of_drift_is_a_finding_with_a_place_and_a_hint(kind: Deviation) -> None:
    found = find(WANTED, project(there(function("f", "a.py"))), STACK, LAST).drifted[0]
    problem = replace(found, kind=kind).problem
    assert problem.message.startswith("function f ")
    assert (problem.at, problem.detail) == (found.origin, ("resources: a.py, d.csv → a.py",))
    assert problem.hint


def rule(name: str, *what: str) -> Ignored:
    return read_section(Ignored, {"object": name, "what": [*what]})


def test_what_is_ignored_is_wanted_as_it_is_found() -> None:
    def after(have: Live, *rules: Ignored, wants: DesiredState = WANTED) -> Object:
        return ignoring(wants, project(have), rules)[have.object.key].object

    edited = there(Function("f", "a.G", (Reference("a.py"),)))
    both = rule("F", "class", "resources")
    assert after(edited, both) == edited.object
    assert after(edited, rule("?", "class")) == function("f", "a.py", "d.csv", class_path="a.G")
    assert after(edited, rule("f*", "resources")) == function("f", "a.py")
    assert after(edited, rule("g", "class"), rule("*", "comment")) == function("f", "a.py", "d.csv")
    noted = there(DATA._replace(comment="theirs"), marker())
    assert after(noted, rule("*.CSV", "comment")) == noted.object
    assert after(noted, rule("*.csv", "class")) == DATA
    assert ignoring(WANTED, {}, [both]) == WANTED


def line(pattern: str) -> Exemption:
    return Exemption(pattern, "a hotfix", "2999-12-31", Position("udfs.yaml", 4, 5))


CHANGED = state(wanted(MODULE, "two", "f"), wanted(DATA), wanted(function("f", "a.py", "d.csv", class_path="a.H")))


def _is_about(problem: Problem, keys: Collection[Key]) -> bool:
    return any(problem.message.startswith(f"{key} ") for key in keys)


@given(
    edits=st.lists(st.sampled_from([*(case[1] for case in EDITED), "f", "a.py", "d.csv"]), unique_by=id, max_size=3),
    patterns=st.lists(st.sampled_from(["f", "a.py", "*.csv", "*", "g", "F"]), max_size=2),
    desired=st.sampled_from([WANTED, CHANGED]),
)
def test_what_is_ignored_takes_exactly_that_out_of_drift_and_plan(
    edits: list[Live | str], patterns: list[str], desired: DesiredState
) -> None:
    have = project(*(edit for edit in edits if not isinstance(edit, str)))
    gone = {edit for edit in edits if isinstance(edit, str)}
    have = {key: live for key, live in have.items() if key.name not in gone}
    whole = find(desired, have, STACK, LAST)
    left = tolerate(whole, [*map(line, patterns)], CATALOG.kinds)
    ignored = {each.deviation.key for each in left.tolerations}
    named = {one.key for one in whole.drifted if any(fnmatchcase(one.key.folded, each.lower()) for each in patterns)}
    assert ignored == {one.key for one in whole.drifted if one.key in named and one.kind is not Deviation.TAKEN}
    assert {one.key for one in left.drifted} == {one.key for one in whole.drifted} - ignored

    every, rest = (
        make(desired, have, stack=STACK, destination=HERE, last=LAST, tolerations=tolerations)
        for tolerations in ((), left.tolerations)
    )
    kept = {each.deviation.key for each in rest.tolerations}
    assert kept <= ignored
    assert [change for change in every.changes if change.key not in kept] == [*rest.changes]
    # What is left as it is, is refused nothing: a file that was made a module, say.
    assert [problem for problem in every.refusals if not _is_about(problem, kept)] == [*rest.refusals]
    # What comes back although it is ignored is gone, and something that is written needs it.
    needed = {need for change in rest.changes if change.desired for need in needs(change.desired.object)}
    for key in ignored - kept:
        assert key not in have
        assert key in needed
