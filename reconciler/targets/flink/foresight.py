"""
Foresight: whether a changed job would take the state of the one that runs, told before anybody agrees to the change.

To know a graph, Flink has to plan the program, which runs it. So that is done on a Flink of one's own alone, whose JobManager is a process of this user
on this machine: elsewhere whoever may propose a change would run programs on the cluster by it, and what is planned here has other options, another
parallelism and other connectors than there. So of other clusters it is told that nobody knows yet. Nothing is written but a folder of this command's.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.activity import activity
from reconciler.base.errors import Problem, ServiceError
from reconciler.base.inputs import SHIPPED, copy_input
from reconciler.core.diff import Action
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.life import require_fit
from reconciler.targets.flink.objects import RUNNING, UNKNOWN, DeployedJob, SharedFile, definition_digest
from reconciler.targets.flink.programs import lay_out_job
from reconciler.targets.flink.target import FlinkTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.base.errors import Position
    from reconciler.core.diff import Change
    from reconciler.core.target import Target

    Restart: TypeAlias = tuple[DeployedJob, Position, bool]


class GraphForesight:
    """What becomes of the state of jobs, as a `Foresight`."""

    def foresee(self, target: Target, changes: Sequence[Change], contents: Mapping[str, Path]) -> Iterator[Problem]:
        """Yield what stands in the way of each job that would be restarted with its state, or that this is not known."""
        restarts = [restart for change in changes if (restart := _restart_of(change)) is not None]
        if not restarts:
            return
        if isinstance(target, FlinkTarget) and target.cluster.trial_rest() is not None:
            yield from _try_out_all(target, restarts, _sent_files(changes, contents))
            return
        hint = _AT_THE_APPLY if isinstance(target, FlinkTarget) else _AT_THE_START
        yield from (_warn_unknown(job, origin, hint) for job, origin, may_differ in restarts if may_differ)


def _sent_files(changes: Sequence[Change], contents: Mapping[str, Path]) -> dict[str, Path]:
    """Return where the files lie that the changes would put into the shared folder, by their names there."""
    objects = [change.desired for change in changes if change.desired is not None]
    return {
        desired.object.name: contents[desired.mark.sha256]
        for desired in objects
        if isinstance(desired.object, SharedFile) and desired.mark is not None and desired.mark.sha256 is not None
    }


def _try_out_all(target: FlinkTarget, restarts: Sequence[Restart], sent: Mapping[str, Path]) -> Iterator[Problem]:
    with activity("planning the jobs that change") as planning:
        for job, origin, _ in restarts:
            with planning.at(job.name):
                yield from _try_out(target, job, origin, sent)


_AT_THE_APPLY = "the apply compares both before it stops anything, and refuses what does not fit (E490)"
_AT_THE_START = (
    "the service compares nothing: where the new one does not come up, the old one runs again from the savepoint"
)


def _warn_unknown(job: DeployedJob, origin: Position, hint: str) -> Problem:
    message = (
        f"whether the new {job.name} takes the state of the one that runs is not known: a plan runs no program there"
    )
    together = ("jobs are restarted, of which is not known whether they take the state of those that run", hint)
    return Problem("E660", message, origin, hint, severity="warning", together=together)


def _restart_of(change: Change) -> Restart | None:
    """Return the job that a change would restart with the state of the one that runs, and whether its graph may be another."""
    if change.action is not Action.UPDATE or change.desired is None or change.live is None:
        return None
    job, old = change.desired.object, change.live.object
    if not isinstance(job, DeployedJob) or not isinstance(old, DeployedJob):
        return None
    is_restart = old.state == RUNNING and old.program != UNKNOWN and definition_digest(job) != definition_digest(old)
    if not is_restart or job.on_change != "savepoint":
        return None
    return job, change.desired.origin, _shape_of(job) != _shape_of(old)


def _shape_of(job: DeployedJob) -> tuple[object, ...]:
    """Return what of a job decides its graph: of SQL not what its functions are made of, where a program may do anything with what it imports."""
    beside = () if job.program.lower().endswith(".sql") else (job.imports, job.archives, job.files)
    return job.program, job.arguments, job.functions, job.jars, job.conf, job.engine, beside


def _try_out(target: FlinkTarget, job: DeployedJob, origin: Position, sent: Mapping[str, Path]) -> Iterator[Problem]:
    rest, record = target.cluster.trial_rest(), target.folder.find_record(job.name)
    running = rest.find(record.job) if rest is not None and record is not None and record.job else None
    if rest is None or running is None:
        return
    with tempfile.TemporaryDirectory(prefix="udfs-flink-", ignore_cleanup_errors=True) as top:
        trial = SharedFolder(Path(top), target.folder.stack)
        try:
            for name in job.needed_files:
                goal = trial.path(name)
                goal.parent.mkdir(parents=True, exist_ok=True)
                copy_input(sent.get(name) or target.folder.path(name), goal, SHIPPED)
            new = lay_out_job(job, trial, target.cluster.client)
            require_fit(rest, rest.upload_driver(rest.driver_jar), running, new, keep_state=True)
        except ServiceError as error:
            yield from (replace(problem, at=origin, severity="warning") for problem in error.problems)
