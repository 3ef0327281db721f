"""sql: a statement, here or in the project, and its rows or what it says."""

from __future__ import annotations

import csv
import io
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UdfsError, UsageError, count
from reconciler.base.hints import Command
from reconciler.base.words import did_you_mean
from reconciler.cli.support.options import Options, command, formats, with_options
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.project import connect, open_manifest
from reconciler.render import project as rows
from reconciler.targets import require_power
from reconciler.workflow import planning, records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem
    from reconciler.base.hints import Hint

STATEMENT = "the query"
"""What errors call a statement that is in no file."""

_CALLED = re.compile(r"(\w+)\s*\(")
_USAGE = (Command("sql", "'SELECT …'"), ", or ", Command("sql", "< query.sql"))


@command()
@click.argument("query", required=False)
@lambda command: with_options(command, formats("text", "json", "csv"))
def sql(options: Options, query: str | None) -> Result:
    """Run QUERY, one statement, and print its rows; without QUERY it is read from standard input.

    SET lines may stand before it. Those that the manifest's functions need are added, and said. On `endpoint: local` it runs
    here (`pip install 'udfs[sql]'`), over the manifest's `tables:`, VALUES and tables that statements made, its functions in
    their own CPython.
    """
    # Rows as CSV are for a program: warnings are left out as for JSON.
    manifest = open_manifest(replace(options, format="json" if options.format == "csv" else options.format))
    queries = require_power(manifest, lambda adapter: adapter.queries, "SQL")
    statement = queries.read_query(query if query is not None and query != "-" else _from_stdin())
    if not statement.sql.strip("; \n\t"):
        raise UsageError("E732", "there is no statement", hint=_USAGE)
    queries.require_query(manifest)
    with connect(manifest) as target:
        settings, functions = records.settings_for(statement, queries, manifest, target)
        if options.format == "text":
            for name, value in settings.items():
                note(f"SET {name}={value};  for {', '.join(functions)}")
        try:
            answer = queries.run_query(target, statement.sql, {**settings, **statement.settings}, STATEMENT)
        except UdfsError as error:
            declared = queries.called_functions(statement.sql, manifest.manifest.functions)
            absent = {*map(str.lower, declared)} - {*map(str.lower, functions)}
            raise _explain(error, absent, manifest.manifest.functions) from error
    if options.format == "json":
        from reconciler.render.documents.project import query_document

        return Result(query_document(answer, settings, planning.plan_destination(manifest)))
    if answer.text is not None:
        return Result(answer.text)
    if options.format == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows.csv_rows(answer))
        return Result(text.getvalue())
    limit = f"there are more rows than the {count(len(answer.rows), 'row')} that the service gives out: add LIMIT"
    return Result(rows.table_lines(answer), notes=(limit,) if answer.is_cut else ())


def _explain(error: UdfsError, absent: set[str], declared: Iterable[str]) -> UdfsError:
    """
    Return the error of a statement, with what may help where the service has no hint.

    `absent` are functions that it calls, of the manifest and not in the project; `declared` all that the manifest has.
    """
    names = tuple(declared)

    def hint(problem: Problem) -> Hint | None:
        called = _CALLED.match(problem.source or "", problem.at.column - 1) if problem.at else None
        return Command("apply") if absent else did_you_mean(called[1], names) if called else None

    if all(problem.hint or not hint(problem) for problem in error.problems):
        return error
    return type(error).of(replace(problem, hint=problem.hint or hint(problem)) for problem in error.problems)


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise UsageError("E732", "no statement is given", hint=_USAGE)
    return sys.stdin.read()
