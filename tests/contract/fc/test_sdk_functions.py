"""Functions, through the vendor's SDK."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from reconciler.local.fc.checksums import crc64_by_table
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal, zip_of

if TYPE_CHECKING:
    from tests.contract.fc.conftest import ServeFc


def test_a_function_comes_back_as_it_was_made(fc: FunctionCompute) -> None:
    fc.create(memory_size=1024, cpu=0.5, timeout=60, environment_variables={"MAGIC": "/opt/x"}, tags={"udfs:geo": "1"})
    function = fc.get()
    assert (function.function_name, function.runtime, function.handler) == ("read", "python3.10", "index.handler")
    assert (function.memory_size, function.cpu, function.timeout) == (1024, 0.5, 60)
    assert function.environment_variables == {"MAGIC": "/opt/x"}
    assert (function.code_size, function.code_checksum) == (len(HELLO), str(crc64_by_table(HELLO)))
    assert [(tag.key, tag.value) for tag in function.tags] == [("udfs:geo", "1")]
    assert (function.state, function.last_update_status) == ("Active", "Successful")
    assert function.function_arn == "acs:fc:cn-hangzhou:1234567890123456:functions/read"


def test_what_was_left_out_is_filled_in_unless_the_switch_is_off(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc().authority)
    fc.create()
    assert (fc.get().memory_size, fc.get().disk_size, fc.get().internet_access) == (512, 512, True)
    bare = FunctionCompute(serve_fc(defaults_on_read=False).authority)
    assert (bare.get().memory_size, bare.get().disk_size, bare.get().internet_access) == (None, None, None)


def test_an_update_changes_what_it_names_and_nothing_else(fc: FunctionCompute) -> None:
    before = fc.create(description="old", timeout=60, tags={"a": "b"})
    new = zip_of(index="def handler(event, context): return event")
    after = fc.update(description="new", code=fc.code(new))
    assert (after.description, after.timeout, after.code_checksum) == ("new", 60, str(crc64_by_table(new)))
    assert [tag.key for tag in after.tags] == ["a"]
    assert (after.function_id, after.created_time) == (before.function_id, before.created_time)
    assert fc.update(environment_variables={}).environment_variables == {}


def test_the_code_can_be_fetched_back(fc: FunctionCompute) -> None:
    fc.create()
    answer = fc.client.get_function_code("read", fc.models.GetFunctionCodeRequest()).body
    with urlopen(answer.url, timeout=30) as response:
        content = response.read()
    assert content == HELLO
    assert answer.checksum == str(crc64_by_table(content))
    assert zipfile.ZipFile(BytesIO(content)).namelist() == ["index.py"]


def test_a_checksum_that_does_not_fit_is_refused(fc: FunctionCompute) -> None:
    assert refusal(lambda: fc.create(code=fc.code(HELLO, checksum="1"))) == (400, "InvalidArgument")
    fc.create(code=fc.code(HELLO, checksum=str(crc64_by_table(HELLO))))
    assert refusal(lambda: fc.update(code=fc.code(HELLO, checksum="1"))) == (400, "InvalidArgument")


def test_a_name_that_is_taken_is_refused(fc: FunctionCompute) -> None:
    fc.create()
    assert refusal(fc.create) == (409, "FunctionAlreadyExists")


def test_what_is_not_there_is_told_by_its_kind(fc: FunctionCompute) -> None:
    assert refusal(lambda: fc.get("none")) == (404, "FunctionNotFound")
    assert refusal(lambda: fc.update("none", timeout=5)) == (404, "FunctionNotFound")
    assert refusal(lambda: fc.client.delete_function("none")) == (404, "FunctionNotFound")
    fc.create()
    assert refusal(lambda: fc.get("read", "7")) == (404, "VersionNotFound")
    assert refusal(lambda: fc.get("read", "prod")) == (404, "AliasNotFound")


def test_functions_are_listed_whole_by_pages_and_filtered(fc: FunctionCompute) -> None:
    for number in range(7):
        fc.create(f"f{number}", tags={"udfs:geo": "x"} if number % 2 else {"other": ""})
    fc.create("g")
    first = fc.page(limit=3, prefix="f", fc_version="v3")
    names, token = [function.function_name for function in first.functions], first.next_token
    while token:
        page = fc.page(limit=3, prefix="f", next_token=token)
        names += [function.function_name for function in page.functions]
        token = page.next_token
    assert names == [f"f{number}" for number in range(7)]
    assert first.functions[0].code_checksum == str(crc64_by_table(HELLO))
    assert fc.names(tags={"udfs:geo": ""}) == ["f1", "f3", "f5"]
    assert fc.names(tags={"udfs:geo": "y"}) == []
    assert refusal(lambda: fc.page(limit=101)) == (400, "InvalidArgument")


def test_a_deleted_function_is_gone(fc: FunctionCompute) -> None:
    fc.create()
    fc.client.delete_function("read")
    assert fc.names() == []
    fc.create()


REFUSED: dict[str, dict[str, Any]] = {
    "a name that begins with a digit": {"name": "7up"},
    "a name that is too long": {"name": "f" * 65},
    "a name with a dot": {"name": "a.b"},
    "an unknown runtime": {"runtime": "python9"},
    "no handler": {"handler": ""},
    "memory that is no multiple of 64": {"memory_size": 500},
    "memory that is too small": {"memory_size": 64},
    "a cpu that is no multiple of 0.05": {"cpu": 0.33},
    "a cpu that the memory does not go with": {"cpu": 4, "memory_size": 512},
    "a disk of a gigabyte": {"disk_size": 1024},
    "a timeout of nothing": {"timeout": 0},
    "a timeout of two days": {"timeout": 172_800},
    "a reserved variable": {"environment_variables": {"FC_REGION": "x"}},
    "a variable with a dash": {"environment_variables": {"a-b": "x"}},
    "variables of 4 KB": {"environment_variables": {"A": "x" * 4096}},
    "six layers": {"layers": [f"acs:fc:cn-hangzhou:1234567890123456:layers/l/versions/{n}" for n in range(1, 7)]},
    "a layer twice": {"layers": ["acs:fc:cn-hangzhou:1234567890123456:layers/l/versions/1"] * 2},
    "a layer that is no ARN": {"layers": ["ocr:1"]},
    "no code": {"code": None},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED)
def test_what_the_service_refuses_is_refused(fc: FunctionCompute, fields: dict[str, Any]) -> None:
    code = "LimitExceededError" if len(fields.get("layers", ())) > 5 else "InvalidArgument"
    assert refusal(lambda: fc.create(**fields)) == (400, code)
    assert fc.names() == []


def test_a_layer_that_is_not_there_is_refused(fc: FunctionCompute) -> None:
    arn = "acs:fc:cn-hangzhou:1234567890123456:layers/l/versions/1"
    assert refusal(lambda: fc.create(layers=[arn])) == (404, "LayerVersionNotFound")


def test_code_that_is_no_zip_file_is_refused(fc: FunctionCompute) -> None:
    assert refusal(lambda: fc.create(content=b"print(1)")) == (400, "InvalidArgument")
    assert refusal(lambda: fc.create(code=fc.models.InputCodeLocation(zip_file="*"))) == (400, "InvalidArgument")


def test_code_over_the_limit_is_refused(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(max_code_bytes=len(HELLO) - 1).authority)
    assert refusal(fc.create) == (400, "EntityTooLarge")
