"""
A process that is ended at any request of any scenario leaves a project that the way on finishes.

The service ends a real process when its n-th request comes in, or when it has taken effect: with SIGKILL, after which
nothing is done or said any more; or with SIGTERM or SIGINT, after which what is in flight is finished and written down, the
lease given back, and exit code 130 says so. A pull request tries every SIGKILL of the richest scenario, and a
sample of the rest that is always the same; ``UDFS_PROOF=whole`` tries all of all.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from reconciler.targets.maxcompute import write
from tests.canary import SECRET
from tests.invariants.processes import Limits, run
from tests.invariants.scenarios import APPROVALS, PART, SCENARIOS, Case
from tests.invariants.test_sweep import PROOF, SLICE, epoch_in, require_true, require_true_ledger
from tests.invariants.test_sweep import go_on as go_on_as_told
from tests.invariants.world import World, dangling, here, is_entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.invariants.test_sweep import Tally
    from tests.invariants.world import Row, Said

LIMITS = Limits(part_bytes=PART)
RICHEST = "everything at once"
ENDINGS = [(end, when) for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) for when in ("before", "after")]


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    monkeypatch.setattr(write, "PART_BYTES", PART)
    monkeypatch.setattr(write, "_PARTS_AT_ONCE", 1)


@pytest.mark.timeout(0 if PROOF == "whole" else 600)
@pytest.mark.parametrize("name", [*SCENARIOS, *APPROVALS])
def test_a_process_that_is_ended_anywhere_is_finished_by_the_way_on(name: str, tmp_path: Path, tally: Tally) -> None:
    with World(tmp_path / "begun") as begun:
        case = {**SCENARIOS, **APPROVALS}[name](begun)
        with begun.again(tmp_path / "run") as world:
            world.server.clear_requests()
            assert here(*case.command, "--format", "json").code == case.code
            requests = len(world.server.requests)
            go_on_as_told(world, case)
            wanted = world.contents()
        every = [(number, end, when) for number in range(1, requests + 1) for end, when in ENDINGS]
        stride = {"": 37, "quick": 53, "whole": 1}[PROOF]
        tried = every[len(name) % stride :: stride]
        if name == RICHEST and not PROOF:
            tried = [one for at, one in enumerate(every) if one[1] is signal.SIGKILL or at % 10 == 3]
        part, parts = map(int, SLICE.split("/"))
        tried = tried[part::parts]
        for number, end, when in tried:
            with begun.again(tmp_path / "run") as world:
                try:
                    ended(world, case, wanted, number, end, when)
                except AssertionError as error:
                    raise AssertionError(f"{end.name} {when} request {number} of {requests}") from error
    tally("processes ended by SIGKILL, SIGTERM or SIGINT at a request", len(tried))


def ended(world: World, case: Case, wanted: Mapping[str, object], number: int, end: signal.Signals, when: str) -> None:
    before = world.rows()
    how = {"action": "kill"} if end is signal.SIGKILL else {"action": "signal", "number": int(end)}
    world.server.faults.add({**how, "when": when, "nth": number})
    said = run(world.project, world.folder / "said", *case.command, "--format", "json", limits=LIMITS)
    world.server.faults.clear()
    after = world.rows()
    assert "Traceback" not in said.err, said
    if end is signal.SIGKILL:
        assert said.code == -signal.SIGKILL, said
    else:
        require_told(said, case, before, after)
        last = world.reading().last
        assert last is None or last.outcome != "running", "the lease was not given back"
    assert dangling(after) <= dangling(before)
    if case.converges:
        require_true_ledger(world, epoch_in(before))
    go_on_as_told(world, case)
    assert world.contents() == wanted, said
    for key in before:
        if "their" in key:
            assert world.rows()[key] == before[key], "what is foreign was touched"


def require_told(said: Said, case: Case, before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    """Hold what an interrupted command says against what it did."""
    assert said.code in {130, case.code}, said
    if said.out:
        require_true(said, before, after)
        return
    assert said.code == 130, said
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert not [key for key in changed if not is_entry(key)], f"untold: {said}"
