"""Applies of jobs that meet, that are killed, that were planned before, and that are many."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flink.fake_flink import WatchedFlink
from tests.flink.test_applied_jobs import MANIFEST, SQL, begin, edit, run, with_functions

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def flink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedFlink]:
    monkeypatch.chdir(tmp_path)
    cluster = WatchedFlink()
    (tmp_path / "shared").mkdir()
    (tmp_path / "udfs.yaml").write_text(MANIFEST.format(url=cluster.url, files=tmp_path / "shared"))
    (tmp_path / "words.sql").write_text(SQL)
    yield cluster
    cluster.close()


def test_of_two_applies_at_once_the_second_is_refused(flink: WatchedFlink) -> None:
    asked, may_go = threading.Event(), threading.Event()

    def hold(request: str) -> None:
        if request.endswith("/run"):
            asked.set()
            may_go.wait(60)

    flink.watch = hold
    first = begin("apply", "--yes")
    try:
        assert asked.wait(60)
        assert "error[E610]" in run("apply", "--yes", code=7).err
    finally:
        may_go.set()
    assert (first.wait(60), len(flink.alive())) == (0, 1)


@pytest.mark.parametrize("request_of_death", ["/stop", "/run", "/checkpoints"])
def test_an_apply_that_was_killed_is_gone_on_with_and_never_are_there_two_jobs(
    flink: WatchedFlink, request_of_death: str
) -> None:
    run("apply", "--yes")
    [before] = flink.alive()
    Path("words.sql").write_text(SQL + "-- other\n")
    died = threading.Event()

    def kill(request: str) -> None:
        if request.endswith(request_of_death) and not died.is_set():
            died.set()
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    flink.watch = kill
    process = begin("apply", "--yes")
    assert process.wait(60) == -signal.SIGKILL
    assert died.is_set()
    assert "job words will be changed" in run("plan").out
    run("unlock", "--epoch", "2", "--yes")
    run("apply", "--yes")
    [after] = flink.alive()
    assert (before.state, after.savepoint in before.savepoints.values()) == ("FINISHED", True)
    assert "Nothing to do" in run("plan").out


def test_a_plan_of_fifty_jobs_takes_as_many_calls_as_one_of_ten(flink: WatchedFlink) -> None:
    calls = {}
    for number in (10, 50):
        names = "".join(f"  words{each}: {{sql: words.sql}}\n" for each in range(number - 1))
        text = Path("udfs.yaml").read_text()
        Path("udfs.yaml").write_text(f"{text[: text.index('jobs:')]}jobs:\n  words: {{sql: words.sql}}\n{names}")
        run("apply", "--yes")
        flink.requests.clear()
        assert f"Nothing to do: {number + 1} objects" in run("plan").out
        calls[number] = len(flink.requests)
    assert calls == {10: 1, 50: 1}


def test_a_saved_plan_is_performed_as_it_is_or_not_at_all(flink: WatchedFlink) -> None:
    run("plan", "--out", "saved.json")
    run("apply", "saved.json", "--yes")
    [job] = flink.alive()
    Path("words.sql").write_text(SQL + "-- other\n")
    run("plan", "--out", "saved.json")
    job.state = "FAILED"
    run("apply", "saved.json", "--yes", code=6)
    assert flink.alive() == []


def test_gc_takes_old_versions_of_files_away_and_no_job_is_touched(flink: WatchedFlink) -> None:
    with_functions()
    run("apply", "--yes")
    Path("near.py").write_text(Path("near.py").read_text() + "# other\n")
    run("apply", "--yes")
    jobs = flink.alive()
    assert len(list(Path("shared").glob("udfs/risk/files/*/near.py"))) == 2
    edit("stack: risk\n", "stack: risk\ngrace: 0d\n")
    run("gc", "--keep", "0", "--yes")
    assert len(list(Path("shared").glob("udfs/risk/files/*/near.py"))) == 1
    assert flink.alive() == jobs
    assert "Nothing to do" in run("plan").out


CHANGES = {
    "program": "other.sql",
    "arguments": ["--fast"],
    "functions": [["near", "PYTHON near.other"]],
    "interpreter": "x.zip/bin/python",
    "imports": [],
    "archives": [["0123abcd/x.zip", "x"]],
    "jars": ["0123abcd/x.jar"],
    "files": ["0123abcd/x.csv"],
    "conf": {"parallelism.default": "9"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_field_of_a_job_that_was_changed_behind_our_back_is_named(flink: WatchedFlink, name: str) -> None:
    with_functions()
    run("apply", "--yes")
    file = Path("shared/udfs/risk/jobs/near-job.json")
    record = json.loads(file.read_text())
    record["definition"][name] = CHANGES[name]
    file.write_text(json.dumps(record))
    told = run("drift", code=2).out
    assert "near-job" in told
    assert f"    {name} " in told


@pytest.mark.parametrize(("name", "value"), [("language", "JAVA"), ("path", "near.other"), ("file", "0123abcd/x.py")])
def test_each_field_of_a_function_that_was_changed_behind_our_back_is_named(
    flink: WatchedFlink, name: str, value: str
) -> None:
    with_functions()
    run("apply", "--yes")
    file = Path("shared/udfs/risk/functions/near.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    told = run("drift", code=2).out
    assert "function near was edited" in told
    assert f"    {name} " in told
