"""The import direction drawn in ``reconciler/__init__.py`` is kept, and each effect has one door."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import EXPLANATIONS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"

# Lower layers never import from higher ones; modules on one line may import each other.
LAYERS = (
    {"errors", "names", "readers", "whole"},
    {"state", "manifest", "artifacts", "building", "locking", "sources"},
    {
        "desired",
        "diff",
        "plan",
        "report",
        "ledger",
        "fresh",
        "ownership",
        "inventory",
        "drift",
        "ignoring",
        "policy",
        "versions",
        "selection",
        "queries",
    },
    {"targets", "render", "expected", "trials", "rows", "literals", "verification"},
    {"saved", "dumps"},
    {"apply", "attempt", "lease"},
    {"supply"},
    {"workflow", "jobs"},
    {"importing"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# A server that shares code with its client agrees with it about mistakes.
STANDS_ALONE = {"local": {"local", "runner"}, "runner": {"runner"}}
USED_ONLY_BY = {
    "local": {"local", "cli"},
    "runner": {"runner", "local", "trials", "verification", "rows", "supply", "jobs", "cli", "pytest_plugin"},
}

ONE_DOOR = {
    "odps": ("reconciler.targets.maxcompute",),
    "rich": ("reconciler.render", "reconciler.cli"),
    "sqlite3": ("reconciler.local",),
    "deepdiff": ("reconciler.diff",),
    "click": ("reconciler.cli",),
    "yaml": ("reconciler.manifest",),
    "subprocess": (
        "reconciler.runner",
        "reconciler.artifacts.fetch",
        "reconciler.building.process",
        "reconciler.building.frontend",
        "reconciler.locking.process",
        "reconciler.cli.identity",
    ),
    "pyarrow": ("reconciler.rows", "reconciler.local.sql", "reconciler.local.tables"),
    "duckdb": ("reconciler.local.sql",),
    "sqlglot": ("reconciler.local.sql",),
    "requests": ("reconciler.targets.maxcompute", "reconciler.locking.remote"),
    "http": ("reconciler.local",),
    "secrets": ("reconciler.cli", "reconciler.local", "reconciler.whole"),
    "cyclonedx": ("reconciler.render.sbom",),
    "random": ("reconciler.cli",),
}
"""Which modules may import what touches the world."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "starter" not in path.parts)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it, relative imports resolved."""
    me = dotted(path).split(".")
    package = me if path.name == "__init__.py" else me[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{stem}.{alias.name}" for alias in node.names}
    return names


def part(name: str) -> str:
    pieces = name.split(".")
    return pieces[1] if len(pieces) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path: Path) -> None:
    me = part(dotted(path))
    for target in imported(path):
        if not target.startswith("reconciler."):
            continue
        other = part(target)
        assert me in USED_ONLY_BY.get(other, {me}), f"{me} must not depend on {target}"
        if me in STANDS_ALONE:
            assert other in STANDS_ALONE[me], f"{me} must stand alone, and imports {target}"
        elif me in RANK and other in RANK:
            assert RANK[other] <= RANK[me], f"{me} imports {target}, which sits above it"


@pytest.mark.parametrize("library", sorted(ONE_DOOR))
def test_each_effect_has_one_door(library: str) -> None:
    for path in MODULES:
        me = dotted(path)
        if any(name == library or name.startswith(library + ".") for name in imported(path)):
            assert any(me == door or me.startswith(door + ".") for door in ONE_DOOR[library]), me


def test_every_part_has_a_rank_or_stands_alone() -> None:
    parts = {part(dotted(path)) for path in MODULES} - {""}
    assert parts <= set(RANK) | set(STANDS_ALONE)


def test_every_error_code_is_explained_and_every_explanation_is_used() -> None:
    used: set[str] = set()
    for path in MODULES:
        if path.name == "errors.py" and path.parent == PACKAGE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) == 4:
                used |= {node.value} if node.value[0] == "E" and node.value[1:].isdigit() else set()
    assert used == set(EXPLANATIONS)


@pytest.mark.parametrize(
    "use",
    [
        "from reconciler.cli import run; run(['--version'])",
        "from reconciler.cli import run; run(['--help'])",
        "import reconciler.pytest_plugin; assert 'click' not in sys.modules",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(use: str) -> None:
    script = (
        "import sys\n"
        f"{use}\n"
        "print(*sorted(set(sys.modules) & {'odps', 'pydantic', 'yaml', 'rich', 'deepdiff', 'requests', 'sqlite3'}), file=sys.stderr)"
    )
    # Measuring coverage in the child would import what is looked for.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stderr.strip() == ""
