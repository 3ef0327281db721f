"""The vendor's SDK of Realtime Compute, with shorter calls: each is one call of its client, unchanged."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

import pytest

NAMESPACE = "risk-default"
PROGRAM = b"print('a job')\n"


class RealtimeCompute:
    """A client of the vendor's SDK."""

    def __init__(self, authority: str, access_id: str = "ann", secret: str = "secret") -> None:
        module = pytest.importorskip(
            "alibabacloud_ververica20220718.client", reason="the vendor's SDK of Realtime Compute is not installed"
        )
        from alibabacloud_tea_openapi.utils_models import Config
        from alibabacloud_ververica20220718 import models
        from darabonba.runtime import RuntimeOptions

        self.models, self._options = models, RuntimeOptions(autoretry=False)
        config = Config(access_key_id=access_id, access_key_secret=secret, endpoint=authority, protocol="http")
        self._client = module.Client(config)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an operation with the workspace in its headers, and return the body of its answer."""
        headers = getattr(self.models, "".join(part.capitalize() for part in name.split("_")) + "Headers")
        operation = getattr(self._client, f"{name}_with_options")
        return operation(*arguments, headers(workspace="w1"), self._options).body

    def upload(self, name: str, content: bytes = PROGRAM) -> str:
        """Upload a file by a presigned address, and return its URI."""
        request = self.models.GetPreSignedUrlForPutObjectRequest(file_name=name)
        data = self.call("get_pre_signed_url_for_put_object", NAMESPACE, request).data
        # The SDK is done with that: the file itself is sent by whatever speaks HTTP.
        with urllib.request.urlopen(urllib.request.Request(data.pre_signed_url, content, method="PUT")) as answer:
            assert answer.status == 200
        return str(data.jar_url)

    def deployment(self, **fields: Any) -> Any:
        """Return a deployment as it is to be created."""
        python = self.models.PythonArtifact(
            python_artifact_uri=self.upload("main.py"),
            additional_python_libraries=[],
            additional_dependencies=[],
            additional_python_archives=[],
            main_args="--out x",
        )
        artifact = self.models.Artifact(kind="PYTHON", python_artifact=python)
        target = self.models.BriefDeploymentTarget(mode="PER_JOB", name="default-queue")
        usual = {"name": "words", "execution_mode": "STREAMING", "artifact": artifact, "deployment_target": target}
        return self.models.Deployment(**{**usual, **fields})

    def create(self, **fields: Any) -> Any:
        request = self.models.CreateDeploymentRequest(body=self.deployment(**fields))
        return self.call("create_deployment", NAMESPACE, request)

    def get(self, number: str) -> Any:
        return self.call("get_deployment", NAMESPACE, number).data

    def update(self, number: str, **fields: Any) -> Any:
        request = self.models.UpdateDeploymentRequest(body=self.models.Deployment(**fields))
        return self.call("update_deployment", NAMESPACE, number, request)

    def page(self, **query: Any) -> Any:
        return self.call("list_deployments", NAMESPACE, self.models.ListDeploymentsRequest(**query))

    def start(self, number: str, kind: str = "NONE", savepoint: str | None = None) -> Any:
        strategy = self.models.DeploymentRestoreStrategy(
            kind=kind, savepoint_id=savepoint, allow_non_restored_state=False
        )
        body = self.models.JobStartParameters(deployment_id=number, restore_strategy=strategy)
        return self.call("start_job_with_params", NAMESPACE, self.models.StartJobWithParamsRequest(body=body))

    def job(self, number: str) -> Any:
        return self.call("get_job", NAMESPACE, number).data

    def stop(self, number: str, strategy: str = "STOP_WITH_SAVEPOINT") -> Any:
        body = self.models.StopJobRequestBody(stop_strategy=strategy)
        return self.call("stop_job", NAMESPACE, number, self.models.StopJobRequest(body=body))

    def wait(self, number: str, *states: str, seconds: float = 10) -> Any:
        """Return a job as soon as it is in one of some states."""
        for _ in range(int(seconds * 20)):
            job = self.job(number)
            if job.status.current_job_status in states:
                return job
            time.sleep(0.05)
        raise AssertionError(f"the job {number} is in none of {states}")

    def savepoints(self, **query: Any) -> list[Any]:
        request = self.models.ListSavepointsRequest(**query)
        return list(self.call("list_savepoints", NAMESPACE, request).data)
