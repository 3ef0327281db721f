"""The real Flink of the nightly tests: one for all of them, since each takes a gigabyte of memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.targets.flink.rest import FlinkRest, PythonProgram

if TYPE_CHECKING:
    from reconciler.local.flink.cluster import FlinkCluster
    from reconciler.local.flink.distribution import FlinkDistribution

NIGHTLY = pytest.mark.skipif(
    os.environ.get("UDFS_PROOF") != "whole" or not os.environ.get("UDFS_FLINK"),
    reason="needs UDFS_PROOF=whole, and UDFS_FLINK, the Python of an environment with apache-flink",
)

# Read while tests are collected: each test starts without the user's variables.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "UDFS_FLINK") if name in os.environ}


def _version() -> tuple[int, int]:
    """Return the version of the Flink that is to be tried."""
    packages = Path(ENVIRONMENT.get("UDFS_FLINK", "")).parents[1] if "UDFS_FLINK" in ENVIRONMENT else Path("nowhere")
    for folder in packages.glob("lib/python*/site-packages/apache_flink-*.dist-info"):
        major, minor = folder.name.split("-")[1].split(".")[:2]
        return int(major), int(minor)
    return 1, 20


VERSION = _version()
ENGINE = "flink-{}.{}".format(*VERSION)

MAIN = """\
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment

table = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
table.execute_sql("CREATE TEMPORARY SYSTEM FUNCTION told AS 'told.told' LANGUAGE PYTHON")
table.execute_sql(
    "CREATE TEMPORARY TABLE rows_out (word STRING) WITH "
    f"('connector' = 'filesystem', 'path' = 'file://{sys.argv[1]}', 'format' = 'csv')"
)
table.execute_sql("INSERT INTO rows_out SELECT told(word) FROM (VALUES ('a'), ('b')) AS words(word)")
"""

# A class is pickled by reference: what runs it has to import its module, which is in python.files alone.
FUNCTION = """\
import sys
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

class Told(ScalarFunction):
    def eval(self, word):
        return word + " " + sys.executable

told = udf(Told(), result_type=DataTypes.STRING())
"""


@dataclass(frozen=True)
class Engine:
    """A Flink that runs, and the way to it."""

    distribution: FlinkDistribution
    cluster: FlinkCluster
    rest: FlinkRest

    def run(self, folder: Path, worker: str, *archives: str, seconds: float = 240) -> tuple[str, str, list[str]]:
        """Run the function above: return the job, how it ended, and its rows or why it has none."""
        main, functions, out = folder / "main.py", folder / "told.py", folder / "out"
        main.write_text(MAIN)
        functions.write_text(FUNCTION)
        program = PythonProgram(
            *(str(main), (str(out),), folder.name, str(self.distribution.python), worker, (str(functions),), archives)
        )
        job = self.rest.run(self.rest.upload_driver(), program)
        state = self.rest.wait_for_end(job, seconds)
        if state == "FINISHED":
            return (
                job,
                state,
                sorted(line.strip('"') for file in out.iterdir() for line in file.read_text().splitlines()),
            )
        return job, state, [*self.rest.why_failed(job)]

    @property
    def task_manager(self) -> str:
        """What the one TaskManager calls itself: another process has another name."""
        [entry] = self.rest._send("GET", "/taskmanagers")["taskmanagers"]
        return str(entry["id"])

    def metaspace(self) -> int:
        """Return how many bytes of it the TaskManager uses."""
        path = f"/taskmanagers/{self.task_manager}/metrics?get=Status.JVM.Memory.Metaspace.Used"
        [metric] = self.rest._send("GET", path)
        return int(metric["value"])
