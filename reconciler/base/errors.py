"""
Errors of the product: message, place, hint and exit code of everything that a user can meet.

A `Problem` is one finding with its place. A `UdfsError` carries one or many of them and ends the command; each
subclass has one exit code, so that a pipeline can tell the causes apart. ``cli`` is the one place that catches and
prints. Anything else is a bug (E999) and keeps its traceback, except what the system says of a file (E904).

Codes are grouped by where they arise: E1 reading YAML, E2 the shape of the manifest, E3 its names and references,
E4 packages and files, E5 guards and ownership, E6 the service, E7 running a function, E8 sources, E9 usage.
`explanations` holds what ``udfs explain CODE`` prints of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.hints import Hint

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "the service failed, or an unexpected error",
    2: "changes or drift are present (plan --exit-code, drift)",
    3: "invalid manifest or usage",
    4: "authentication or permission",
    5: "refused by a guard, a policy or ownership",
    6: "the plan is stale",
    7: "the lease is held by another",
    8: "partly applied",
    9: "a test failed, here or in the project",
    130: "interrupted",
}
"""The contract with pipelines."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; line and column count from 1, columns in characters."""

    file: str
    """As the user named it, or relative to the working directory."""

    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    code: str
    message: str
    """One sentence without a full stop; names are quoted with '…'."""

    at: Position | None = None
    hint: Hint | None = None
    """What to do now."""

    source: str | None = None
    """The line of text at `at`, for the caret."""

    width: int = 1
    """How many characters of `source` the caret underlines."""

    severity: Literal["error", "warning"] = "error"
    detail: tuple[str, ...] = ()
    """Lines that follow: a traceback, the places that were looked at."""

    together: tuple[str, Hint] | None = field(default=None, compare=False)
    """How many of its kind are told to people as one: what follows their number, and the hint for all."""

    is_forced: bool = False
    """Whether it is an error that a person has gone past, and so a warning."""


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems by their places, and at one place by code; what has no place comes last."""
    return sorted(problems, key=lambda problem: (problem.at or Position("~", 0, 0), problem.code))


class UdfsError(Exception):
    """Something a person can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: Hint | None = None,
        at: Position | None = None,
        source: str | None = None,
        detail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(code, message, at, hint, source, detail=detail),)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UdfsError:
        """Make one error of several findings, in the order of their places."""
        ordered = sort_problems(problems)
        error = cls(ordered[0].code, ordered[0].message)
        error.problems = tuple(ordered)
        return error

    def __str__(self) -> str:
        return "; ".join(p.message for p in self.problems)


class InvalidManifest(UdfsError):
    """The manifest, or a file it names, cannot be used."""

    exit_code = 3


class UsageError(UdfsError):
    """The command line asks for something that cannot be."""

    exit_code = 3


class PackageError(UdfsError):
    """A wheel or another file is missing, damaged, or made for another Python."""

    exit_code = 3


class InterpreterError(UdfsError):
    """No CPython of the function's runtime is on this machine."""

    exit_code = 3


class ServiceError(UdfsError):
    """A service could not be reached, or answered with an error or something that is not an answer."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: Hint | None = None,
        at: Position | None = None,
        source: str | None = None,
        status: int | None = None,
        service_code: str | None = None,
        outcome: Literal["safe", "unknown", "final"] = "final",
        retry_after: float | None = None,
        detail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(code, message, hint=hint, at=at, source=source, detail=detail)
        self.status = status
        """The HTTP status, where there was an answer."""
        self.service_code = service_code
        """The service's own word for it, such as ``NoSuchObject``."""
        self.outcome = outcome
        """Of a write: *safe* if the service did not act, *unknown* if it may have, *final* if trying again is no use."""
        self.retry_after = retry_after
        """Seconds that the service asks to be left alone, if it said so."""


class AccessError(ServiceError):
    """The service refuses the credentials, or the account lacks a permission."""

    exit_code = 4


class Refused(UdfsError):
    """A guard or the rules of ownership forbid the change."""

    exit_code = 5


class StalePlan(UdfsError):
    """An object is no longer what the plan was made against."""

    exit_code = 6


class LeaseHeld(UdfsError):
    """Somebody else is applying the same stack."""

    exit_code = 7


class PartlyApplied(UdfsError):
    """Some changes were made and then one failed."""

    exit_code = 8


class MachineError(UdfsError):
    """This machine's disk or streams do not do what is needed: no fault of the manifest, nor of the service."""

    exit_code = 1


class TestsFailed(UdfsError):
    """A test of the manifest did not come out as it says."""

    exit_code = 9


class FunctionFailed(UdfsError):
    """The user's function raised, or its process died."""

    exit_code = 1


def place_problem(problem: Problem, position: Position | None) -> Problem:
    """Return `problem` at a place, unless it has one."""
    return problem if problem.at else replace(problem, at=position)


def count(number: int, noun: str) -> str:
    """Return ``1 object`` or ``2 objects``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of an English noun that has a regular one: resources, aliases, libraries."""
    if noun.endswith("s"):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in set("aeiou") else f"{noun}s"
