"""A deployed function over the rows of a file, on a Flink of one's own and on a cluster with two TaskManagers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet
import pytest

from reconciler.base.errors import UsageError
from reconciler.local.flink.cluster import start_cluster
from reconciler.local.flink.distribution import find_distribution
from reconciler.targets.flink import trial_rows
from tests.flink.real import ENGINE, ENVIRONMENT, NIGHTLY, VERSION
from tests.invariants.world import Said, here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.local.flink.cluster import FlinkCluster

pytestmark = NIGHTLY

FUNCTIONS = """\
from pyflink.table import DataTypes
from pyflink.table.udf import udaf, udf, udtf

@udf(result_type=DataTypes.STRING())
def joined(number, word):
    return "%s %d" % (word, number)

@udtf(result_types=[DataTypes.STRING()])
def letters(word):
    yield from word

@udaf(result_type=DataTypes.BIGINT(), func_type="pandas")
def longest(words):
    return words.str.len().max()

@udf(result_type=DataTypes.BIGINT())
def inverse(number):
    return 1 // number
"""
MANIFEST = """\
stack: trial
target: {{kind: flink}}
targets:
  local: {{endpoint: local, engine: {ENGINE}}}
  stage: {{endpoint: "{url}", engine: {ENGINE}, files: "{files}"}}
functions:
  joined: {{source: udfs.py, class: joined}}
  letters: {{source: udfs.py, class: letters}}
  longest: {{source: udfs.py, class: longest}}
  inverse: {{source: udfs.py, class: inverse}}
"""
ROWS = 2_000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FlinkCluster]:
    try:
        distribution = find_distribution(ENVIRONMENT, VERSION)
    except UsageError as error:
        pytest.skip(str(error))
    # A job without an environment is planned and run by the `python` of the cluster.
    env = {**ENVIRONMENT, "PATH": f"{distribution.python.parent}:{ENVIRONMENT['PATH']}"}
    cluster = start_cluster(distribution, tmp_path / "stage", env, workers=2)
    try:
        yield cluster
    finally:
        cluster.close()


def run(*arguments: str) -> Said:
    said = here(*arguments)
    assert said.code == 0, said.err
    return said


def test_a_file_gives_the_same_results_here_and_on_a_cluster_of_two(
    cluster: FlinkCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(trial_rows, "_LINES", 100)  # so that there is something to share
    Path("shared").mkdir()
    Path("udfs.py").write_text(FUNCTIONS)
    Path("udfs.yaml").write_text(MANIFEST.format(ENGINE=ENGINE, url=cluster.url, files=Path("shared").absolute()))
    table = pa.table({"n": range(ROWS), "w": [f"w{number % 7}" for number in range(ROWS)]})
    pa.parquet.write_table(table, "rows.parquet")
    expected = [f"w{number % 7} {number}" for number in range(ROWS)]
    for target in ("local", "stage"):
        run("apply", "--yes", "--target", target)
        said = run("call", "joined", "--input", "rows.parquet", "--target", target)
        assert said.out.splitlines() == expected, target
    stage = ("--target", "stage")
    run("call", "joined", "--input", "rows.parquet", "--output", "out.parquet", *stage)
    assert pa.parquet.read_table("out.parquet").column(0).to_pylist() == expected
    Path("words.csv").write_text("ab\ncde\n")
    assert run("call", "letters", "--input", "words.csv", *stage).out.split() == list("abcde")
    assert run("call", "longest", "--input", "words.csv", *stage).out == "3\n"
    assert run("call", "joined", "7", "x", *stage).out == "x 7\n"
    failed = here("call", "inverse", "0", *stage)
    assert (failed.code, "error[E579]" in failed.err, "ZeroDivisionError" in failed.err) == (1, True, True), failed.err
    assert "apache_beam" not in failed.err
    left = {path.parent.name for path in Path("shared/udfs/trial").rglob("*") if path.is_file()}
    assert not {name for name in left if "trial-" in name or "call-" in name}, "nothing of a trial stays"
