"""
Tables for SQL: rows that whoever runs the server has given it.

The service has tables of its own, with a protocol for their data (the tunnel) that is no part of this server. Here they are
*provided*: `Server.provide_table`, which ``endpoint: local`` and ``udfs serve -f`` do with the manifest's `tables:`. They
are read when a statement first names them, and again when they have changed.
"""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.runner import Json, TypedText
from reconciler.local.runner.worker.values import NUMBERS
from reconciler.local.server.protocol import same_name

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Sequence

_BATCH = 50_000
_FORMS: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT"), NUMBERS["integer"]),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE"), NUMBERS["float"]),
    "DECIMAL": NUMBERS["decimal"],
}
"""How a person writes values of DuckDB's types."""


@dataclass(frozen=True)
class ProvidedTable:
    """A table's columns, and where its rows come from."""

    columns: tuple[tuple[str, str], ...]
    """Names and types, these in the spelling of a signature."""
    rows: Callable[[], Iterable[Sequence[object]]]
    """Called when the rows are needed. Values may be what a person wrote, `TypedText` or `Json`, to be read by their type."""
    version: Callable[[], object] = lambda: None
    """Something that is different when the rows are."""


class Tables:
    """The tables of all projects."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], ProvidedTable] = {}
        self._read: dict[tuple[str, str], tuple[object, Any]] = {}
        self._lock = threading.Lock()

    def provide(self, project: str, name: str, table: ProvidedTable) -> None:
        """Give a project a table, in the place of one of that name."""
        key = same_name(project), same_name(name)
        with self._lock:
            self._tables[key] = table
            self._read.pop(key, None)

    def find(self, project: str, parts: Sequence[str]) -> tuple[tuple[str, str], ProvidedTable] | None:
        """
        Return the table that a name of one to three parts means.

        A manifest may call a table by less than its whole name, so the rest of a longer one is not held against it.
        """
        for start in range(len(parts)):
            key = same_name(project), same_name(".".join(parts[start:]))
            if key in self._tables:
                return key, self._tables[key]
        return None

    def names(self, project: str) -> list[str]:
        """Return the names of a project's tables, without their case."""
        with self._lock:
            return sorted(name for owner, name in self._tables if owner == same_name(project))

    def arrow(self, project: str, parts: Sequence[str], connection: Any) -> Any | None:
        """Return a table as Arrow has it; ValueError says why its rows are none of its types."""
        provided = self.find(project, parts)
        if provided is None:
            return None
        key, table = provided
        with self._lock:
            version = table.version()
            if key not in self._read or self._read[key][0] != version:
                self._read[key] = version, _read(table, connection)
            return self._read[key][1]


def _read(table: ProvidedTable, connection: Any) -> Any:
    """Return a table's rows; DuckDB reads by its type what a person wrote."""
    import pyarrow as pa

    from reconciler.local.sql.value_types import duckdb_type

    types = [duckdb_type(kind) for _, kind in table.columns]
    named = zip(table.columns, types, strict=True)
    nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for (name, _), kind in named)
    schema = connection.sql(f"SELECT {nothing} LIMIT 0").to_arrow_table().schema
    batches = []
    rows = iter(table.rows())
    while batch := list(itertools.islice(rows, _BATCH)):
        columns = zip(zip(*batch, strict=True), schema, types, strict=True)
        arrays = [_column(column, field, kind, connection) for column, field, kind in columns]
        batches.append(pa.Table.from_arrays(arrays, schema=schema))
    return pa.concat_tables(batches) if batches else schema.empty_table()


def _column(values: Sequence[Any], field: Any, kind: str, connection: Any) -> Any:
    import pyarrow as pa

    from reconciler.local.sql.value_types import values_to_arrow

    try:
        if not {TypedText, Json} & set(map(type, values)):
            return values_to_arrow(values, field.type)
        texts = list(map(_text, values))
        # DuckDB takes '1_000' and '0x10', too, and rounds '1.6'.
        form = _FORMS.get(kind.partition("(")[0])
        misfit = next(
            (text for text in texts if form and text is not None and not form.match(text.strip(" \t\r\n"))), None
        )
        if misfit is not None:
            raise ValueError(f"'{misfit}' is no {kind}")
        if pa.types.is_binary(field.type):
            return values_to_arrow([None if value is None else value.encode() for value in texts], field.type)
        how = f"CAST(CAST(one AS JSON) AS {kind})" if pa.types.is_nested(field.type) else f"CAST(one AS {kind})"
        connection.register("written", pa.table({"one": pa.array(texts, pa.string())}))
        return connection.sql(f"SELECT {how} FROM written").to_arrow_table().column(0)
    except Exception as error:
        raise ValueError(f"column {field.name}: {str(error).splitlines()[0]}") from error


def _text(value: Any) -> str | None:
    """Return what a person wrote."""
    if isinstance(value, TypedText):
        return value.text
    plain = value.value if isinstance(value, Json) else value
    return plain if plain is None or isinstance(plain, str) else json.dumps(plain)
