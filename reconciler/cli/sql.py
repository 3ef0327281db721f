"""sql: a statement that calls functions, here or in the project, and its rows."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace

import click

from reconciler.base.errors import UsageError, count
from reconciler.base.hints import Command
from reconciler.cli.support.options import Options, command, connected, loaded, query_options, require_sql
from reconciler.cli.support.output import note, print_document, print_lines
from reconciler.core.target import require_querying
from reconciler.render import query as asked
from reconciler.targets.maxcompute import queries
from reconciler.workflow import deployment, planning

SHOWN = "the query"
"""What errors call a statement that is in no file."""


@command()
@click.argument("query", required=False)
@query_options
def sql(options: Options, query: str | None) -> int:
    """Run QUERY, one SELECT, and print its rows; without QUERY it is read from standard input.

    SET lines may stand before it. Those that the manifest's functions need are added, and said. On `endpoint: local` it runs
    here (`pip install 'udfs[sql]'`), over the manifest's `tables:` and VALUES, its functions in their own CPython.
    """
    manifest = loaded(replace(options, format="json" if options.format == "csv" else options.format))
    text = query if query is not None and query != "-" else _from_stdin()
    asked_for = queries.read(text)
    if not asked_for.sql.strip("; \n\t"):
        raise UsageError(
            "E732", "there is no statement", hint=(Command("sql", "'SELECT …'"), ", or ", Command("sql", "< query.sql"))
        )
    require_sql(manifest)
    with connected(manifest) as target:
        needed, functions = deployment.settings_for(asked_for, manifest, target)
        if options.format == "text":
            for name, value in needed.items():
                note(f"SET {name}={value};  for {', '.join(functions)}")
        answer = require_querying(target).query(asked_for.sql, {**needed, **asked_for.settings}, SHOWN)
    match options.format:
        case "json":
            print_document(asked.document(answer, needed, planning.destination(manifest)))
        case "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows(asked.csv(answer))
        case _:
            print_lines(asked.table(answer))
            if answer.is_cut:
                note(
                    f"there are more rows than the {count(len(answer.rows), 'row')} that the service gives out: add LIMIT"
                )
    return 0


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise UsageError(
            "E732", "no statement is given", hint=(Command("sql", "'SELECT …'"), ", or ", Command("sql", "< query.sql"))
        )
    return sys.stdin.read()


__all__ = ["sql"]
