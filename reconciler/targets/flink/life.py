"""
Life of a job: started, changed with its state, stopped; each as steps that are written down before they are sent.

Never two jobs, never none. The numbers of jobs and of requests for savepoints are chosen here, and are in the journal before Flink hears of them. Flink
takes the number of a job but once, and a savepoint that is asked for twice by one number is taken once [run on 1.20.5]; so whoever finds a journal
sends its last step again, and may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

from reconciler.base.errors import ServiceError
from reconciler.base.hints import spell
from reconciler.targets.flink.graphs import find_changes, has_python_state
from reconciler.targets.flink.health import (
    ENDED,
    Health,
    JobPatience,
    end_job,
    has_restarted,
    is_batch,
    wait_for_health,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.targets.flink.rest import FlinkRest, PythonProgram

Step: TypeAlias = Literal["stop", "start", "return"]

_USUAL: JobPatience = JobPatience()
_KEPT = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}
"""So that a job that failed, or that takes no savepoint any more, leaves its last checkpoint."""

_HEAP = "HashMapStateBackend"
"""
Writes the state of aggregates in Python down under one key.

Each key that a worker asks for is read into one and the same row, and the heap's map keeps that row for all [run on 1.20.5: of three counts one came
back, of RocksDB all three].
"""


@dataclass(frozen=True)
class JobRun:
    """A job as it is to run."""

    name: str
    """That of the manifest, for people."""

    program: PythonProgram
    savepoints: str
    """The folder where its savepoints go."""


class Journal(Protocol):
    """Where the steps of one job are remembered; what is written is on the disk before `write` returns."""

    def read(self) -> Mapping[str, Any] | None:
        """Return the steps that are under way; None if there are none."""

    def write(self, steps: Mapping[str, Any] | None, *, job: str | None = None, savepoint: str | None = None) -> None:
        """Remember steps, or with None that there are none; the number of the job that runs, and its last savepoint, "" being none."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a job that is under way."""

    step: Step
    goal: str
    """The ``pipeline.name`` of the new job."""

    keep_state: bool
    old_id: str | None = None
    """The job that runs before."""

    trigger: str | None = None
    """The request for its savepoint."""

    savepoint: str | None = None
    new_id: str
    """The job that is begun in this step: the new one, or the old one again."""

    cause: tuple[str, ...] = ()
    """Why the new one is given up."""


def start_job(
    rest: FlinkRest, new: JobRun, journal: Journal, *, savepoint: str | None = None, patience: JobPatience = _USUAL
) -> str:
    """
    Start a job, from a savepoint if there is one, and return its number when it is healthy or has finished.

    Raises E492 with the cause if it does not come to that; then no job of the name runs.
    """
    return replace_job(rest, None, None, new, journal, keep_state=True, savepoint=savepoint, patience=patience)


def replace_job(
    rest: FlinkRest,
    old: JobRun | None,
    old_id: str | None,
    new: JobRun,
    journal: Journal,
    *,
    keep_state: bool,
    savepoint: str | None = None,
    patience: JobPatience = _USUAL,
) -> str:
    """
    Change a job: stop it with a savepoint, start the new one from that, and return its number when it is healthy; else start the old one again.

    Called again after a kill, with the same or with another `new`, it goes on where the journal says. `old_id` may be None or of a job that has ended:
    then the new one begins from `savepoint`. Raises E490 if the new graph does not take the state, with nothing stopped, E491 if the old one runs again,
    E493 if neither runs, E668 if there is no savepoint.
    """
    change = _Change(rest, old, new, journal, patience)
    if (steps := journal.read()) is not None:
        change.resume(msgspec.convert(steps, Transition))
    else:
        change.begin(old_id, keep_state=keep_state, savepoint=savepoint)
    return change.finish()


def stop_job(rest: FlinkRest, job: str, savepoints: str | None, *, patience: JobPatience = _USUAL) -> str | None:
    """Stop a job with a savepoint and return where that lies, or by a cancel where `savepoints` is None; one that has ended is left so."""
    answer = rest.find(job)
    if answer is None or answer["state"] in ENDED or savepoints is None or is_batch(answer):
        end_job(rest, job, patience.end)
        return None
    return _stop_with_state(rest, job, savepoints, rest.number(), patience)


def require_fit(rest: FlinkRest, driver: str, running: dict[str, Any], new: JobRun, *, keep_state: bool) -> None:
    """
    Plan a new job while the old one runs, by the cluster's answer about that; nothing is submitted or stopped.

    Raises E490 if it would not take the state of the old one, which it is to have with `keep_state`, E495 if that cannot be written down, and E492 if
    the new one cannot be planned.
    """
    job, keep_state = str(running["jid"]), keep_state and not is_batch(running)
    graph = rest.graph(job)
    if keep_state and has_python_state(graph) and rest.state_backend(job) == _HEAP:
        hint = "`on_change: stateless` begins anew, and with `conf: {state.backend.type: rocksdb}` what is counted from then on is kept"
        message = f"the state of {new.name} would come back with one key of each aggregate in Python: it is on the heap"
        raise ServiceError("E495", message, hint=hint)
    try:
        changes = find_changes(graph, rest.plan(driver, new.program))
    except ServiceError as error:
        if error.outcome == "unknown":
            raise
        message = f"the new {new.name} cannot be planned, and the old one runs on"
        raise ServiceError("E492", message, detail=_lines_of(error)) from error
    if changes and keep_state:
        hint = "`on_change: stateless` begins anew without it; give the job another name to keep both"
        message = f"the new {new.name} cannot take the state of the one that runs: its operators changed"
        raise ServiceError("E490", message, hint=hint, detail=changes)


class _Change:
    """One change of a job, over its steps."""

    def __init__(
        self, rest: FlinkRest, old: JobRun | None, new: JobRun, journal: Journal, patience: JobPatience
    ) -> None:
        self._rest, self._old, self._new = rest, old, new
        self._journal, self._patience = journal, patience
        self._driver = rest.upload_driver(rest.driver_jar)
        self._now: Transition | None = None

    def begin(self, old_id: str | None, *, keep_state: bool, savepoint: str | None) -> None:
        """Write down the first step; before a running job is stopped, the new one is planned."""
        answer = self._rest.find(old_id) if old_id is not None else None
        is_running = answer is not None and answer["state"] not in ENDED
        if answer is not None and not is_running and not is_batch(answer):
            savepoint = self._rest.latest_state(str(old_id)) or savepoint
        if answer is not None and is_running:
            require_fit(self._rest, self._driver, answer, self._new, keep_state=keep_state)
        self._note(
            Transition(
                step="stop" if is_running else "start",
                goal=self._goal,
                keep_state=keep_state,
                old_id=old_id if is_running else None,
                trigger=self._rest.number() if is_running else None,
                savepoint=savepoint,
                new_id=self._rest.number(),
            )
        )

    def resume(self, now: Transition) -> None:
        """Take up what a killed run left; where that was on the way to another job than this one, turn to this one."""
        self._now = now
        if now.goal == self._goal:
            return
        answer = self._rest.find(now.new_id) if now.step != "stop" else None
        if answer is not None:
            if _is_healthy(self._rest, answer):
                self.begin(now.new_id, keep_state=now.keep_state, savepoint=now.savepoint)
                return
            end_job(self._rest, now.new_id, self._patience.end)
            now = change_step(now, new_id=self._rest.number())
        # Otherwise the other job may be in the middle of its planning: with its number again, only one of the two is taken.
        cause = self._find_changes(now.old_id) if now.old_id is not None and now.keep_state else ()
        step: Step = "stop" if now.step == "stop" else "return" if cause else "start"
        self._note(change_step(now, goal=self._goal, step=step, cause=cause))

    def finish(self) -> str:
        """Go through the steps that are left."""
        if self._step.step == "stop":
            self._stop()
        if self._step.step == "start":
            savepoint = self._step.savepoint if self._step.keep_state else None
            health = self._start(self._new, savepoint)
            if health.is_sound:
                self._journal.write(None, job=self._step.new_id, savepoint=savepoint or "")
                return self._step.new_id
            self._give_up(health)
        raise self._return()

    @property
    def _step(self) -> Transition:
        assert self._now is not None
        return self._now

    @property
    def _goal(self) -> str:
        return self._new.program.name or self._new.name

    def _note(self, now: Transition) -> None:
        self._journal.write(msgspec.to_builtins(now), savepoint=now.savepoint)
        self._now = now

    def _find_changes(self, old_id: str) -> tuple[str, ...]:
        return find_changes(self._rest.graph(old_id), self._rest.plan(self._driver, self._new.program))

    def _stop(self) -> None:
        now = self._step
        assert now.old_id is not None
        savepoint = now.savepoint
        answer = self._rest.find(now.old_id)
        if answer is not None and is_batch(answer):
            end_job(self._rest, now.old_id, self._patience.end)
        elif answer is not None:
            try:
                trigger = now.trigger or self._rest.number()
                savepoint = _stop_with_state(self._rest, now.old_id, self._new.savepoints, trigger, self._patience)
            except ServiceError as error:
                if now.keep_state or error.outcome == "unknown":
                    self._forget_request(error)
                    raise
                end_job(self._rest, now.old_id, self._patience.end)
        self._note(change_step(now, step="return" if now.cause else "start", savepoint=savepoint))

    def _forget_request(self, error: ServiceError) -> None:
        """A request that failed fails for ever: the next one needs a number of its own."""
        if error.outcome != "unknown":
            self._note(change_step(self._step, trigger=self._rest.number()))

    def _start(self, run: JobRun, savepoint: str | None) -> Health:
        """Submit a job unless that was done, and wait for what becomes of it."""
        now = self._step
        program = replace(run.program, configuration={**_KEPT, **run.program.configuration})
        if self._rest.find(now.new_id) is None:
            try:
                self._rest.run(self._driver, program, savepoint, job=now.new_id)
            except ServiceError as error:
                # One that was sent before a kill may have come in between.
                if self._rest.find(now.new_id) is None:
                    if error.outcome == "unknown":
                        raise
                    return Health(False, _lines_of(error))
        return wait_for_health(self._rest, now.new_id, self._patience.start)

    def _give_up(self, health: Health) -> None:
        """End the new job, which fails, and go back to the old one."""
        now = self._step
        end_job(self._rest, now.new_id, self._patience.end)
        if self._old is None or (now.old_id is None and now.savepoint is None):
            self._journal.write(None, savepoint=now.savepoint)
            code, message = "E492", f"the job {self._new.name} did not start"
            if now.old_id is not None:
                code, message = "E493", f"the new {self._new.name} did not start, and the old one is not known here"
            raise ServiceError(code, message, hint=_begin_again(now.savepoint), detail=health.cause)
        self._note(change_step(now, step="return", new_id=self._rest.number(), cause=health.cause))

    def _return(self) -> ServiceError:
        """Start the old job again; return the error that says so."""
        now, old = self._step, self._old
        if old is None:
            raise ServiceError("E493", f"the job {self._new.name} does not run", hint=_begin_again(now.savepoint))
        health = self._start(old, now.savepoint)
        if not health.is_sound:
            end_job(self._rest, now.new_id, self._patience.end)
            # The step stays in the journal with a fresh number: the next apply begins here.
            self._note(change_step(now, step="start", new_id=self._rest.number()))
            message = f"neither the new {self._new.name} nor the old one starts"
            return ServiceError("E493", message, hint=_begin_again(now.savepoint), detail=(*now.cause, *health.cause))
        self._journal.write(None, job=now.new_id, savepoint=now.savepoint)
        message = f"the new {self._new.name} did not start, and the old one runs again" + (
            ", with its state" if now.savepoint is not None else ""
        )
        return ServiceError("E491", message, detail=now.cause)


def change_step(now: Transition, **changes: Any) -> Transition:
    """Return a transition with other values."""
    return msgspec.structs.replace(now, **changes)


def _is_healthy(rest: FlinkRest, answer: dict[str, Any]) -> bool:
    is_up = answer["state"] == "RUNNING" and not has_restarted(answer)
    return is_up and bool(rest.checkpoints(str(answer["jid"]))["completed"])


def _lines_of(error: ServiceError) -> tuple[str, ...]:
    """Return what an answer of Flink's says, its last line last and without the request that it answers, and what there is to do about it."""
    return (
        *(line for problem in error.problems for line in problem.detail),
        str(error).partition(": ")[2] or str(error),
        *(spell(problem.hint) for problem in error.problems if problem.hint),
    )


def _begin_again(savepoint: str | None) -> str:
    return f"its state is in {savepoint}; mend it, and apply again" if savepoint else "mend it, and apply again"


def _stop_with_state(rest: FlinkRest, job: str, folder: str, trigger: str, patience: JobPatience) -> str:
    """Stop a job and return where its state lies: a savepoint, or the last checkpoint of one that takes none any more."""
    answer = rest.find(job)
    if answer is not None and answer["state"] in ENDED:
        if (state := rest.latest_state(job)) is None:
            raise ServiceError("E668", f"the job {job} has ended, and left no state", hint=_STATELESS)
        return state
    try:
        return rest.stop(job, folder, patience.stop, trigger=trigger)
    except ServiceError:
        answer = rest.find(job)
        if answer is None or answer["state"] == "RUNNING" or (state := rest.latest_state(job)) is None:
            raise
        end_job(rest, job, patience.end)
        return state


_STATELESS = "`on_change: stateless` begins anew"
