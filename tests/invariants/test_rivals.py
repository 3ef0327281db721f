"""
Two and three real processes that apply at once, a gate in the service deciding whose request comes next.

A request waits until every process that is alive waits with one, or has ended; then one of them goes on. So each schedule
is one interleaving, request by request, and the same seed gives the same. Of appliers of one stack one wins, by the lease,
and the others say who holds it and write nothing; appliers of different stacks do not disturb each other.
"""

from __future__ import annotations

import os
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.local.http.faults import Strike
from tests.canary import SECRET
from tests.invariants.processes import Process
from tests.invariants.scenarios import F_A, OLD, A, begun, changed, manifest
from tests.invariants.test_sweep import PROOF
from tests.invariants.world import SOURCE, World, dangling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.invariants.test_sweep import Tally
    from tests.invariants.world import Said

SEEDS = range({"": 4, "quick": 1, "whole": 200}[PROOF])
APPLY = ("apply", "--yes", "--allow-deletes", "9")


class Gate:
    """Lets one request through at a time, in the order of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._waiting: dict[int, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._open = threading.Event()

    def arrive(self, pid: int | None) -> None:
        """Wait for one's turn; who is no applier does not wait."""
        if pid is None or self._open.is_set():
            return
        turn = threading.Event()
        with self._lock:
            self._waiting.setdefault(pid, []).append(turn)
        turn.wait(60)

    def conduct(self, processes: list[Process]) -> None:
        """Let requests through until every process has ended."""
        while alive := {one.pid for one in processes if one.is_alive}:
            with self._lock:
                ready = sorted(pid for pid in alive if self._waiting.get(pid))
                if set(ready) == alive:
                    self._waiting[self._random.choice(ready)].pop(0).set()
                    continue
            time.sleep(0.002)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    with World(tmp_path / "begun") as made:
        begun(made)
        yield made


def raced(world: World, seed: int, monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]) -> list[Said]:
    """Run commands at once, in the interleaving of a seed."""
    gate, at = Gate(seed), Strike.act

    def guarded(strike: Strike, point: str) -> None:
        if point == "before":
            gate.arrive(strike._client)
        at(strike, point)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Strike, "act", guarded)
        processes = []
        for number, command in enumerate(commands):
            os.environ["USER"] = os.environ["LOGNAME"] = f"applier{number}"
            processes.append(Process(world.project, world.folder / f"said{number}", command))
        gate.conduct(processes)
        return [one.end() for one in processes]


@pytest.mark.parametrize("appliers", [2, 3])
def test_of_appliers_of_one_stack_one_wins_and_the_others_write_nothing(
    appliers: int, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    changed(world)
    world.write(udfs_yaml=manifest(F_A, A))
    with world.again(tmp_path / "alone") as alone:
        alone.apply()
        wanted = alone.contents()
    for seed in SEEDS:
        with world.again(tmp_path / "run") as race:
            before = race.rows()
            race.server.clear_requests()
            told = raced(race, seed, monkeypatch, [APPLY] * appliers)
            codes = sorted(said.code for said in told)
            assert codes[0] == 0, told
            assert set(codes) <= {0, 6, 7}, told
            assert not any("Traceback" in said.err for said in told)
            for said in told:
                if said.code == 7:
                    assert "applier" in said.err, "it does not say who holds the lease"
            winners = {sent.pid for sent in race.server.requests if sent.method != "GET" and (sent.status or 0) < 300}
            assert len(winners) == codes.count(0) or 6 in codes, "a loser wrote something"
            assert dangling(race.rows()) <= dangling(before)
            assert race.contents() == wanted
            race.must("plan", "--exit-code")
    tally(f"interleavings of {appliers} appliers of one stack", len(SEEDS))


@pytest.mark.parametrize("appliers", [2, 3])
def test_appliers_of_different_stacks_all_get_through(
    appliers: int, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    changed(world)
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", A), g_py=SOURCE.format("G", "1"))
    commands: list[tuple[str, ...]] = [APPLY]
    for number in range(1, appliers):
        text = manifest(
            f"g{number}: {{source: g.py, class: G, resources: [b{number}.csv]}}",
            f"b{number}.csv: {{file: b.csv}}",
            stack=f"other{number}",
        )
        (world.project / f"other{number}.yaml").write_text(text.replace("source: g.py", f"source: g{number}.py"))
        (world.project / f"g{number}.py").write_text(SOURCE.format("G", number))
        commands.append((*APPLY, "-f", f"other{number}.yaml"))
    for seed in SEEDS:
        with world.again(tmp_path / "run") as race:
            told = raced(race, seed, monkeypatch, commands)
            assert [said.code for said in told] == [0] * appliers, told
            assert not dangling(race.rows())
            for number in range(appliers):
                race.must("plan", "--exit-code", *(("-f", f"other{number}.yaml") if number else ()))
    tally(f"interleavings of {appliers} appliers of different stacks", len(SEEDS))
