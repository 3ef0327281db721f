"""
Laws of every target, over real HTTP: what is written is what is read, what is gone or somebody else's stops a write, faults are survived.

They are the contract between the engine and a target. Each runs against the local service of each kind (`tests.target.places`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import AccessError, LeaseHeld, ServiceError, StalePlan
from reconciler.core import drift, plan
from reconciler.core.diff import Action, Cause, Change
from reconciler.core.kind import Mark
from reconciler.core.ownership import Side, adoption, release
from reconciler.core.record import Entry, Holder
from reconciler.engine import ledger, saved_plan, staleness
from reconciler.engine.apply import Patience
from reconciler.engine.ledger import dump, parse
from reconciler.packages.content import hash_blocks
from reconciler.workflow import applying
from tests.builders import Silent
from tests.target.places import IN_PLACE, KINDS, open_place
from tests.unit.core.states import HASTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.core.state import Desired, DesiredState, Live
    from tests.target.places import Place

ANN, BOB = Holder("ann"), Holder("bob", pipeline="https://ci.example/1")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request.param, tmp_path) as opened:
        yield opened


in_place = pytest.mark.parametrize("place", IN_PLACE, indirect=True)
"""Of targets that write content over what was there."""


def planned(place: Place, desired: DesiredState, *, full: bool = False, who: str = "ann") -> tuple[Plan, Reading]:
    reading = place.reach(who).read(full=full)
    cause = None if desired else Cause.DESTROYED
    return plan.make(desired, reading, stack=place.stack, destination=place.destination, cause=cause), reading


def apply(place: Place, desired: DesiredState, patience: Patience = HASTE, holder: Holder = ANN) -> Report:
    target = place.reach(holder.user)
    cause = None if desired else Cause.DESTROYED
    reading = target.read()
    made = plan.make(desired, reading, stack=place.stack, destination=place.destination, cause=cause)
    assert not made.refusals, made.refusals
    return applying.apply_plan(made, reading, target, place.contents, holder, Silent(), patience=patience)


def require_applied(place: Place, desired: DesiredState) -> None:
    report = apply(place, desired)
    assert report.complete, report.error


def is_as(place: Place, desired: DesiredState) -> bool:
    return not planned(place, desired, full=True)[0].changes


def written_objects(place: Place) -> list[str]:
    """Return what changed something that is not the ledger's."""
    sent = (one for one in place.service.requests if one.method != "GET")
    # Creating an entry is a POST to the list of all objects of its sort: the engine never makes an apply of that alone.
    return [f"{one.method} {one.path}" for one in sent if one.method != "POST" and place.is_about_objects(one.path)]


def update_of(place: Place) -> Change:
    """Return the update of `place.marked`, as the second state wants it."""
    made, _ = planned(place, place.second)
    [change] = [change for change in made.changes if change.key == place.marked]
    assert change.action is Action.UPDATE
    return change


# --- Written and read -------------------------------------------------------------------------------------------------------


def test_what_is_written_is_what_is_read_by_the_listing_and_one_by_one(place: Place) -> None:
    require_applied(place, place.first)
    target = place.reach()
    live = target.read(full=True).live
    for key, desired in place.first.items():
        for present in (live[key], target.read_one(key)):
            assert present is not None
            assert not key_differences(place, desired, present), key
            assert (present.mark and present.mark.sha256) == (desired.mark and desired.mark.sha256), key
            assert present.mark is None or present.mark.stack == place.stack


def key_differences(place: Place, desired: Desired, present: Live) -> list[object]:
    kind = place.catalog.kinds[desired.object.key.kind]
    return list(kind.differences(desired.object, present.object))


def test_what_is_downloaded_is_what_was_uploaded(place: Place, tmp_path: Path) -> None:
    require_applied(place, place.first)
    for key, desired in place.first.items():
        if place.catalog.kinds[key.kind].holds_content(desired.object):
            assert desired.mark is not None
            place.reach().download(key, tmp_path / "back")
            assert (tmp_path / "back").read_bytes() == place.contents[desired.mark.sha256 or ""].read_bytes()


def test_what_is_not_there_is_none(place: Place) -> None:
    for key in place.first:
        assert place.reach().read_one(key) is None


def test_no_change_is_no_write(place: Place) -> None:
    require_applied(place, place.first)
    place.service.clear_requests()
    report = apply(place, place.first)
    assert report.complete
    assert {sent.method for sent in place.service.requests} == {"GET"}


def test_an_edit_is_made_and_what_is_wanted_no_more_goes(place: Place) -> None:
    require_applied(place, place.first)
    require_applied(place, place.second)
    assert is_as(place, place.second)
    require_applied(place, {})
    assert not place.reach().read(full=True).live


def test_objects_and_marks_survive_every_encoding(place: Place) -> None:
    require_applied(place, place.first)
    reading = place.reach().read()
    assert reading.last is not None
    content = dump(reading.last)
    assert parse(content, f"udfs.{place.stack}.1.json", place.catalog.kinds) == reading.last
    assert set(reading.last.objects) == set(place.first)
    for key, present in reading.live.items():
        kind = place.catalog.kinds[key.kind]
        if kind.has_mark and present.mark is not None:
            assert kind.read_mark(kind.write_mark(present.mark, key.name), key.name) == present.mark


def test_who_is_not_asked_for_is_left_alone(place: Place) -> None:
    """An object without our mark, and one of another stack, are read as what they are."""
    require_applied(place, place.first)
    other = Mark("other", "0" * 64)
    reading = place.reach().read()
    assert reading.holder(place.marked) == place.stack
    assert reading.live[place.marked]._replace(mark=other).mark == other


# --- What somebody else did -------------------------------------------------------------------------------------------------


def test_a_create_never_overwrites(place: Place) -> None:
    require_applied(place, place.first)
    desired = place.first[place.marked]
    change = Change(Action.CREATE, place.marked, desired, None)
    with pytest.raises(StalePlan, match="was created by somebody else"):
        place.reach().write(change, place.contents, lambda _: None)


@in_place
def test_what_is_gone_is_not_updated_and_not_deleted(place: Place) -> None:
    require_applied(place, place.first)
    update = update_of(place)
    live = place.reach().read_one(place.marked)
    require_applied(place, {})
    for change in (update, Change(Action.DELETE, place.marked, None, live)):
        with pytest.raises(StalePlan, match="was deleted by somebody else"):
            place.reach().write(change, place.contents, lambda _: None)


def test_an_edit_by_a_stranger_is_drift_and_is_brought_back(place: Place) -> None:
    require_applied(place, place.first)
    place.meddle()
    reading = place.reach().read(full=True)
    outside = drift.find(place.first, reading, place.stack)
    assert [each.key for each in outside.drifted] == [place.edited]
    require_applied(place, place.first)
    assert is_as(place, place.first)


def test_a_plan_that_somebody_overtook_is_not_performed(place: Place) -> None:
    require_applied(place, place.first)
    made, reading = planned(place, place.second)
    content = saved_plan.write(saved_plan.save(made, reading, "0" * 64))
    place.meddle()
    with pytest.raises(StalePlan):
        staleness.require(made, place.reach().read())
    with pytest.raises(StalePlan):
        saved_plan.require_fresh(saved_plan.read(content, "plan.json", place.catalog), place.reach().read())


@in_place
def test_a_rival_who_comes_between_two_attempts_is_noticed(place: Place, tmp_path: Path) -> None:
    require_applied(place, place.first)
    place.service.faults.add({"action": "fail", "status": 500, "method": "PUT", "path": named(place), "when": "before"})

    class Meanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            place.meddle()
            return False

    report = apply(place, place.second, Patience(time.monotonic, Meanwhile()))
    assert isinstance(report.error, StalePlan)
    place.reach().download(place.marked, tmp_path / "back")
    assert b"rival" in (tmp_path / "back").read_bytes()


def named(place: Place) -> str:
    """Return a pattern for the path of `place.marked`."""
    return rf"/{place.marked.name.replace('.', '[.]')}$"


# --- Faults -----------------------------------------------------------------------------------------------------------------


FAULTS: list[dict[str, Any]] = [
    {"action": "fail", "status": 429, "retry_after": 0, "when": "before"},
    {"action": "fail", "status": 500, "when": "before"},
    {"action": "reset", "when": "after"},
    {"action": "fail", "status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html", "when": "after"},
]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda f: " ".join(str(f[k]) for k in ("action", "status", "when") if k in f)
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@in_place
def test_a_fault_that_passes_is_survived_and_nothing_is_made_twice(
    fault: dict[str, Any], method: str, place: Place
) -> None:
    require_applied(place, place.first)
    place.service.clear_requests()
    is_put = method == "PUT"
    place.service.faults.add({**fault, "method": method, **({"path": named(place)} if is_put else {})})
    report = apply(place, place.second)
    assert report.complete, report.error
    assert is_as(place, place.second)
    took_effect = Counter(
        (sent.method, sent.path)
        for sent in place.service.requests
        if sent.method in {"PUT", "DELETE"}
        and place.is_about_objects(sent.path)
        and (sent.fault is None or "after" in sent.fault)
    )
    assert set(took_effect.values()) <= {1}, took_effect


def test_a_passing_failure_of_a_reading_is_tried_again(place: Place) -> None:
    place.service.faults.add({"action": "fail", "status": 503, "method": "GET", "times": 2})
    assert place.reach().read().live == {}


@in_place
def test_a_write_is_sent_once_by_the_target_whatever_happens(place: Place) -> None:
    """Whether it may be sent again is the engine's to say, which looks first."""
    require_applied(place, place.first)
    update = update_of(place)
    place.service.clear_requests()
    place.service.faults.add({"action": "fail", "status": 502, "method": "PUT", "times": 99})
    with pytest.raises(ServiceError):
        place.reach().write(update, place.contents, lambda _: None)
    assert [sent.method for sent in place.service.requests if sent.method != "GET"] == ["PUT"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 403, "code": "AccessDenied"}, "E603"),
        ({"status": 500, "code": "InternalServerError"}, "E605"),
        ({"status": 503, "times": 99}, "E605"),
        ({"status": 502, "body": "<html>Bad Gateway</html>", "times": 99}, "E604"),
        ({"status": 200, "body": "<html>Log in</html>"}, "E604"),
        ({"status": 200, "body": ""}, "E604"),
        ({"action": "reset", "times": 99}, "E601"),
        ({"action": "truncate", "times": 99}, "E60"),
    ],
)
def test_every_bad_answer_to_a_reading_is_told_as_what_it_is(fault: dict[str, Any], code: str, place: Place) -> None:
    place.service.faults.add({"action": "fail", "method": "GET", "path": place.listing, "body": None, **fault})
    with pytest.raises(ServiceError) as failed:
        place.reach().read()
    [problem] = failed.value.problems
    assert problem.code.startswith(code)
    assert isinstance(failed.value, AccessError) == (code == "E603")


def test_a_service_that_is_gone_is_told(place: Place) -> None:
    place.service.close()
    with pytest.raises(ServiceError, match="does not answer: Connection refused"):
        place.reach().read()


@in_place
def test_a_file_that_is_not_the_planned_one_is_not_sent(place: Place, tmp_path: Path) -> None:
    require_applied(place, place.first)
    update = update_of(place)
    other = tmp_path / "other"
    other.write_bytes(b"not what was planned")
    place.service.clear_requests()
    with pytest.raises(Exception, match="changed"):
        place.reach().write(update, dict.fromkeys(place.contents, other), lambda _: None)
    assert not written_objects(place)


@pytest.mark.parametrize("kind", KINDS)
def test_signed_requests_are_taken_and_wrongly_signed_ones_refused(kind: str, tmp_path: Path) -> None:
    with open_place(kind, tmp_path, key="right-canary") as place:
        assert place.reach(secret="right-canary").read().live == {}
        with pytest.raises(AccessError) as refused:
            place.reach(secret="wrong-canary").read()
        assert "canary" not in str(refused.value)
        assert refused.value.problems[0].code == "E602"


# --- Ledger, lease and saved plans --------------------------------------------------------------------------------------------


def test_the_ledger_is_kept_by_create_if_absent(place: Place) -> None:
    store = place.reach().store
    name = f"udfs.{place.stack}.1.json"
    assert store.fetch(name) is None
    assert store.create(name, b"first", "for people")
    assert not place.reach("bob").store.create(name, b"second", "for people")
    assert store.fetch(name) == b"first"
    store.replace(name, b"third", "for people")
    assert store.fetch(name) == b"third"
    assert place.reach().read_one(place.marked) is None
    store.remove(name)
    assert store.fetch(name) is None


def test_a_held_lease_keeps_others_out_until_it_ends(place: Place) -> None:
    store = place.reach("bob").store
    place.reach("bob").read()
    store.fetch(f"udfs.{place.stack}.1.json")
    now = store.now()
    held = Entry(place.stack, 1, BOB, now, now + timedelta(minutes=9))
    ledger.take(store, held, place.catalog.kinds)
    place.service.clear_requests()
    with pytest.raises(LeaseHeld, match="bob"):
        apply(place, place.first)
    assert not written_objects(place)
    store.replace(f"udfs.{place.stack}.1.json", dump(Entry(place.stack, 1, BOB, now, now - timedelta(minutes=9))), "")
    require_applied(place, place.first)
    assert place.reach().read().epochs[-1] == 2


def test_a_saved_plan_is_performed_as_it_was_read_back(place: Place) -> None:
    require_applied(place, place.first)
    made, reading = planned(place, place.second)
    content = saved_plan.write(saved_plan.save(made, reading, "0" * 64, allow_deletes=9))
    saved = saved_plan.read(content, "plan.json", place.catalog)
    assert saved.plan.digest == made.digest
    target = place.reach("bob")
    reading = target.read()
    saved_plan.require_fresh(saved, reading)
    report = applying.apply_plan(saved.plan, reading, target, place.contents, BOB, Silent(), patience=HASTE)
    assert report.complete, report.error
    assert is_as(place, place.second)


@in_place
def test_a_failed_run_says_so_and_the_next_one_goes_on(place: Place) -> None:
    require_applied(place, place.first)
    place.service.faults.add({"action": "fail", "status": 400, "code": "Broken", "method": "PUT", "path": named(place)})
    report = apply(place, place.second)
    assert not report.complete
    last = place.reach().read().last
    assert last is not None
    assert last.outcome != "committed"
    require_applied(place, place.second)
    assert is_as(place, place.second)


@in_place
def test_what_is_let_go_of_has_no_mark_and_what_is_adopted_has_it_again(place: Place) -> None:
    require_applied(place, place.first)
    wanted = place.first[place.marked]
    assert wanted.mark is not None
    bytes_of = hash_blocks(path := place.contents[wanted.mark.sha256 or ""], [path.read_bytes()])
    for change in (release, adoption):
        target = place.reach()
        reading = target.read()
        # A listing may tell less of what nobody manages, so who adopts asks for it by its name.
        present = target.read_one(place.marked)
        assert present is not None
        reading = replace(reading, live={**reading.live, place.marked: present})
        side = Side(reading, place.stack, place.destination, place.catalog.kinds)
        made = (
            release([place.marked], side, {place.marked: bytes_of}, wanted.origin)
            if change is release
            else adoption([place.marked], place.first, side, {place.marked: bytes_of})
        )
        assert not made.refusals
        report = applying.apply_plan(made, reading, target, place.contents, ANN, Silent(), patience=HASTE)
        assert report.complete, report.error
        present = place.reach().read_one(place.marked)
        assert present is not None
        assert (present.mark is not None) == (change is adoption)
