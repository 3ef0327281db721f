"""Functions, as PyODPS uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from odps import errors

if TYPE_CHECKING:
    from tests.contract.conftest import Connect, Unique


@pytest.fixture
def code(odps: Any, unique: Unique) -> Any:
    """A PY resource for functions to use."""
    return odps.create_resource(unique("code.py"), "py", fileobj="class F: pass")


def test_a_created_function_comes_back_with_its_class_and_resources(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name = unique("fn")
    made = odps.create_function(name, class_type="code.F", resources=[code])
    assert made.owner
    assert made.creation_time
    found = connect().get_function(name)
    assert (found.name, found.class_type) == (name, "code.F")
    assert [resource.name for resource in found.resources] == [code.name]


def test_resources_come_back_fully_qualified_and_in_order(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name, data = unique("fn"), odps.create_resource(unique("a_data.txt"), "file", fileobj="x")
    odps.create_function(name, class_type="code.F", resources=[code, data.name])
    found = connect().get_function(name)
    found.reload()
    assert found._resources == [f"{odps.project}/resources/{code.name}", f"{odps.project}/resources/{data.name}"]


def test_an_update_replaces_class_and_resources(odps: Any, connect: Connect, unique: Unique, code: Any) -> None:
    name, other = unique("fn"), odps.create_resource(unique("other.py"), "py", fileobj="x")
    odps.create_function(name, class_type="code.F", resources=[code])
    changed = connect().get_function(name)
    changed.class_type = "other.G"
    changed.resources = [other]
    changed.update()
    found = connect().get_function(name)
    assert found.class_type == "other.G"
    assert [resource.name for resource in found.resources] == [other.name]


def test_the_owner_can_be_changed(odps: Any, connect: Connect, unique: Unique, code: Any) -> None:
    name = unique("fn")
    odps.create_function(name, class_type="code.F", resources=[code])
    owner = connect().get_function(name).owner
    connect().get_function(name).update_owner("ALIYUN$somebody")
    assert connect().get_function(name).owner == "ALIYUN$somebody"
    connect().get_function(name).update_owner(owner)


def test_a_second_create_of_a_function_is_refused_and_changes_nothing(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name = unique("fn")
    odps.create_function(name, class_type="code.F", resources=[code])
    with pytest.raises(errors.ODPSError) as refused:
        connect().create_function(name.upper(), class_type="code.G", resources=[])
    assert refused.value.code == "ObjectAlreadyExists"
    assert connect().get_function(name).class_type == "code.F"


def test_a_deleted_function_is_gone_and_its_resources_stay(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name = unique("fn")
    odps.create_function(name, class_type="code.F", resources=[code])
    odps.delete_function(name)
    assert not connect().exist_function(name)
    assert connect().exist_resource(code.name)
    with pytest.raises(errors.NoSuchObject):
        connect().delete_function(name)


def test_functions_are_found_whatever_the_case_of_their_name(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name = unique("MixedCase")
    odps.create_function(name, class_type="code.F", resources=[code])
    assert connect().exist_function(name.lower())
    assert [found.name for found in connect().list_functions(prefix=name)] == [name]


def test_a_list_of_functions_needs_no_second_look_at_each(
    odps: Any, connect: Connect, unique: Unique, code: Any
) -> None:
    name = unique("fn")
    odps.create_function(name, class_type="code.F", resources=[code])
    (found,) = connect().list_functions(prefix=name)
    assert found._getattr("class_type") == "code.F"
    assert found._getattr("_resources") == [f"{odps.project}/resources/{code.name}"]
    assert found._getattr("_owner")
    assert found._getattr("creation_time")


def test_a_function_outlives_its_resource(odps: Any, connect: Connect, unique: Unique, code: Any) -> None:
    """It keeps the name; PyODPS notices when it looks the resource up."""
    name = unique("fn")
    odps.create_function(name, class_type="code.F", resources=[code])
    odps.delete_resource(code.name)
    found = connect().get_function(name)
    with pytest.raises(errors.NoSuchObject):
        _ = found.resources
