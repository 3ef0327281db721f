"""The catalog API, as the vendor's client for it asks: what is there as JSON, in pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from reconciler.local import Server
    from tests.contract.rawhttp import Client

ROOT = "/catalog/v1alpha/projects"


@pytest.fixture
def looking(odps: Any, raw: Client) -> Any:
    """A table with partitions and a view, and what asks for a document."""
    odps.create_table("sales", ("amount decimal(10,2), who struct<name:string>", "day string"), comment="of shops")
    for day in ("b", "a"):
        odps.get_table("sales").create_partition(f"day={day}")
    odps.execute_sql("CREATE VIEW v AS SELECT 1 AS one")
    return lambda path: json.loads(raw.get(path).body)


def test_projects_schemas_and_tables_are_listed_and_described(looking: Any, odps: Any) -> None:
    odps.create_schema("other")
    assert [project["projectId"] for project in looking(ROOT)["projects"]] == ["demo"]
    assert looking(f"{ROOT}/demo?view=BASIC")["schemaEnabled"] is False
    assert [schema["schemaName"] for schema in looking(f"{ROOT}/demo/schemas")["schemas"]] == ["default", "other"]
    assert looking(f"{ROOT}/demo/schemas/other")["schemaName"] == "other"
    tables = looking(f"{ROOT}/demo/schemas/default/tables")["tables"]
    assert [(table["tableName"], table["type"]) for table in tables] == [("sales", "TABLE"), ("v", "VIEW")]
    assert looking(f"{ROOT}/demo/schemas/other/tables") == {"tables": []}
    table = looking(f"{ROOT}/demo/schemas/default/tables/sales")
    assert [(field["fieldName"], field["sqlTypeDefinition"]) for field in table["tableSchema"]["fields"]] == [
        ("amount", "DECIMAL(10,2)"),
        ("who", "struct<name:string>"),
        ("day", "STRING"),
    ]
    assert (table["description"], table["partitionDefinition"]) == (
        "of shops",
        {"partitionedColumns": [{"field": "day"}]},
    )


def test_partitions_come_in_pages(looking: Any) -> None:
    path = f"{ROOT}/demo/schemas/default/tables/sales/partitions?pageSize=1"
    first = looking(path)
    assert ([each["spec"] for each in first["partitions"]], first["nextPageToken"]) == (["day=a"], "day=a")
    second = looking(f"{path}&pageToken=day%3Da")
    assert [each["spec"] for each in second["partitions"]] == ["day=b"]
    assert "nextPageToken" not in second


def test_where_it_is_can_be_asked_and_what_is_not_there_is_404(looking: Any, raw: Client, server: Server) -> None:
    del looking
    assert server.url.startswith(raw.get("/catalogapi").body.decode())
    paths = ("/demo/schemas/none", "/demo/schemas/none/tables", "/demo/schemas/default/tables/none")
    assert [raw.get(ROOT + path).status for path in paths] == [404] * 3
    assert raw.get("/catalog/v1alpha/namespaces/1:search").status == 404
    assert raw.get("//api/v1beta1/projects/demo/tables").status == 404
