"""Whose an object is survives a kill: after each write of a release and of an adoption, of a rename and of a protection."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.canary import SECRET
from tests.invariants.processes import run
from tests.invariants.world import SOURCE, World, here, is_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMPTY = """\
stack: risk
rollout: in_place
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
functions: {}
"""
FULL = """\
stack: risk
rollout: in_place
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
resources: {a.csv: {file: a.csv}}
functions:
  f: {source: f.py, class: F, resources: [a.csv]}
"""
NAMES = ("a.csv", "f.py", "f")
WRITES = [("PUT", 1), ("PUT", 3)]
"""The first of two resources; the end of the entry. The function has no comment: nothing is written to it."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    with World(tmp_path) as made:
        made.write(f_py=SOURCE.format("F", "1"), a_csv="1\n", udfs_yaml=FULL)
        made.must("apply", "--yes")
        yield made


def managed() -> list[str]:
    """Return what the stack takes for its own."""
    said = here("disown", *NAMES, "nobody")
    assert said.code == 3, said
    return [name for name in NAMES if f"'{name}' cannot be disowned" not in said.err]


def held(world: World) -> dict[str, object]:
    """Return what a query would find of each object, whoever has it."""
    return {
        key: getattr(row, "md5", None) or row  # a resource is its content: its comment says whose it is
        for key, row in world.rows().items()
        if not is_entry(key)
    }


def killed(world: World, method: str, number: int, *arguments: str) -> None:
    """Run a command that dies after a write took effect; nothing but whose the objects are may have changed."""
    before = held(world)
    world.server.faults.add({"action": "kill", "when": "after", "method": method, "nth": number})
    assert run(world.project, world.folder / "said", *arguments).code == -signal.SIGKILL
    world.server.faults.clear()
    assert held(world) == before
    world.unlock()


@pytest.mark.parametrize(("method", "number"), WRITES)
def test_a_release_and_an_adoption_that_are_killed_are_finished_by_the_next(
    method: str, number: int, world: World
) -> None:
    world.write(udfs_yaml=EMPTY)
    assert managed() == [*NAMES]
    killed(world, method, number, "disown", *NAMES, "--yes")
    if left := managed():
        world.must("disown", *left, "--yes")
    assert managed() == []

    world.write(f_py=SOURCE.format("F", "2"), udfs_yaml=FULL)
    killed(world, method, number, "adopt", *NAMES, "--yes")
    world.must("adopt", *NAMES, "--yes")
    assert "1 changed" in world.must("apply", "--yes").out
    world.write(udfs_yaml=EMPTY)
    assert managed() == [*NAMES]


def test_a_rename_that_is_killed_before_the_old_name_goes_needs_no_leave_to_delete_it_later(world: World) -> None:
    world.write(udfs_yaml=FULL.replace("  f:", "  g:") + "moved: [{from: f, to: g}]\n")
    world.server.faults.add({"action": "kill", "when": "before", "method": "DELETE"})
    assert run(world.project, world.folder / "said", "apply", "--yes").code == -signal.SIGKILL
    assert {"function f", "function g"} <= world.rows().keys()
    world.unlock()
    assert "function f will be deleted: it is called g now" in world.must("apply", "--yes").out
    assert "function f" not in world.rows()


def test_protection_holds_from_the_moment_that_the_lease_is_taken(world: World) -> None:
    world.write(udfs_yaml=FULL.replace("{file: a.csv}", "{file: a.csv, protect: true}"))
    killed(world, "POST", 1, "apply", "--yes")
    assert "error[E511]: resource a.csv is protected" in world.must("destroy", "--yes", code=5).err
