"""Whose an object is survives a kill: after each write of a release and of an adoption."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from reconciler.state import Function
from reconciler.targets.maxcompute import Client, Credentials, MaxCompute
from tests.canary import SECRET
from tests.invariants.test_kill import SOURCE, here, look, server, udfs

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local import Server

__all__ = ["server"]

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


def managed() -> list[str]:
    """Return what the stack takes for its own."""
    code, said = here("disown", *NAMES, "nobody")
    assert code == 3, said
    return [name for name in NAMES if f"'{name}' cannot be disowned" not in said]


def contents(server: Server) -> dict[str, object]:
    """Return what each object of the project is, whoever has it."""
    target = MaxCompute(Client(server.url, "demo", None, Credentials("eve", SECRET), "test"), "risk", str)
    return {
        key.name: have.object if isinstance(have.object, Function) else target.store.fetch(key.name)
        for key, have in target.read().live.items()
    }


def killed(server: Server, method: str, number: int, *arguments: str) -> None:
    """Run a command that dies after a write took effect; nothing but whose the objects are may have changed."""
    before = contents(server)
    server.faults.add({"action": "kill", "when": "after", "method": method, "nth": number})
    done = udfs(*arguments)
    server.faults.clear()
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(server) == before
    last = look(server).last
    assert last is not None
    if last.outcome == "running":
        assert here("unlock", "--epoch", str(last.epoch), "--yes")[0] == 0


@pytest.mark.parametrize(("method", "number"), WRITES)
def test_a_release_and_an_adoption_that_are_killed_are_finished_by_the_next(
    method: str, number: int, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "udfs.yaml").write_text(FULL)
    assert here("apply", "--yes")[0] == 0

    (tmp_path / "udfs.yaml").write_text(EMPTY)
    assert managed() == [*NAMES]
    killed(server, method, number, "disown", *NAMES, "--yes")
    left = managed()
    if left:
        code, said = here("disown", *left, "--yes")
        assert code == 0, said
    assert managed() == []

    (tmp_path / "f.py").write_text(SOURCE.format("F", "2"))
    (tmp_path / "udfs.yaml").write_text(FULL)
    killed(server, method, number, "adopt", *NAMES, "--yes")
    code, said = here("adopt", *NAMES, "--yes")
    assert code == 0, said
    code, said = here("apply", "--yes")
    assert code == 0, said
    assert "1 changed" in said
    (tmp_path / "udfs.yaml").write_text(EMPTY)
    assert managed() == [*NAMES]


def test_a_rename_that_is_killed_before_the_old_name_goes_needs_no_leave_to_delete_it_later(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "udfs.yaml").write_text(FULL)
    assert here("apply", "--yes")[0] == 0
    (tmp_path / "udfs.yaml").write_text(FULL.replace("  f:", "  g:") + "moved: [{from: f, to: g}]\n")
    server.faults.add({"action": "kill", "when": "before", "method": "DELETE"})
    assert udfs("apply", "--yes").returncode == -signal.SIGKILL
    server.faults.clear()
    assert {"f", "g"} <= contents(server).keys()
    assert here("unlock", "--epoch", "2", "--yes")[0] == 0
    code, said = here("apply", "--yes")
    assert code == 0, said
    assert "function f will be deleted: it is called g now" in said
    assert "f" not in contents(server)


def test_protection_holds_from_the_moment_that_the_lease_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "udfs.yaml").write_text(FULL)
    assert here("apply", "--yes")[0] == 0
    (tmp_path / "udfs.yaml").write_text(FULL.replace("{file: a.csv}", "{file: a.csv, protect: true}"))
    killed(server, "POST", 1, "apply", "--yes")
    code, said = here("destroy", "--yes")
    assert code == 5, said
    assert "error[E511]: resource a.csv is protected" in said
