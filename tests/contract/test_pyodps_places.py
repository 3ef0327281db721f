"""Projects, schemas and pages, as PyODPS uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from odps import errors

if TYPE_CHECKING:
    from reconciler.local import Server
    from tests.contract.conftest import Connect, Serve, Unique


@pytest.fixture
def schema(odps: Any, unique: Unique) -> str:
    """A schema of its own."""
    name = unique("sch")
    odps.create_schema(name)
    return name


def test_a_schema_is_created_listed_and_deleted(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("sch")
    odps.create_schema(name)
    assert connect().exist_schema(name)
    assert name in [found.name for found in connect().list_schemas()]
    found = connect().get_schema(name)
    found.reload()
    assert found.owner
    connect().delete_schema(name)
    assert not connect().exist_schema(name)


def test_the_default_schema_is_always_there(odps: Any) -> None:
    assert odps.exist_schema("default")
    assert "default" in [found.name.lower() for found in odps.list_schemas()]


def test_schemas_have_names_of_their_own(odps: Any, connect: Connect, unique: Unique, schema: str) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj="in default")
    odps.create_resource(name, "file", fileobj="in the schema", schema=schema)
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == "in default"
    with connect().open_resource(name, mode="r", schema=schema) as found:
        assert found.read() == "in the schema"
    odps.delete_resource(name, schema=schema)
    assert odps.exist_resource(name)


def test_a_function_may_use_a_resource_of_another_schema(
    odps: Any, connect: Connect, unique: Unique, schema: str
) -> None:
    name, code = unique("fn"), unique("code.py")
    made = odps.create_resource(code, "py", fileobj="x", schema=schema)
    odps.create_function(name, class_type="code.F", resources=[made])
    found = connect().get_function(name)
    found.reload()
    assert found._resources == [f"{odps.project}/schemas/{schema}/resources/{code}"]
    assert [(resource.name, resource.schema.name) for resource in found.resources] == [(code, schema)]
    odps.delete_resource(code, schema=schema)


def test_a_schema_that_does_not_exist_has_nothing(odps: Any, unique: Unique) -> None:
    missing = unique("sch")
    assert not odps.exist_schema(missing)
    with pytest.raises(errors.NoSuchObject):
        list(odps.list_resources(schema=missing))


def test_an_entry_bound_to_a_schema_works_in_it(connect: Connect, unique: Unique, schema: str) -> None:
    name = unique("res.txt")
    connect(schema=schema).create_resource(name, "file", fileobj="x")
    assert connect().exist_resource(name, schema=schema)
    assert not connect().exist_resource(name)
    connect().delete_resource(name, schema=schema)


def test_the_tenant_says_whether_schemas_are_namespaces(connect: Connect, serve: Serve, tmp_path: Any) -> None:
    assert not connect(url=serve(tmp_path / "off").url).is_schema_namespace_enabled()
    assert connect(url=serve(tmp_path / "on", namespace_schema=True).url).is_schema_namespace_enabled()


def test_a_resource_of_another_project_is_reached_by_its_full_name(server: Server, connect: Connect) -> None:
    one, two = connect("one"), connect("two")
    two.create_resource("shared.py", "py", fileobj="of two")
    assert not one.exist_resource("shared.py")
    with one.open_resource("two/resources/shared.py", mode="r") as found:
        assert found.read() == "of two"
    one.create_resource("shared.py", "py", fileobj="of one", project="two2")
    assert connect("two2").exist_resource("shared.py")


def test_a_function_may_use_a_resource_of_another_project(server: Server, connect: Connect) -> None:
    shared = connect("two").create_resource("shared.py", "py", fileobj="x")
    connect("one").create_function("fn", class_type="shared.F", resources=[shared])
    found = connect("one").get_function("fn")
    found.reload()
    assert found._resources == ["two/resources/shared.py"]
    assert [resource.project.name for resource in found.resources] == ["two"]


def test_a_project_says_who_owns_it_and_since_when(odps: Any) -> None:
    project = odps.get_project()
    assert project.owner
    assert project.creation_time
    assert project.status.value == "AVAILABLE"
    assert odps.exist_project(odps.project)


def test_a_project_that_does_not_exist_is_said_so(connect: Connect, serve: Serve) -> None:
    url = serve(projects=("known",)).url
    assert connect("KNOWN", url=url).exist_project("known")
    assert not connect("known", url=url).exist_project("unknown")
    with pytest.raises(errors.NoSuchProject, match="ODPS-0420111"):
        connect("unknown", url=url).get_resource("x.py")


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_lists_are_whole_however_small_the_pages(connect: Connect, serve: Serve, page_size: int) -> None:
    entry = connect(url=serve(page_size=page_size).url)
    names = [f"r{number}.txt" for number in range(7)]
    for name in names:
        entry.create_resource(name, "file", fileobj="x")
        entry.create_function(name.partition(".")[0], class_type="a.B", resources=[])
        entry.create_schema("s_" + name.partition(".")[0])
    assert [found.name for found in entry.list_resources()] == names
    assert [found.name for found in entry.list_functions()] == [name.partition(".")[0] for name in names]
    assert len(list(entry.list_schemas())) == len(names) + 1


def test_lists_can_be_filtered_by_prefix_and_owner(server: Server, connect: Connect) -> None:
    alice, bob = connect(access_id="alice"), connect(access_id="bob")
    alice.create_resource("abc.txt", "file", fileobj="x")
    bob.create_resource("ABd.txt", "file", fileobj="x")
    bob.create_resource("xab.txt", "file", fileobj="x")
    assert [found.name for found in alice.list_resources(prefix="ab")] == ["abc.txt", "ABd.txt"]
    assert [found.name for found in alice.list_resources(owner="ALIYUN$bob")] == ["ABd.txt", "xab.txt"]
    assert [found.name for found in alice.list_resources(prefix="ab", owner="ALIYUN$bob")] == ["ABd.txt"]


def test_who_changed_a_resource_last_is_told_from_who_owns_it(server: Server, connect: Connect) -> None:
    connect(access_id="alice").create_resource("res.txt", "file", fileobj="x")
    connect(access_id="bob").get_resource("res.txt").update(file_obj="y")
    found = connect().get_resource("res.txt")
    assert (found.owner, found.last_updator) == ("ALIYUN$alice", "ALIYUN$bob")


def test_an_embedded_service_can_be_told_to_provide_a_place(server: Server, connect: Connect) -> None:
    for _ in range(2):
        server.provide("made", "s1")
        server.provide("made")
    assert connect("made").exist_schema("S1")
    connect("made").create_resource("a.txt", "file", fileobj="x", schema="s1")
