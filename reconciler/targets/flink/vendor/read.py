"""
Read the live state of a namespace: one listing of deployments, one of the bucket, and the newest entry of the ledger.

Of a deployment whose job does not run its jobs are asked for, since the summary of a deployment does not tell how the last of them ended; of those
that run, nothing. A deployment that was changed while its job runs says so (``deploymentHasChanged``), and that is a finding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.base.activity import activity
from reconciler.core.kind import Mark
from reconciler.core.record import Reading
from reconciler.core.state import Live
from reconciler.engine.ledger import fetch_listed
from reconciler.targets.flink.objects import (
    FINISHED,
    KINDS,
    RUNNING,
    UNKNOWN,
    DeployedJob,
    SharedFile,
)
from reconciler.targets.flink.read import GONE, OLDER, TWICE
from reconciler.targets.flink.vendor.deployments import (
    ADOPTED,
    body_digest,
    body_of,
    job_of_deployment,
    read_label,
    read_time,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.core.kind import Key
    from reconciler.core.record import Entry
    from reconciler.targets.flink.vendor.bucket import StackBucket
    from reconciler.targets.flink.vendor.client import VervericaClient

ACTIVE = frozenset({"STARTING", "RUNNING", "CANCELLING"})
STOPPED = "stopped"
_ENDS = {"FAILED": "failed", "CANCELLED": "cancelled"}
_STOP = "STOP_WITH_SAVEPOINT"


@dataclass(frozen=True)
class NamespaceReading:
    """One look at a namespace."""

    client: VervericaClient
    bucket: StackBucket
    options: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Flink's options that the manifest names, by job: the service fills in others."""

    @property
    def _stack(self) -> str:
        return self.bucket.layout.stack

    def read(self, digests: dict[tuple[str, int], str], *, full: bool = False) -> Reading:
        """Return every file and function of the stack, and every deployment; `digests` are those of files that are known, by name and size."""
        with activity(f"reading {self.client.location}") as reading:
            listing = self.bucket.list_all()
            reading.count("files", len(listing.files))
            epochs = listing.epochs
            last = fetch_listed(self.bucket.entries, self._stack, epochs[-1], KINDS) if epochs else None
            if last is not None:
                for applied in last.objects.values():
                    if isinstance(applied.object, SharedFile) and applied.object.digest:
                        digests[applied.object.name, applied.object.size] = applied.object.digest
            trusted = {} if full else digests
            lives = [self.live_file(name, size, trusted) for name, size in listing.files.items()]
            lives += [Live(function, mark=Mark(self._stack)) for function in listing.functions]
            deployments = list(self.client.deployments())
            reading.count("jobs", len(deployments))
            lives += [self.live_job(deployment, last) for deployment in deployments]
            return Reading({live.object.key: live for live in lives}, epochs, last)

    def find(self, key: Key, digests: dict[tuple[str, int], str]) -> Live | None:
        """Return one object as it is now, or None."""
        match key.kind:
            case "file":
                size = self.bucket.find_file(key.name)
                return None if size is None else self.live_file(key.name, size, digests)
            case "function":
                function = self.bucket.find_function(key.folded)
                return None if function is None else Live(function, mark=Mark(self._stack))
            case _:
                deployment = self.client.find_named(key.name)
                return None if deployment is None else self.live_job(deployment, None)

    def live_file(self, name: str, size: int, digests: Mapping[tuple[str, int], str]) -> Live:
        """Return a file; one whose digest is not known, for its name and its size, is fetched."""
        digest = digests.get((name, size)) or self.bucket.digest(name)
        sha256 = digest if digest.startswith(name.partition("/")[0]) else None
        return Live(SharedFile(name, digest, size), mark=Mark(self._stack, sha256, sha256))

    def live_job(self, deployment: Mapping[str, Any], last: Entry | None) -> Live:
        """Return a deployment as what it is: ours, another stack's, or nobody's."""
        mark, digest = read_label(deployment)
        name = str(deployment.get("name"))
        if mark is None or mark.stack != self._stack:
            job = DeployedJob(name, UNKNOWN)
        else:
            options = self.options.get(name, frozenset[str]())
            definition = self._definition(deployment, digest, last)
            job = job_of_deployment(deployment, definition, self.bucket.layout, options)
            job = job._replace(state=self._state(deployment))
        return Live(
            job,
            owner=str(deployment.get("creatorName") or deployment.get("creator") or ""),
            updater=str(deployment.get("modifierName") or deployment.get("modifier") or ""),
            created=read_time(deployment.get("createdAt")),
            modified=read_time(deployment.get("modifiedAt")),
            mark=mark,
        )

    def _definition(self, deployment: Mapping[str, Any], digest: str, last: Entry | None) -> DeployedJob | None:
        if digest == ADOPTED:
            return None
        name, body = str(deployment.get("name")), body_of(deployment)
        for applied in last.objects.values() if last is not None else ():
            job = applied.object
            if isinstance(job, DeployedJob) and job.name == name and body_digest(job, body) == digest:
                self.bucket.remember(job, digest)
        return self.bucket.definition(name, digest)

    def _state(self, deployment: Mapping[str, Any]) -> str:
        """Return what a deployment's job does, in words that a plan can show."""
        summary = deployment.get("jobSummary") or {}
        active = sum(int(summary.get(status.lower()) or 0) for status in ACTIVE)
        if active:
            if active > 1:
                return TWICE
            return OLDER if deployment.get("deploymentHasChanged") else RUNNING
        jobs = self.client.jobs(str(deployment["deploymentId"]))
        if not jobs:
            return GONE
        status = job_status(jobs[0])
        if status in _ENDS:
            return _ENDS[status]
        return STOPPED if find_stop_savepoint(self.client, jobs[0]) is not None else FINISHED


def job_status(job: Mapping[str, Any]) -> str:
    """Return the status of a job, as the service calls it."""
    return str((job.get("status") or {}).get("currentJobStatus") or "")


def find_stop_savepoint(client: VervericaClient, job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the savepoint by which a job was stopped, or None."""
    savepoints = client.savepoints(str(job.get("deploymentId")), str(job.get("jobId")))
    return next((each for each in savepoints if each.get("savepointOrigin") == _STOP), None)
