"""What a command imports: what it uses. Imports are most of what a small command costs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.local.server.routes import ROUTES
from tests.benchmarks.stack import service

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal"
PROGRAM = """\
import json, sys
from reconciler.cli.entry import run
code = run(sys.argv[1:])
sys.stdout.flush()
print(json.dumps([code, sorted(sys.modules)]))
"""
FOR_SQL = {"duckdb", "sqlglot", "pyarrow", "numpy", "pandas", "google_crc32c", "zstandard"}
FOR_OTHER_COMMANDS = {"odps", "deepdiff", "uv", "pex", "ziglang"}
HEAVY = FOR_SQL | FOR_OTHER_COMMANDS | {"rich", "pydantic", "click.shell_completion", "asyncio", "multiprocessing"}
SERVICES = tuple(f"reconciler.local.{room}" for room in ("server", "http", "storage"))
LATE = (
    "instances",
    "instance_tunnel",
    "sql_project",
    "catalog",
    "table_handlers",
    "table_tunnel",
    "uploads",
    "projects",
)


def modules(folder: Path, *arguments: str, **env: str) -> set[str]:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env=env or None,
    )
    code, names = json.loads(answer.stdout.splitlines()[-1])
    assert code == 0, answer.stderr
    return set(names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "minimal"))


def test_a_plan_imports_nothing_heavy_and_no_part_of_the_service_that_it_does_not_ask(folder: Path) -> None:
    imported = modules(folder, "plan")
    assert not imported & HEAVY
    assert not [name for name in LATE if f"reconciler.local.server.{name}" in imported]
    assert not [
        name for name in imported if name.startswith(("reconciler.local.tunnel", "reconciler.local.sql.engine"))
    ]


def test_a_plan_of_a_service_elsewhere_imports_no_service(folder: Path, tmp_path: Path) -> None:
    with service(tmp_path / "store") as running:
        env = {**running.env(), "ODPS_ENDPOINT": running.url, "ODPS_PROJECT": "demo"}
        imported = modules(folder, "plan", "--target", "prod", **env)
    assert not imported & (HEAVY | {"sqlite3"})
    assert not [name for name in imported if name.startswith(SERVICES)]


def test_validate_imports_neither_the_client_nor_the_service(folder: Path) -> None:
    imported = modules(folder, "validate")
    assert not imported & (HEAVY | {"requests", "urllib3", "sqlite3", "ssl", "http.client"})
    assert not [name for name in imported if name.startswith(SERVICES)]


def test_handlers_that_are_imported_late_are_there() -> None:
    handlers = [handler for methods in ROUTES.values() for handler in methods.values()]
    late = [handler.resolve() for handler in handlers if hasattr(handler, "resolve")]
    assert len(late) >= 8
    assert all(handler.__doc__ for handler in late)
