"""
Questions to an account of Realtime Compute: each is asked through the API, and the answer stands beside what udfs takes for granted.

Everything is called `udfs-verify-…` and is deleted at the end. Without ``--run`` no job is started.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import ServiceError, UdfsError
from reconciler.targets.credentials.links import open_source
from reconciler.targets.flink.manifest import Target
from reconciler.targets.flink.vendor.client import VervericaClient
from reconciler.targets.flink.vendor.read import ACTIVE, find_stop_savepoint, job_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = (
    "CREATE TEMPORARY TABLE s (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');\n"
    "CREATE TEMPORARY TABLE t (a INT) WITH ('connector' = 'blackhole');\nINSERT INTO t SELECT a FROM s;\n"
)
PATIENCE = 600


class Account:
    """An account, and what was made in it."""

    def __init__(self, client: VervericaClient, bucket: str) -> None:
        self.client, self.bucket = client, bucket
        self.engines: dict[str, Any] = {}
        self.made: list[str] = []

    def path(self, *parts: str) -> str:
        return "/".join(("/api/v2/namespaces", self.client.namespace, *parts))

    def create(self, **fields: Any) -> dict[str, Any]:
        name = f"udfs-verify-{uuid.uuid4().hex[:8]}"
        script = {"kind": "SQLSCRIPT", "sqlArtifact": {"sqlScript": SCRIPT}}
        usual = {
            "name": name,
            "executionMode": "STREAMING",
            "engineVersion": self.engines.get("defaultEngineVersion"),
            "deploymentTarget": {"mode": "PER_JOB", "name": os.environ.get("VERVERICA_QUEUE", "default-queue")},
            "artifact": script,
        }
        deployment = self.client.create_deployment({**usual, **fields})
        self.made.append(str(deployment["deploymentId"]))
        return deployment

    def python(self, **fields: Any) -> dict[str, Any]:
        uri = f"oss://{self.bucket}/artifacts/namespaces/{self.client.namespace}/udfs-verify.py"
        return {"kind": "PYTHON", "pythonArtifact": {"pythonArtifactUri": uri, **fields}}

    def clean(self) -> None:
        for number in self.made:
            for job in self.client.jobs(number):
                if job_status(job) in ACTIVE:
                    self.client.stop_job(str(job["jobId"]), "NONE")
                    self.wait(str(job["jobId"]), "CANCELLED", "FAILED", "FINISHED")
            self.client.delete_deployment(number)

    def wait(self, job: str, *states: str) -> str:
        limit = time.monotonic() + PATIENCE
        while (status := job_status(self.client.read_job(job))) not in states and time.monotonic() < limit:
            time.sleep(0.2 if "127.0.0.1" in self.client.endpoint else 3)
        return status


def refusal(ask: Callable[[], object]) -> str:
    """Return what is said to a question that may be refused."""
    try:
        ask()
    except ServiceError as error:
        return f"refused: {error.service_code}" if error.service_code else "refused"
    return "taken"


def questions(account: Account) -> Iterator[tuple[str, str, str]]:
    """Yield each question, what udfs takes for granted, and the answer; "" where udfs does with any."""
    client = account.client
    account.engines = client.get("ListEngineVersionMetadata", "/api/v2/engine-version-meta.json")["data"]
    versions = [engine["engineVersion"] for engine in account.engines["engineVersionMetadata"]]
    yield "engineVersion", "", ", ".join(versions)
    for kind in (None, "application/octet-stream"):
        answer = client.get(
            "GetPreSignedUrlForPutObject",
            f"/artifacts/v2/namespaces/{client.namespace}/getPreSignedUrlForPutObject",
            fileName="udfs-verify.py",
        )["data"]
        yield f"presigned PUT with Content-Type {kind or 'of nobody'}", "", put(answer["preSignedUrl"], kind)
        yield "where that comes to lie", account.python()["pythonArtifact"]["pythonArtifactUri"], answer["jarUrl"]
    first = account.create(
        flinkConf={"table.exec.mini-batch.size": "7", "parallelism.default": "1"}, labels={"a": "1", "b": "2"}
    )
    number = str(first["deploymentId"])
    options = client.read_deployment(number).get("flinkConf") or {}
    yield (
        "options that the service fills in",
        "",
        ", ".join(sorted(options.keys() - {"table.exec.mini-batch.size", "parallelism.default"})),
    )
    yield "how a time is written", "", f"{type(first.get('createdAt')).__name__} {first.get('createdAt')}"
    client.update_deployment(number, {"flinkConf": {"parallelism.default": "1"}})
    left = "table.exec.mini-batch.size" in (client.read_deployment(number).get("flinkConf") or {})
    yield "an update of maps", "replaces", "merges" if left else "replaces"
    client.update_deployment(number, {"labels": {"a": "1"}})
    yield "an update of labels", "replaces", "merges" if "b" in client.read_deployment(number)["labels"] else "replaces"
    yield (
        "a fourth label",
        "refused",
        refusal(lambda: client.update_deployment(number, {"labels": dict.fromkeys("abcd", "1")})),
    )
    yield (
        "the label udfs",
        "taken",
        refusal(lambda: client.update_deployment(number, {"labels": {"udfs": "risk.3fa9c1d2e4f5"}})),
    )
    uri = f"oss://{account.bucket}/artifacts/namespaces/{client.namespace}/udfs-verify.py"
    python = account.create(artifact=account.python(additionalDependencies=[uri, f"{uri}?"]))
    client.update_deployment(str(python["deploymentId"]), {"artifact": account.python(additionalDependencies=[uri])})
    detail = client.read_deployment(str(python["deploymentId"]))["artifact"]["pythonArtifact"]
    yield "an update of lists", "replaces", "replaces" if detail["additionalDependencies"] == [uri] else "merges"
    artifact = account.python(additionalPythonArchives=[f"{uri}#data"])
    yield "#name in Python Archives", "taken", refusal(lambda: account.create(artifact=artifact))
    yield "a second deployment of a name", "refused", refusal(lambda: account.create(name=first["name"]))
    yield (
        "a name in a list",
        "",
        ", ".join(each["name"] for each in client.deployments(name=first["name"][:-1])) or "whole names alone",
    )
    yield (
        "a deployment that is not there",
        "refused: …NotFound",
        refusal(lambda: client.read_deployment(str(uuid.uuid4()))),
    )
    body = {"name": f"udfs-verify-{uuid.uuid4().hex[:8]}", "artifactType": "ARTIFACT_TYPE_PYTHON", "jarUrl": uri}
    yield (
        "a UDF artifact of Python",
        "",
        refusal(lambda: client.send("POST", "CreateUdfArtifact", account.path("udfartifacts"), body)),
    )
    client.remove("DeleteUdfArtifact", account.path("udfartifacts", body["name"]))


def questions_of_a_job(account: Account) -> Iterator[tuple[str, str, str]]:
    """Yield the questions that take a job that runs."""
    client = account.client
    number = str(account.create(labels={"a": "1"})["deploymentId"])
    job = str(client.start_job(number, {"kind": "NONE"})["jobId"])
    yield "a job that was started", "RUNNING", account.wait(job, "RUNNING", "FAILED")
    yield "a second start", "refused", refusal(lambda: client.start_job(number, {"kind": "NONE"}))
    answer = None
    try:
        answer = client.ask_flink(job, f"/jobs/{job.replace('-', '')}/checkpoints")
    except ServiceError:
        pass
    has_counts = isinstance(answer, dict) and "counts" in answer
    yield "Flink's number of a job is its own without dashes", "yes", "yes" if has_counts else "no"
    client.update_deployment(number, {"labels": {"a": "2"}})
    yield (
        "other labels mark a deployment as changed",
        "False",
        str(client.read_deployment(number)["deploymentHasChanged"]),
    )
    client.update_deployment(number, {"flinkConf": {"table.exec.mini-batch.size": "7"}})
    yield "another option does", "True", str(client.read_deployment(number)["deploymentHasChanged"])
    yield "deleting it while its job runs", "refused", refusal(lambda: client.delete_deployment(number))
    client.stop_job(job, "STOP_WITH_SAVEPOINT")
    yield "a job that was stopped with a savepoint", "", account.wait(job, "FINISHED", "CANCELLED", "FAILED")
    savepoint = find_stop_savepoint(client, {"deploymentId": number, "jobId": job}) or {}
    yield "its savepoint", "COMPLETED", str((savepoint.get("status") or {}).get("state"))
    client.delete_deployment(number)
    account.made.remove(number)
    gone = refusal(lambda: client.get("GetSavepoint", account.path("savepoints", str(savepoint.get("savepointId")))))
    yield "a savepoint after its deployment was deleted", "taken", gone


def put(address: str, kind: str | None) -> str:
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(address, b"print()\n", headers, method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="start a job, too")
    arguments, env = parser.parse_args(), os.environ
    endpoint = env["VERVERICA_ENDPOINT"]
    region = env.get("VERVERICA_REGION") or Target(endpoint=endpoint).own_region or "cn-hangzhou"
    client = VervericaClient(
        endpoint,
        region,
        open_source(None, env),
        "udfs-verify",
        lambda: uuid.uuid4().hex,
        workspace=env["VERVERICA_WORKSPACE"],
        namespace=env["VERVERICA_NAMESPACE"],
    )
    account, others = Account(client, env["VERVERICA_BUCKET"]), 0
    try:
        for ask in (questions, *((questions_of_a_job,) if arguments.run else ())):
            for question, taken, answer in ask(account):
                is_same = not taken or answer == taken or (taken.startswith("refused") and answer.startswith("refused"))
                others += not is_same
                beside = "" if is_same else f" (udfs takes for granted: {taken})"
                print(f"{'ok   ' if is_same else 'OTHER'} {question}: {answer}{beside}", flush=True)
    except UdfsError as error:
        print(f"STOP  {error}", file=sys.stderr)
        return 1
    finally:
        account.clean()
    return 2 if others else 0


if __name__ == "__main__":
    sys.exit(main())
