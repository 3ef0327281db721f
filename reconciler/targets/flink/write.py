"""
Make one change: a file is put into the shared folder, a function's registration is written, a job is started, changed or stopped.

What happens to a job is one transaction (`life`), whose steps stand in the job's record before each is made.
"""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.base.errors import ServiceError
from reconciler.core.diff import Action
from reconciler.engine.staleness import gone_stale
from reconciler.targets.flink import life
from reconciler.targets.flink.folder import JobRecord, form_of
from reconciler.targets.flink.objects import (
    UNKNOWN,
    DeployedJob,
    RegisteredFunction,
    SharedFile,
    definition_digest,
    read_job,
)
from reconciler.targets.flink.programs import lay_out_job
from reconciler.targets.flink.read import find_live, own_jobs, parse_overview
from reconciler.targets.planned_files import open_planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.state import Live
    from reconciler.targets.flink.cluster import Cluster
    from reconciler.targets.flink.folder import SharedFolder
    from reconciler.targets.flink.read import DigestBook


class ClusterWriting:
    """One connection's writes."""

    def __init__(self, cluster: Cluster, folder: SharedFolder, book: DigestBook, note: Callable[[str], None]) -> None:
        """`note` is told what stays behind."""
        self._cluster, self._folder, self._book, self._note = cluster, folder, book, note

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        """Make a change and return what is there afterwards; StalePlan when somebody else was there first."""
        if change.action is Action.RELEASE or change.desired is None:
            self._remove(change)
            return None
        self._cluster.require()
        match change.desired.object:
            case SharedFile() as file:
                if change.action is not Action.ADOPT:
                    with open_planned(contents, change.desired) as content:
                        self._folder.put_file(file.name, content, progress)
                    self._book.note(file.name, file.size, content.sha256)
            case RegisteredFunction() as function:
                self._folder.put_function(function)
            case DeployedJob() as job:
                self._put_job(change, job)
        return find_live(self._cluster, self._folder, self._book, change.key)

    def _remove(self, change: Change) -> None:
        match change.object:
            case SharedFile(name):
                if change.action is not Action.RELEASE:
                    self._folder.remove_file(name)
            case RegisteredFunction():
                self._folder.remove_function(change.key.folded)
            case DeployedJob() as job:
                if change.action is not Action.RELEASE:
                    self._stop_job(job)
                self._folder.remove_record(job.name)
                self._remove_programs(job.name)

    # --- Jobs ---------------------------------------------------------------------------------------------------------------

    def _stop_job(self, job: DeployedJob) -> None:
        record = self._folder.find_record(job.name) or JobRecord()
        savepoints = self._folder.savepoints(job.name) if job.on_change == "savepoint" else None
        matches = own_jobs(job.name, record, parse_overview(self._cluster.jobs()), self._folder.stack)
        for running in (each for each in matches if each.is_alive):
            if savepoints is not None:
                savepoints.mkdir(parents=True, exist_ok=True)
            state = life.stop_job(self._cluster.rest(), running.number, None if savepoints is None else str(savepoints))
            if state is not None:
                self._note(f"the state of job {job.name} stays in {state}")
                self._folder.remove_older_savepoints(job.name, state)

    def _put_job(self, change: Change, job: DeployedJob) -> None:
        if change.action is Action.ADOPT:
            self._adopt_job(change, job)
            return
        record = self._folder.find_record(job.name)
        if change.action is Action.CREATE and record is not None:
            raise gone_stale(change.key, "was created by somebody else")
        record = record or JobRecord()
        self._folder.put_record(job.name, _update_record(record, pending=form_of(job), is_over=False))
        journal = RecordJournal(self._folder, job.name)
        try:
            number = self._start(job, record, journal)
        except ServiceError:
            self._forget_failure(job.name)
            raise
        record = self._folder.find_record(job.name) or record
        is_over = self._cluster.rest().state(number) == "FINISHED"
        ended = _update_record(record, definition=form_of(job), pending=None, job=number, is_over=is_over, steps=None)
        self._folder.put_record(job.name, ended)
        self._remove_programs(job.name, definition_digest(job))
        self._folder.remove_older_savepoints(job.name, record.savepoint)

    def _start(self, job: DeployedJob, record: JobRecord, journal: RecordJournal) -> str:
        rest, new = self._cluster.rest(), lay_out_job(job, self._folder, self._cluster.client)
        matches = own_jobs(job.name, record, parse_overview(self._cluster.jobs()), self._folder.stack)
        running = [each.number for each in matches if each.is_alive]
        if record == JobRecord() and not running:
            return life.start_job(rest, new, journal)
        # Two of one job are never left, whoever started the second.
        for number in running:
            if number != record.job and record.steps is None and record.job in running:
                life.stop_job(rest, number, None)
        number = record.job if record.job in running or record.steps is not None else next(iter(running), record.job)
        definition = record.definition
        old = (
            lay_out_job(read_job(definition), self._folder, self._cluster.client)
            if definition is not None and definition.program != UNKNOWN
            else None
        )
        keep_state = job.on_change == "savepoint"
        savepoint = record.savepoint or None
        return life.replace_job(rest, old, number or None, new, journal, keep_state=keep_state, savepoint=savepoint)

    def _remove_programs(self, job: str, but: str = "") -> None:
        """Remove what was generated for a job's versions: Flink reads it when it plans, and not after."""
        kept = self._folder.program(job, but)
        for folder in self._folder.programs(job):
            if folder != kept:
                rmtree(folder, ignore_errors=True)

    def _adopt_job(self, change: Change, job: DeployedJob) -> None:
        """Take a job over as it is: its number is all that is known of it."""
        jobs = parse_overview(self._cluster.jobs())
        running = [each for each in jobs if each.is_alive and each.name == job.name]
        if len(running) != 1:
            raise gone_stale(change.key, "has ended" if not running else "runs more than once")
        self._folder.put_record(job.name, JobRecord(job=running[0].number))

    def _forget_failure(self, name: str) -> None:
        """Leave no record of a job that was never started; a change that is not over is for the next run to end."""
        record = self._folder.find_record(name)
        if record is None or record.steps is not None:
            return
        if record.definition is None and not record.job:
            self._folder.remove_record(name)
        else:
            self._folder.put_record(name, _update_record(record, pending=None))


class RecordJournal:
    """The part of a job's record in which a change notes its steps."""

    def __init__(self, folder: SharedFolder, job: str) -> None:
        self._folder, self._job = folder, job

    def read(self) -> Mapping[str, Any] | None:
        record = self._folder.find_record(self._job)
        return record.steps if record is not None else None

    def write(self, steps: Mapping[str, Any] | None, *, job: str | None = None, savepoint: str | None = None) -> None:
        record = self._folder.find_record(self._job) or JobRecord()
        fields: dict[str, Any] = {"steps": None if steps is None else dict(steps)}
        fields |= {"job": job} if job is not None else {}
        fields |= {"savepoint": savepoint} if savepoint is not None else {}
        self._folder.put_record(self._job, _update_record(record, **fields))


def _update_record(record: JobRecord, **fields: Any) -> JobRecord:
    return msgspec.structs.replace(record, **fields)
