"""Times of rest by the clock on the wall, and packages by what is in the archives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from reconciler.checks.policy import is_frozen, of_manifest, of_plan, of_time
from reconciler.manifest.load import load_manifest
from reconciler.manifest.policy_file import Frozen
from reconciler.manifest.section import read_section
from reconciler.targets.dialects import DIALECTS
from tests.unit.core.states import HERE, STACK, live, make, marker, resource, state, there, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts


def rest(**given: object) -> Frozen:
    return read_section(Frozen, {("from" if key == "from_" else key): value for key, value in given.items()})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


NIGHTS = rest(days=["fri", "sat"], from_="18:00", to="08:00", zone="Asia/Shanghai")
NOON = rest(days=["mon"], from_="12:00", to="13:00", zone="UTC")
WEEKEND = rest(days=["sat", "sun"], zone="UTC")
YEAREND = rest(from_="2026-12-24", to="2027-01-02", zone="Europe/Berlin")
HOURS = rest(from_="2026-12-24 12:00", to="2026-12-24 14:00", zone="UTC")


@pytest.mark.parametrize(
    ("frozen", "now", "expected"),
    [
        # 2026-11-20 is a Friday; Shanghai is eight hours ahead.
        (NIGHTS, "2026-11-20 09:59", False),
        (NIGHTS, "2026-11-20 10:00", True),
        (NIGHTS, "2026-11-20 23:59", True),
        (NIGHTS, "2026-11-21 00:00", False),
        (NIGHTS, "2026-11-21 23:59", True),
        (NIGHTS, "2026-11-22 10:00", False),
        (NOON, "2026-11-23 11:59", False),
        (NOON, "2026-11-23 12:59", True),
        (NOON, "2026-11-24 12:30", False),
        (WEEKEND, "2026-11-20 23:59", False),
        (WEEKEND, "2026-11-21 00:00", True),
        (WEEKEND, "2026-11-22 23:59", True),
        (WEEKEND, "2026-11-23 00:00", False),
        (YEAREND, "2026-12-23 22:59", False),
        (YEAREND, "2026-12-23 23:00", True),
        (YEAREND, "2027-01-02 22:59", True),
        (YEAREND, "2027-01-02 23:00", False),
        (HOURS, "2026-12-24 13:59", True),
        (HOURS, "2026-12-24 14:00", False),
    ],
)
def test_a_time_of_rest_is_told_by_the_clock_there(frozen: Frozen, now: str, expected: bool) -> None:
    assert is_frozen(frozen, utc(now)) is expected


def loaded(folder: Path, policy: str) -> Loaded:
    (folder / "policy.yaml").write_text(policy)
    (folder / "f.py").touch()
    (folder / "n-1.0-py3-none-any.whl").touch()
    (folder / "udfs.yaml").write_text(
        "stack: risk\npolicy: policy.yaml\npackages: {p: {wheels: [n-1.0-py3-none-any.whl]}}\n"
        "functions: {f: {source: f.py, class: F, packages: [p]}}\n"
    )
    return load_manifest(folder / "udfs.yaml", DIALECTS, env={}, shown="udfs.yaml")


@pytest.mark.parametrize(
    ("forbidden", "is_told"), [("num-py", True), ("Num_Py<2", True), ("num-py>=2", False), ("num", False)]
)
def test_a_forbidden_package_is_found_in_the_archives(forbidden: str, is_told: bool, tmp_path: Path) -> None:
    wheel = SimpleNamespace(filename="num_py-1.2rc1-py3-none-any.whl")
    artifacts = SimpleNamespace(archives={("p", "cp37"): (SimpleNamespace(wheels=(wheel,)),)})
    found = of_manifest(loaded(tmp_path, f"forbid_packages: ['{forbidden}']\n"), {}, cast("Artifacts", artifacts))
    assert [(one.code, one.message) for one in found] == (
        [("E535", "the package 'p' brings num-py 1.2rc1")] if is_told else []
    )


def test_without_a_policy_everything_is_allowed(tmp_path: Path) -> None:
    free = replace(loaded(tmp_path, "require_tests: true\n"), policies=())
    plan = make(state(wanted(resource("a.py"))), live(there(resource("a.py"), marker())), stack=STACK, destination=HERE)
    assert of_manifest(free, {}, cast("Artifacts", SimpleNamespace(archives={}))) == []
    assert (of_plan((), plan), of_time((), utc("2026-11-20 12:00"))) == ([], [])


def test_owners_are_those_of_what_the_stack_manages(tmp_path: Path) -> None:
    plan = make(
        state(wanted(resource("a.py"))),
        live(there(resource("a.py"), marker()), there(resource("b.py"), marker()), there(resource("c.py"))),
        stack=STACK,
        destination=HERE,
    )
    assert of_plan(loaded(tmp_path, "owners: ['aliyun$*']\n").policies, plan) == []
    found = of_plan(loaded(tmp_path, "owners: [team]\n").policies, plan)
    assert [one.message for one in found] == [
        "resource b.py belongs to ALIYUN$ann",
        "resource a.py belongs to ALIYUN$ann",
    ]


@pytest.mark.parametrize(
    ("promote", "told"),
    [
        ("", "targets"),
        ("promote: {prod: {after: test}}\n", "promote"),
        ("promote: {prod: {after: dev, verified: true}}\n", "promote"),
        ("promote: {prod: {after: test, verified: true}}\n", None),
    ],
)
def test_what_the_policy_wants_proven_no_manifest_takes_out(promote: str, told: str | None, tmp_path: Path) -> None:
    targets = "".join(f"  {name}: {{endpoint: local, project: {name}}}\n" for name in ("dev", "test", "prod"))
    (tmp_path / "policy.yaml").write_text(
        "promote: {prod: {after: test, verified: true}, elsewhere: {after: nowhere}}\n"
    )
    (tmp_path / "udfs.yaml").write_text(
        f"stack: risk\npolicy: policy.yaml\ntargets:\n{targets}{promote}functions: {{}}\n"
    )
    manifest = load_manifest(tmp_path / "udfs.yaml", DIALECTS, env={}, shown="udfs.yaml", target="dev")
    problems = of_manifest(manifest, {}, cast("Artifacts", SimpleNamespace(archives={})))
    assert [problem.code for problem in problems] == (["E757"] if told else [])
    for problem in problems:
        assert problem.at == manifest.at(told or "", "prod")
        assert "wants `promote: {prod: {after: test, verified: true}}`" in str(problem.hint)
