"""
The bounds of a job's life on a real Flink: what `udfs apply` takes against a short script that sends the same requests, in ratios of one run.

* from the start of the command to a healthy job, which has completed a checkpoint: at most 1.3 of the script's;
* how long a job is down in an update, from the request for the savepoint until all subtasks of the new one run, both as Flink itself tells them: at
  most 1.3.

Rounds take turns; `udfs apply` is a process of its own, whose start counts, and the script is not. It takes Java, a gigabyte of memory, and UDFS_FLINK,
the Python of an environment with apache-flink 1.20.

    python -m tests.benchmarks.bench_flink_jobs [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from reconciler.local.flink.cluster import start_cluster
from reconciler.local.flink.distribution import find_distribution
from reconciler.targets.flink.head import Registration, program_text
from reconciler.targets.flink.rest import FlinkRest, PythonProgram

BOUND, ROUNDS = 1.3, 3

MANIFEST = """\
stack: risk
target: {{kind: flink}}
targets:
  stage: {{endpoint: "{url}", engine: flink-1.20, files: {folder}}}
functions:
  mark: {{source: udfs.py, class: mark}}
jobs:
  counts:
    sql: job.sql
    functions: [mark]
    conf: {{execution.checkpointing.interval: 3 s, python.executable: {python}, python.client.executable: {python}}}
"""
FUNCTIONS = """\
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

class Mark(ScalarFunction):
    def eval(self, word):
        return "v1-" + word

mark = udf(Mark(), result_type=DataTypes.STRING())
"""
SQL = """\
CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '5');
CREATE TEMPORARY TABLE counts (word STRING, c BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT mark(word), COUNT(*) FROM (SELECT CAST(MOD(n, 3) AS STRING) AS word FROM numbers) GROUP BY word;
"""


class Script:
    """What somebody would write who drives Flink by hand."""

    def __init__(self, url: str, folder: Path, python: str) -> None:
        self.url, self.folder, self.python = url, folder, python
        self.driver = FlinkRest(url).upload_driver()

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=300).json()

    def start(self, prefix: str, savepoint: str | None = None) -> str:
        """Start a job, and return its number once it has completed a checkpoint."""
        body: dict[str, Any] = {
            "entryClass": "org.apache.flink.client.python.PythonDriver",
            "programArgsList": ["-py", str(self.folder / prefix / "job.py")],
            "flinkConfiguration": self.settings(prefix),
        }
        if savepoint:
            body["savepointPath"] = savepoint
        job: str = requests.post(f"{self.url}/jars/{self.driver}/run", json=body, timeout=300).json()["jobid"]
        while any(vertex["status"] != "RUNNING" for vertex in self.get(f"/jobs/{job}")["vertices"]):
            time.sleep(0.5)
        while not self.get(f"/jobs/{job}/checkpoints")["counts"]["completed"]:
            time.sleep(0.5)
        return job

    def settings(self, prefix: str) -> dict[str, str]:
        (place := self.folder / prefix).mkdir(parents=True, exist_ok=True)
        (place / "udfs.py").write_text(FUNCTIONS.replace("v1-", prefix))
        (place / "job.py").write_text(program_text([Registration("mark", "PYTHON", "udfs.mark")], main=None, sql=SQL))
        configuration = {"execution.checkpointing.interval": "3 s"}
        program = PythonProgram("", (), prefix, self.python, self.python, (str(place / "udfs.py"),))
        return program.settings | configuration

    def stop(self, job: str) -> str:
        body = {"drain": False, "targetDirectory": str(self.folder / "savepoints")}
        trigger = requests.post(f"{self.url}/jobs/{job}/stop", json=body, timeout=300).json()["request-id"]
        while (answer := self.get(f"/jobs/{job}/savepoints/{trigger}"))["status"]["id"] != "COMPLETED":
            time.sleep(0.5)
        return str(answer["operation"]["location"])

    def measure(self) -> tuple[float, float]:
        """Return the seconds of a start, and those that an update was down."""
        began = time.monotonic()
        old = self.start("v1-")
        started = time.monotonic() - began
        new = self.start("v2-", self.stop(old))
        return started, find_gap(self.url, old, new)


class Applies:
    """The same by `udfs apply`."""

    def __init__(self, url: str, folder: Path, python: str) -> None:
        self.url, self.folder = url, folder
        (folder / "shared").mkdir(parents=True)
        (folder / "job.sql").write_text(SQL)
        (folder / "udfs.yaml").write_text(MANIFEST.format(url=url, folder=folder / "shared", python=python))

    def run(self, *arguments: str) -> None:
        program = "import sys; from reconciler.cli.entry import run; sys.exit(run(sys.argv[1:]))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "UDFS_PROGRESS": "off"}
        command = [sys.executable, "-c", program, *arguments, "--yes"]
        subprocess.run(command, check=True, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL)

    def apply(self, prefix: str) -> str:
        """Return the number of the job that runs then."""
        (self.folder / "udfs.py").write_text(FUNCTIONS.replace("v1-", prefix))
        self.run("apply")
        [job] = [job["jid"] for job in FlinkRest(self.url).jobs() if job["state"] == "RUNNING"]
        return str(job)

    def measure(self) -> tuple[float, float]:
        began = time.monotonic()
        old = self.apply("v1-")
        started = time.monotonic() - began
        return started, find_gap(self.url, old, self.apply("v2-"))


def find_gap(url: str, old: str, new: str) -> float:
    """Return the seconds from the request for a job's savepoint until the last subtask of the next job ran; that one is ended."""
    rest = FlinkRest(url)
    asked = rest._send("GET", f"/jobs/{old}/checkpoints")["latest"]["savepoint"]["trigger_timestamp"]
    ran = []
    for vertex in rest._send("GET", f"/jobs/{new}")["vertices"]:
        for task in rest._send("GET", f"/jobs/{new}/vertices/{vertex['id']}")["subtasks"]:
            # It starts with its deployment.
            before = ("DEPLOYING", "INITIALIZING")
            ran.append(task["start-time"] + sum(max(0, task["status-duration"][state]) for state in before))
    rest.cancel(new)
    rest.wait_for_end(new, 120)
    return float(max(ran) - asked) / 1000


def main(rounds: int) -> int:
    distribution = find_distribution(os.environ, (1, 20))
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        cluster = start_cluster(distribution, folder / "store", os.environ)
        try:
            script = Script(cluster.url, folder / "script", str(distribution.python))
            script.measure()  # the first of a cluster loads its classes
            ours, theirs = [], []
            for number in range(rounds):
                ours.append(Applies(cluster.url, folder / str(number), str(distribution.python)).measure())
                theirs.append(script.measure())
        finally:
            cluster.close()
    ratios = []
    for name, index in (("start to a checkpoint", 0), ("down in an update", 1)):
        udfs, hand = (statistics.median(pair[index] for pair in pairs) for pairs in (ours, theirs))
        ratios.append(udfs / hand)
        print(f"{name}: udfs {udfs:.1f} s, script {hand:.1f} s, ratio {udfs / hand:.2f} (at most {BOUND})")
    return int(max(ratios) > BOUND)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
