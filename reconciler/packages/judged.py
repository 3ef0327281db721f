"""
Results with their problems: the one way in which this room says that something is wrong.

A step over many things returns a `Judged`: what it has, and the problems with the rest. A check yields problems. What cannot
give the one thing that it is for raises PackageError, and `gather` makes that an outcome. Nobody is handed a list to add to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from reconciler.base import errors
from reconciler.base.errors import PackageError, Position, Problem
from reconciler.base.threads import gather
from reconciler.packages.inspect.files import FORCIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.packages.inspect.files import FileFinding

_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Judged(Generic[_T]):
    """A value and what is wrong, or may be, with what it was made from."""

    value: _T
    problems: tuple[Problem, ...] = ()


def problem_of(name: str, finding: FileFinding, position: Position, forced: AbstractSet[str]) -> Problem:
    """Return a finding as a problem, now that its place in the manifest is known; one that is `forced` past is a warning that says so."""
    problem = Problem(
        finding.code,
        f"'{name}' {finding.message}",
        position,
        finding.hint,
        severity=finding.severity,
        detail=finding.detail,
    )
    if finding.severity == "error" and finding.code in forced & FORCIBLE:
        message = f"{problem.message}; `--no-check` goes on all the same"
        return replace(problem, message=message, severity="warning", is_forced=True)
    return problem


def place_problems(error: PackageError, position: Position) -> Iterator[Problem]:
    """Yield the problems of an error; those without a place get this one."""
    return (errors.place_problem(problem, position) for problem in error.problems)


def judge(
    tasks: Mapping[_K, Callable[[], _T]],
    position_of: Callable[[_K], Position],
    look: Callable[[_K, _T], Iterable[Problem]],
) -> Judged[dict[_K, _T]]:
    """Do tasks side by side, and look at what they give; what failed, or is wrong, is not among the results."""
    results: dict[_K, _T] = {}
    problems: list[Problem] = []
    for key, outcome in gather(tasks).items():
        if isinstance(outcome, PackageError):
            problems += place_problems(outcome, position_of(key))
            continue
        seen = list(look(key, outcome))
        problems += seen
        if not is_wrong(seen):
            results[key] = outcome
    return Judged(results, tuple(problems))


def is_wrong(problems: Iterable[Problem]) -> bool:
    """Say whether a problem is an error."""
    return any(problem.severity == "error" for problem in problems)
