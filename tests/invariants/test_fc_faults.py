"""
Every request of an apply, every trouble that a request can meet, and a process that is killed at each of them.

Whatever happens, what is called done is done, whoever calls by an alias gets code with its own layer, what is foreign stays as it was,
and the next apply ends where an undisturbed one ends. A pull request runs a sample that is always the same; ``UDFS_PROOF=whole`` all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import AccessError, LeaseHeld, ServiceError, StalePlan
from reconciler.core.report import Outcome
from reconciler.local.fc import FcServer, FcSettings
from reconciler.targets import roa
from reconciler.targets.fc import write
from reconciler.targets.fc.objects import FUNCTION
from tests.invariants.troubles import PATIENCE, TROUBLES, Trouble, Way
from tests.target.fc.test_reconciled import FOREIGN, NEXT, WEB, WHOLE, changed
from tests.target.fc.world import Part, Stack, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.core.report import Report

PROOF = os.environ.get("UDFS_PROOF", "")
EVERY = {"": 73, "quick": 13, "whole": 1}[PROOF]
ROOT = Path(__file__).parents[2]
MORE = {
    "409 of another update": Trouble({"action": "fail", "status": 409, "code": "ConcurrentUpdateError"}),
    "429 with a pause": Trouble({"action": "fail", "status": 429, "code": "Throttling", "retry_after": 0}),
    "JSON cut off": Trouble(
        {"action": "fail", "status": 200, "in_between": True, "body": '{"functions": [{"functionN'}
    ),
}
ALL = {**{name: trouble for name, trouble in TROUBLES.items() if "XML" not in name}, **MORE}
BOTH = {"first apply": (None, WHOLE), "next apply": (WHOLE, NEXT)}
TWELVE = Stack(
    {
        "read": Part(triggers=WEB, reserved=5),
        "write": Part(code="two"),
        "plain": Part(alias="", environment={"A": "1"}),
        "count": Part(code="four", layers=()),
    }
)


class Clock:
    """A service's clock, which can be set on: a lease that nobody gave back runs out."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def __call__(self) -> float:
        self.seconds += 0.01
        return self.seconds


@contextmanager
def served(folder: Path) -> Iterator[tuple[FcServer, World, Clock]]:
    (folder / "files").mkdir(parents=True, exist_ok=True)
    clock = Clock()
    with FcServer(folder / "fc", FcSettings(control=True), clock=clock) as server:
        yield server, World(server.url, folder / "files"), clock


@contextmanager
def again(begun: Path, folder: Path) -> Iterator[tuple[FcServer, World, Clock]]:
    """Serve what was begun once more, as it was."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(begun, folder)
    with served(folder) as run:
        yield run


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.setattr(roa, "_PAUSES", tuple(0.0 for _ in roa._PAUSES))
    monkeypatch.setattr(roa, "_TIMEOUT", (10.0, PATIENCE))
    monkeypatch.setattr(write, "_PAUSES", (0.0, 0.0))
    path = Way()
    path.patch(monkeypatch)
    return path


def begin(folder: Path, stack: Stack | None) -> None:
    with served(folder) as (_, world, _):
        world.edit("POST", "CreateFunction", "/functions", FOREIGN)
        if stack is not None:
            world.require_applied(stack)


def pairs_of(world: World, *stacks: Stack | None) -> set[object]:
    """Return what a caller of the alias may see: code with its layer."""
    right: set[object] = {None}
    for stack in filter(None, stacks):
        state = world.desired(stack)
        function = state[FUNCTION.key("read")].object
        right.add((FUNCTION.digest(function), function.layers))  # type: ignore[attr-defined,arg-type]
    return right


def called(world: World) -> object:
    answer = world.client("caller").find("GetFunction", "/functions/read", qualifier="prod")
    return answer and (answer["codeChecksum"], tuple(layer["arn"].split("/")[1] for layer in answer["layers"]))


def judge(world: World, clock: Clock, before: Stack | None, after: Stack, report: Report | None) -> None:
    assert called(world) in pairs_of(world, before, after)
    live = world.target(after).read(full=True).live
    for change, outcome in report.outcomes if report is not None else ():
        if outcome is Outcome.DONE and change.desired is not None:
            assert not change.kind.differences(change.desired.object, live[change.key].object), change.key
    # A run that could not give its lease back keeps others out until it ends.
    clock.seconds += 3600
    world.require_applied(after)
    assert called(world) in pairs_of(world, after)
    foreign = world.function("theirs")
    assert foreign["description"] == ""
    assert foreign["handler"] == "index.handler"


@pytest.mark.timeout(0 if PROOF == "whole" else 600)
@pytest.mark.parametrize("name", BOTH)
def test_whatever_a_request_meets_nothing_is_lost_and_the_next_apply_converges(
    name: str, way: Way, tmp_path: Path, tally: Callable[[str, int], None]
) -> None:
    before, after = BOTH[name]
    begin(tmp_path / "begun", before)
    with again(tmp_path / "begun", tmp_path / "run") as (server, world, _):
        undisturbed = world.apply(after)
        assert undisturbed.complete, undisturbed.error
        requests = len(server.requests)
    every = [(number, trouble) for number in range(1, requests + 1) for trouble in ALL]
    tried = every[len(name) % EVERY :: EVERY]
    for number, trouble in tried:
        with again(tmp_path / "begun", tmp_path / "run") as (server, world, clock):
            report = disturb(world, after, way, ALL[trouble], number, server)
            try:
                judge(world, clock, before, after, report)
            except AssertionError as error:
                how = f"{report.error}" if report is not None else "nothing was begun"
                raise AssertionError(f"request {number} of {requests} met '{trouble}': {how}") from error
    tally("troubles met by a request of Function Compute", len(tried))


def disturb(world: World, stack: Stack, way: Way, trouble: Trouble, number: int, server: FcServer) -> Report | None:
    """Apply while a request meets a trouble; None where that ended it before anything was written."""
    with way.troubled(trouble, number, server, ever=False):
        try:
            return world.apply(stack)
        except (ServiceError, LeaseHeld, StalePlan):
            return None


SCRIPT = """
import os, sys
from pathlib import Path
from tests.target.fc import world as worlds
from tests.invariants.test_fc_faults import TWELVE
os.chdir(sys.argv[2])
world = worlds.World(sys.argv[1], Path(sys.argv[2]) / "files")
world.client().user_agent = f"test udfs-pid/{os.getpid()}"
report = world.apply(TWELVE)
sys.exit(0 if report.complete else 8)
"""


def apply_elsewhere(server: FcServer, folder: Path) -> int:
    command = [sys.executable, "-c", SCRIPT, server.url, str(folder)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


@pytest.mark.timeout(0 if PROOF == "whole" else 600)
def test_a_process_that_is_killed_at_any_request_leaves_what_the_next_apply_finishes(
    tmp_path: Path, tally: Callable[[str, int], None]
) -> None:
    begin(tmp_path / "begun", None)
    with again(tmp_path / "begun", tmp_path / "run") as (server, world, _):
        made, _ = world.plan(TWELVE)
        assert len(made.changes) >= 12
        server.clear_requests()
        assert apply_elsewhere(server, tmp_path / "run") == 0
        requests = len(server.requests)
    every = [(number, when) for number in range(1, requests + 1) for when in ("before", "after")]
    tried = every[3 :: {"": len(every) // 2, "quick": 9, "whole": 1}[PROOF]]
    for number, when in tried:
        with again(tmp_path / "begun", tmp_path / "run") as (server, world, clock):
            server.faults.add({"action": "kill", "when": when, "nth": number})
            assert apply_elsewhere(server, tmp_path / "run") == -signal.SIGKILL, (number, when)
            server.faults.clear()
            judge(world, clock, None, TWELVE, None)
    tally("processes killed at a request to Function Compute", len(tried))


def test_an_update_that_goes_on_after_its_answer_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with FcServer(tmp_path / "fc", FcSettings(update_seconds=0.3)) as server:
        world = World(server.url, tmp_path / "files")
        world.require_applied(WHOLE)
        world.require_applied(NEXT)


@pytest.mark.parametrize("fields", ["Code", "errorCode"])
def test_errors_are_understood_in_either_spelling(fields: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with FcServer(tmp_path / "fc", FcSettings(error_fields=fields)) as server:  # type: ignore[arg-type]
        world = World(server.url, tmp_path / "files")
        world.require_applied(WHOLE)
        world.edit("DELETE", "DeleteTrigger", "/functions/read/triggers/web")
        world.require_applied(WHOLE)


def test_requests_are_signed_as_the_service_checks_them(tmp_path: Path) -> None:
    from tests.canary import SECRET

    (tmp_path / "files").mkdir()
    with FcServer(tmp_path / "fc", FcSettings(access_id="ann", access_key=SECRET)) as server:
        world = World(server.url, tmp_path / "files")
        world.require_applied(WHOLE)
        stranger = World(server.url, tmp_path / "files").client("nobody")
        with pytest.raises(AccessError):
            stranger.get("ListFunctions", "/functions")


def test_a_list_that_lags_behind_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with FcServer(tmp_path / "fc", FcSettings(stale_list=1)) as server:
        world = World(server.url, tmp_path / "files")
        for stack in (WHOLE, replace(changed(WHOLE, code="three"), layers={"ocr": "layer two"})):
            for _ in range(4):
                # What is refused was refused before anything was written.
                with suppress(StalePlan, LeaseHeld):
                    world.apply(stack)
                world.client().get("ListFunctions", "/functions", fcVersion="v3")
        world.require_unchanged(NEXT)
