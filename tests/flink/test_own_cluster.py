"""
A Flink that an apply leaves running: told, found again, never ended by `udfs serve`, and ended with its last job.

The processes are ones that only wait, started as those of Flink are; what answers for them is the fake.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flink.fake_flink import FakeFlink
from tests.invariants.world import Said, here

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = """\
stack: risk
target: {kind: flink}
targets:
  local: {endpoint: local, engine: flink-1.20}
jobs:
  words: {sql: words.sql}
"""
SQL = "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT w FROM t;\n"


def install_flink(folder: Path) -> Path:
    """Lay out what is looked at of an installed Flink, and return its Python."""
    package = folder / "lib" / "python3.11" / "site-packages" / "pyflink"
    for name in ("lib/flink-dist-1.20.5.jar", "opt/flink-python-1.20.5.jar"):
        (package / name).parent.mkdir(parents=True)
        (package / name).touch()
    (folder / "bin").mkdir()
    (folder / "bin" / "java").touch(0o755)
    return folder / "bin" / "python"


@pytest.fixture
def flink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFlink]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_FLINK", str(install_flink(tmp_path / "flink")))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "flink"))
    Path("udfs.yaml").write_text(MANIFEST)
    Path("words.sql").write_text(SQL)
    cluster = FakeFlink()
    yield cluster
    cluster.close()


@pytest.fixture
def processes(tmp_path: Path, flink: FakeFlink) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A JobManager and a TaskManager that a command left running."""
    store = tmp_path / ".udfs" / "flink"
    (store / "conf").mkdir(parents=True)
    (store / "conf" / "config.yaml").write_text(f"rest.port: {flink.url.rpartition(':')[2]}\n")
    command = [sys.executable, "-c", "import time; time.sleep(300)", str(store / "conf")]
    started = [subprocess.Popen(command, start_new_session=True) for _ in range(2)]
    numbers = {name: process.pid for name, process in zip(("jobmanager", "taskmanager"), started, strict=True)}
    (store / "processes.json").write_text(json.dumps(numbers))
    (store / "left-running").touch()
    yield started
    for process in started:
        process.kill()
        process.wait()


def run(*arguments: str, code: int = 0) -> Said:
    said = here(*arguments)
    assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
    return said


def test_a_flink_that_runs_on_after_an_apply_is_told_and_ends_with_its_last_job(
    flink: FakeFlink, processes: list[subprocess.Popen[bytes]]
) -> None:
    told = run("apply", "--yes").err
    assert f"a Flink runs on at {flink.url} with its jobs, and ends with the last of them" in told
    [job] = flink.alive()
    assert {job.configuration[f"python.{of}executable"] for of in ("", "client.")} == {os.environ["UDFS_FLINK"]}
    assert "runs on" not in run("plan").err
    assert [process.poll() for process in processes] == [None, None]
    assert "runs on" not in run("destroy", "--yes").err
    assert [process.wait(10) for process in processes] == [-9, -9]


def test_a_job_waits_for_the_task_manager_that_the_one_before_took_along(
    flink: FakeFlink, processes: list[subprocess.Popen[bytes]]
) -> None:
    flink.workers = 0
    run("apply", "--yes")
    assert len(flink.alive()) == 1


def test_a_plan_says_that_the_graph_of_a_job_changed_and_writes_nothing(
    flink: FakeFlink, processes: list[subprocess.Popen[bytes]]
) -> None:
    run("apply", "--yes")
    before = sorted(Path(".udfs").rglob("*"))
    Path("words.sql").write_text(SQL.replace("SELECT w", "SELECT COUNT(w)"))
    said = run("plan")
    assert "udfs.yaml:6:3: warning[E490]: the new words cannot take the state of the one that runs" in said.err
    assert "+ COUNT" in said.err
    assert sorted(Path(".udfs").rglob("*")) == before
    refused = run("apply", "--yes", code=8).err
    assert "warning[E490]: the new words cannot take the state" in refused
    assert "error[E490]: the new words cannot take the state" in refused
    Path("words.sql").write_text(f"{SQL}-- other\n")
    assert "E490" not in run("plan").err
    assert len(flink.alive()) == 1


def test_serve_is_refused_over_the_folder_of_a_flink_that_has_jobs(
    flink: FakeFlink, processes: list[subprocess.Popen[bytes]]
) -> None:
    run("apply", "--yes")
    refused = run("serve", "-f", "udfs.yaml", code=3).err
    assert f"runs over {Path.cwd() / '.udfs' / 'flink'} already, at {flink.url}" in refused
    assert len(flink.alive()) == 1
    assert [process.poll() for process in processes] == [None, None]


@pytest.mark.parametrize(("is_installed", "driver"), [(True, "flink-python-1.20.5.jar"), (False, "udfs-driver.jar")])
def test_programs_of_a_session_cluster_are_run_by_flink_python_where_it_is_installed_here(
    flink: FakeFlink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool, driver: str
) -> None:
    if not is_installed:
        monkeypatch.setenv("UDFS_FLINK", str(tmp_path / "elsewhere" / "bin" / "python"))
    Path("shared").mkdir()
    target = f'stage: {{endpoint: "{flink.url}", engine: flink-1.20, files: {Path("shared").absolute()}}}'
    Path("udfs.yaml").write_text(MANIFEST.replace("local: {endpoint: local, engine: flink-1.20}", target))
    run("apply", "--yes")
    assert [jar.partition("_")[2] for jar in flink.jars] == [driver]
    # What a plan proposes is not run on a cluster of others.
    Path("words.sql").write_text(SQL.replace("SELECT w", "SELECT COUNT(w)"))
    flink.requests.clear()
    told = run("plan").err
    assert "warning[E660]: whether the new words takes the state of the one that runs is not known" in told
    assert "the apply compares both before it stops anything" in told
    assert flink.requests == ["GET /jobs/overview"]
    refused = run("apply", "--yes", code=8).err
    assert "warning[E660]" in refused
    assert "error[E490]" in refused
    assert len(flink.alive()) == 1


def test_without_a_flink_nothing_is_changed_for_jobs_that_could_not_be_started(
    flink: FakeFlink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UDFS_FLINK", str(tmp_path / "elsewhere" / "bin" / "python"))
    refused = run("apply", "--yes", code=3)
    assert "error[E665]: UDFS_FLINK names an environment with no Flink 1.20" in refused.err
    assert "2 not done" in refused.out
    assert "  created " not in refused.out
    assert "2 to create" in run("plan").out, "a plan needs none"
