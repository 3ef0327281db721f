"""What the commands that run functions share: which CPython it is, and what to say when it goes wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import FunctionFailed, InterpreterError, UdfsError, UsageError
from reconciler.cli.support.output import note
from reconciler.local import runner

if TYPE_CHECKING:
    from reconciler.local.runner import Interpreter, Job, RunnerError


def interpreter_for(job: Job, explicit: Path | None = None) -> Interpreter:
    """
    Find the function's CPython.

    For pure code of the newest runtime the Python that runs this program may stand in, and it is said: what the two
    understand differs little. An older runtime is never replaced; finding out about its differences is the point.
    """
    may_stand_in = job.runtime == "cp311" and is_pure(job)
    found = runner.locate(job.runtime, os.environ, explicit, Path(sys.executable) if may_stand_in else None)
    if found.stands_in_for:
        note(
            f"no CPython for {job.runtime} is on this machine; Python {'.'.join(map(str, found.version))} stands in "
            "(see: udfs doctor)"
        )
    return found


def is_pure(job: Job) -> bool:
    """Say whether nothing that a function ships can hold compiled code."""
    return not any(one.type in {"archive", "jar"} or runner.is_extension(one.name) for one in job.resources)


def explain_failure(error: RunnerError) -> UdfsError:
    """Turn an error of the runner into one of ours, with everything it knows."""
    match error:
        case runner.InterpreterNotFound():
            looked = tuple(f"{one.place}: {one.verdict}" for one in error.looked_at)
            return InterpreterError("E701", f"{error.message}; looked at", hint=error.hint, detail=looked)
        case runner.InterpreterUnsuitable():
            return InterpreterError("E706", error.message, hint=error.hint or None)
        case runner.ResourceUnusable():
            return UsageError("E705", error.message, hint=error.hint or None)
        case runner.ArgumentsRejected():
            return UsageError("E704", error.message, hint=error.hint or None)
        case runner.FunctionError():
            detail = (*error.traceback.splitlines(), *error.log.splitlines())
            return FunctionFailed("E702", error.message, hint=error.hint or None, detail=detail)
        case _:
            return FunctionFailed("E702", error.message, hint=error.hint or None)
