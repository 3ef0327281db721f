"""Findings become problems where their place in the manifest is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.base import errors
from reconciler.base.errors import PackageError, Position, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.packages.inspect.members import Finding


class Places(Protocol):
    """Tells where in the manifest something stands: ``at("packages", "numpy", "wheels", 0)``."""

    def __call__(self, *path: str | int) -> Position: ...


def problem(name: str, finding: Finding, place: Position) -> Problem:
    message = f"'{name}' {finding.message}"
    return Problem(finding.code, message, place, finding.hint, severity=finding.severity, detail=finding.detail)


def placed(error: PackageError, place: Position) -> Iterator[Problem]:
    return (errors.at(problem, place) for problem in error.problems)


def is_wrong(problems: Iterable[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)
