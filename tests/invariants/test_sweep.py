"""
Every scenario, every request of it, every trouble that a request can meet.

Whatever happens, the command says what is true: it never claims to be done when it is not, each object that it calls done
is done, and each that it calls not tried is untouched. No function is left without a resource at any instant, what is
foreign stays as it was, and the way on that the command names ends where an undisturbed run ends.

The troubles are met once, and for ever from some request on. A pull request runs a sample that is always the same;
``UDFS_PROOF=whole`` runs all, and ``UDFS_PROOF_SLICE=3/8`` the fourth of eight parts of that.
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from reconciler.cli.support import identity
from reconciler.cli.support import perform as carrying
from reconciler.core.record import Holder
from reconciler.engine.apply import Patience
from reconciler.local import Settings
from reconciler.targets.maxcompute import client, write
from reconciler.targets.maxcompute.objects import Resource
from tests.canary import SECRET
from tests.invariants.scenarios import PART, SCENARIOS, Case
from tests.invariants.troubles import PATIENCE, TROUBLES, Way
from tests.invariants.world import STACK, World, dangling, here, is_entry, look_after_each_write, rows_of, what_it_is

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.server.database import Records
    from tests.invariants.world import Row, Said

Tally: TypeAlias = "Callable[[str, int], None]"
Combination = tuple[int, str, bool]
"""Number of the request, trouble, whether it goes on for ever."""

PROOF, SLICE = os.environ.get("UDFS_PROOF", ""), os.environ.get("UDFS_PROOF_SLICE", "0/1")
EVERY = {"": 31, "quick": 311, "whole": 1}[PROOF]
"""One of so many combinations is tried; coprime to the number of troubles, so that each is met at each kind of request."""


class Witness:
    """Sees the store inside each of its writes."""

    def __init__(self) -> None:
        self.dangling: set[tuple[str, str]] = set()
        self.watching = False

    def look(self, rows: Records) -> None:
        if self.watching:
            self.dangling |= dangling(rows_of(rows))


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    seen = Witness()
    look_after_each_write(monkeypatch, seen.look)
    return seen


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Way:
    """A client that sends one request at a time, waits for nothing, and a way to trouble it."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    # As many times as ever, and at once.
    monkeypatch.setattr(client, "_PAUSES", tuple(0.0 for _ in client._PAUSES))
    monkeypatch.setattr(client, "_TIMEOUT", (10.0, PATIENCE))
    monkeypatch.setattr(write, "PART_BYTES", PART)
    monkeypatch.setattr(write, "_PARTS_AT_ONCE", 1)
    # Not asked of Git again and again.
    monkeypatch.setattr(identity, "holder", lambda folder: Holder("ann", run=f"{time.monotonic_ns()}"))
    monkeypatch.setattr(carrying, "Patience", functools.partial(Patience, first_wait=0.0))
    made = Way()
    made.patch(monkeypatch)
    return made


def combinations(requests: int, name: str) -> list[Combination]:
    """Return what a scenario meets: everything, or a sample that is always the same."""
    every = [
        (number, trouble, ever)
        for number in range(1, requests + 1)
        for trouble in TROUBLES
        for ever in ((False, True) if TROUBLES[trouble].lasts else (False,))
    ]
    part, parts = map(int, SLICE.split("/"))
    return every[sum(name.encode()) % EVERY :: EVERY][part::parts]


@pytest.mark.timeout(0 if PROOF == "whole" else 600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_a_request_meets_what_is_said_is_true_and_the_way_on_converges(
    name: str, way: Way, witness: Witness, tmp_path: Path, tally: Tally
) -> None:
    with World(tmp_path / "begun") as begun:
        case = SCENARIOS[name](begun)
        wanted, requests = undisturbed(begun, case, tmp_path / "run")
        tried = combinations(requests, name)
        wrong = []
        for number, trouble, ever in tried:
            with begun.again(tmp_path / "run") as world:
                try:
                    disturbed(world, case, wanted, witness, way, (number, trouble, ever))
                except AssertionError as error:
                    met = f"request {number} of {requests} met '{trouble}' {'for ever' if ever else 'once'}"
                    wrong.append(f"{met}: {error}")
    tally("troubles met by a request of a scenario", len(tried))
    assert not wrong, f"{len(wrong)} of {len(tried)}\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("lag", [3] if PROOF == "quick" else [1, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_listings_that_lag_behind_do_no_harm(
    name: str, lag: int, way: Way, witness: Witness, tmp_path: Path, tally: Tally
) -> None:
    with World(tmp_path / "begun") as begun:
        case = SCENARIOS[name](begun)
        wanted, _ = undisturbed(begun, case, tmp_path / "run")
        with begun.again(tmp_path / "run", Settings(control=True, stale_list=lag)) as world:
            before = world.rows()
            said = here(*case.command, "--format", "json")
            world.settle()
            judge(world, case, wanted, before, witness, said)
    tally("scenarios with listings that lag behind", 1)


def test_a_create_that_is_delivered_twice_is_done_once(way: Way, tmp_path: Path) -> None:
    """The lease, the resources and the functions of a first apply: each create is answered with a conflict."""
    with World(tmp_path / "begun") as world:
        case = SCENARIOS["first apply"](world)
        with way.troubled(TROUBLES["delivered twice"], 1, world.server, ever=True):
            said = here(*case.command, "--format", "json")
        assert said.code == 0, said
        assert len([sent for sent in world.server.requests if sent.status == 409]) == 6
        world.must("plan", "--exit-code")


def undisturbed(begun: World, case: Case, folder: Path) -> tuple[dict[str, tuple[object, ...]], int]:
    """Return where a run ends that meets nothing, and how many requests it sends."""
    with begun.again(folder) as world:
        before = world.rows()
        world.server.clear_requests()
        said = here(*case.command, "--format", "json")
        assert said.code == case.code, said
        requests = len(world.server.requests)
        if case.command[0] in {"plan", "drift"}:
            assert {sent.method for sent in world.server.requests} == {"GET"}
        require_true(said, before, world.rows())
        go_on(world, case)
        return world.contents(), requests


def disturbed(
    world: World,
    case: Case,
    wanted: Mapping[str, object],
    witness: Witness,
    way: Way,
    combination: Combination,
) -> None:
    number, trouble, ever = combination
    before = world.rows()
    witness.dangling, witness.watching = set(), True
    with way.troubled(TROUBLES[trouble], number, world.server, ever=ever):
        said = here(*case.command, "--format", "json")
    judge(world, case, wanted, before, witness, said)


def judge(
    world: World, case: Case, wanted: Mapping[str, object], before: Mapping[str, Row], witness: Witness, said: Said
) -> None:
    """Hold what a command said against what it did, and go on from there."""
    witness.watching = False
    after = world.rows()
    assert "Traceback" not in said.err, said
    # With its quotes: the name of a request may hold the letters.
    assert '"E999"' not in said.out, said
    assert said.code in {case.code, 1, 4, 5, 6, 7, 8}, said
    assert witness.dangling <= dangling(before), "a function was without a resource"
    require_true(said, before, after)
    if case.converges:
        require_true_ledger(world, epoch_in(before))
    go_on(world, case)
    assert world.contents() == wanted, said
    for key in before:
        if "their" in key:
            assert world.rows()[key] == before[key], "what is foreign was touched"


def require_true(said: Said, before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    """Hold each outcome against the store, and the exit code against the outcomes."""
    found = said.document
    if found["format"] != "udfs.report/1":
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert not [key for key in changed if not is_entry(key)], f"untold: {said}"
        return
    wanted = {f"{one['kind']} {one['name'].lower()}": one.get("desired") for one in found["plan"]["changes"]}
    outcomes = [one["outcome"] for one in found["outcomes"]]
    for one in found["outcomes"]:
        key = f"{one['kind']} {one['name'].lower()}"
        if one["outcome"] == "not tried":
            assert before.get(key) == after.get(key), f"{key} is called not tried: {said}"
        elif one["outcome"] == "done":
            assert is_as_wanted(wanted[key], after.get(key)), f"{key} is called done: {said}"
    if said.code == 130:
        assert found["interrupted"], said
    elif said.code == 0:
        assert set(outcomes) <= {"done"}, said
        assert not found["problems"], said
    else:
        assert found["problems"], said
        assert (said.code == 8) == ("done" in outcomes), said


def is_as_wanted(wanted: Mapping[str, Any] | None, row: Row | None) -> bool:
    if wanted is None or row is None:
        return wanted is None and row is None
    of, names = what_it_is(row)[:2]
    if wanted.get("class_path"):
        return (of, names) == (wanted["class_path"], tuple(one.lower() for one in wanted["resources"]))
    if of == "table":
        return bool(wanted["type"] == of and what_it_is(row)[2] == wanted["table"])
    return bool(wanted["type"] == of and wanted["md5"] == names)


def epoch_in(found: Mapping[str, Row]) -> int:
    """Return the newest epoch of the stack's ledger."""
    return max((int(key.split(".")[-2]) for key in found if is_entry(key) and f".{STACK}." in key), default=0)


def require_true_ledger(world: World, epoch: int) -> None:
    """What an entry says that was committed since `epoch` is so."""
    reading = world.reading()
    last = reading.last
    if last is None or last.epoch <= epoch or last.outcome != "committed":
        return
    assert {step.outcome for step in last.steps} <= {"done"}
    for key, applied in last.objects.items():
        have = reading.live.get(key)
        assert have is not None, f"the ledger knows {key}, which is not there"
        if isinstance(applied.object, Resource) and isinstance(have.object, Resource):
            assert (applied.object.md5, applied.object.type) == (have.object.md5, have.object.type), key
        else:
            assert applied.object == have.object, key


def go_on(world: World, case: Case) -> None:
    """Do what a person does next."""
    world.unlock()
    for command in case.then:
        said = here(*command)
        world.settle()
        assert said.code in case.codes, f"{command}: {said}"
    if case.converges:
        world.must("plan", "--exit-code")
