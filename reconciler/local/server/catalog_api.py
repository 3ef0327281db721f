"""
Catalog API: projects, schemas, tables and partitions as JSON, for tools that look around.

It is a service beside MaxCompute's own, at an address that ``GET /catalogapi`` gives; paths, parameters and fields are those of its client
(pyodps-catalog 0.4, whose models carry the vendor's comments) and of the vendor's MCP server. What changes something, search, policies,
connections and views other than the basic one are not here: 404. That errors have the form of MaxCompute's own is a guess, and so are the
form of page tokens and that ``name`` is the path.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.local.http.messages import Response, answer_json
from reconciler.local.server.database import PROJECTS, SCHEMAS, Location, StoredProject
from reconciler.local.server.protocol import not_found, same_name
from reconciler.local.server.service import DEFAULT_SCHEMA, LocalService
from reconciler.local.server.table_handlers import WireTable, find_table, open_catalog, table_name
from reconciler.local.sql.catalog import TableName
from reconciler.local.tunnel.column_types import parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from reconciler.local.server.exchange import Request
    from reconciler.local.server.table_rows import StoredPartition
    from reconciler.local.sql.catalog import TableColumn

    T = TypeVar("T")

_PAGE = 100
"""Entries of a page where none are asked for: what the MCP server asks for."""


def address(service: LocalService, request: Request) -> Response:
    """``GET /catalogapi``: where the API is (the MCP server asks); it is this server."""
    return Response(status=200, content=f"http://{request.header('Host') or service.host}".encode())


def answer_projects(service: LocalService, request: Request) -> Response:
    """``GET …/projects``."""
    with service.store.reading() as rows:
        projects = [(key, project) for key, project in rows.behind(PROJECTS, "")]
    return _page(request, "projects", projects, lambda project: _project(service, project))


def answer_project(service: LocalService, request: Request) -> Response:
    """``GET …/projects/p``."""
    return answer_json(_project(service, service.project(_without_prefix(request))))


def _project(service: LocalService, project: StoredProject) -> dict[str, Any]:
    return {
        "name": f"projects/{project.name}",
        "projectId": project.name,
        "owner": project.owner,
        "createTime": _milliseconds(project.created),
        "schemaEnabled": service.settings.namespace_schema,
    }


def answer_schemas(service: LocalService, request: Request) -> Response:
    """``GET …/projects/p/schemas``."""
    schemas = _schemas(service, service.project(_without_prefix(request)))
    return _page(request, "schemas", sorted(schemas.items()), lambda schema: schema)


def answer_schema(service: LocalService, request: Request) -> Response:
    """``GET …/schemas/s``."""
    inner = _without_prefix(request)
    schema = _schemas(service, service.project(inner)).get(same_name(inner.path[3]))
    if schema is None:
        raise not_found("schema", inner.path[3])
    return answer_json(schema)


def _schemas(service: LocalService, project: StoredProject) -> dict[str, dict[str, Any]]:
    with service.store.reading() as rows:
        stored = dict(rows.behind(SCHEMAS, "", Location(project.name)))
    names = {DEFAULT_SCHEMA: (DEFAULT_SCHEMA, project.owner, "")}
    names |= {key: (schema.name, schema.owner, schema.description or "") for key, schema in stored.items()}
    return {
        key: {
            "name": f"projects/{project.name}/schemas/{name}",
            "schemaName": name,
            "description": description,
            "owner": owner,
        }
        for key, (name, owner, description) in names.items()
    }


def answer_tables(service: LocalService, request: Request) -> Response:
    """``GET …/schemas/s/tables``: the basic view, without columns."""
    inner = _without_prefix(request)
    project = service.project(inner)
    with service.store.reading() as rows:
        if (
            same_name(inner.path[3]) != DEFAULT_SCHEMA
            and rows.find(SCHEMAS, inner.path[3], Location(project.name)) is None
        ):
            raise not_found("schema", inner.path[3])
    catalog = open_catalog(service, inner)
    try:
        names = [(same_name(name), name) for name in catalog.names(project.name, inner.path[3])]
    finally:
        catalog.close()

    def describe(name: str) -> dict[str, Any]:
        table = find_table(service, inner, TableName(project.name, inner.path[3], name))
        return {key: value for key, value in _table(table).items() if key not in ("tableSchema", "partitionDefinition")}

    return _page(request, "tables", names, describe)


def answer_table(service: LocalService, request: Request) -> Response:
    """``GET …/tables/t``: columns, and keys of partitions last among them, which is a guess."""
    inner = _without_prefix(request)
    return answer_json(_table(find_table(service, inner, table_name(service, inner))))


def _table(table: WireTable) -> dict[str, Any]:
    name, definition, record = table.name, table.definition, table.record
    document = {
        "name": f"projects/{name.project}/schemas/{name.schema}/tables/{name.name}",
        "projectId": name.project,
        "schemaName": name.schema,
        "tableName": record.name if record else name.name,
        "type": "VIEW" if definition.view else "TABLE",
        "description": definition.comment,
        "tableSchema": {"fields": [_field(column) for column in definition.all_columns]},
        "numTotalStorageBytes": str(sum(partition.size for partition in table.partitions)),
    }
    if record:
        document |= {"createTime": _milliseconds(record.created), "lastModifiedTime": _milliseconds(record.modified)}
    if definition.keys:
        document["partitionDefinition"] = {"partitionedColumns": [{"field": key.name} for key in definition.keys]}
    return document


def _field(column: TableColumn) -> dict[str, Any]:
    return {
        "fieldName": column.name,
        "sqlTypeDefinition": column.type if "<" in column.type else column.type.upper(),
        "typeCategory": parse_type(column.type).name.upper(),
        "mode": "NULLABLE",
        "description": column.comment,
    }


def answer_partitions(service: LocalService, request: Request) -> Response:
    """``GET …/tables/t/partitions``."""
    inner = _without_prefix(request)
    table = find_table(service, inner, table_name(service, inner))
    keys = table.definition.keys

    def spec(partition: StoredPartition) -> str:
        return "/".join(f"{key.name}={value}" for key, value in zip(keys, partition.values, strict=True))

    def describe(partition: StoredPartition) -> dict[str, Any]:
        return {
            "spec": spec(partition),
            "createTime": _milliseconds(partition.created),
            "lastModifiedTime": _milliseconds(partition.modified),
            "numStorageBytes": str(partition.size),
        }

    listed = sorted((spec(partition), partition) for partition in table.partitions) if keys else []
    return _page(request, "partitions", listed, describe)


def _page(
    request: Request, kind: str, entries: Iterable[tuple[str, T]], describe: Callable[[T], dict[str, Any]]
) -> Response:
    """Answer with the entries behind ``pageToken``, the key of the last one before, at most ``pageSize`` of them."""
    size = request.number("pageSize") or _PAGE
    after = request.query.get("pageToken", "")
    behind = [(key, entry) for key, entry in entries if key > after]
    more = {"nextPageToken": behind[size - 1][0]} if len(behind) > size else {}
    return answer_json({kind: [describe(entry) for _, entry in behind[:size]], **more})


def _without_prefix(request: Request) -> Request:
    """Return the request with the path of MaxCompute's own API: ``("projects", p, …)``."""
    return replace(request, path=request.path[2:])


def _milliseconds(moment: float) -> str:
    return f"{moment * 1000:.0f}"
