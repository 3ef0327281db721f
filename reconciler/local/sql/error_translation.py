"""
Errors of DuckDB and of the runner, translated to those of the service.

The place is that of the name that an error is about, as far as the statement still has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from reconciler.local import runner
from reconciler.local.sql import problems
from reconciler.local.sql.built_ins.table import PREFIX
from reconciler.local.sql.problems import semantic_failure, unknown_function

if TYPE_CHECKING:
    from reconciler.local.sql.problems import SqlFailed
    from reconciler.local.sql.translate import Statement

_NO_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")
_NO_COLUMN = re.compile(
    r"(?:Referenced column|have a column named|Referenced table) \"?([^\"\n]+?)\"?(?: not found|\n|$)"
)
_ROWS = re.compile(r"STRUCT\((c0 .*)\)\[\]", re.DOTALL)
_NO_GROUP = re.compile(r"column \"([^\"\n]+)\" must appear in the GROUP BY")
_NO_MATCH = re.compile(r"No function matches the given name and argument types '(\w+)\((.*?)\)'", re.DOTALL)
_EARLY_OR_LATE = re.compile(r"Could not convert string ('\d{4}-\d\d-\d\d [\d:.]+') to INT64")
"""A TIMESTAMP has nanoseconds in 64 bits there."""
WIDE_INTEGERS = ("HUGEINT", "INT128")


def runner_failure(error: runner.RunnerError) -> SqlFailed:
    """Return an error of the runner as the service tells it."""
    log = getattr(error, "log", "")
    printed = f"\n{log.rstrip()}" if log else ""
    match error:
        case runner.WorkerTimedOut():
            return problems.took_too_long(error.message + printed)
        case runner.WorkerDied():
            return problems.worker_died(error.message + printed)
        case runner.FunctionRaised():
            return problems.script_failed(
                (error.traceback.rstrip() or error.exception) + f"\n{error.message}" + printed
            )
        case runner.FunctionError():
            return problems.script_failed(error.message + printed)
        case _:
            return problems.internal_failure(error.message + (f"; {error.hint}" if error.hint else ""))


def duckdb_failure(error: Exception, statement: Statement) -> SqlFailed:
    """Return what DuckDB refuses as the service would tell it, at the place of the name that it is about."""
    text = re.sub(rf"\b{PREFIX}(\w+?)(__\d+)?\b", r"\1", str(error))
    # What follows in further lines speaks of DuckDB's functions and of the statement as it was said to DuckDB.
    what = text.partition(":")[2].strip().split("\n")[0]
    what = re.split(r" when casting from| Use TRY\(", what)[0].rstrip(". ")
    what = what.replace("INT64", "BIGINT").replace("INT32", "INT")
    if match := _NO_FUNCTION.search(text):
        return unknown_function(statement.find_name(match[1]), match[1].lower())
    if match := _NO_MATCH.search(text):
        return _no_match(match[1], match[2], statement)
    if "expression depth limit" in text:
        return problems.parse_failure(None, problems.TOO_DEEP)
    match error:
        case duckdb.BinderException() if match := _NO_COLUMN.search(text):
            return semantic_failure(statement.find_name(match[1]), f"column {match[1]} cannot be resolved")
        case duckdb.ParserException() | duckdb.SyntaxException():
            return problems.parse_failure(None, f"{what}; said as {statement.sql()}")
        case duckdb.BinderException() if match := _NO_GROUP.search(text):
            text_of_service = f"column {match[1]} has to be in GROUP BY or in an aggregate function"
            return semantic_failure(statement.find_name(match[1]), text_of_service)
        case duckdb.BinderException() | duckdb.CatalogException():
            named = (statement.find_name(name) for name in re.findall(r"(\w+)\(", what))
            return semantic_failure(next(filter(None, named), None), what)
        case duckdb.OutOfMemoryException():
            return problems.internal_failure(f"the statement needs more memory than it may have: {what}")
        case duckdb.ConversionException() if match := _EARLY_OR_LATE.search(str(error)):
            return problems.internal_failure(
                f"missing here: a TIMESTAMP before 1677-09-22 or after 2262-04-11, {match[1]}"
            )
        case duckdb.InvalidInputException() if "Could not convert string" in what:
            return problems.illegal_cast(what)
        case duckdb.InvalidInputException() if not what.startswith("missing here"):
            return problems.invalid_arguments(what)
        case duckdb.ConversionException() | duckdb.OutOfRangeException():
            return problems.illegal_cast(what)
        case _:
            return problems.internal_failure(what)


def _no_match(duckdb_name: str, argument_types: str, statement: Statement) -> SqlFailed:
    # The text is that of recorded answers for built-in functions.
    if rows := _ROWS.fullmatch(argument_types):
        argument_types = re.sub(r"(^|, )c\d+ ", r"\1", rows[1])  # the list of a group's rows
    types = re.sub("STRING_LITERAL|VARCHAR", "STRING", argument_types.replace("INTEGER_LITERAL", "INT"))
    types = re.sub(r"TIMESTAMP(_NS)?", lambda match: "TIMESTAMP" if match[1] else "DATETIME", types)
    for form in statement.forms:
        if form.duckdb_name == duckdb_name.lower():
            description, name = form.function.description, form.function.name
            parameters = ", ".join(f"{kind.upper()} arg{index}" for index, kind in enumerate(description.inputs or ()))
            result = ", ".join(description.outputs or ()).upper()
            if any(wide in types for wide in WIDE_INTEGERS):
                types += ": a SUM of integers is wider here, CAST(… AS BIGINT) makes it one"
            said = f"candidates are {result} {name.upper()}({parameters})"
            where = statement.calls[name.lower()]
            return semantic_failure(
                where, f"function {name} cannot match any overloaded functions with ({types}), {said}"
            )
    return semantic_failure(
        statement.find_name(duckdb_name),
        f"function {duckdb_name.lower()} cannot match any overloaded functions with ({types})",
    )
