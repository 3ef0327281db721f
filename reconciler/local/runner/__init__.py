"""
Runner of MaxCompute Python UDFs on this machine, as a worker of the service runs them.

    interpreter = locate("cp37", env)                       which CPython: interpreters.py
    job = Job("import_numpy.TryImport", resources, "cp37")  in it what runs: sessions.py
    with call(interpreter, job, rows) as results:           a fresh directory: layout.py
        for value in results:                               a process in it: process.py, worker/
            ...                                             rows and values on the way: calls.py, wire.py

`session` instead of `call` keeps the process for more than one call.

`call` lays the resources out in a new directory, starts the interpreter there without this machine's packages and
without the user's environment, loads the class, and streams rows through it. Nothing is shared with the process but
three pipes: `worker/` is standard library only, in the syntax that 2.7 and 3.x have in common, and knows nothing of
this package.

This package imports nothing of ours but `base` and what stands above it in `local` (conversations by frames, interpreters, strays), and
reads neither the environment nor the clock's date: what it is to know is passed in.

What the service forbids a function whose SQL does not set isolation fails here too (`worker/sandbox.py`). With isolation the
function runs with the rights of whoever calls, and is kept from what the service would not show it either.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.local.interpreters import Interpreter, variable
    from reconciler.local.runner.calls import Call, Description, Session
    from reconciler.local.runner.errors import (
        ArgumentsRejected,
        Cancelled,
        FunctionError,
        FunctionNotLoadable,
        FunctionRaised,
        InterpreterNotFound,
        InterpreterUnsuitable,
        ResourceUnusable,
        RunnerError,
        SignatureInvalid,
        UnsafeArchive,
        WorkerDied,
        WorkerTimedOut,
        WrongResult,
    )
    from reconciler.local.runner.importing import failures
    from reconciler.local.runner.interpreters import RUNTIMES, SERVICE_ABI, how_to_get, locate
    from reconciler.local.runner.layout import ResourceFile, TableResource, is_extension
    from reconciler.local.runner.sessions import Job, call, find_sandbox, session, start_session
    from reconciler.local.runner.wire import Json, TypedText

__all__ = [
    "RUNTIMES",
    "SERVICE_ABI",
    "ArgumentsRejected",
    "Call",
    "Cancelled",
    "Description",
    "FunctionError",
    "FunctionNotLoadable",
    "FunctionRaised",
    "Interpreter",
    "InterpreterNotFound",
    "InterpreterUnsuitable",
    "Job",
    "Json",
    "ResourceFile",
    "ResourceUnusable",
    "RunnerError",
    "Session",
    "SignatureInvalid",
    "TableResource",
    "TypedText",
    "UnsafeArchive",
    "WorkerDied",
    "WorkerTimedOut",
    "WrongResult",
    "call",
    "failures",
    "find_sandbox",
    "how_to_get",
    "is_extension",
    "locate",
    "session",
    "start_session",
    "variable",
]

_HOMES = {
    "calls": ("Call", "Description", "Session"),
    "importing": ("failures",),
    "interpreters": ("RUNTIMES", "SERVICE_ABI", "Interpreter", "how_to_get", "locate", "variable"),
    "layout": ("ResourceFile", "TableResource", "is_extension"),
    "sessions": ("Job", "call", "find_sandbox", "session", "start_session"),
    "wire": ("Json", "TypedText"),
}


def __getattr__(name: str) -> Any:
    """Return what is offered here, imported when it is asked for: who checks a manifest needs the values of `worker` alone."""
    if name not in __all__:
        raise AttributeError(name)
    home = next((home for home, names in _HOMES.items() if name in names), "errors")
    return getattr(import_module(f"reconciler.local.runner.{home}"), name)
