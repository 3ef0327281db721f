"""A trial on a cluster: whatever ends it is told as what it is, and nothing of the trial stays, its job least of all."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.targets.flink import trials
from reconciler.targets.flink.cluster import SessionCluster
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.objects import DeployedJob, RegisteredFunction
from reconciler.targets.flink.target import FlinkTarget
from reconciler.targets.flink.trial_rows import ROW
from reconciler.targets.flink.trials import FlinkTrials
from tests.flink.fake_flink import WatchedFlink
from tests.flink.test_applied_jobs import MANIFEST, SQL, begin, run, with_functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flink.fake_flink import FakeFlink


def answer(target: FlinkTarget, job: DeployedJob, seconds: float) -> None:
    """Leave what a cluster does."""
    folder = target.folder.path(job.program).parent
    (folder / "results").mkdir()
    (folder / "results" / "part-0").write_text(json.dumps({ROW: 0, "r": 3}) + "\n")
    (folder / "types.json").write_text('["BIGINT"]')


def test_a_failure_of_who_reads_the_results_is_not_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_run", answer)
    folder = SharedFolder(tmp_path, "risk")
    folder.put_function(RegisteredFunction("near", "PYTHON", "udfs.near", "0b237807/udfs.py"))
    target = FlinkTarget(SessionCluster("http://127.0.0.1:1", {}, (1, 20)), folder)

    def use() -> None:
        with FlinkTrials().call_on_cluster(target, "near", [[1, 2]], 60) as results:
            assert results is not None
            assert list(results.rows) == [[3]]
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        use()
    assert [path.name for path in folder.root.rglob("*") if path.is_file()] == ["near.json"]


@pytest.fixture
def flink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedFlink]:
    monkeypatch.chdir(tmp_path)
    cluster = WatchedFlink()
    (tmp_path / "shared").mkdir()
    (tmp_path / "udfs.yaml").write_text(MANIFEST.format(url=cluster.url, files=tmp_path / "shared"))
    (tmp_path / "words.sql").write_text(SQL)
    (tmp_path / "rows.jsonl").write_text("[1]\n[2]\n")
    with_functions()
    run("apply", "--yes")
    yield cluster
    cluster.close()


CALL = ("call", "near", "--input", "rows.jsonl", "--target", "stage")


def left_of_trials(flink: FakeFlink) -> list[str]:
    jobs = [job.name for job in flink.alive("trial")]
    return jobs + [path.name for path in Path("shared").rglob("*trial*")]


def test_a_trial_that_takes_too_long_is_cancelled_and_says_how_to_let_it(flink: WatchedFlink) -> None:
    said = run(*CALL, "--timeout", "1", code=1)
    assert "error[E579]: near did not come to its end in 1 seconds" in said.err
    assert "--timeout SECONDS" in said.err
    assert [job.state for job in flink.jobs.values()].count("CANCELED") == 1
    assert left_of_trials(flink) == []


@pytest.mark.parametrize("request_of_the_end", ["/run", "/jobs/"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_a_trial_ends_its_job(
    flink: WatchedFlink, number: signal.Signals, request_of_the_end: str
) -> None:
    met = threading.Event()

    def end(request: str) -> None:
        if not met.is_set() and request_of_the_end in request and "overview" not in request:
            met.set()
            os.kill(process.pid, number)

    flink.watch = end
    process = begin(*CALL)
    assert process.wait(60) == 130
    assert met.is_set()
    assert left_of_trials(flink) == []
