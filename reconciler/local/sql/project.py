"""Surroundings of a statement: the project that it asks, and the limits of what it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from reconciler.local.runner import Interpreter, Job


class SqlProject(Protocol):
    """What a statement needs of the service."""

    def functions(self) -> Collection[str]:
        """Return the names of the project's functions, folded."""

    def job(self, function: str, runtime: str, folder: Path) -> Job:
        """Return what runs a function; `folder` takes its resources. RunnerError where they are no good."""

    def table(self, name: tuple[str, ...], connection: Any) -> Any | None:
        """Return an Arrow table by the parts of its name, None if there is none."""

    def interpreter(self, job: Job) -> Interpreter:
        """Return the CPython that runs a job; RunnerError where there is none."""


@dataclass(frozen=True)
class StatementLimits:
    """How much one statement may take."""

    rows: int
    """Of the result; what is more is cut off, as the service does [doc "SQL limits": 10,000]."""
    seconds: float
    megabytes: int
    """Of memory, for DuckDB."""
