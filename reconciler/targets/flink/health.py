"""
Health of a job: it runs with all its vertices, and after that completed a checkpoint, without a restart between.

RUNNING alone is no health: a job whose functions cannot read their state is RUNNING between two failures, and so is one whose worker hangs [run on
1.20.5]. Checkpoints that fail before all vertices run do not count; a start has dozens of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.targets.flink.rest import FlinkRest

ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})
_RUNS = frozenset({"RUNNING", "FINISHED"})
_FAILS = frozenset({"FAILED", "FAILING", "CANCELED", "CANCELLING", "RESTARTING"})
_NAME = 60
_SILENT = "a worker in Python that hangs shows no other sign"
_BETWEEN = 2.0
"""Seconds between two checkpoints that are asked for."""


@dataclass(frozen=True)
class JobPatience:
    """Seconds that the steps of a job's life may take."""

    start: float = 600
    """From the submission to health: workers unpack their environment and import it."""

    stop: float = 300
    """For a savepoint."""

    end: float = 260
    """After a cancel: where a worker hangs, Flink ends the TaskManager after 180 [``task.cancellation.timeout``]."""


@dataclass(frozen=True)
class Health:
    """What became of a job that was started."""

    is_sound: bool
    cause: tuple[str, ...] = ()
    """Why it is not, the last line first of all."""


def wait_for_health(rest: FlinkRest, job: str, seconds: float) -> Health:
    """Return once a job is healthy, has finished, fails, or time is over."""
    limit, asked, lacks = rest.clock() + seconds, float("-inf"), ""
    while rest.clock() < limit:
        answer = rest.find(job)
        if answer is None:
            return Health(False, ("the cluster does not know the job any more",))
        if (verdict := _judge(rest, job, answer)) is not None:
            return verdict
        lacks = _find_lack(answer)
        if answer["state"] == "RUNNING" and not lacks:
            checkpoints = {} if is_batch(answer) else rest.checkpoints(job)
            if is_batch(answer) or checkpoints["completed"]:
                return Health(True)
            # Those that are asked for while one is under way are all made after it.
            if not checkpoints.get("in_progress") and rest.clock() - asked >= _BETWEEN:
                asked = rest.clock()
                rest.trigger_checkpoint(job)
        rest.pause(0.5)
    within = f"within {seconds:g} seconds"
    why = rest.why_failed(job)
    silent = () if why else (_SILENT,)
    return Health(
        False, (*why, f"it did not run {within}: {lacks}" if lacks else f"it completed no checkpoint {within}", *silent)
    )


def _judge(rest: FlinkRest, job: str, answer: Mapping[str, Any]) -> Health | None:
    """Return what a job came to by a cluster's answer about it; None while that is open."""
    state = str(answer["state"])
    if state == "FINISHED":
        return Health(True)
    if state in _FAILS or has_restarted(answer):
        return Health(False, rest.why_failed(job) or (f"the job is {state}",))
    return None


def _find_lack(answer: Mapping[str, Any]) -> str:
    """Return the first part of a job that does not run, and what it is instead; nothing if all do."""
    return next((_say(vertex) for vertex in answer["vertices"] if vertex["status"] not in _RUNS), "")


def _say(vertex: Mapping[str, Any]) -> str:
    name = str(vertex["name"])
    return f"{name[:_NAME]}{'…' if name[_NAME:] else ''} is {vertex['status']}"


def end_job(rest: FlinkRest, job: str, seconds: float) -> None:
    """Cancel a job and wait until it has ended; E494 if it does not."""
    answer = rest.find(job)
    if answer is None or answer["state"] in ENDED:
        return
    rest.cancel(job)
    if rest.wait_for_end(job, seconds) not in ENDED:
        message = f"the job {job} has not ended {seconds:g} seconds after its cancel"
        hint = "one of its workers may hang: Flink ends the TaskManager with it; apply again then"
        raise ServiceError("E494", message, hint=hint)


def has_restarted(answer: Mapping[str, Any]) -> bool:
    """Say whether a job was restarted since it was submitted."""
    return bool(answer.get("timestamps", {}).get("RESTARTING"))


def is_batch(answer: dict[str, Any]) -> bool:
    """Say whether a job is of those that keep no state and take no savepoint."""
    return answer.get("job-type") == "BATCH"
