"""
The local Realtime Compute with a real Flink behind it: a stack is deployed there by commands, and the vendor's SDK leads a deployment through its life.

What the service makes of Flink's answers is here Flink's word; that the vendor's own service does the same is not shown by it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.flink.cluster import find_cluster
from reconciler.local.ververica import VervericaServer, VervericaSettings
from reconciler.local.ververica.engines import OwnFlink
from tests.contract.ververica.sdk import NAMESPACE, RealtimeCompute
from tests.flink.real import ENVIRONMENT, NIGHTLY
from tests.flink.test_real_applies import COUNTER, COUNTING, FUNCTIONS, JOB, Project, at_home

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [NIGHTLY, pytest.mark.timeout(1800)]

TARGET = """\
stack: risk
target: {{kind: flink}}
targets:
  prod: {{endpoint: "{url}", workspace: w1, namespace: risk-default, bucket: risk, engine: vvr-11.7-jdk11-flink-1.20}}
"""
PROGRAM = b"""\
from pyflink.table import EnvironmentSettings, TableEnvironment

table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
table.execute_sql(
    "CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '5',"
    " 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000')"
)
table.execute_sql("CREATE TEMPORARY TABLE rows_out (n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'life')")
table.execute_sql("INSERT INTO rows_out SELECT n FROM numbers")
"""


@dataclass(frozen=True)
class Deployed(Project):
    """A stack on the service, in the folder over which its Flink runs."""

    server: VervericaServer

    @property
    def head(self) -> str:
        return TARGET.format(url=self.server.url)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[VervericaServer]:
    with at_home(folder) as patch:
        patch.setenv("UDFS_CACHE_DIR", str(folder / "cache"))
        environment = {**ENVIRONMENT, "UDFS_FLINK": str(Path(ENVIRONMENT["UDFS_FLINK"]).absolute())}
        engine = OwnFlink(folder / ".udfs" / "flink", environment, (1, 20))
        settings = VervericaSettings(
            access_id="ann", access_key="canary-secret", bucket="risk", workspace="w1", usrlib=str(folder / "usrlib")
        )
        with VervericaServer(folder / "store", engine, settings) as live:
            yield live
    assert find_cluster(folder / ".udfs" / "flink") is None


@pytest.fixture
def project(folder: Path, server: VervericaServer) -> Iterator[Deployed]:
    with at_home(folder) as patch:
        patch.setenv("UDFS_CACHE_DIR", str(folder / "cache"))
        patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
        patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-secret")
        stack = Deployed(folder, "risk", server)
        yield stack
        if stack.manifest.exists():
            stack.run("destroy", "--yes")


def test_a_counter_goes_on_under_its_new_function_and_a_broken_one_is_given_up(project: Deployed) -> None:
    project.declare(FUNCTIONS + JOB, NAME__py=COUNTER, NAME__sql=COUNTING)
    project.run("apply", "--yes")
    _, before = project.counts("v1-")
    assert "Nothing to do" in project.run("plan").out
    project.edit("NAME.py", '"v1-"', '"v2-"')
    assert "restart from a savepoint, because risk.py changed" in project.run("plan").out
    project.run("apply", "--yes")
    project.require_higher("v2-", before)
    assert project.run("drift").code == 0
    _, before = project.counts("v2-")
    project.edit("NAME.py", 'return "v2-" + word', 'raise ValueError("on purpose")')
    failed = project.run("apply", "--yes", code=8).err
    place = project.log_size
    assert "ValueError: on purpose" in failed
    project.require_higher("v2-", before, after=place)


def test_the_vendors_sdk_starts_saves_stops_goes_on_and_deletes(project: Deployed) -> None:
    sdk = RealtimeCompute(project.server.authority, secret="canary-secret")
    artifact = sdk.models.Artifact(
        kind="PYTHON", python_artifact=sdk.models.PythonArtifact(python_artifact_uri=sdk.upload("life.py", PROGRAM))
    )
    number = sdk.create(name="life", artifact=artifact).data.deployment_id
    job = sdk.start(number).data
    sdk.wait(job.job_id, "RUNNING", seconds=300)
    seen = wait_for_rows(project, 10)
    sdk.stop(job.job_id)
    sdk.wait(job.job_id, "FINISHED", seconds=300)
    [saved] = sdk.savepoints(deployment_id=number)
    place = project.log_size
    again = sdk.start(number, "FROM_SAVEPOINT", saved.savepoint_id).data
    sdk.wait(again.job_id, "RUNNING", seconds=300)
    assert wait_for_rows(project, 5, after=place)[0] > seen[9], "it goes on where it was"
    sdk.stop(again.job_id, "NONE")
    sdk.wait(again.job_id, "CANCELLED", seconds=300)
    assert sdk.call("delete_deployment", NAMESPACE, number).success


def wait_for_rows(project: Project, count: int, *, after: int = 0) -> list[int]:
    for _ in range(480):
        rows = [int(number) for number in re.findall(r"life(?::\d+)?> \+I\[(\d+)\]", project.log(after))]
        if len(rows) >= count:
            return rows
        time.sleep(0.5)
    raise AssertionError("no rows came")
