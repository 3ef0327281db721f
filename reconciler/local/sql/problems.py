"""Failures of a statement, in the words of the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class SqlPosition:
    """Where in the statement something stands, as the service writes it: ``[1,8]``."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"[{self.line},{self.column}]"


def position_of(text: str, offset: int) -> SqlPosition:
    """Return line and column of an offset."""
    before = text[:offset]
    return SqlPosition(before.count("\n") + 1, offset - before.rfind("\n"))


class SqlFailed(Exception):
    """An instance that fails; the text is what its result says."""


class Stopped(Exception):
    """Somebody stopped the instance."""


def _at_a_place(text: str) -> Callable[[SqlPosition | None, str], SqlFailed]:
    return lambda position, what: SqlFailed(text.format(position or SqlPosition(1, 1), what))


def _anywhere(text: str) -> Callable[[str], SqlFailed]:
    return lambda what: SqlFailed(text.format(what))


parse_failure = _at_a_place("ODPS-0130161:{} Parse exception - {}")
"""What is no SQL. Code and form as in recorded answers; what follows is ours, not the service's."""

TOO_DEEP = "the statement is nested too deep"
"""Deeper than the local service goes; how deep the service goes is not published."""

semantic_failure = _at_a_place("ODPS-0130071:{} Semantic analysis exception - {}")
"""What is SQL and means nothing. Code and form as in recorded answers."""

invalid_reference = _at_a_place("ODPS-0130081:{} Invalid UDF reference - {}")
"""A function whose signature is none [doc "SQL errors"]; why is said here alone."""

unknown_table = _at_a_place("ODPS-0130131:{} Table not found - table {} cannot be resolved")
"""A table that is not there; the text is that of recorded answers."""

unknown_view = _at_a_place("ODPS-0130201:{} View not found - view {} cannot be resolved")
"""Code and first words are those of the list of errors [doc]; the text behind them is that of tables, a guess."""

table_exists = _at_a_place("ODPS-0130211:{} Table or view already exists - {} already exists")
"""Code and first words are what dbt-maxcompute waits for (utils.py); the text behind them is a guess."""

unknown_partition = _at_a_place("ODPS-0130071:{} Semantic analysis exception - partition not found, table {}")
"""A partition that is not there. Others report the code; the text is a guess."""

partition_exists = _anywhere(
    "ODPS-0110061:Failed to run ddltask - AlreadyExistsException(message:Partition already exists, existed values: {})"
)
"""A partition that is there already [doc "Common errors"]."""

_wrong_count = _at_a_place("ODPS-0130221:{} Invalid number of arguments - {}")

invalid_type = _at_a_place("ODPS-0130121:{} Invalid argument type - {}")
"""An argument that a built-in function does not take; the text is that of [doc "SQL errors"]."""

illegal_union = _at_a_place("ODPS-0130241:{} Illegal union operation - {}")
"""Sides of a UNION that do not fit. The code is that of the list of errors; what follows is ours."""

no_cartesian = _at_a_place("ODPS-0130252:{} Cartesian product is not allowed - {}")
"""A join without a condition [doc "ODPS-0130252"]."""

illegal_cast = _anywhere("ODPS-0123091:Illegal type cast - {}")
"""A value that its type does not hold. The code is that of the list of errors; what follows is ours."""

invalid_arguments = _anywhere("ODPS-0121095:Invalid arguments - {}")
"""A value that a function or an operator does not take. The code is that of the list of errors; what follows is ours."""

null_in_column = _anywhere("ODPS-0121095:Invalid arguments - column {} is NOT NULL, and a row has NULL for it")
"""NULL for a column that takes none [doc "CREATE TABLE"]. Code and text are a guess."""

script_failed = _anywhere("ODPS-0123055:User script exception - {}")
"""An exception that left a function's code [doc "FAQ about MaxCompute UDFs"]."""

not_sandboxed = _anywhere(
    "ODPS-0140171:Sandbox violation exception - Cannot load binary package {}. It is quite possible that you are "
    "using an old MaxCompute service which does not support binary packages. If this is not true, please set "
    "odps.isolation.session.enable to True or ask your project owner to change project-level configuration."
)
"""Code of the list of errors; the rest is what PyODPS says where binary packages are not allowed (lib/importer.py)."""

no_pypy = _anywhere(
    "ODPS-0140171:Sandbox violation exception - PyPy cannot load binary package {}; set odps.pypy.enabled=false"
)
"""PyPy cannot load C extensions [doc "Reference third-party packages"]; how the service says so is a guess."""

took_too_long = _anywhere(
    "ODPS-0123144:Fuxi job failed - WorkerRestart errCode:252,errMsg:kInstanceMonitorTimeout, usually caused by bad udf "
    "performance: {}"
)
"""A function that does not answer [doc "FAQ about MaxCompute UDFs"]; the last part is said here alone."""

worker_died = _anywhere("ODPS-0123144:Fuxi job failed - {}")
"""A worker that ended before it answered. The code is that of failed jobs; the text is a guess."""

internal_failure = _anywhere("ODPS-0010000:System internal error - {}")
"""What only the local service cannot do."""


def unknown_function(position: SqlPosition | None, name: str, why: str = "") -> SqlFailed:
    """
    A function that is not there [doc "FAQ about MaxCompute UDFs"].

    The service says the same of a class that it cannot load; `why` is said here alone.
    """
    return semantic_failure(position, f"function or view '{name}' cannot be resolved" + (f": {why}" if why else ""))


def wrong_count(position: SqlPosition | None, name: str, actual: int, expected: int) -> SqlFailed:
    """The text is that of built-in functions [doc "SQL errors"]; that it is the same for others is a guess."""
    return _wrong_count(position, f"function {name} needs {expected} parameters, actually have {actual}")
