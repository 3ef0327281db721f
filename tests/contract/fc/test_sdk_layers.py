"""Layers, through the vendor's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

from reconciler.local.fc.checksums import crc64_by_table
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal, zip_of

if TYPE_CHECKING:
    from tests.contract.fc.conftest import ServeFc


def test_versions_of_a_layer_count_from_one_and_no_number_comes_twice(fc: FunctionCompute) -> None:
    first, second = fc.layer(description="udfs geo"), fc.layer(compatible_runtime=["custom.debian12"], license="MIT")
    assert (first.version, second.version) == (1, 2)
    assert second.layer_version_arn == "acs:fc:cn-hangzhou:1234567890123456:layers/ocr/versions/2"
    assert (first.code_checksum, first.code_size) == (str(crc64_by_table(HELLO)), len(HELLO))
    fc.client.delete_layer_version("ocr", "2")
    assert fc.layer().version == 3
    layers = fc.client.list_layer_versions("ocr", fc.models.ListLayerVersionsRequest()).body.layers
    assert [(layer.version, layer.description) for layer in layers] == [(1, "udfs geo"), (3, "")]


def test_a_version_is_read_by_number_and_by_arn(fc: FunctionCompute) -> None:
    arn = fc.layer(compatible_runtime=["python3.10"]).layer_version_arn
    by_number, by_arn = fc.client.get_layer_version("ocr", "1").body, fc.client.get_layer_version_by_arn(arn).body
    assert by_number.to_map() == by_arn.to_map()
    assert by_number.compatible_runtime == ["python3.10"]
    with urlopen(by_number.code.location, timeout=30) as response:
        assert response.read() == HELLO
    assert refusal(lambda: fc.client.get_layer_version("ocr", "2")) == (404, "LayerVersionNotFound")
    assert refusal(lambda: fc.client.get_layer_version_by_arn("ocr")) == (400, "InvalidArgument")


def test_layers_are_listed_with_their_newest_version_by_pages(fc: FunctionCompute) -> None:
    for name in ("a", "b", "b", "c", "ab"):
        fc.layer(name)
    first = fc.client.list_layers(fc.models.ListLayersRequest(limit=3)).body
    second = fc.client.list_layers(fc.models.ListLayersRequest(limit=3, next_token=first.next_token)).body
    layers = [*first.layers, *second.layers]
    assert [(layer.layer_name, layer.version) for layer in layers] == [("a", 1), ("ab", 1), ("b", 2), ("c", 1)]
    assert not second.next_token
    prefixed = fc.client.list_layers(fc.models.ListLayersRequest(prefix="a")).body.layers
    assert [layer.layer_name for layer in prefixed] == ["a", "ab"]
    assert not fc.client.list_layers(fc.models.ListLayersRequest(official="true")).body.layers
    page = fc.client.list_layer_versions("b", fc.models.ListLayerVersionsRequest(limit=1)).body
    assert ([layer.version for layer in page.layers], page.next_version) == ([1], 2)


def test_a_layer_can_be_opened_to_others(fc: FunctionCompute) -> None:
    fc.layer()
    fc.client.put_layer_acl("ocr", fc.models.PutLayerACLRequest(public="true"))
    assert fc.client.get_layer_version("ocr", "1").body.acl == "1"
    assert len(fc.client.list_layers(fc.models.ListLayersRequest(public="true")).body.layers) == 1


def test_a_function_tells_the_sizes_of_its_layers(fc: FunctionCompute) -> None:
    arns = [fc.layer("a").layer_version_arn, fc.layer("b", zip_of(index="x = 1")).layer_version_arn]
    fc.create(layers=arns)
    assert [(layer.arn, layer.size) for layer in fc.get().layers] == [
        (arns[0], len(HELLO)),
        (arns[1], len(zip_of(index="x = 1"))),
    ]


def test_deleting_a_layer_that_is_used_goes_by_a_switch(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(delete_used_layer="refuse").authority)
    fc.create(layers=[fc.layer().layer_version_arn])
    assert refusal(lambda: fc.client.delete_layer_version("ocr", "1")) == (409, "LayerVersionInUse")
    lenient = FunctionCompute(serve_fc().authority)
    lenient.client.delete_layer_version("ocr", "1")
    assert lenient.get().layers[0].size == 0
