"""The ledger and its lease over the real service: rivals, crashes, damage."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import LeaseHeld, Refused, ServiceError, StalePlan
from reconciler.base.hints import spell
from reconciler.core.diff import Cause
from reconciler.core.record import Applied, Entry, Holder, Reading, Step
from reconciler.engine import lease, ledger
from reconciler.engine.ledger import dump, epoch_of, is_entry, parse
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.names import Reference, mark_text
from reconciler.targets.maxcompute.objects import KINDS, Function, Resource, function_key, resource_key
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.workflow import applying
from tests.builders import Silent
from tests.canary import SECRET
from tests.unit.core.states import HASTE, HERE, NOON, STACK, function, make, managed_by, resource, state, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.report import Report
    from reconciler.core.state import DesiredState
    from reconciler.local import Server

ANN, BOB = Holder("ann", "laptop", "", "a" * 40, dirty=True), Holder("bob", pipeline="https://ci.example/1")
WANTED = state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py")))
CHANGED = state(wanted(resource("a.py", "two"), "two", "f"), wanted(function("f", "a.py")))


def reach(server: Server, who: str = "ann") -> MaxCompute:
    return MaxCompute(Client(server.url, "demo", None, Credentials(who, SECRET), "test"), STACK, lambda: "t")


def apply(
    target: MaxCompute,
    desired: DesiredState,
    contents: dict[str, Path],
    holder: Holder = ANN,
    progress: Silent | None = None,
) -> Report:
    reading = target.read()
    plan = make(
        desired,
        reading.live,
        stack=STACK,
        destination=HERE,
        last=reading.last,
        cause=None if desired else Cause.DESTROYED,
    )
    return applying.apply_plan(plan, reading, target, contents, holder, progress or Silent(), patience=HASTE)


def test_an_apply_leaves_an_entry_that_says_who_what_and_how_it_ended(
    server: Server, contents: dict[str, Path]
) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    reading = target.read()
    entry = reading.last
    assert entry is not None
    assert (reading.epochs, entry.epoch, entry.outcome, entry.holder) == ((1,), 1, "committed", ANN)
    assert [(step.action, step.name, step.outcome) for step in entry.steps] == [
        ("create", "a.py", "done"),
        ("create", "f", "done"),
    ]
    assert set(entry.objects) == set(WANTED)
    assert not any(is_entry(key.name) for key in reading.live), "the ledger is not part of the state"
    apply(target, {}, contents)
    assert target.read().last == parse(target.store.fetch("udfs.risk.2.json") or b"", "", KINDS)
    assert (target.read().last or entry).objects == {}


def test_a_plan_with_nothing_to_do_takes_no_lease(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    server.clear_requests()
    apply(target, WANTED, contents)
    assert not [sent for sent in server.requests if sent.method != "GET"]


def test_what_the_ledger_saw_is_not_asked_for_again(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    server.clear_requests()
    assert target.read().live[resource_key("a.py")].object == resource("a.py")
    assert len(server.requests) == 3, "two listings and the newest entry"
    server.clear_requests()
    target.read(full=True)
    assert [sent.query for sent in server.requests if "meta" in sent.query]


def test_the_plan_is_written_down_before_the_first_change(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)

    class Looking(Silent):
        def started(self, change: Change) -> None:
            entry = reach(server, "eve").read().last
            assert entry is not None
            assert entry.outcome == "running"
            assert set(entry.objects) == set(WANTED)

    assert apply(target, WANTED, contents, progress=Looking()).complete


def test_a_rival_is_told_who_applies_and_writes_nothing(server: Server, contents: dict[str, Path]) -> None:
    class Rival(Silent):
        refused: LeaseHeld | None = None

        def started(self, change: Change) -> None:
            server.clear_requests()
            with pytest.raises(LeaseHeld) as held:
                apply(reach(server, "bob"), CHANGED, contents, BOB)
            self.refused = held.value
            assert not [sent for sent in server.requests if sent.method != "GET"]

    rival = Rival()
    assert apply(reach(server), WANTED, contents, progress=rival).complete
    assert rival.refused is not None
    told = rival.refused.problems[0]
    assert "ann on laptop at aaaaaaaaaa with changes is applying stack 'risk' (epoch 1" in told.message
    assert "udfs explain E610" in spell(told.hint)


def test_of_two_that_read_the_same_epoch_one_gets_the_lease(server: Server, contents: dict[str, Path]) -> None:
    first, second = reach(server), reach(server, "bob")
    reading = second.read()
    plan = make(WANTED, reading.live, stack=STACK, destination=HERE)
    apply(first, WANTED, contents)
    server.clear_requests()
    with pytest.raises(LeaseHeld):
        applying.apply_plan(plan, reading, second, contents, BOB, Silent(), patience=HASTE)
    assert [sent.status for sent in server.requests if sent.method != "GET"] == [409]


def running(target: MaxCompute, *, ago: timedelta, objects: DesiredState = WANTED) -> Entry:
    """Leave behind what a run leaves that was killed some time ago."""
    target.read()
    started = target.store.now() - ago
    entry = Entry(
        STACK, 1, BOB, started, started + ledger.LEASE, objects={k: Applied(d.object) for k, d in objects.items()}
    )
    assert target.store.create(entry.name, dump(entry), "")
    return entry


def test_a_dead_runs_lease_is_respected_until_it_ends_and_then_overtaken(
    server: Server, contents: dict[str, Path]
) -> None:
    target = reach(server)
    dead = running(target, ago=timedelta(minutes=9))
    with pytest.raises(LeaseHeld):
        apply(target, WANTED, contents)
    target.store.replace(dead.name, dump(ledger.renew_entry(dead, target.store.now() - ledger.LEASE)), "")
    assert apply(target, WANTED, contents).complete
    reading = target.read()
    assert reading.epochs == (1, 2)
    assert (reading.last or dead).outcome == "committed"


def test_a_function_that_a_dead_run_created_is_known_to_be_ours(server: Server, contents: dict[str, Path]) -> None:
    """Its module went up, it was made, and then somebody lost the marks; the ledger still knows."""
    target = reach(server)
    apply(target, WANTED, contents)
    marked = target.read().live[resource_key("a.py")]
    target.client.send(
        "put", "/resources/a.py", headers={"x-odps-resource-type": "py", "x-odps-comment": ""}, body=b"one"
    )
    reading = target.read()
    assert marked.mark is not None
    plan = make({}, reading.live, stack=STACK, destination=HERE, last=reading.last, cause=Cause.DESTROYED)
    assert [str(change.key) for change in plan.changes] == ["function f"]
    without = make({}, reading.live, stack=STACK, destination=HERE, cause=Cause.DESTROYED)
    assert not without.changes, "a lost ledger makes nothing foreign ours"


def test_a_function_that_somebody_made_after_a_dead_run_is_theirs(server: Server, contents: dict[str, Path]) -> None:
    """The dead run's entry lists the name; that alone does not make a stranger's function ours."""
    target = reach(server)
    running(target, ago=timedelta(minutes=1))
    other = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
    other.send("post", "/resources", headers={"x-odps-resource-type": "py", "x-odps-resource-name": "e.py"}, body=b"#")
    theirs = b"<Function><Alias>f</Alias><ClassType>e.E</ClassType><Resources><ResourceName>e.py</ResourceName></Resources></Function>"
    other.send("post", "/registration/functions", headers={"Content-Type": "application/xml"}, body=theirs)
    reading = target.read()
    assert [p.code for p in make(WANTED, reading.live, stack=STACK, destination=HERE, last=reading.last).refusals] == [
        "E501"
    ]
    assert not make({}, reading.live, stack=STACK, destination=HERE, last=reading.last, cause=Cause.DESTROYED).changes


def test_a_function_that_is_edited_after_the_apply_that_made_it_is_still_known(
    server: Server, contents: dict[str, Path]
) -> None:
    """Class and list replaced from outside, carrier included: the time of its creation tells that it is the one."""
    target = reach(server)
    apply(target, WANTED, contents)
    edited = b"<Function><Alias>f</Alias><ClassType>x.X</ClassType><Resources></Resources></Function>"
    other = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
    other.send("put", "/registration/functions/f", headers={"Content-Type": "application/xml"}, body=edited)
    assert apply(target, WANTED, contents).complete
    assert target.read().live[function_key("f")].object == WANTED[function_key("f")].object


def test_a_function_that_was_made_anew_is_somebody_elses(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    apply(target, CHANGED, contents)
    reading = target.read()
    assert reading.last is not None
    key = function_key("f")
    have = reading.live[key]
    assert reading.last.objects[key].created == have.created
    anew = have._replace(created=NOON)
    assert managed_by(have, {key: have}, reading.last) == STACK
    assert managed_by(anew, {key: anew}, reading.last) is None


def test_a_project_that_moved_while_the_plan_was_looked_at_is_left_alone(
    server: Server, contents: dict[str, Path]
) -> None:
    """Somebody took over the very names; content and list are as they were, the function is not ours any more."""
    target = reach(server)
    apply(target, WANTED, contents)
    reading = target.read()
    plan = make({}, reading.live, stack=STACK, destination=HERE, last=reading.last, cause=Cause.DESTROYED)
    other = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
    other.send("delete", "/resources/a.py", headers={})
    other.send(
        "post", "/resources", headers={"x-odps-resource-type": "py", "x-odps-resource-name": "a.py"}, body=b"one"
    )
    with pytest.raises(StalePlan, match=r"resource a\.py was (deleted, and created again|changed) by ALIYUN\$eve"):
        applying.apply_plan(plan, reading, target, contents, ANN, Silent(), patience=HASTE)
    assert set(target.read().live) == set(WANTED)
    assert not (target.read().last or running(target, ago=timedelta())).is_held(target.store.now()), (
        "the lease is given back"
    )


def test_a_resource_is_not_deleted_under_a_user_who_came_meanwhile(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    reading = target.read()
    plan = make({}, reading.live, stack=STACK, destination=HERE, last=reading.last, cause=Cause.DESTROYED)
    theirs = b"<Function><Alias>g</Alias><ClassType>a.F</ClassType><Resources><ResourceName>a.py</ResourceName></Resources></Function>"
    other = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
    other.send("post", "/registration/functions", headers={"Content-Type": "application/xml"}, body=theirs)
    with pytest.raises(Refused, match="function 'g' still lists it"):
        applying.apply_plan(plan, reading, target, contents, ANN, Silent(), patience=HASTE)


def test_a_comment_that_was_copied_makes_nothing_ours(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    marker = target.read().live[resource_key("a.py")].mark
    assert marker is not None
    headers = {
        "x-odps-resource-type": "file",
        "x-odps-resource-name": "precious.csv",
        "x-odps-comment": mark_text(marker, "a.py"),
    }
    target.client.send("post", "/resources", headers=headers, body=b"1")
    reading = target.read()
    assert not make(WANTED, reading.live, stack=STACK, destination=HERE, last=reading.last).changes


@pytest.mark.parametrize("name", ["udfs.risk.007.json", "udfs.risk.0.json"])
def test_a_name_that_only_looks_like_an_entry_hides_no_lease(
    name: str, server: Server, contents: dict[str, Path]
) -> None:
    target = reach(server)
    running(target, ago=timedelta(minutes=1))
    target.store.create(name, b"{}", "")
    with pytest.raises(LeaseHeld):
        apply(target, WANTED, contents)


def test_an_entry_under_another_ones_name_is_not_believed(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    entry = running(target, ago=timedelta(minutes=1))
    target.store.create("udfs.risk.9.json", dump(entry), "")
    with pytest.raises(ServiceError, match="cannot be read"):
        target.read()


def test_a_run_whose_lease_was_ended_does_not_write_itself_back_to_life(
    server: Server, contents: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.0)
    target = reach(server)

    class Robbed(Silent):
        def sent(self, change: Change, size: int) -> None:
            other = reach(server, "eve")
            entry = other.read().last
            assert entry is not None
            if entry.outcome == "running":
                ended = ledger.finish_entry(entry, "interrupted", entry.steps, entry.objects, other.store.now())
                other.store.replace(ended.name, dump(ended), "")

    report = apply(target, WANTED, contents, progress=Robbed())
    assert isinstance(report.error, LeaseHeld)
    assert [str(change.key) for change in report.done] == ["resource a.py"], "what was in flight, and nothing after it"
    assert (target.read().last or running(target, ago=timedelta())).outcome == "interrupted"


def test_the_last_word_is_said_again_when_its_answer_is_lost(server: Server, contents: dict[str, Path]) -> None:
    server.faults.add({"action": "fail", "status": 500, "method": "PUT", "path": "udfs.risk", "times": 2})
    assert apply(reach(server), WANTED, contents).complete
    last = reach(server).read().last
    assert last is not None
    assert last.outcome == "committed"


def test_a_bug_in_the_middle_gives_the_lease_back(server: Server, contents: dict[str, Path]) -> None:
    class Broken(Silent):
        def started(self, change: Change) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        apply(reach(server), WANTED, contents, progress=Broken())
    assert apply(reach(server), WANTED, contents).complete


def test_a_lease_that_is_ended_stops_the_run_before_its_next_write(
    server: Server, contents: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEASE", timedelta(seconds=6))
    target = reach(server)

    class Robbed(Silent):
        def started(self, change: Change) -> None:
            if change.key.kind == "function":
                other = reach(server, "eve")
                entry = other.read().last
                assert entry is not None
                ended = ledger.unlock_entry(entry, Holder("eve", "laptop"), other.store.now())
                for _ in range(200):
                    # A renewal that was on its way may bring the lease back to life: nothing is written on a condition.
                    other.store.replace(ended.name, dump(ended), "")
                    time.sleep(0.05)
                    if not any(thread.name == "udfs-lease" for thread in threading.enumerate()):
                        break

    report = apply(target, WANTED, contents, progress=Robbed())
    assert isinstance(report.error, LeaseHeld)
    assert report.error.problems[0].code == "E613"
    assert "epoch 1 was ended by eve on laptop while" in report.error.problems[0].message
    assert [str(change.key) for change in report.done] == ["resource a.py"]


def test_a_lease_is_renewed_while_the_run_works(
    server: Server, contents: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEASE", timedelta(seconds=3))
    expiries = []

    class Slow(Silent):
        def started(self, change: Change) -> None:
            for _ in range(30):
                time.sleep(0.1)
                entry = reach(server).read().last
                assert entry is not None
                expiries.append(entry.expires)
                if len(set(expiries)) > 1:
                    return

    assert apply(reach(server), WANTED, contents, progress=Slow()).complete
    assert len(set(expiries)) > 1


def test_a_failed_run_says_so_and_keeps_what_it_may_have_made(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    server.faults.add(
        {
            "action": "fail",
            "status": 400,
            "code": "InvalidParameter",
            "method": "POST",
            "path": "functions",
            "when": "after",
        }
    )
    assert not apply(target, WANTED, contents).complete
    reading = target.read()
    assert reading.last is not None
    assert reading.last.outcome == "failed"
    assert function_key("f") in reading.last.objects
    assert apply(target, WANTED, contents).complete


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E611"),
        (b"[]", "E611"),
        (b'{"format": "udfs.ledger/1"}', "E611"),
        (b"\xff\xfe", "E611"),
        (b"[" * 100_000, "E611"),
        (b'{"format": "udfs.ledger/2"}', "E612"),
    ],
)
def test_an_entry_that_is_not_understood_stops_everything(
    content: bytes, code: str, server: Server, contents: dict[str, Path]
) -> None:
    target = reach(server)
    target.store.create("udfs.risk.7.json", content, "")
    with pytest.raises(ServiceError) as refused:
        apply(target, WANTED, contents)
    assert refused.value.problems[0].code == code


def test_a_lost_ledger_degrades_to_marks(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    apply(target, WANTED, contents)
    target.store.remove("udfs.risk.1.json")
    target.store.remove("udfs.risk.1.json")
    reading = target.read()
    assert reading.last is None
    assert not make(WANTED, reading.live, stack=STACK, destination=HERE).changes
    [change] = make(CHANGED, reading.live, stack=STACK, destination=HERE).changes
    assert change.cause is Cause.MANIFEST
    assert apply(target, CHANGED, contents).complete
    assert target.read().epochs == (1,)


def test_old_entries_are_collected_and_twenty_stay(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    for number in range(23):
        apply(target, (WANTED, CHANGED)[number % 2], contents)
    assert target.read().epochs == tuple(range(4, 24))


def test_two_stacks_have_two_ledgers(server: Server, contents: dict[str, Path]) -> None:
    target = reach(server)
    target.store.create("udfs.geo.5.json", b"not ours to read", "")
    assert apply(target, WANTED, contents).complete
    assert target.read().epochs == (1,)


def test_names_of_entries_are_told_from_others() -> None:
    assert epoch_of("UDFS.Risk.12.json", "risk") == 12
    assert epoch_of("udfs.risk.12.json", "ris") is None
    assert not is_entry("udfs.risk.json")
    assert not is_entry("a.udfs.risk.1.json")


def test_a_lease_whose_answer_was_lost_is_known_by_its_run(server: Server, contents: dict[str, Path]) -> None:
    """Taken for somebody else's it would keep everybody out until it ends."""
    server.faults.add({"action": "reset", "when": "after", "method": "POST", "path": "/resources$"})
    assert apply(reach(server), WANTED, contents).complete
    assert reach(server).read().epochs == (1,)


def test_a_lease_that_was_not_taken_is_not_believed_in(server: Server, contents: dict[str, Path]) -> None:
    server.faults.add({"action": "reset", "when": "before", "method": "POST", "path": "/resources$"})
    with pytest.raises(ServiceError):
        apply(reach(server), WANTED, contents)
    assert reach(server).read() == Reading({})


def test_what_was_done_is_told_even_if_it_cannot_be_written_down(server: Server, contents: dict[str, Path]) -> None:
    server.faults.add({"action": "fail", "status": 403, "code": "NoPermission", "method": "PUT", "path": "udfs.risk"})
    report = apply(reach(server), WANTED, contents)
    assert len(report.done) == 2
    assert report.error is not None


resources = st.builds(
    Resource, st.from_regex(r"[a-z]{1,8}\.csv", fullmatch=True), st.just("file"), st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.integers(0, 2**31), st.text(max_size=9), st.none(),
)  # fmt: skip
functions = st.builds(
    Function, st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.just("a.F"),
    st.lists(st.builds(Reference, st.just("x.py"), st.sampled_from([None, "other"]), st.none()), max_size=3).map(tuple),
)  # fmt: skip


@given(st.lists(st.one_of(resources, functions)), st.sampled_from([None, NOON]))
def test_an_entry_is_read_as_it_was_written(objects: list[Resource | Function], modified: object) -> None:
    applied = {o.key: Applied(o, modified if isinstance(o, Resource) else None) for o in objects}  # type: ignore[arg-type]
    entry = Entry(STACK, 3, ANN, NOON, NOON, "committed", "d" * 64, (Step("create", "function", "f", "done"),), applied)
    assert parse(dump(entry), entry.name, KINDS) == entry
    assert json.loads(dump(entry))["format"] == "udfs.ledger/1"
