"""
DESC and SHOW: what a job says of tables, partitions and functions, as text.

Its form is that of the examples on the vendor's pages "Table operations" and "Partition operations", as far as they show it.
"""

from __future__ import annotations

import fnmatch
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import semantic_failure, unknown_function, unknown_partition, unknown_table
from reconciler.local.sql.statements.targets import partition_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.local.sql.catalog import TableColumn, TableDefinition, TableFacts, TableName
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words

_WIDTH = 84
_LINE = f"+{'-' * _WIDTH}+"


def describe(words: Words, session: SqlSession) -> JobOutcome:
    """``DESC [EXTENDED] name [PARTITION (…)]`` and ``DESC FUNCTION name``."""
    if words.take("function"):
        position, name = words.position(), session.table_name(words.dotted_name())
        words.finish()
        facts = session.catalog.functions.describe(name)
        if facts is None:
            raise unknown_function(position, name.name)
        return JobOutcome(text="".join(f"{title + ':':<40}{value}\n" for title, value in facts))
    words.take("extended")
    words.take("table")
    name, definition = _read_table(words, session)
    if words.take("partition"):
        position = words.position()
        values = partition_values(definition, words.partition(), position)
        if values not in session.catalog.partitions(name):
            raise unknown_partition(position, str(name))
    words.finish()
    return JobOutcome(text="\n".join(_table_lines(name, definition, session.catalog.describe(name))) + "\n")


def _read_table(words: Words, session: SqlSession) -> tuple[TableName, TableDefinition]:
    """Read the name of a table or view that is there."""
    position = words.position()
    name = session.table_name(words.dotted_name())
    definition = session.catalog.definition(name)
    if definition is None:
        raise unknown_table(position, str(name))
    return name, definition


def _table_lines(name: TableName, definition: TableDefinition, facts: TableFacts | None) -> Iterable[str]:
    yield _LINE
    owner = f"Owner: {facts.owner if facts else ''}"
    yield f"| {owner:<40} | {f'Project: {name.project}':<{_WIDTH - 46}} |"
    yield _row(f"TableComment: {definition.comment}")
    yield _LINE
    if facts:
        for title, moment in (
            ("CreateTime", facts.created),
            ("LastDDLTime", facts.altered),
            ("LastModifiedTime", facts.modified),
        ):
            yield _row(f"{title + ':':<25}{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(moment))}")
        yield _LINE
    if definition.view:
        yield _row("VirtualView: YES | ViewText: " + " ".join(definition.view.split()))
    else:
        size = facts.size if facts else 0
        yield _row(f"InternalTable: YES      | Size: {size}")
    yield _LINE
    yield _row("Native Columns:")
    yield from _column_lines(definition.columns)
    if definition.keys:
        yield _row("Partition Columns:")
        yield from _column_lines(definition.keys)


def _column_lines(columns: Iterable[TableColumn]) -> Iterable[str]:
    yield _LINE
    yield f"| {'Field':<15} | {'Type':<10} | {'Label':<5} | {'Comment':<{_WIDTH - 41}} |"
    yield _LINE
    for column in columns:
        yield f"| {column.name:<15} | {column.type:<10} | {'':<5} | {column.comment:<{_WIDTH - 41}} |"
    yield _LINE


def _row(text: str) -> str:
    return f"| {text:<{_WIDTH - 2}} |"


def show_names(words: Words, session: SqlSession) -> JobOutcome:
    """``SHOW TABLES``, ``SHOW VIEWS``, ``SHOW PARTITIONS``, ``SHOW FUNCTIONS``, ``SHOW RESOURCES``, ``SHOW CREATE TABLE``."""
    reader = next((read for begin, read in _SHOWN.items() if words.take(*begin.split())), None)
    if reader is None:
        raise words.syntax_failure()
    lines = reader(words, session)
    words.finish()
    return JobOutcome(text="".join(f"{line}\n" for line in lines))


def _matches(words: Words) -> Callable[[str], bool]:
    if not words.take("like"):
        return lambda name: True
    pattern = words.literal().lower().replace("%", "*")
    return lambda name: fnmatch.fnmatchcase(name.lower(), pattern)


def _place(words: Words, session: SqlSession) -> TableName:
    # The name of a table that is none, for its project and schema.
    container = words.dotted_name() if words.take("in") else ()
    if len(container) == 1 and not session.project.names.three_levels:
        return session.table_name((container[0], "default", "t"))
    return session.table_name((*container, "t"))


def _show_tables(words: Words, session: SqlSession, *, views: bool = False) -> list[str]:
    container, matches = _place(words, session), _matches(words)
    facts = []
    for name in session.catalog.names(container.project, container.schema):
        full = replace(container, name=name)
        definition = session.catalog.definition(full)
        if matches(name) and definition is not None and (not views or definition.view):
            described = session.catalog.describe(full)
            facts.append(f"{described.owner if described else ''}:{name}")
    return facts


def _show_views(words: Words, session: SqlSession) -> list[str]:
    return _show_tables(words, session, views=True)


def _show_partitions(words: Words, session: SqlSession) -> list[str]:
    position = words.position()
    name, definition = _read_table(words, session)
    if not definition.keys:
        raise semantic_failure(position, f"table {name} is not a partitioned table")
    constraints = words.partition() if words.take("partition") else {}
    keys = [key.name for key in definition.keys]
    rows = [dict(zip(keys, values, strict=True)) for values in session.catalog.partitions(name)]
    return [
        "/".join(f"{key}={value}" for key, value in row.items())
        for row in rows
        if all(row.get(key) == value for key, value in constraints.items())
    ]


def _show_create(words: Words, session: SqlSession) -> list[str]:
    name, definition = _read_table(words, session)
    if definition.view:
        return [f"CREATE VIEW {name} AS {definition.view};"]
    text = f"CREATE TABLE {name} ({_column_texts(definition.columns)})"
    text += f" COMMENT '{definition.comment}'" if definition.comment else ""
    text += f" PARTITIONED BY ({_column_texts(definition.keys)})" if definition.keys else ""
    return [text + (f" LIFECYCLE {definition.lifecycle}" if definition.lifecycle else "") + ";"]


def _column_texts(columns: Iterable[TableColumn]) -> str:
    return ", ".join(map(_column_text, columns))


def _column_text(column: TableColumn) -> str:
    default = None if column.default is None else column.default.replace("'", "\\'")
    return (
        f"{column.name} {column.type.upper()}"
        + (" NOT NULL" if column.required else "")
        + ("" if default is None else f" DEFAULT '{default}'")
        + (f" COMMENT '{column.comment}'" if column.comment else "")
    )


def _show_functions(words: Words, session: SqlSession) -> list[str]:
    container, matches = _place(words, session), _matches(words)
    return [line for name, line in session.catalog.functions.list_functions(container) if matches(name)]


def _show_resources(words: Words, session: SqlSession) -> list[str]:
    return [line for _, line in session.catalog.functions.list_resources(_place(words, session))]


_SHOWN: dict[str, Callable[[Words, SqlSession], list[str]]] = {
    "tables": _show_tables,
    "views": _show_views,
    "partitions": _show_partitions,
    "create table": _show_create,
    "functions": _show_functions,
    "resources": _show_resources,
}
