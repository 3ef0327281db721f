"""
A real Flink on loopback: what the checks of environments say of an archive is what Flink does with it.

It takes 611 MB of wheels, Java and a gigabyte of memory, so it runs at night, where UDFS_FLINK names a Python that has apache-flink.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.local.flink.cluster import end_leftovers
from reconciler.local.runner import locate
from reconciler.packages.environment.findings import find_program_faults
from tests.environments import FILE, LINK, PROGRAM, look_into, write_archive
from tests.flink.real import ENVIRONMENT, NIGHTLY, Engine
from tests.invariants.world import here

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = NIGHTLY


def test_a_function_that_is_in_python_files_alone_runs_and_the_rows_are_right(engine: Engine, tmp_path: Path) -> None:
    python = str(engine.distribution.python)
    _, state, rows = engine.run(tmp_path, python)
    assert (state, rows) == ("FINISHED", [f"a {python}", f"b {python}"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with PyFlink and pandas, locked and built by the commands; the interpreter that it was built of is gone, and so is the folder."""
    folder = tmp_path_factory.mktemp("environment")
    origin = folder / "origin"
    found = locate("cp311", {**os.environ, **ENVIRONMENT}).path.resolve()
    shutil.copytree(found.parents[1], origin, symlinks=True, ignore=shutil.ignore_patterns("test", "site-packages"))
    (folder / "udfs.yaml").write_text(
        "stack: risk\ntarget: {kind: flink}\nenvironments:\n"
        f"  main: {{python: cp311, requirements: [pandas, pyarrow], interpreter: {origin / 'bin' / found.name}}}\n"
    )
    for command in (("lock",), ("build", "--out", str(folder / "out"))):
        said = here(*command, "-f", str(folder / "udfs.yaml"))
        assert said.code == 0, said.err
    [archive] = (folder / "out").iterdir()
    moved = archive.rename(tmp_path_factory.mktemp("elsewhere") / "moved.zip")
    shutil.rmtree(folder)
    return moved


def test_a_job_runs_in_an_environment_whose_origin_is_gone_and_by_its_interpreter(
    engine: Engine, built: Path, tmp_path: Path
) -> None:
    _, state, rows = engine.run(tmp_path, "moved.zip/venv/bin/python", str(built))
    assert state == "FINISHED", rows
    assert len(rows) == 2
    assert all(row.endswith("/python-archives/moved.zip/venv/bin/python") for row in rows)


def test_one_flink_takes_one_job_after_another_in_one_process(engine: Engine, tmp_path: Path) -> None:
    """A TaskManager died of metaspace at its ninth deploy where each job brought PyFlink along."""
    before, sizes = engine.task_manager, []
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, state, rows = engine.run(folder, str(engine.distribution.python))
        assert state == "FINISHED", rows
        sizes.append(engine.metaspace())
    assert engine.task_manager == before
    assert sizes[29] <= 1.2 * sizes[9], sizes


# Where the program that lies in an archive comes to be started at all, this is what a worker without PyFlink says.
BAD: Mapping[str, tuple[Mapping[str, tuple[int | None, bytes]], str, str]] = {
    "modes": ({"venv/bin/python": (None, b"#!/bin/sh\n")}, "E641", "error=13"),
    "x-bit": ({"venv/bin/python": (FILE, b"#!/bin/sh\n")}, "E641", "error=13"),
    "absolute": ({"venv/bin/python": (LINK, b"/opt/nobody/has/python3")}, "E642", "error=2"),
    "no-program": ({"venv/bin/ruby": (PROGRAM, b"#!/bin/sh\n")}, "E640", "error=2"),
    "no-folder": ({"venv/bin": (FILE, b"")}, "E640", "error=20"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_check_refuses_really_fails_in_flink_and_it_says_so(engine: Engine, tmp_path: Path, name: str) -> None:
    members, code, reason = BAD[name]
    archive = write_archive(tmp_path / "venv.zip", members)
    assert [finding.code for finding in find_program_faults(look_into(archive), "venv/bin/python")] == [code]
    _, state, cause = engine.run(tmp_path, "venv.zip/venv/bin/python", str(archive))
    assert state == "FAILED"
    assert reason in " ".join(cause)


def test_a_worker_without_pyflink_fails_at_its_import(engine: Engine, tmp_path: Path) -> None:
    script = f'#!/bin/sh\nexec {sys.executable} "$@"\n'.encode()
    archive = write_archive(tmp_path / "venv.zip", {"venv/bin/python": (stat.S_IFREG | 0o755, script)})
    _, state, cause = engine.run(tmp_path, "venv.zip/venv/bin/python", str(archive))
    assert state == "FAILED"
    assert "No module named 'pyflink'" in " ".join(cause)


def test_a_program_that_was_killed_leaves_nothing_for_long(engine: Engine, tmp_path: Path) -> None:
    """The next over the same store ends what it finds, by number, and nobody else's process."""
    (tmp_path / "processes.json").write_text(f'{{"taskmanager": {os.getppid()}}}')
    assert end_leftovers(tmp_path) == []
    assert set(engine.cluster.numbers) == {"jobmanager", "taskmanager"}
