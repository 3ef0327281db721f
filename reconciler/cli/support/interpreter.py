"""Interpreters of functions that run here, and their failures as errors of udfs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from reconciler.base.errors import FunctionFailed, InterpreterError, UdfsError, UsageError
from reconciler.cli.support.options import value_option
from reconciler.cli.support.output import note
from reconciler.cli.support.project import user_cache
from reconciler.cli.support.secrecy import warn_of_secrets
from reconciler.local import runner
from reconciler.local.interpreters import find_interpreters, variable
from reconciler.targets import adapter_of, require_power
from reconciler.targets.powers import Machine
from reconciler.testing.trials import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.runner import RunnerError
    from reconciler.local.runner.unpacked import UnpackedArchives
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.debian.root import RootRecord
    from reconciler.targets.powers import EventCalls, LocalRuntime, RowCalls

R = TypeVar("R")


def this_machine(python: Path | None = None, archives: UnpackedArchives | None = None) -> Machine:
    """Return what there is here to run functions with; secrets that they could reach are warned of."""
    warn_of_secrets()
    return Machine(os.environ, user_cache(), note, python, Path(sys.executable), archives)


def python_standing_for(runtime: Runtime) -> str | None:
    """Return the Python here that is of a runtime's version: its version, and where it was found."""
    for interpreters in find_interpreters(runtime.python_version, os.environ, None, []):
        best = max(interpreters, key=lambda interpreter: interpreter.version)
        return f"{best.release} ({best.source})"
    return None


def find_root_of(runtime: Runtime) -> RootRecord | None:
    """Return the root file system that was made for a runtime, if there is one."""
    from reconciler.packages.debian.root import find_root

    root = find_root(user_cache(), runtime.platform.suite) if runtime.platform.suite else None
    return root[1] if root and root[1].python == runtime.python_version else None


def variable_of(runtime: Runtime) -> str:
    """Return the environment variable that names the Python of a runtime."""
    return variable("cp{}{}".format(*runtime.python_version))


def local_runtime(manifest: Loaded) -> LocalRuntime:
    """Return what makes programs of the functions of a manifest; E566 if its kind of target has none."""
    return require_power(manifest, lambda adapter: adapter.local_runtime, "local runtime")


def row_calls(manifest: Loaded) -> RowCalls:
    """Return what calls the functions of a manifest over rows; E566 if its kind of target has other functions."""
    instead = ("functions of this one take an event: --event TEXT",) if adapter_of(manifest).event_calls else ()
    return require_power(manifest, lambda adapter: adapter.row_calls, "call with arguments", instead)


def event_calls(manifest: Loaded) -> EventCalls:
    """Return what calls the functions of a manifest with an event; E566 if its kind of target has other functions."""
    instead = ("functions of this one take arguments: write them behind the name",)
    has_rows = adapter_of(manifest).row_calls is not None
    return require_power(
        manifest, lambda adapter: adapter.event_calls, "call with an event", instead if has_rows else ()
    )


SECONDS = 60.0
"""How long a person waits for a function without being asked."""


def bounds_options(timeout: str, memory: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``--timeout`` and ``--memory``, with these texts of help, to a command that gets them as `bounds`."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        seconds = click.FloatRange(min=0, min_open=True)
        command = value_option("bounds", bounds_of, "timeout", "memory")(command)
        command = click.option("--memory", type=click.IntRange(min=64), metavar="MB", help=memory)(command)
        return click.option(
            "--timeout", type=seconds, default=SECONDS, show_default=True, metavar="SECONDS", help=timeout
        )(command)

    return decorate


def bounds_of(timeout: float, memory: int | None) -> Bounds:
    """Return the bounds of a function, of seconds and of megabytes."""
    return Bounds(timeout, memory * 1_000_000 if memory else None)


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
