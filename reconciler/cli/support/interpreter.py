"""Interpreters of functions that run here, and their failures as errors of udfs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import FunctionFailed, InterpreterError, UdfsError, UsageError
from reconciler.cli.support.output import note
from reconciler.cli.support.secrecy import warn_of_secrets
from reconciler.local import runner
from reconciler.targets import require_power
from reconciler.testing.trials import Bounds

if TYPE_CHECKING:
    from reconciler.local.runner import Interpreter, Job, RunnerError
    from reconciler.manifest.load import Loaded
    from reconciler.targets.powers import LocalRuntime
    from reconciler.workflow.preparation import Prepared


def interpreter_for(job: Job, explicit: Path | None = None) -> Interpreter:
    """
    Find the function's CPython.

    For pure code of the newest runtime the Python that runs this program may stand in, and a note says so.
    """
    warn_of_secrets()
    # What the two understand differs little. An older runtime is never replaced: finding its differences is the point.
    may_stand_in = job.runtime == "cp311" and is_pure(job)
    interpreter = runner.locate(job.runtime, os.environ, explicit, Path(sys.executable) if may_stand_in else None)
    if interpreter.stands_in_for:
        note(
            f"no CPython for {job.runtime} is on this machine; Python {'.'.join(map(str, interpreter.version))} stands in "
            "(see: udfs doctor)"
        )
    return interpreter


def local_runtime(manifest: Loaded) -> LocalRuntime:
    """Return what makes jobs of the functions of a manifest; E566 if its kind of target has none."""
    return require_power(manifest, lambda adapter: adapter.local_runtime, "local runtime")


def make_job(prepared: Prepared, name: str) -> Job:
    """Return what runs a function of the manifest."""
    return local_runtime(prepared.loaded).manifest_job(prepared.loaded, prepared.desired, prepared.artifacts, name)


def is_pure(job: Job) -> bool:
    """Say whether nothing that a function ships can hold compiled code."""
    return not any(
        resource.type in {"archive", "jar"} or runner.is_extension(resource.name) for resource in job.resources
    )


def bounds_of(timeout: float, memory: int | None) -> Bounds:
    """Return the bounds of a function, of seconds and of megabytes."""
    return Bounds(timeout, memory * 1_000_000 if memory else None)


SECONDS = 60.0
"""How long a person waits for a function without being asked."""
LONGER = "--timeout SECONDS lets it take longer"


def explain_failure(error: RunnerError) -> UdfsError:
    """Turn an error of the runner into one of ours, with everything it knows."""
    match error:
        case runner.InterpreterNotFound():
            places = tuple(f"{attempt.place}: {attempt.verdict}" for attempt in error.looked_at)
            return InterpreterError("E701", f"{error.message}; looked at", hint=error.hint, detail=places)
        case runner.InterpreterUnsuitable():
            return InterpreterError("E706", error.message, hint=error.hint or None)
        case runner.ResourceUnusable():
            return UsageError("E705", error.message, hint=error.hint or None)
        case runner.ArgumentsRejected():
            return UsageError("E704", error.message, hint=error.hint or None)
        case runner.FunctionError():
            detail = (*error.traceback.splitlines(), *error.log.splitlines())
            hint = LONGER if isinstance(error, runner.WorkerTimedOut) else error.hint or None
            return FunctionFailed("E702", error.message, hint=hint, detail=detail)
        case _:
            return FunctionFailed("E702", error.message, hint=error.hint or None)
