"""
Errors of running a function here, each with a way out.

`RunnerError` and its children are for what a person can act on; anything else that leaves this package is a bug
and keeps its traceback. The command line maps the classes to exit codes; nothing here prints or exits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.local.interpreters import Attempt


class RunnerError(Exception):
    """Base of every error of this package that a person can act on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InterpreterNotFound(RunnerError):
    """No CPython of the runtime was found; `looked_at` says where and why not."""

    def __init__(self, runtime: str, looked_at: tuple[Attempt, ...], *, hint: str) -> None:
        super().__init__(f"no CPython for runtime {runtime} was found on this machine", hint=hint)
        self.runtime = runtime
        self.looked_at = looked_at


class InterpreterUnsuitable(RunnerError):
    """The interpreter is there but must not run this job."""


class ResourceUnusable(RunnerError):
    """A resource cannot be laid out as a MaxCompute worker would."""


class Cancelled(RunnerError):
    """Whoever asked for the call does not want it any more."""


class UnsafeArchive(ResourceUnusable):
    """An archive is refused because of one of its members; nothing outside the directory was written."""


class FunctionError(RunnerError):
    """Something about the user's function itself."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        row: int | None = None,
        arguments: tuple[object, ...] | None = None,
        exception: str = "",
        traceback: str = "",
        log: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.row = row
        """Index of the row being worked on, counted from 0; None when no row was."""
        self.arguments = arguments
        """What that row holds, as it was passed in; None when it is not known."""
        self.exception = exception
        """The line that Python prints of the exception, `KeyError: 'x'`; empty when none left the user's code."""
        self.traceback = traceback
        """The user's own frames, as Python prints them; empty when there are none."""
        self.log = log
        """The end of what the function wrote to stdout and stderr."""


class FunctionNotLoadable(FunctionError):
    """The class could not be imported, found or constructed, or its signature not read."""


class SignatureInvalid(FunctionNotLoadable):
    """The class was found, and its signature is missing or cannot be read."""


class ArgumentsRejected(FunctionError):
    """A row of arguments does not fit the signature."""


class FunctionRaised(FunctionError):
    """An exception left the user's code."""


class WrongResult(FunctionError):
    """A returned or forwarded value does not fit the signature."""


class WorkerDied(FunctionError):
    """The process ended before it answered: a signal, `os._exit`, memory."""


class WorkerTimedOut(FunctionError):
    """The process was ended because it did not answer in the time allowed."""
