"""Versions, aliases, triggers, concurrency and tags, through the vendor's SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.fc.checksums import crc64_by_table
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal, zip_of

if TYPE_CHECKING:
    from tests.contract.fc.conftest import ServeFc

NEW = zip_of(index="def handler(event, context): return event")
READ = "acs:fc:cn-hangzhou:1234567890123456:functions/read"


def test_a_published_version_stays_what_it_was(fc: FunctionCompute) -> None:
    fc.create(timeout=60)
    assert fc.publish(description="udfs geo").version_id == "1"
    fc.update(timeout=5, code=fc.code(NEW))
    assert fc.publish().version_id == "2"
    first, second, latest = fc.get(qualifier="1"), fc.get(qualifier="2"), fc.get(qualifier="LATEST")
    assert (first.timeout, first.code_checksum) == (60, str(crc64_by_table(HELLO)))
    assert second.code_checksum == latest.code_checksum == str(crc64_by_table(NEW))
    assert fc.versions() == ["2", "1"]
    assert fc.versions(direction="FORWARD") == ["1", "2"]


def test_numbers_of_versions_never_come_twice(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(publish_unchanged="publish").authority)
    fc.create()
    for _ in range(12):
        fc.publish()
    fc.client.delete_function_version("read", "12")
    assert fc.publish().version_id == "13"
    numbers, token = [], ""
    for _ in range(5):
        page = fc.client.list_function_versions(
            "read", fc.models.ListFunctionVersionsRequest(limit=5, next_token=token)
        ).body
        numbers += [int(version.version_id) for version in page.versions]
        token = page.next_token
        if not token:
            break
    assert numbers == [13, *range(11, 0, -1)]
    assert refusal(lambda: fc.client.delete_function_version("read", "12")) == (404, "VersionNotFound")


def test_publishing_what_has_not_changed_is_refused(fc: FunctionCompute) -> None:
    fc.create()
    fc.publish(description="a")
    assert refusal(lambda: fc.publish(description="b")) == (409, "VersionPublishError")
    fc.update(timeout=7)
    assert fc.publish().version_id == "2"


def test_an_alias_leads_to_a_version_and_is_switched_with_one_call(fc: FunctionCompute) -> None:
    fc.create()
    fc.publish()
    fc.update(code=fc.code(NEW))
    fc.publish()
    assert fc.alias("1", description="live", additional_version_weight={"2": 0.1}).version_id == "1"
    assert fc.get(qualifier="prod").code_checksum == str(crc64_by_table(HELLO))
    fc.point(version_id="2", additional_version_weight={})
    alias = fc.client.get_alias("read", "prod").body
    assert (alias.version_id, alias.description, alias.additional_version_weight) == ("2", "live", {})
    assert fc.get(qualifier="prod").code_checksum == str(crc64_by_table(NEW))
    aliases = fc.client.list_aliases("read", fc.models.ListAliasesRequest()).body.aliases
    assert [entry.alias_name for entry in aliases] == ["prod"]


def test_what_an_alias_needs_is_not_deleted(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc().authority)
    fc.create()
    fc.publish()
    fc.alias("1")
    assert refusal(lambda: fc.client.delete_function_version("read", "1")) == (409, "VersionInUse")
    assert refusal(lambda: fc.client.delete_function("read")) == (409, "FunctionInUse")
    fc.client.delete_alias("read", "prod")
    fc.client.delete_function_version("read", "1")
    fc.client.delete_function("read")
    lenient = FunctionCompute(serve_fc(delete_function_with="drop", delete_used_version="drop").authority)
    lenient.create()
    lenient.publish()
    lenient.alias("1")
    lenient.client.delete_function_version("read", "1")
    lenient.client.delete_function("read")
    lenient.create()
    assert lenient.versions() == []


def test_a_trigger_comes_back_as_it_was_made(fc: FunctionCompute) -> None:
    fc.create()
    fc.publish()
    fc.alias("1")
    made = fc.trigger(qualifier="prod", description="for all")
    trigger = fc.client.get_trigger("read", "web").body
    assert trigger.to_map() == made.to_map()
    assert (trigger.trigger_type, trigger.qualifier, trigger.description) == ("http", "prod", "for all")
    assert json.loads(trigger.trigger_config) == {"authType": "anonymous", "methods": ["GET", "POST"]}
    assert trigger.http_trigger.url_internet.startswith("http://127.0.0.1:")
    body = fc.models.UpdateTriggerInput(trigger_config=json.dumps({"authType": "function", "methods": ["GET"]}))
    changed = fc.client.update_trigger("read", "web", fc.models.UpdateTriggerRequest(body=body)).body
    assert (json.loads(changed.trigger_config)["authType"], changed.qualifier) == ("function", "prod")
    names = [
        entry.trigger_name for entry in fc.client.list_triggers("read", fc.models.ListTriggersRequest()).body.triggers
    ]
    assert names == ["web"]
    fc.client.delete_trigger("read", "web")
    assert refusal(lambda: fc.client.get_trigger("read", "web")) == (404, "TriggerNotFound")


def test_reserved_concurrency_is_set_and_lifted(fc: FunctionCompute) -> None:
    fc.create()
    assert refusal(lambda: fc.client.get_concurrency_config("read")) == (404, "ConcurrencyConfigNotFound")
    assert fc.reserve(3).reserved_concurrency == 3
    assert fc.client.get_concurrency_config("read").body.function_arn == READ
    configs = fc.client.list_concurrency_configs(fc.models.ListConcurrencyConfigsRequest()).body.configs
    assert [(config.function_arn, config.reserved_concurrency) for config in configs] == [(READ, 3)]
    fc.client.delete_concurrency_config("read")
    assert not fc.client.list_concurrency_configs(fc.models.ListConcurrencyConfigsRequest()).body.configs


def test_tags_are_set_listed_and_taken_off(fc: FunctionCompute) -> None:
    fc.create(tags={"a": "1"})
    tags = [fc.models.Tag(key="udfs:geo", value="x"), fc.models.Tag(key="a", value="2")]
    body = fc.models.TagResourcesInput(resource_type="function", resource_id=[READ], tag=tags)
    fc.client.tag_resources(fc.models.TagResourcesRequest(body=body))
    assert {tag.key: tag.value for tag in fc.get().tags} == {"a": "2", "udfs:geo": "x"}
    request = fc.models.ListTagResourcesRequest(resource_type="function", resource_id=[READ])
    rows = fc.client.list_tag_resources(request).body.tag_resources
    assert [(row.resource_id, row.tag_key, row.tag_value) for row in rows] == [
        (READ, "a", "2"),
        (READ, "udfs:geo", "x"),
    ]
    untag = fc.models.UntagResourcesRequest(resource_type="function", resource_id=[READ], tag_key=["a", "none"])
    fc.client.untag_resources(untag)
    assert [tag.key for tag in fc.get().tags] == ["udfs:geo"]
    fc.client.untag_resources(fc.models.UntagResourcesRequest(resource_type="function", resource_id=[READ], all=True))
    assert not fc.get().tags


def test_a_function_that_is_not_to_be_called_says_so(fc: FunctionCompute) -> None:
    fc.create()
    request = fc.models.DisableFunctionInvocationRequest(reason="broken", abort_ongoing_request=True)
    fc.client.disable_function_invocation("read", request)
    assert (fc.get().invocation_restriction.disable, fc.get().invocation_restriction.reason) == (True, "broken")
    fc.client.enable_function_invocation("read")
    assert fc.get().invocation_restriction.disable is False


REFUSED: dict[str, tuple[str, dict[str, Any], tuple[int, str]]] = {
    "an alias called LATEST": ("alias", {"version": "1", "alias": "LATEST"}, (400, "InvalidArgument")),
    "an alias of a number": ("alias", {"version": "1", "alias": "7"}, (400, "InvalidArgument")),
    "an alias of nothing": ("alias", {"version": "9"}, (404, "VersionNotFound")),
    "an alias that is there": ("alias", {"version": "1", "alias": "live"}, (409, "AliasAlreadyExists")),
    "a share over 1": ("alias", {"version": "1", "additional_version_weight": {"1": 1.5}}, (400, "InvalidArgument")),
    "a share for nothing": (
        "alias",
        {"version": "1", "additional_version_weight": {"9": 0.5}},
        (404, "VersionNotFound"),
    ),
    "a trigger of an unknown type": ("trigger", {"kind": "carrier-pigeon"}, (400, "InvalidArgument")),
    "a config that is no JSON": ("trigger", {"trigger_config": "{"}, (400, "InvalidArgument")),
    "a config that is a list": ("trigger", {"trigger_config": "[]"}, (400, "InvalidArgument")),
    "an unknown method": ("trigger", {"config": {"methods": ["BREW"]}}, (400, "InvalidArgument")),
    "a trigger of no alias": ("trigger", {"qualifier": "none"}, (404, "AliasNotFound")),
    "a trigger of no version": ("trigger", {"qualifier": "9"}, (404, "VersionNotFound")),
    "a trigger that is there": ("trigger", {"trigger": "there", "kind": "timer"}, (400, "InvalidArgument")),
    "a second HTTP trigger": ("trigger", {}, (409, "TriggerAlreadyExists")),
    "an OSS trigger without its bucket": ("trigger", {"kind": "oss"}, (400, "InvalidArgument")),
    "negative concurrency": ("reserve", {"reserved": -1}, (400, "InvalidArgument")),
}


@pytest.mark.parametrize(("call", "fields", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(
    fc: FunctionCompute, call: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    fc.create()
    fc.publish()
    fc.alias("1", "live")
    fc.trigger("there")
    assert refusal(lambda: getattr(fc, call)(**fields)) == expected
