"""
Tables over the wire: list, get, partitions and the first rows.

The documents are those that PyODPS reads (`models/tables.py`, `table.py`, `partitions.py`, `partition.py`) and the Java SDK's
models name. What a table is made of is changed by statements alone, as on the service.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import quoteattr

from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.catalog import StoreCatalog
from reconciler.local.server.database import TABLES_OF_ROWS, Location, StoredTable
from reconciler.local.server.exchange import Request, xml_response
from reconciler.local.server.listing import answer_list
from reconciler.local.server.protocol import element, http_date, invalid, legible, same_name, texts
from reconciler.local.sql.catalog import TableName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from reconciler.local.server.service import LocalService
    from reconciler.local.server.table_rows import StoredPartition
    from reconciler.local.sql.catalog import PartitionValues, TableColumn, TableDefinition

_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,/]*))\s*(?:[,/]|\Z)")
MOST_PREVIEWED = 10_000
"""Rows that a preview has at most [doc of PyODPS: `Table.head`]."""


class WireTable(NamedTuple):
    """A table, and what documents say of it."""

    name: TableName
    definition: TableDefinition
    record: StoredTable | None
    """None for a table that is provided."""
    partitions: list[StoredPartition]

    @property
    def owner(self) -> str:
        """Its owner."""
        return self.record.owner if self.record else ""


def table_name(service: LocalService, request: Request) -> TableName:
    """Return the table a request is about; its path has the schema, or ``curr_schema`` does."""
    path = request.path
    if path[2] == "schemas":
        return TableName(service.project(request).name, path[3], path[5])
    location = service.location(request)
    schema = request.query.get("schema_name") or location.schema  # PyODPS's `Table.head`
    return TableName(location.project, schema, path[3])


def open_catalog(service: LocalService, request: Request) -> StoreCatalog:
    """Return the tables as a request sees them; to be closed."""
    return StoreCatalog(service, Location(request.path[1]), request.actor)


def find_table(service: LocalService, request: Request, name: TableName) -> WireTable:
    """Return a table; 404 if there is none. The text is that of statements, a guess."""
    with closing(open_catalog(service, request)) as catalog:
        definition = catalog.definition(name)
    if definition is None:
        raise HttpRefusal(404, "NoSuchTable", f"ODPS-0130131:Table not found - '{name}'")
    location = Location(name.project, name.schema)
    with service.store.reading() as rows:
        record = rows.find(TABLES_OF_ROWS, name.name, location)
        partitions = rows.rows.partitions(rows.table_id(name.name, location)) if record else []
    return WireTable(name, definition, record, partitions)


def list_tables(service: LocalService, request: Request) -> Response:
    """``GET …/tables``: as the other lists; ``type`` is a further filter (PyODPS)."""
    location, kind = service.location(request), request.query.get("type", "").upper()
    with service.store.reading() as rows:
        records = dict(rows.behind(TABLES_OF_ROWS, "", location))
    with closing(open_catalog(service, request)) as catalog:
        names = catalog.names(location.project, location.schema)
        tables = []
        for name in names:
            whole = TableName(location.project, location.schema, name)
            definition = catalog.definition(whole)
            if definition is not None and (not kind or kind == _kind(definition)):
                tables.append((same_name(name), WireTable(whole, definition, records.get(same_name(name)), [])))

    def source(after: str) -> Iterable[tuple[str, WireTable]]:
        return [(key, table) for key, table in tables if key > after]

    return answer_list("Tables", request, service.settings, source, _entry)


def _entry(table: WireTable) -> str:
    return element("Table", _facts(table), texts(Type=_kind(table.definition)))


def _facts(table: WireTable) -> str:
    record = table.record
    dates = (
        {"CreationTime": http_date(record.created), "LastModifiedTime": http_date(record.modified)} if record else {}
    )
    return texts(
        Name=record.name if record else table.name.name, Comment=table.definition.comment, Owner=table.owner, **dates
    )


def _kind(definition: TableDefinition) -> str:
    return "VIRTUAL_VIEW" if definition.view else "MANAGED_TABLE"


def read_table(service: LocalService, request: Request) -> Response:
    """``GET …/tables/<name>``, and what a parameter asks of it."""
    table = find_table(service, request, table_name(service, request))
    if "partitions" in request.query:
        return _list_partitions(service, request, table)
    if "data" in request.query:
        return _first_rows(service, request, table)
    if "partition" in request.query:
        return _read_partition(request, table)
    schema = f"<Schema><![CDATA[{_cdata(json.dumps(schema_document(table), ensure_ascii=False))}]]></Schema>"
    document = f'<Table format="Json">{schema}{_facts(table)}{texts(Type=_kind(table.definition))}</Table>'
    return xml_response(document)


def _cdata(text: str) -> str:
    return legible(text).replace("]]>", "]]]]><![CDATA[>")


def schema_document(table: WireTable) -> dict[str, Any]:
    """Return what ``<Schema>`` holds, as JSON (PyODPS: `TableSchema`)."""
    definition, record = table.definition, table.record
    created, altered, modified = (record.created, record.altered, record.modified) if record else (0, 0, 0)
    return {
        "columns": [_column_document(column) for column in definition.columns],
        "partitionKeys": [_column_document(column) for column in definition.keys],
        "comment": definition.comment,
        "owner": table.owner,
        "createTime": int(created),
        "lastDDLTime": int(altered),
        "lastModifiedTime": int(modified),
        "lifecycle": definition.lifecycle or -1,
        "size": sum(partition.size for partition in table.partitions),
        "recordNum": sum(partition.rows for partition in table.partitions),
        "PhysicalSize": sum(partition.size for partition in table.partitions),
        "FileNum": 0,
        "IsArchived": False,
        "isVirtualView": bool(definition.view),
        "isMaterializedView": False,
        "viewText": definition.view,
        "tableProperties": json.dumps(dict(definition.properties)),
        "tableLabel": "",
        "shardExist": False,
        "Reserved": "{}",
    }


def _column_document(column: TableColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "comment": column.comment,
        "label": "",
        "isNullable": not column.required,
    }


def parse_partition(text: str, definition: TableDefinition, *, whole: bool = True) -> PartitionValues:
    """Read ``key=value,key='value'``; 400 for what names other keys, or too few where it has to be the `whole`."""
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise invalid(f"partition {legible(text)!r}")
        values[match[1].lower()] = next(
            value for value in (match[2], match[3], (match[4] or "").strip()) if value is not None
        )
        position = match.end()
    keys = [key.name for key in definition.keys]
    if list(values) != keys[: len(values)] or (whole and len(values) != len(keys)):
        raise invalid(f"partition {legible(text)!r}, the partition keys are {', '.join(keys) or 'none'}")
    return tuple(values.values())


def partition_of(source: str, definition: TableDefinition) -> PartitionValues | None:
    """Return the partition that a table resource's source names, ``t partition(key='value')``; None for the whole table."""
    _, bracket, text = source.partition(" partition(")
    return parse_partition(text.rstrip(" )"), definition) if bracket else None


def find_partition(table: WireTable, text: str) -> StoredPartition:
    """Return a partition by its description; 404 if there is none [doc "Tunnel error codes"]."""
    values = parse_partition(text, table.definition)
    partition = next((each for each in table.partitions if each.values == values), None)
    if partition is None:
        raise HttpRefusal(404, "NoSuchPartition", f"The specified partition does not exist - {legible(text)}")
    return partition


def _list_partitions(service: LocalService, request: Request, table: WireTable) -> Response:
    """``?partitions``: as the other lists; ``partition`` gives values of the first keys, ``reverse`` has the last one first (PyODPS)."""
    if not table.definition.keys:
        raise HttpRefusal(400, "InvalidParameter", f"ODPS-0420061: Invalid parameter - {table.name} has no partitions")
    prefix = parse_partition(request.query.get("partition", ""), table.definition, whole=False)

    is_reverse = "reverse" in request.query

    def source(after: str) -> Iterable[tuple[str, _ListedPartition]]:
        for partition in reversed(table.partitions) if is_reverse else table.partitions:
            key = "\0".join(partition.values)
            is_behind = not after or (key < after if is_reverse else key > after)
            if partition.values[: len(prefix)] == prefix and is_behind:
                yield key, _ListedPartition(table, partition)

    return answer_list("Partitions", request, service.settings, source, _partition_entry)


class _ListedPartition(NamedTuple):
    table: WireTable
    partition: StoredPartition

    @property
    def owner(self) -> str:
        return self.table.owner


def _partition_entry(listed: _ListedPartition) -> str:
    partition = listed.partition
    pairs = zip(listed.table.definition.keys, partition.values, strict=True)
    columns = (f"<Column Name={quoteattr(key.name)} Value={quoteattr(legible(value))}/>" for key, value in pairs)
    facts = texts(
        CreationTime=int(partition.created),
        LastDDLTime=int(partition.created),
        LastModifiedTime=int(partition.modified),
        PartitionSize=partition.size,
        PartitionRecordCount=partition.rows,
    )
    return element("Partition", *columns, facts)


def _read_partition(request: Request, table: WireTable) -> Response:
    """``?partition=…``: its document is JSON inside (PyODPS: `PartitionExtendedMeta`)."""
    partition = find_partition(table, request.query["partition"])
    document = {
        "createTime": int(partition.created),
        "lastDDLTime": int(partition.created),
        "lastModifiedTime": int(partition.modified),
        "lastAccessTime": 0,
        "partitionSize": partition.size,
        "partitionRecordNum": partition.rows,
        "PhysicalSize": partition.size,
        "FileNum": 0,
        "IsArchived": False,
        "IsExstore": False,
        "LifeCycle": table.definition.lifecycle or -1,
        "Reserved": "{}",
    }
    return xml_response(f"<Partition><Schema><![CDATA[{json.dumps(document)}]]></Schema></Partition>")


def _first_rows(service: LocalService, request: Request, table: WireTable) -> Response:
    """``?data&linenum=n``: rows as CSV with the names in the first line, as the result of a SELECT (PyODPS)."""
    from reconciler.local.sql.row_files import read_rows
    from reconciler.local.sql.value_types import render_csv, shown_values

    require_rows(table)
    columns = choose_columns(table.definition.all_columns, request.query.get("cols"))
    count = min(request.number("linenum") or MOST_PREVIEWED, MOST_PREVIEWED)
    values = None
    if "partition" in request.query:
        values = find_partition(table, request.query["partition"]).values
    with closing(open_catalog(service, request)) as catalog:
        batches = catalog.batches(table.name, [column.name for column in columns], values)
        rows = read_rows(batches, count, shown_values)
    names, types = [column.name for column in columns], [column.type for column in columns]
    return Response(status=200, content=render_csv(names, types, rows).encode())


def require_rows(table: WireTable) -> None:
    """Refuse to read a view, which has no rows but those of its query."""
    if table.definition.view:
        raise HttpRefusal(400, "InvalidArgument", f"ODPS-0420411: Invalid argument - {table.name} is a view")


def choose_columns(columns: Sequence[TableColumn], names: str | None) -> list[TableColumn]:
    """Return the columns that a list of names means, all without one; 400 for a name that is none."""
    if not names:
        return list(columns)
    by_name = {column.name: column for column in columns}
    unknown = [name for name in names.split(",") if name.lower() not in by_name]
    if unknown:
        raise invalid(f"there is no column {legible(unknown[0])}")
    return [by_name[name.lower()] for name in names.split(",")]
