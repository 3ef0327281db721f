"""What stays of earlier versions, for how long, and the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import Refused, UsageError
from reconciler.base.hints import spell
from reconciler.base.names import versioned_name
from reconciler.core.diff import Action
from reconciler.core.record import Applied, Entry, Holder, Outcome, Reading
from reconciler.core.versions import back, collection, duration, earlier, superseded_at
from reconciler.targets.maxcompute.objects import Resource
from tests.unit.core.states import HERE, NOON, STACK, digests, function, live, marker, resource, there

if TYPE_CHECKING:
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.state import Live, Object

HOUR = timedelta(hours=1)


def module(content: str) -> Resource:
    return resource(versioned_name("f.py", digests(content)[0]), content)


def entry(epoch: int, content: str, outcome: Outcome = "committed") -> Entry:
    """Return the entry of an apply, an hour after the one before, that left f with one content of f.py."""
    listed = module(content)
    objects: list[Object] = [listed, function("f", listed.name, class_path=f"{listed.name[:-3]}.F")]
    return Entry(
        STACK, epoch, Holder(), NOON + (epoch - 1) * HOUR, NOON + epoch * HOUR, outcome,
        objects={one.key: Applied(one) for one in objects},
    )  # fmt: skip


def project(now: str, *contents: str) -> dict[Key, Live]:
    """Return a project that holds versions of f.py, of which f lists `now`."""
    listed = function("f", module(now).name, class_path=f"{module(now).name[:-3]}.F")
    return live(there(listed), *(there(module(one), marker(one, "f")) for one in contents))


def names(plan: Plan, action: Action) -> list[str]:
    return [change.key.name for change in plan.changes if change.action is action]


def test_the_way_back_is_the_newest_other_state_that_got_through() -> None:
    entries = [entry(5, "c"), entry(4, "c"), entry(3, "x", "failed"), entry(2, "b"), entry(1, "a")]
    assert earlier(entries, None).epoch == 2
    assert earlier(entries, 1).epoch == 1
    with pytest.raises(Refused, match="epoch 3 is failed"):
        earlier(entries, 3)
    with pytest.raises(UsageError, match="no epoch 7"):
        earlier(entries, 7)
    for only in ([], [entry(1, "a")], [entry(2, "a"), entry(1, "a")]):
        with pytest.raises(Refused, match=r"no apply before|never applied"):
            earlier(only, None)


def test_what_was_gone_back_from_is_not_gone_back_to() -> None:
    bad = [entry(4, "bad"), entry(3, "c"), entry(2, "b"), entry(1, "a")]
    undone = [replace(entry(5, "c"), back_to=3), *bad]
    assert earlier(undone, None).epoch == 2
    assert earlier([replace(entry(6, "b"), back_to=2), *undone], None).epoch == 1
    assert earlier(undone, 4).epoch == 4, "by its number it is"
    assert earlier([entry(6, "fix"), *undone], None).epoch == 5


def test_a_rollback_switches_functions_and_nothing_else() -> None:
    reading = Reading(project("b", "a", "b"), (1, 2), entry(2, "b"))
    made = back(entry(1, "a"), reading, STACK, HERE)
    assert [(c.action, c.key.name) for c in made.changes] == [(Action.UPDATE, "f")]
    assert not made.refusals


def test_a_rollback_is_refused_without_the_bytes_of_then() -> None:
    gone = back(entry(1, "a"), Reading(project("b", "b"), (1, 2), entry(2, "b")), STACK, HERE)
    assert [problem.message.split(" is ")[-1] for problem in gone.refusals] == ["no longer in the project"]
    edited = project("b", "b") | live(there(Resource(module("a").name, "py", "0" * 32, 1), marker("a", "f")))
    other = back(entry(1, "a"), Reading(edited, (1, 2), entry(2, "b")), STACK, HERE)
    assert [problem.code for problem in other.refusals] == ["E552"]


@pytest.mark.parametrize(
    ("holder", "told"),
    [
        (Holder(commit="c0ffee"), "check out the commit of epoch 1 "),
        (Holder(commit="c0ffee", dirty=True), "epoch 1 was applied with changes that are in no commit "),
        (Holder(), "epoch 1 was applied from no commit "),
    ],
    ids=["a commit", "a commit and more", "no commit"],
)
def test_a_commit_is_named_as_the_way_back_only_if_it_is_what_was_applied(holder: Holder, told: str) -> None:
    reading = Reading(project("b", "b"), (1, 2), entry(2, "b"))
    [problem] = back(replace(entry(1, "a"), holder=holder), reading, STACK, HERE).refusals
    assert problem.hint is not None
    assert spell(problem.hint).startswith(told)


def test_a_version_is_superseded_when_the_first_apply_without_it_ended() -> None:
    key = module("a").key
    entries = [entry(3, "b"), entry(2, "b"), entry(1, "a")]
    assert superseded_at(key, entries) == entries[1].expires
    assert superseded_at(module("b").key, entries) is None, "the newest entry has it"
    assert superseded_at(key, entries[:2]) == entries[1].expires, "older entries are gone: at the latest then"
    assert superseded_at(key, []) is None, "a lost ledger knows nothing"


@pytest.mark.parametrize(
    ("hours", "grace", "keep", "over"),
    [(3, "1h", 0, ["a"]), (3, "2h", 0, []), (3, "1h", 1, []), (9, "0m", 0, ["a"]), (99, "3d", 0, ["a"])],
)
def test_what_is_collected_is_past_its_grace_and_needed_by_nobody(
    hours: int, grace: str, keep: int, over: list[str]
) -> None:
    entries = [entry(2, "b"), entry(1, "a")]
    reading = Reading(project("b", "a", "b"), (1, 2), entries[0])
    made = collection(entries, reading, STACK, HERE, now=NOON + hours * HOUR, grace=duration(grace), keep=keep)
    assert names(made, Action.DELETE) == [module(one).name for one in over]
    assert len(made.changes) == len(over)
    assert made.superseded == 1 - len(over)


def test_what_a_stranger_lists_or_no_ledger_remembers_is_not_collected() -> None:
    entries = [entry(2, "b"), entry(1, "a")]
    borrowed = live(there(function("theirs", module("a").name)))
    for held, known in ((project("b", "a", "b") | borrowed, entries), (project("b", "a", "b"), [])):
        reading = Reading(held, (1, 2), known[0] if known else None)
        assert not collection(known, reading, STACK, HERE, now=NOON + 99 * HOUR, grace=HOUR, keep=0).changes


def test_a_duration_has_a_unit() -> None:
    assert [duration(text) for text in ("30m", "24h", "7d")] == [HOUR / 2, 24 * HOUR, 168 * HOUR]
    with pytest.raises(ValueError, match="7w"):
        duration("7w")
