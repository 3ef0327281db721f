"""Make one change: an object of the bucket is created or removed, a registration is written, a deployment is made, changed or deleted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import ServiceError
from reconciler.core.diff import Action
from reconciler.engine.staleness import gone_stale
from reconciler.targets.flink.objects import RUNNING, DeployedJob, RegisteredFunction, SharedFile
from reconciler.targets.flink.vendor.deployments import (
    ADOPTED,
    LABEL,
    JobBody,
    body_digest,
    body_of,
    changed_fields,
    deployment_fields,
    execution_mode,
    head_text,
    is_sql,
    label_of,
    read_label,
    script_text,
)
from reconciler.targets.flink.vendor.life import DeploymentLife
from reconciler.targets.planned_files import open_planned
from reconciler.targets.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.state import Live
    from reconciler.targets.flink.vendor.read import NamespaceReading

_BETWEEN = 2.0
_BETWEEN_HERE = 0.1
"""Seconds between two looks at a job of the service, and of the one built in."""


@dataclass(frozen=True)
class NamespaceWriting:
    """One connection's writes."""

    reading: NamespaceReading
    digests: dict[tuple[str, int], str]
    queue: str

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        """Make a change and return what is there afterwards; StalePlan when somebody else was there first."""
        if change.action is Action.RELEASE or change.desired is None:
            self._remove(change)
            return self.reading.find(change.key, self.digests) if change.action is Action.RELEASE else None
        match change.desired.object:
            case SharedFile() as file:
                if change.action is not Action.ADOPT:
                    with open_planned(contents, change.desired) as content:
                        self.reading.bucket.put_file(file.name, content, progress)
                    self.digests[file.name, file.size] = content.sha256
            case RegisteredFunction() as function:
                self.reading.bucket.put_function(function)
            case DeployedJob() as job:
                self._put_job(change, job)
        return self.reading.find(change.key, self.digests)

    def _remove(self, change: Change) -> None:
        bucket, is_release = self.reading.bucket, change.action is Action.RELEASE
        match change.object:
            case SharedFile(name):
                if not is_release:
                    bucket.remove_file(name)
            case RegisteredFunction():
                bucket.remove_function(change.key.folded)
            case DeployedJob() as job:
                deployment = self._require_ours(change, job.name)
                number = str(deployment["deploymentId"])
                if is_release:
                    labels = {name: text for name, text in deployment["labels"].items() if name != LABEL}
                    self.reading.client.update_deployment(number, {"labels": labels})
                else:
                    self._life(number, job.name).stop(keep_state=job.on_change == "savepoint")
                    self.reading.client.delete_deployment(number)
                bucket.remove_traces(job.name)

    # --- Jobs ---------------------------------------------------------------------------------------------------------------

    def _put_job(self, change: Change, job: DeployedJob) -> None:
        client = self.reading.client
        if change.action is Action.ADOPT:
            deployment = client.find_named(job.name)
            if deployment is None:
                raise gone_stale(change.key, "was deleted by somebody else")
            labels = {**(deployment.get("labels") or {}), LABEL: label_of(self.reading.bucket.layout.stack, ADOPTED)}
            client.update_deployment(str(deployment["deploymentId"]), {"labels": labels})
            return
        body = self._body(job)
        digest = body_digest(job, body)
        fields = deployment_fields(job, body, self.reading.bucket.layout)
        deployment = client.find_named(job.name)
        self.reading.bucket.put_definition(job, digest)
        if deployment is None:
            if change.action is not Action.CREATE:
                raise gone_stale(change.key, "was deleted by somebody else")
            self._create(job, fields)
        else:
            mark, _ = read_label(deployment)
            if mark is None or mark.stack != self.reading.bucket.layout.stack:
                raise gone_stale(change.key, "was created by somebody else")
            self._update(job, deployment, fields)
        self.reading.bucket.remove_traces(job.name, digest, self._head_digest(job))

    def _create(self, job: DeployedJob, fields: dict[str, Any]) -> None:
        target = {"mode": "PER_JOB", "name": self.queue}
        deployment = self.reading.client.create_deployment({**fields, "deploymentTarget": target})
        number = str(deployment.get("deploymentId") or "")
        if not number:
            raise self.reading.client.garbage("a deployment without a number")
        try:
            self._life(number, job.name).begin()
        except ServiceError as error:
            if error.outcome == "final" and self.reading.client.find_named(job.name) is None:
                self.reading.bucket.remove_traces(job.name)
            raise

    def _update(self, job: DeployedJob, deployment: dict[str, Any], fields: dict[str, Any]) -> None:
        client, number = self.reading.client, str(deployment["deploymentId"])
        if deployment.get("executionMode") != execution_mode(job) or body_of(deployment).is_sql != is_sql(job):
            message = f"the deployment {job.name} cannot become one of another kind, SQL or Python, streaming or batch"
            raise ServiceError("E760", message, hint="give the job another name; its state stays with the old one")
        definition = self.reading.bucket.definition(job.name, read_label(deployment)[1])
        options = {name for name, _ in definition.conf} if definition is not None else set()
        changes = changed_fields(deployment, fields, own_options=options)
        live = self.reading.live_job(deployment, None)
        assert isinstance(live.object, DeployedJob)
        if not changes.keys() - {"labels"} and live.object.state == RUNNING:
            if changes:
                client.update_deployment(number, changes)
            return

        def update() -> None:
            after = client.update_deployment(number, changes) if changes else client.read_deployment(number)
            differing = changed_fields(after, fields, own_options=options)
            if differing:
                names = ", ".join(sorted(differing))
                message = f"the service did not take {names} of {job.name} as it was sent"
                hint = (
                    "it may add to what is there: take away in its console what the manifest names no more, and apply"
                )
                raise ServiceError("E761", message, hint=hint)

        before = {name: deployment.get(name) for name in changes}
        self._life(number, job.name).change(before, update, keep_state=job.on_change == "savepoint")

    def _body(self, job: DeployedJob) -> JobBody:
        """Return what a deployment of a job runs, with its head written where it has functions to register."""
        bucket = self.reading.bucket
        if is_sql(job):
            return JobBody(script_text(job, bucket.fetch_text(job.program)), is_sql=True)
        address = bucket.layout.file_uri(job.program)
        if not job.functions:
            return JobBody(address)
        return JobBody(bucket.put_program(job.name, self._head_digest(job), head_text(job)))

    def _head_digest(self, job: DeployedJob) -> str:
        """Return the digest of the head of a job, which is the same for all versions of a program whose functions stay."""
        return hashlib.sha256(head_text(job).encode()).hexdigest()[:12] if not is_sql(job) else ""

    def _require_ours(self, change: Change, name: str) -> dict[str, Any]:
        deployment = self.reading.client.find_named(name)
        if deployment is None:
            raise gone_stale(change.key, "was deleted by somebody else")
        mark, _ = read_label(deployment)
        if mark is None or mark.stack != self.reading.bucket.layout.stack:
            raise gone_stale(change.key, "is no longer marked as this stack's")
        return deployment

    def _life(self, number: str, name: str) -> DeploymentLife:
        between = _BETWEEN_HERE if is_loopback(self.reading.client.endpoint) else _BETWEEN
        return DeploymentLife(self.reading.client, number, name, between)
