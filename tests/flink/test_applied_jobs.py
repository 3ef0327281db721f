"""Files, functions and jobs of a manifest on a session cluster, by commands as a person types them."""

from __future__ import annotations

import json
import os
import shutil
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
target: {{kind: flink}}
targets:
  stage: {{endpoint: "{url}", engine: flink-1.20, files: {files}}}
jobs:
  words: {{sql: words.sql}}
"""
FUNCTIONS = """\
functions:
  near: {source: near.py, class: near}
  far: {source: far.py, class: far}
jobs:
  near-job: {sql: words.sql, functions: [near]}
  far-job: {sql: words.sql, functions: [far], files: [words.sql], conf: {parallelism.default: "2"}}
"""
SOURCE = "from pyflink.table.udf import udf\n\n\n@udf(result_type='INT')\ndef {0}(a):\n    return a\n"
SQL = "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT w FROM t;\n"


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    cluster = FakeFlink()
    yield cluster
    cluster.close()


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flink: FakeFlink) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared").mkdir()
    (tmp_path / "udfs.yaml").write_text(MANIFEST.format(url=flink.url, files=tmp_path / "shared"))
    (tmp_path / "words.sql").write_text(SQL)


def run(*arguments: str, code: int = 0) -> Said:
    said = here(*arguments)
    assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
    return said


def begin(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "reconciler", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_job_is_started_planned_to_be_as_it_is_and_stopped(flink: FakeFlink) -> None:
    said = run("plan")
    assert "job words will be created: it is new, it runs words.sql" in said.out
    run("apply", "--yes")
    [job] = flink.alive("words (udfs risk ")
    assert "Nothing to do" in run("plan").out
    assert run("drift").code == 0
    run("destroy", "--yes")
    assert flink.jobs[job.number].state == "FINISHED"


def edit(old: str, new: str) -> None:
    text = Path("udfs.yaml").read_text()
    assert old in text
    Path("udfs.yaml").write_text(text.replace(old, new))


def with_functions() -> None:
    edit("jobs:\n  words: {sql: words.sql}\n", FUNCTIONS)
    for name in ("near", "far"):
        Path(f"{name}.py").write_text(SOURCE.format(name))


def test_only_jobs_that_use_what_changed_restart_with_their_state_and_only_that_file_is_written(
    flink: FakeFlink,
) -> None:
    with_functions()
    run("apply", "--yes")
    [near], [far] = flink.alive("near-job "), flink.alive("far-job ")
    Path("near.py").write_text(SOURCE.format("near") + "# other\n")
    said = run("plan")
    plan = said.out
    assert "E660" not in said.err, "another body of a function makes no other graph"
    assert "job near-job will be changed: restart from a savepoint, because near.py changed" in plan
    assert "function near will be changed: near.py changed" in plan
    assert "Plan: 1 to create, 2 to update, 0 to delete, 4 unchanged · 94 B to upload · 1 old version kept" in plan
    run("apply", "--yes")
    [changed] = flink.alive("near-job ")
    assert (near.state, far.state, flink.alive("far-job ")) == ("FINISHED", "RUNNING", [far])
    assert changed.savepoint in near.savepoints.values()
    assert len(list(Path("shared").glob("udfs/risk/files/*/near.py"))) == 2
    edit('parallelism.default: "2"', 'parallelism.default: "3"')
    said = run("plan")
    assert "restart from a savepoint, because conf changed" in said.out
    assert "warning[E660]: whether the new far-job takes the state" in said.err
    edit("functions: [far]", "functions: [far], on_change: refuse")
    assert "error[E496]: job far-job would be restarted" in run("apply", "--yes", code=5).err
    assert far.state == "RUNNING"


def test_the_state_of_python_is_kept_in_rocksdb_unless_the_job_says_otherwise(flink: FakeFlink) -> None:
    with_functions()
    edit('conf: {parallelism.default: "2"}', "conf: {state.backend.type: hashmap}")
    edit("jobs:\n", "jobs:\n  plain: {sql: words.sql}\n")
    run("apply", "--yes")
    jobs = [flink.alive(name)[0] for name in ("near-job ", "far-job ", "plain ")]
    assert [job.configuration.get("state.backend.type") for job in jobs] == ["rocksdb", "hashmap", None]


def test_a_look_takes_one_call_of_the_cluster_whatever_the_number_of_jobs(flink: FakeFlink) -> None:
    run("apply", "--yes")
    names = "".join(f"  words{number}: {{sql: words.sql}}\n" for number in range(5))
    edit("  words: {sql: words.sql}\n", f"  words: {{sql: words.sql}}\n{names}")
    run("apply", "--yes")
    flink.requests.clear()
    assert "Nothing to do: 7 objects" in run("plan").out
    assert flink.requests == ["GET /jobs/overview"]


def test_jobs_of_others_are_never_touched_and_one_of_the_same_name_stands_in_the_way_until_it_is_adopted(
    flink: FakeFlink,
) -> None:
    theirs, other = flink.submit("words"), flink.submit("reports (udfs sales 0123456789ab)")
    refused = run("apply", "--yes", code=5)
    assert "error[E501]: job words is in the project and udfs does not manage it" in refused.err
    edit("  words: {sql", "  reports: {sql")
    assert "error[E502]: job reports belongs to stack 'sales'" in run("apply", "--yes", code=5).err
    edit("  reports: {sql", "  lines: {sql")
    run("apply", "--yes")
    run("destroy", "--yes")
    assert (theirs.state, other.state) == ("RUNNING", "RUNNING")
    edit("  lines: {sql", "  words: {sql")
    run("adopt", "words", "--yes")
    assert theirs.state == "RUNNING"
    assert "restart from a savepoint, because what it runs is not known here" in run("plan").out
    run("apply", "--yes")
    [ours] = flink.alive("words")
    assert (theirs.state, ours.savepoint in theirs.savepoints.values()) == ("FINISHED", True)


@pytest.mark.parametrize(
    ("state", "words"), [("FAILED", "failed"), ("CANCELED", "cancelled"), ("", "gone"), ("TWICE", "running twice")]
)
def test_a_job_that_does_not_run_as_it_should_is_drift_and_is_started_again(
    flink: FakeFlink, state: str, words: str
) -> None:
    run("apply", "--yes")
    [job] = flink.alive()
    if state == "TWICE":
        flink.submit(job.name)
    elif state:
        job.state = state
    else:
        flink.forget()
    told = run("drift", code=2).out
    assert f"running → {words}" in told
    run("apply", "--yes")
    assert len(flink.alive("words (udfs risk ")) == 1
    assert run("drift").code == 0


def test_what_was_changed_in_the_shared_folder_is_named(flink: FakeFlink) -> None:
    with_functions()
    run("apply", "--yes")
    root = Path("shared/udfs/risk")
    record = json.loads((root / "jobs" / "far-job.json").read_text())
    record["definition"]["conf"] = {"parallelism.default": "9"}
    (root / "jobs" / "far-job.json").write_text(json.dumps(record))
    registration = root / "functions" / "near.json"
    registration.write_text(registration.read_text().replace("near.near", "near.other"))
    [source] = root.glob("files/*/far.py")
    source.write_text(source.read_text().replace("return a", "return b"))
    told = run("drift", code=2).out
    assert "function near was edited" in told
    assert "near.near → near.other" in told
    assert "parallelism.default=9" in told
    assert f"file {source.parent.name}/far.py was edited" in told


def test_a_job_that_came_to_its_end_is_no_drift_even_when_the_cluster_has_forgotten_it(flink: FakeFlink) -> None:
    edit("{sql: words.sql}", "{sql: words.sql, conf: {execution.runtime-mode: batch}}")
    run("apply", "--yes")
    assert [job.state for job in flink.jobs.values()] == ["FINISHED"]
    flink.forget()
    assert "Nothing to do" in run("plan").out
    assert "state finished" in run("list").out


def test_a_new_job_that_fails_leaves_the_old_one_running_with_its_state(flink: FakeFlink) -> None:
    with_functions()
    run("apply", "--yes")
    Path("near.py").write_text(SOURCE.format("near") + "# ends badly\n")
    failed = run("apply", "--yes", code=8)
    assert "error[E491]" in failed.err
    assert "ValueError: broken" in failed.err
    [old] = flink.alive("near-job ")
    assert old.savepoint
    # Only the registration was changed, and goes back; the job is what it was.
    assert "0 to create, 1 to update, 0 to delete, 7 unchanged" in run("rollback", "--yes").out
    assert flink.alive("near-job ") == [old]
    Path("near.py").write_text(SOURCE.format("near"))
    run("apply", "--yes")
    assert flink.alive("near-job ") == [old]


def test_a_rollback_starts_a_job_as_it_was(flink: FakeFlink) -> None:
    run("apply", "--yes")
    [before] = flink.alive()
    Path("words.sql").write_text(SQL + "-- other\n")
    run("apply", "--yes")
    run("rollback", "--yes")
    [after] = flink.alive()
    assert (after.name, after.number != before.number) == (before.name, True)


def test_a_cluster_without_a_folder_and_a_folder_that_is_not_there_are_told(flink: FakeFlink) -> None:
    shutil.rmtree("shared")
    assert "error[E497]: the shared folder" in run("plan", code=1).err
    text = Path("udfs.yaml").read_text()
    Path("udfs.yaml").write_text(text[: text.index(", files:")] + text[text.index("}\njobs:") :])
    refused = run("plan", code=3)
    assert "error[E499]: the target 'stage' names no folder" in refused.err
