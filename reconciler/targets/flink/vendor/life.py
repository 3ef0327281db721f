"""
Life of a deployment: stopped with a savepoint, changed, started from that; and back to what it was where the new one does not get healthy.

The service keeps deployments, jobs and savepoints, so nothing else has to be remembered between the steps: whoever comes after a run that was killed
finds a deployment without a job, and the savepoint by which that was stopped. Who was killed while a new version gets healthy leaves it running, and
nobody goes back from it but a later apply of the old manifest. That a deployment has one job at a time is a guess that the local
service can be told not to keep.

Whether a new graph takes the state is not compared before: the API plans no program. What cannot take it fails, and the old one runs again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import ServiceError
from reconciler.targets.flink.causes import choose_cause
from reconciler.targets.flink.health import Health, JobPatience
from reconciler.targets.flink.vendor.read import ACTIVE, find_stop_savepoint, job_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.targets.flink.vendor.client import VervericaClient

_USUAL: JobPatience = JobPatience()
_NONE: Mapping[str, Any] = {"kind": "NONE"}
_LATEST: Mapping[str, Any] = {"kind": "LATEST_STATE", "allowNonRestoredState": False}
_SHOWN = 30


@dataclass(frozen=True)
class DeploymentLife:
    """The life of one deployment."""

    client: VervericaClient
    number: str
    name: str
    between: float = 1.0
    """Seconds between two looks."""

    patience: JobPatience = _USUAL
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def begin(self) -> None:
        """Start a deployment that is new; it goes again where its job does not get healthy, E492."""
        health = self._start(_NONE)
        if health.is_sound:
            return
        self.stop(keep_state=False)
        self.client.delete_deployment(self.number)
        raise ServiceError(
            "E492", f"the job {self.name} did not start", hint="mend it, and apply again", detail=health.cause
        )

    def change(self, before: Mapping[str, Any], update: Callable[[], None], *, keep_state: bool) -> None:
        """
        Change a deployment by `update`, and start it with the state that its job had; `before` are the fields as they were.

        Raises E491 if the old one runs again, E492 if none ran before, E493 if neither runs, E668 if there is no savepoint.
        """
        jobs = self.client.jobs(self.number)
        was_running = any(job_status(job) in ACTIVE for job in jobs)
        savepoint = self.stop(keep_state=keep_state) if was_running else self._last_savepoint(jobs)
        state = self._state_to_start_from(jobs, savepoint, was_running=was_running)
        try:
            update()
            health = self._start(state if keep_state else _NONE)
        except ServiceError as error:
            if error.outcome == "unknown" or not was_running:
                raise
            health = Health(False, (str(error), *(line for problem in error.problems for line in problem.detail)))
        if not health.is_sound:
            raise self._return(before, state, health, was_running=was_running)

    def stop(self, *, keep_state: bool) -> str | None:
        """Stop what runs, and return the number of the savepoint; one that takes none is stopped without where its state is not kept."""
        savepoint = None
        for job in [job for job in self.client.jobs(self.number) if job_status(job) in ACTIVE]:
            is_batch = job.get("executionMode") == "BATCH"
            try:
                savepoint = self._stop_job(str(job["jobId"]), with_savepoint=not is_batch and keep_state)
            except ServiceError as error:
                if keep_state or error.outcome == "unknown":
                    raise
        return savepoint

    def _stop_job(self, job: str, *, with_savepoint: bool) -> str | None:
        answer = self.client.read_job(job)
        if job_status(answer) in ACTIVE - {"CANCELLING"}:
            self.client.stop_job(job, "STOP_WITH_SAVEPOINT" if with_savepoint else "NONE")
        seconds = self.patience.stop if with_savepoint else self.patience.end
        limit = self.clock() + seconds
        while self.clock() < limit:
            status = job_status(self.client.read_job(job))
            savepoint = find_stop_savepoint(self.client, answer) if with_savepoint else None
            state = str((savepoint or {}).get("status", {}).get("state", ""))
            if state == "FAILED" and status in ACTIVE:
                raise ServiceError(
                    "E668", f"the job {self.name} took no savepoint, and runs on", detail=_why(savepoint)
                )
            if status not in ACTIVE and state != "STARTED":
                return str(savepoint["savepointId"]) if savepoint is not None and state == "COMPLETED" else None
            self.pause(self.between)
        message = f"the job {self.name} has not ended within {seconds:g} seconds"
        raise ServiceError("E494", message, hint="look at it in the console, and apply again")

    def _last_savepoint(self, jobs: list[dict[str, Any]]) -> str | None:
        """Return the savepoint by which the last job was stopped."""
        savepoint = find_stop_savepoint(self.client, jobs[0]) if jobs and job_status(jobs[0]) != "FAILED" else None
        return str(savepoint["savepointId"]) if savepoint is not None else None

    def _state_to_start_from(
        self, jobs: list[dict[str, Any]], savepoint: str | None, *, was_running: bool
    ) -> Mapping[str, Any]:
        if savepoint is not None:
            return {"kind": "FROM_SAVEPOINT", "savepointId": savepoint, "allowNonRestoredState": False}
        # One that came to its end by itself begins anew; of one that failed the last checkpoint is the state.
        has_state = was_running or (bool(jobs) and job_status(jobs[0]) != "FINISHED")
        return _LATEST if has_state else _NONE

    def _return(
        self, before: Mapping[str, Any], state: Mapping[str, Any], health: Health, *, was_running: bool
    ) -> ServiceError:
        """Go back to the old one; return the error that says so."""
        self.stop(keep_state=False)
        hint = "its state is on the service; mend it, and apply again"
        if not was_running:
            return ServiceError("E492", f"the job {self.name} did not start", hint=hint, detail=health.cause)
        self.client.update_deployment(self.number, before)
        again = self._start(state)
        if not again.is_sound:
            self.stop(keep_state=False)
            message = f"neither the new {self.name} nor the old one starts"
            return ServiceError("E493", message, hint=hint, detail=(*health.cause, *again.cause))
        message = f"the new {self.name} did not start, and the old one runs again, with its state"
        return ServiceError("E491", message, detail=health.cause)

    # --- Health -------------------------------------------------------------------------------------------------------------

    def _start(self, state: Mapping[str, Any]) -> Health:
        job = self.client.start_job(self.number, state)
        number = str(job.get("jobId") or self.client.jobs(self.number)[0]["jobId"])
        limit, is_asked = self.clock() + self.patience.start, False
        while self.clock() < limit:
            answer = self.client.read_job(number)
            status, running = job_status(answer), (answer.get("status") or {}).get("running") or {}
            if status == "FINISHED":
                return Health(True)
            if status in {"FAILED", "CANCELLED"}:
                return Health(False, _why(answer.get("status")) or (f"the job is {status}",))
            if status == "RUNNING":
                if int(running.get("observedFlinkJobRestarts") or 0):
                    return Health(False, self._exceptions(number) or ("the job was restarted",))
                if answer.get("executionMode") == "BATCH" or self._has_checkpoint(number, is_asked=is_asked):
                    return Health(True)
                is_asked = True
            self.pause(self.between)
        return Health(False, (f"it completed no checkpoint within {self.patience.start:g} seconds",))

    def _has_checkpoint(self, job: str, *, is_asked: bool) -> bool:
        """Say whether a job has completed a checkpoint: Flink's own count, or, where that is not to be had, a savepoint that is asked for."""
        counts = self._ask_flink(job, "checkpoints").get("counts")
        if isinstance(counts, dict):
            return bool(counts.get("completed"))
        if not is_asked:
            self.client.create_savepoint(self.number)
        states = [(each.get("status") or {}).get("state") for each in self.client.savepoints(self.number, job)]
        return "COMPLETED" in states

    def _exceptions(self, job: str) -> tuple[str, ...]:
        answer = self._ask_flink(job, "exceptions")
        history = (answer.get("exceptionHistory") or {}).get("entries") or ()
        earlier = (str(entry.get("stacktrace") or "") for entry in history)
        return choose_cause((str(answer.get("root-exception") or ""), *earlier))[-_SHOWN:]

    def _ask_flink(self, job: str, what: str) -> Mapping[str, Any]:
        # That Flink's number of a job is the service's without its dashes is a guess; a wrong one leads to no answer.
        try:
            answer = self.client.ask_flink(job, f"/jobs/{job.replace('-', '')}/{what}")
        except ServiceError as error:
            if error.outcome == "unknown":
                raise
            return {}
        return answer if isinstance(answer, dict) else {}


def _why(answer: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the lines that say why a job or a savepoint failed."""
    failure = (answer or {}).get("failure") or (answer or {}).get("status", {}).get("failure") or {}
    return choose_cause((str(failure.get("message") or ""), str(failure.get("reason") or "")))[-_SHOWN:]
