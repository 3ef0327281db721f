"""
What people do with a stack, each from a project that is set up to the command that is then disturbed.

A scenario prepares a world and returns the command, and how it is gone on from wherever the command stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.invariants.world import SOURCE, STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.invariants.world import World

    Scenario = Callable[[World], "Case"]

APPLY = ("apply", "--yes", "--allow-deletes", "9")
HEAD = 'targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}\ngrace: 0m\n'
BIG = bytes(range(256)) * 2
PART = 200
"""Bytes of a part in these tests: what is above it is sent in parts."""


@dataclass(frozen=True)
class Case:
    """A command, and the way on."""

    command: tuple[str, ...] = APPLY
    then: tuple[tuple[str, ...], ...] = (APPLY,)
    """What ends it, wherever it stopped."""

    converges: bool = True
    """Whether the manifest is met in the end: not after a rollback, for instance."""

    code: int = 0
    """How it ends undisturbed."""

    codes: frozenset[int] = frozenset({0})
    """How the way on may end."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(made: Scenario) -> Scenario:
    SCENARIOS[made.__name__.replace("_", " ")] = made
    return made


def manifest(functions: str, resources: str = "", more: str = "", stack: str = STACK) -> str:
    return f"stack: {stack}\n{HEAD}{more}resources: {{{resources}}}\nfunctions: {{{functions}}}\n"


F = "f: {source: f.py, class: F}"
F_A = "f: {source: f.py, class: F, resources: [a.csv]}"
OLD = "old: {source: old.py, class: Old}"
A = "a.csv: {file: a.csv}"


def begun(world: World, functions: str = f"{F_A}, {OLD}", resources: str = A, more: str = "") -> None:
    """Set up a stack that was applied, beside what is not its own."""
    world.write(f_py=SOURCE.format("F", "1"), old_py=SOURCE.format("Old", ""), a_csv="1\n", b_csv="2\n", big_csv=BIG)
    world.put_resource("theirs.py", b"theirs", kind="py")
    world.put_function("their_fn", "theirs.T", "theirs.py")
    if functions:
        world.write(udfs_yaml=manifest(functions, resources, more))
        world.apply()


def changed(world: World) -> None:
    world.write(f_py=SOURCE.format("F", "2"))


@scenario
def first_apply(world: World) -> Case:
    begun(world, "")
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", A))
    return Case()


@scenario
def nothing_to_do(world: World) -> Case:
    begun(world)
    return Case()


@scenario
def changed_source(world: World) -> Case:
    begun(world)
    changed(world)
    return Case()


@scenario
def changed_list(world: World) -> Case:
    begun(world)
    world.write(
        udfs_yaml=manifest(
            f"f: {{source: f.py, class: F, resources: [b.csv, a.csv]}}, {OLD}", f"{A}, b.csv: {{file: b.csv}}"
        )
    )
    return Case()


@scenario
def changed_file(world: World) -> Case:
    begun(world)
    world.write(a_csv="another\n")
    return Case()


@scenario
def changed_comment(world: World) -> Case:
    begun(world)
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", "a.csv: {file: a.csv, comment: rates}"))
    return Case()


@scenario
def removed_function(world: World) -> Case:
    begun(world)
    world.write(udfs_yaml=manifest(F))
    return Case()


@scenario
def everything_at_once(world: World) -> Case:
    begun(world)
    changed(world)
    world.write(
        udfs_yaml=manifest(
            "f: {source: f.py, class: F, resources: [b.csv]}, new: {source: f.py, class: F}", "b.csv: {file: b.csv}"
        )
    )
    return Case()


@scenario
def renamed_by_moved(world: World) -> Case:
    begun(world)
    world.write(udfs_yaml=manifest(f"{F_A}, new: {{source: old.py, class: Old}}", A, "moved: [{from: old, to: new}]\n"))
    return Case(("apply", "--yes"), (("apply", "--yes"),))


@scenario
def in_place(world: World) -> Case:
    begun(world, more="rollout: in_place\n")
    changed(world)
    return Case()


@scenario
def from_fixed_names_to_versions(world: World) -> Case:
    begun(world, more="rollout: in_place\n")
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", A))
    return Case()


@scenario
def type_change_is_refused(world: World) -> Case:
    world.write(m_py="RATE = 1\n")
    begun(world, resources=f"{A}, m.py: {{file: m.py, type: file}}")
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", f"{A}, m.py: {{file: m.py}}"))
    return Case(code=5, then=(), converges=False)


@scenario
def another_type_under_another_name(world: World) -> Case:
    begun(world)
    world.write(
        m_py="RATE = 1\n",
        udfs_yaml=manifest(f"f: {{source: f.py, class: F, resources: [m.py]}}, {OLD}", "m.py: {file: m.py}"),
    )
    return Case()


@scenario
def table_resource(world: World) -> Case:
    begun(world)
    world.write(
        udfs_yaml=manifest(f"f: {{source: f.py, class: F, resources: [rates]}}, {OLD}", "rates: {table: demo.rates}")
    )
    return Case()


@scenario
def big_file_in_parts(world: World) -> Case:
    begun(world)
    world.write(
        udfs_yaml=manifest(f"f: {{source: f.py, class: F, resources: [big.csv]}}, {OLD}", "big.csv: {file: big.csv}")
    )
    return Case()


@scenario
def big_file_replaced(world: World) -> Case:
    begun(world, f"f: {{source: f.py, class: F, resources: [big.csv]}}, {OLD}", "big.csv: {file: big.csv}")
    world.write(big_csv=BIG[::-1])
    return Case()


@scenario
def protection(world: World) -> Case:
    begun(world)
    world.write(udfs_yaml=manifest(f"{F_A}, {OLD}", "a.csv: {file: a.csv, protect: true}"))
    return Case()


@scenario
def protected_thing_stays(world: World) -> Case:
    begun(world, resources="a.csv: {file: a.csv, protect: true}")
    world.write(udfs_yaml=manifest(F))
    return Case(code=5, then=(), converges=False)


@scenario
def restore(world: World) -> Case:
    begun(world)
    world.put_resource("a.csv", b"edited\n")
    world.delete("function old")
    restoring = ("apply", "--restore", "--yes")
    return Case(restoring, (restoring,))


@scenario
def drift_repaired_by_apply(world: World) -> Case:
    begun(world)
    changed(world)
    world.put_resource("a.csv", b"edited\n")
    world.put_function("old", "f.Other")
    return Case()


@scenario
def lost_ledger(world: World) -> Case:
    begun(world)
    world.lose_ledger()
    changed(world)
    return Case()


@scenario
def resume(world: World) -> Case:
    """A run died after its first upload; its lease was ended."""
    begun(world)
    changed(world)
    world.write(a_csv="another\n")
    world.server.faults.add({"action": "fail", "status": 400, "method": "PUT", "path": "functions", "times": None})
    world.must(*APPLY, code=8)
    world.server.faults.clear()
    return Case()


@scenario
def saved_plan(world: World) -> Case:
    begun(world)
    changed(world)
    world.write(udfs_yaml=manifest(F_A, A))
    world.must("plan", "--out", "plan.json", "--allow-deletes", "9")
    return Case(("apply", "plan.json", "--yes"), (APPLY,))


@scenario
def plan_is_written_down(world: World) -> Case:
    begun(world)
    changed(world)
    return Case(("plan", "--out", "plan.json"), (("plan", "--out", "plan.json"),), converges=False)


@scenario
def drift_is_looked_at(world: World) -> Case:
    begun(world)
    world.put_resource("a.csv", b"edited\n")
    return Case(("drift",), (), converges=False, code=2)


@scenario
def rollback(world: World) -> Case:
    begun(world)
    changed(world)
    world.apply()
    back = ("rollback", "1", "--yes")
    return Case(back, (back,), converges=False)


@scenario
def collection(world: World) -> Case:
    begun(world)
    for value in "23":
        world.write(f_py=SOURCE.format("F", value))
        world.apply()
    collecting = ("gc", "--keep", "0", "--yes")
    return Case(collecting, (collecting,))


@scenario
def adopt(world: World) -> Case:
    begun(world, "")
    world.put_resource("f.py", b"was there\n", kind="py")
    world.put_resource("a.csv", b"was there\n", comment="by hand")
    world.put_function("f", "f.F", "f.py", "a.csv")
    world.write(udfs_yaml=manifest(F_A, A, "rollout: in_place\n"))
    adopting = ("adopt", "f", "f.py", "a.csv", "--yes")
    return Case(adopting, (adopting, APPLY))


@scenario
def disown(world: World) -> Case:
    begun(world)
    world.write(udfs_yaml=manifest(F))
    # What is let go already is refused: nothing is left to do.
    rest = (("disown", "old", "--yes"), ("disown", "a.csv", "--yes"), APPLY)
    return Case(("disown", "old", "a.csv", "--yes"), rest, codes=frozenset({0, 3}))


@scenario
def destroy(world: World) -> Case:
    begun(world)
    changed(world)
    world.apply()
    destroying = ("destroy", "--yes")
    return Case(destroying, (destroying,), converges=False)


@scenario
def two_stacks(world: World) -> Case:
    """Another stack has the very file that this one comes to need."""
    begun(world)
    world.write(
        other_yaml=manifest(
            "g: {source: old.py, class: Old, resources: [b.csv]}", "b.csv: {file: b.csv}", stack="other"
        )
    )
    world.apply("-f", "other.yaml")
    changed(world)
    world.write(udfs_yaml=manifest(f"f: {{source: f.py, class: F, resources: [b.csv]}}, {OLD}", "b.csv: {file: b.csv}"))
    return Case()


# --- Approvals: what a job that is run again has, for `test_killed` alone ---------------------------------------------------


def approved_plan(world: World) -> Case:
    """A job that is run again has nothing but the approval that it had."""
    begun(world)
    changed(world)
    world.write(udfs_yaml=manifest(F_A, A))
    world.must("plan", "--out", "plan.json", "--allow-deletes", "9")
    performing = ("apply", "--approved", "plan.json", "--yes")
    return Case(performing, (performing,))


def approved_restore(world: World) -> Case:
    begun(world)
    world.put_resource("a.csv", b"edited\n")
    world.delete("function old")
    world.must("plan", "--restore", "--out", "plan.json")
    rest = ("apply", "--approved", "plan.json", "--yes")
    return Case(("apply", "--restore", *rest[1:]), (rest,))


def digest_of_a_plan(world: World) -> Case:
    begun(world)
    changed(world)
    world.write(udfs_yaml=manifest(F_A, A))
    return _by_digest(world, "--allow-deletes", "9")


def digest_of_a_restore(world: World) -> Case:
    """What a workflow has that restores: a digest, and a job that is run again."""
    begun(world)
    world.put_resource("a.csv", b"edited\n")
    world.delete("function old")
    return _by_digest(world, plan=("plan", "--restore"), apply=("apply", "--restore"))


def _by_digest(
    world: World, *more: str, plan: tuple[str, ...] = ("plan",), apply: tuple[str, ...] = ("apply",)
) -> Case:
    digest = world.must(*plan, "--format", "json").document["digest"]
    performing = (*apply, *more, "--yes", "--digest", digest)
    return Case(performing, (performing,))


APPROVALS: dict[str, Scenario] = {
    "approved plan": approved_plan,
    "approved restore": approved_restore,
    "digest of a plan": digest_of_a_plan,
    "digest of a restore": digest_of_a_restore,
}
