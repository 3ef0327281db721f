"""Failures of a statement, in the words of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SqlPosition:
    """Where in the statement something stands, as the service writes it: ``[1,8]``."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"[{self.line},{self.column}]"


class SqlFailed(Exception):
    """An instance that fails; the text is what its result says."""


class Stopped(Exception):
    """Somebody stopped the instance."""


def parse_failure(position: SqlPosition | None, what: str) -> SqlFailed:
    """What is no SQL. Code and form as in recorded answers; what follows is ours, not the service's."""
    return SqlFailed(f"ODPS-0130161:{position or SqlPosition(1, 1)} Parse exception - {what}")


def semantic_failure(position: SqlPosition | None, what: str) -> SqlFailed:
    """What is SQL and means nothing. Code and form as in recorded answers."""
    return SqlFailed(f"ODPS-0130071:{position or SqlPosition(1, 1)} Semantic analysis exception - {what}")


def unknown_function(position: SqlPosition | None, name: str, why: str = "") -> SqlFailed:
    """
    A function that is not there [doc "FAQ about MaxCompute UDFs"].

    The service says the same of a class that it cannot load; `why` is said here alone.
    """
    return semantic_failure(position, f"function or view '{name}' cannot be resolved" + (f": {why}" if why else ""))


def invalid_reference(position: SqlPosition | None, why: str) -> SqlFailed:
    """A function whose signature is none [doc "SQL errors"]; `why` is said here alone."""
    return SqlFailed(f"ODPS-0130081:{position or SqlPosition(1, 1)} Invalid UDF reference - {why}")


def unknown_table(position: SqlPosition | None, name: str) -> SqlFailed:
    """A table that is not there; the text is that of recorded answers."""
    return SqlFailed(f"ODPS-0130131:{position or SqlPosition(1, 1)} Table not found - table {name} cannot be resolved")


def wrong_count(position: SqlPosition | None, name: str, actual: int, expected: int) -> SqlFailed:
    """The text is that of built-in functions [doc "SQL errors"]; that it is the same for others is a guess."""
    return SqlFailed(
        f"ODPS-0130221:{position or SqlPosition(1, 1)} Invalid number of arguments - "
        f"function {name} needs {expected} parameters, actually have {actual}"
    )


def script_failed(what: str) -> SqlFailed:
    """An exception that left a function's code [doc "FAQ about MaxCompute UDFs"]."""
    return SqlFailed(f"ODPS-0123055:User script exception - {what}")


def not_sandboxed(what: str) -> SqlFailed:
    """Code of the list of errors; the rest is what PyODPS says where binary packages are not allowed (lib/importer.py)."""
    return SqlFailed(
        f"ODPS-0140171:Sandbox violation exception - Cannot load binary package {what}. It is quite possible that you are "
        "using an old MaxCompute service which does not support binary packages. If this is not true, please set "
        "odps.isolation.session.enable to True or ask your project owner to change project-level configuration."
    )


def no_pypy(what: str) -> SqlFailed:
    """PyPy cannot load C extensions [doc "Reference third-party packages"]; how the service says so is a guess."""
    return SqlFailed(
        f"ODPS-0140171:Sandbox violation exception - PyPy cannot load binary package {what}; set odps.pypy.enabled=false"
    )


def took_too_long(what: str) -> SqlFailed:
    """A function that does not answer [doc "FAQ about MaxCompute UDFs"]; the last part is said here alone."""
    return SqlFailed(
        "ODPS-0123144:Fuxi job failed - WorkerRestart errCode:252,errMsg:kInstanceMonitorTimeout, usually caused by bad udf "
        f"performance: {what}"
    )


def worker_died(what: str) -> SqlFailed:
    """A worker that ended before it answered. The code is that of failed jobs; the text is a guess."""
    return SqlFailed(f"ODPS-0123144:Fuxi job failed - {what}")


def internal_failure(what: str) -> SqlFailed:
    """What only the local service cannot do."""
    return SqlFailed(f"ODPS-0010000:System internal error - {what}")
