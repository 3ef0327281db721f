"""A trial on a cluster: what fails where its results are used is told as that, and nothing of it stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.targets.flink import trials
from reconciler.targets.flink.cluster import SessionCluster
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.objects import RegisteredFunction
from reconciler.targets.flink.target import FlinkTarget
from reconciler.targets.flink.trial_rows import ROW
from reconciler.targets.flink.trials import FlinkTrials

if TYPE_CHECKING:
    from pathlib import Path


def answer(target: FlinkTarget, job: object, folder: Path, seconds: float) -> None:
    """Leave what a cluster does."""
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
