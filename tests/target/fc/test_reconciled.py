"""Function Compute is reconciled: created with the least, rolled out by versions, drift named by its field, nothing foreign touched."""

from __future__ import annotations

import importlib.util
import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import ServiceError, StalePlan
from reconciler.core import plan as plans
from reconciler.core import versions
from reconciler.core.diff import Action, Cause
from reconciler.core.kind import CONTENT
from reconciler.core.ownership import Side, adoption
from reconciler.core.record import entry_name
from reconciler.engine import saved_plan
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.fc import write
from reconciler.targets.fc.client import FcClient, join_path
from reconciler.targets.fc.crc64 import crc64_of
from reconciler.targets.fc.objects import FUNCTION, KINDS, TAG_OF_TAGS
from reconciler.targets.oss import Bucket, OssClient, OssEntries
from tests.canary import SECRET
from tests.contract.fc.calls import FunctionCompute as Sdk
from tests.target.fc.world import HERE, STACK, Part, Stack, World, code_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.local.fc import FcServer

LEAST = Stack({"read": Part(alias="", layers=())}, {})
WEB = {"web": ("http", {"authType": "anonymous", "methods": ["GET"]})}
ARN = "acs:fc:cn-hangzhou:1234567890123456"
WHOLE = Stack(
    {
        "read": Part(
            environment={"LANG": "C", "KEY": "first"},
            tags={"team": "ocr"},
            description="reads",
            triggers=WEB,
            reserved=5,
            settings={
                "memory": 1024,
                "cpu": 0.5,
                "disk": 512,
                "timeout": 60,
                "internet_access": True,
                "role": "acs:ram::1234567890123456:role/fc",
                "log": {"project": "logs", "logstore": "fc"},
                "lifecycle": {"initializer": {"handler": "index.init", "timeout": 30}},
                "vpc": {"vpcId": "vpc-1", "vSwitchIds": ["vsw-1"], "securityGroupId": "sg-1"},
            },
        ),
        "plain": Part(code="two", alias="", layers=()),
    }
)


def changed(stack: Stack, function: str = "read", **fields: Any) -> Stack:
    """Return a stack with one function otherwise."""
    return replace(stack, functions={**stack.functions, function: replace(stack.functions[function], **fields)})


NEXT = replace(changed(WHOLE, code="three"), layers={"ocr": "layer two"})


def writes(server: FcServer) -> list[str]:
    return [f"{sent.method} {sent.path}" for sent in server.requests if sent.method != "GET"]


def aimed_at_objects(server: FcServer) -> list[str]:
    """Return the writes that are not the ledger's."""
    return [
        f"{sent.method} {sent.path.removeprefix('/2023-03-30')}"
        for sent in server.requests
        if sent.method != "GET"
        and "/udfs-" not in sent.path
        and (sent.method, sent.path) != ("POST", "/2023-03-30/functions")
    ]


# --- Create, keep, change, go back, remove ----------------------------------------------------------------------------------


def test_what_the_service_fills_in_is_no_drift(world: World) -> None:
    world.require_applied(LEAST)
    assert world.function("read")["memorySize"] > 0, "the service has filled in what nobody named"
    assert world.drift(LEAST) == {}


def test_a_whole_stack_is_created_and_then_left_alone(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    server.clear_requests()
    made, _ = world.plan(WHOLE)
    assert not made.changes
    assert writes(server) == []


def test_no_change_costs_the_listings_and_one_call_a_function_with_alias_or_trigger(
    world: World, server: FcServer
) -> None:
    with_alias = {f"aliased{number}": Part() for number in range(8)}
    with_trigger = {f"timed{number}": Part(alias="", triggers=WEB) for number in range(4)}
    stack = Stack({**with_alias, **with_trigger, "plain": Part(alias="")})
    world.require_applied(stack)
    server.clear_requests()
    made, _ = world.plan(stack)
    assert not made.changes
    assert writes(server) == []
    # Functions and layers fit on a page each.
    floor = 2 + len(with_alias) + len(with_trigger)
    assert len(server.requests) <= 1.2 * floor, [sent.path for sent in server.requests]


def test_an_update_publishes_a_version_and_leads_the_alias_there(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    server.clear_requests()
    report = world.apply(NEXT)
    assert report.complete, report.error
    order = aimed_at_objects(server)
    assert [re.sub(r"__\w+", "", each) for each in order] == [
        "POST /layers/ocr/versions",
        "PUT /functions/read",
        "POST /functions/read/versions",
        "PUT /functions/read/aliases/prod",
    ]
    world.require_unchanged(NEXT)


def test_a_rollback_is_one_request_an_alias(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    before = world.client().get("GetFunction", "/functions/read", qualifier="prod")
    world.require_applied(NEXT)
    server.clear_requests()
    report = world.rollback(NEXT)
    assert report.complete, report.error
    assert aimed_at_objects(server) == ["PUT /functions/read/aliases/prod"]
    after = world.client().get("GetFunction", "/functions/read", qualifier="prod")
    assert [after[name] for name in ("codeChecksum", "layers")] == [before[name] for name in ("codeChecksum", "layers")]
    made, _ = world.plan(NEXT)
    assert [str(change.key) for change in made.changes] == ["alias read/prod"]
    world.require_applied(NEXT)


def test_going_back_to_an_earlier_manifest_publishes_nothing_anew(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    server.clear_requests()
    world.require_applied(WHOLE)
    assert not [each for each in aimed_at_objects(server) if each.endswith("/versions")]


def test_a_setting_that_is_named_no_more_goes_back_to_its_default(world: World) -> None:
    named = changed(LEAST, settings={"timeout": 77, "memory": 1024})
    world.require_applied(named)
    world.require_applied(changed(LEAST, settings={"memory": 1024}))
    assert world.function("read")["timeout"] == 3
    assert world.function("read")["memorySize"] == 1024


def collected(world: World, stack: Stack, *, grace: timedelta, keep: int = 0) -> list[str]:
    """Collect versions that are past their grace; return what goes."""
    target = world.target(stack)
    reading = target.read()
    made = versions.collection(
        world.ledger(target, reading),
        reading,
        STACK,
        HERE,
        now=target.store.now() + timedelta(hours=1),
        grace=grace,
        keep=keep,
    )
    assert not made.refusals, made.refusals
    report = world.perform(made, reading, stack)
    assert report.complete, report.error
    return [re.sub(r"\W\W?[0-9a-f]{8}$|__[0-9a-f]{8}$", "", str(change.key)) for change in made.changes]


def test_what_nothing_leads_to_is_collected_after_its_grace(world: World) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    assert collected(world, NEXT, grace=timedelta(hours=2)) == []
    assert collected(world, NEXT, grace=timedelta(minutes=1), keep=1) == [], "a rollback still leads there"
    assert collected(world, NEXT, grace=timedelta(minutes=1)) == ["version read"]
    # The layer was in that version; now it is in none.
    assert collected(world, NEXT, grace=timedelta(minutes=1)) == ["layer ocr"]
    world.require_unchanged(NEXT)


def test_a_version_that_somebody_leads_an_alias_to_is_not_collected(world: World) -> None:
    world.require_applied(WHOLE)
    body = {"aliasName": "theirs", "versionId": "1"}
    world.edit("POST", "CreateAlias", "/functions/read/aliases", body)
    world.require_applied(NEXT)
    assert collected(world, NEXT, grace=timedelta(minutes=1)) == []


def test_a_layer_in_a_version_that_somebody_published_is_not_deleted(world: World) -> None:
    first = Stack({"read": Part(alias="")})
    world.require_applied(first)
    world.edit("POST", "CreateFunction", "/functions", FOREIGN)
    arn = world.function("read")["layers"][0]["arn"]
    world.edit("PUT", "UpdateFunction", "/functions/theirs", {"layers": [arn]})
    world.edit("POST", "PublishFunctionVersion", "/functions/theirs/versions", {"description": "by hand"})
    world.edit("PUT", "UpdateFunction", "/functions/theirs", {"layers": []})
    world.require_applied(replace(first, layers={"ocr": "layer two"}))
    target = world.target()
    reading = target.read()
    made = versions.collection(
        world.ledger(target, reading),
        reading,
        STACK,
        HERE,
        now=target.store.now() + timedelta(hours=1),
        grace=timedelta(minutes=1),
        keep=0,
    )
    report = world.perform(made, reading, first)
    assert report.error is not None
    assert report.error.problems[0].code == "E621"
    assert "theirs/#1" in str(report.error)


def test_everything_of_a_stack_goes_and_nothing_else(world: World) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    world.edit("POST", "CreateFunction", "/functions", FOREIGN)
    reading = world.target(NEXT).read()
    made = plans.make({}, reading, stack=STACK, destination=HERE, cause=Cause.DESTROYED)
    assert {change.action for change in made.changes} == {Action.DELETE}
    report = world.perform(made, world.target(NEXT).read(), NEXT)
    assert report.complete, report.error
    live = world.target().read(full=True).live
    assert [str(key) for key in live] == ["function theirs"]


def test_a_function_that_is_taken_out_of_the_manifest_goes_with_its_old_versions(world: World) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    rest = replace(NEXT, functions={"plain": NEXT.functions["plain"]}, layers={})
    made, reading = world.plan(rest)
    assert made.refusals == ()
    assert [change.kind.name for change in made.changes].count("version") == 2
    assert {change.cause for change in made.changes} == {Cause.REMOVED}
    report = world.perform(made, reading, rest)
    assert report.complete, report.error
    live = world.target().read(full=True).live
    # Layers of versions stay for their grace.
    assert sorted(key.kind for key in live) == ["function", "layer", "layer"]
    world.require_unchanged(rest)


def test_what_is_adopted_gets_the_mark_and_keeps_its_code(world: World, server: FcServer) -> None:
    world.edit("POST", "CreateFunction", "/functions", {**FOREIGN, "functionName": "read"})
    desired, reading = world.desired(LEAST), world.target(LEAST).read()
    key = FUNCTION.key("read")
    side = Side(reading, STACK, HERE, KINDS)
    made = adoption([key], desired, side, {key: world.content("theirs")})
    assert (made.refusals, made.upload_bytes) == ((), 0)
    server.requests.clear()
    report = world.perform(made, reading, LEAST)
    assert report.complete, report.error
    assert [sent.path for sent in server.requests if sent.method == "PUT" and "/udfs-" not in sent.path] == [
        "/2023-03-30/functions/read"
    ]
    assert world.function("read")["codeChecksum"] == crc64_of(world.content("theirs"))
    made, _ = world.plan(LEAST)
    assert [(change.action, change.differences[0].field) for change in made.changes] == [(Action.UPDATE, CONTENT)]


def test_settings_alone_upload_nothing(world: World) -> None:
    world.require_applied(WHOLE)
    made, _ = world.plan(changed(WHOLE, settings={**WHOLE.functions["read"].settings, "timeout": 61}))
    assert (made.counts[Action.UPDATE], made.upload_bytes) == (2, 0)


# --- Drift ------------------------------------------------------------------------------------------------------------------

FOREIGN = {"functionName": "theirs", "runtime": "python3.10", "handler": "index.handler", "code": code_of("theirs")}
UPDATE = ("UpdateFunction", ("read",))
EDITS: Mapping[str, tuple[str, str, tuple[str, ...], dict[str, Any]]] = {
    # By the field that drift names: the object, and the API's action with the names in its path and its body.
    "content": ("function read", *UPDATE, {"code": code_of("by hand")}),
    "runtime": ("function read", *UPDATE, {"runtime": "python3.12"}),
    "handler": ("function read", *UPDATE, {"handler": "index.other"}),
    "layers": ("function read", *UPDATE, {"layers": []}),
    "environment": ("function read", *UPDATE, {"environmentVariables": {"LANG": "C", "KEY": "second"}}),
    "memory": ("function read", *UPDATE, {"memorySize": 2048, "cpu": 0.5}),
    "cpu": ("function read", *UPDATE, {"cpu": 1, "memorySize": 2048}),
    "disk": ("function read", *UPDATE, {"diskSize": 10240}),
    "timeout": ("function read", *UPDATE, {"timeout": 61}),
    "internet_access": ("function read", *UPDATE, {"internetAccess": False}),
    "role": ("function read", *UPDATE, {"role": "acs:ram::1234567890123456:role/other"}),
    "log": ("function read", *UPDATE, {"logConfig": {"project": "logs", "logstore": "other"}}),
    "lifecycle": (
        "function read",
        *UPDATE,
        {"instanceLifecycleConfig": {"initializer": {"handler": "index.init", "timeout": 31}}},
    ),
    "vpc": (
        "function read",
        *UPDATE,
        {"vpcConfig": {"vpcId": "vpc-2", "vSwitchIds": ["vsw-1"], "securityGroupId": "sg-1"}},
    ),
    "tags": (
        "function read",
        "TagResources",
        (),
        {"ResourceType": "function", "ResourceId": [f"{ARN}:functions/read"], "Tag": [{"Key": "team", "Value": "x"}]},
    ),
    "version": ("alias read/prod", "UpdateAlias", ("read", "prod"), {"versionId": "1"}),
    "weights": ("alias read/prod", "UpdateAlias", ("read", "prod"), {"additionalVersionWeight": {"1": 0.25}}),
    "config": (
        "trigger read/web",
        "UpdateTrigger",
        ("read", "web"),
        {"triggerConfig": '{"authType": "anonymous", "methods": ["GET", "POST"]}'},
    ),
    "qualifier": ("trigger read/web", "UpdateTrigger", ("read", "web"), {"qualifier": "LATEST"}),
    "reserved": ("concurrency read", "PutConcurrencyConfig", ("read",), {"reservedConcurrency": 6}),
}
INPUTS = {"PutConcurrencyConfig": "PutConcurrencyInput"}


def edit_by_hand(server: FcServer, world: World, action: str, names: tuple[str, ...], body: Mapping[str, Any]) -> None:
    """Change something as somebody would with the vendor's SDK; where that is not installed, by the same request."""
    if importlib.util.find_spec("alibabacloud_fc20230330") is None:
        folders = {"UpdateAlias": "aliases", "UpdateTrigger": "triggers", "PutConcurrencyConfig": "concurrency"}
        inner = [folders[action]] if action in folders else []
        path = "/tags-v2" if action == "TagResources" else join_path("functions", *names[:1], *inner, *names[1:])
        world.edit("POST" if action == "TagResources" else "PUT", action, path, body)
        return
    sdk = Sdk(server.authority, "eve")
    document = getattr(sdk.models, INPUTS.get(action, f"{action}Input"))().from_map(dict(body))
    request = getattr(sdk.models, f"{action}Request")(body=document)
    getattr(sdk.client, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(*names, request)


def test_drift_names_each_field_that_somebody_edits_and_an_apply_brings_it_back(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    known: set[tuple[str, str]] = set()
    for field, (key, action, names, body) in EDITS.items():
        edit_by_hand(server, world, action, names, body)
        outside = {(key, name) for key, fields in world.drift(NEXT).items() for name in fields}
        assert outside - known == {(key, field)}, field
        known = outside
    made, reading = world.plan(NEXT)
    assert {change.cause for change in made.changes} == {Cause.OUTSIDE}
    report = world.perform(made, reading, NEXT)
    assert report.complete, report.error
    world.require_unchanged(NEXT)


def test_each_field_of_a_kind_that_can_differ_is_edited_by_a_test() -> None:
    settings = {name for part in WHOLE.functions.values() for name in part.settings}
    named = {"content", "runtime", "handler", "layers", "environment", "tags", *settings}
    named |= {"version", "weights", "config", "qualifier", "reserved"}
    assert set(EDITS) == named
    assert CONTENT in EDITS


def test_a_description_is_drift_while_the_mark_stands_and_without_it_the_function_is_nobodys(world: World) -> None:
    world.require_applied(WHOLE)
    description = world.function("read")["description"]
    world.edit("PUT", "UpdateFunction", "/functions/read", {"description": description.replace("reads", "writes")})
    assert world.drift(WHOLE) == {"function read": ["description"]}
    world.require_applied(WHOLE)
    world.edit("PUT", "UpdateFunction", "/functions/read", {"description": "mine now"})
    assert "function read" in world.drift(WHOLE)
    made, _ = world.plan(WHOLE)
    assert made.refusals[0].code == "E501"


@pytest.mark.parametrize(
    ("action", "path", "gone"),
    [
        ("DeleteTrigger", "/functions/read/triggers/web", "trigger read/web"),
        ("DeleteConcurrencyConfig", "/functions/read/concurrency", "concurrency read"),
        ("DeleteFunction", "/functions/plain", "function plain"),
    ],
)
def test_what_somebody_deletes_comes_back(action: str, path: str, gone: str, world: World) -> None:
    world.require_applied(WHOLE)
    world.edit("DELETE", action, path)
    assert list(world.drift(WHOLE)) == [gone]
    world.require_applied(WHOLE)


def test_a_layer_that_somebody_deletes_comes_back_with_the_functions_that_list_it(world: World) -> None:
    world.require_applied(WHOLE)
    [layer] = [key for key in world.desired(WHOLE) if key.kind == "layer"]
    world.edit("DELETE", "DeleteLayerVersion", join_path("layers", layer.name, "versions", "1"))
    assert str(layer) in world.drift(WHOLE)
    world.require_applied(WHOLE)
    assert world.function("read")["layers"][0]["arn"].endswith("/versions/2")


def test_a_version_of_a_layer_that_somebody_adds_changes_nothing(world: World) -> None:
    world.require_applied(WHOLE)
    [layer] = [key for key in world.desired(WHOLE) if key.kind == "layer"]
    body = {"code": code_of("another"), "compatibleRuntime": ["python3.10"]}
    world.edit("POST", "CreateLayerVersion", join_path("layers", layer.name, "versions"), body)
    assert world.drift(WHOLE) == {}
    world.require_unchanged(WHOLE)
    world.edit("PUT", "UpdateFunction", "/functions/read", {"layers": [f"{ARN}:layers/{layer.name}/versions/2"]})
    assert world.drift(WHOLE) == {"function read": ["layers"]}


def test_the_service_tells_when_and_never_who(world: World) -> None:
    world.require_applied(WHOLE)
    world.edit("PUT", "UpdateFunction", "/functions/read", {"timeout": 61})
    reading = world.target(WHOLE).read()
    live = reading.live[FUNCTION.key("read")]
    assert live.modified is not None
    assert live.updater == live.owner == ""


# --- Whose it is ------------------------------------------------------------------------------------------------------------


def test_a_function_that_nobody_manages_is_refused_by_name(world: World) -> None:
    world.edit("POST", "CreateFunction", "/functions", {**FOREIGN, "functionName": "read"})
    made, _ = world.plan(LEAST)
    assert [problem.code for problem in made.refusals] == ["E501"]


def test_another_stack_uses_the_same_layer_and_leaves_it_to_its_owner(world: World) -> None:
    world.require_applied(Stack({"read": Part(alias="")}))
    other = World(world.url, world.folder, stack="geo")
    other.require_applied(stack := Stack({"map": Part(alias="")}))
    made, _ = other.plan(stack)
    assert [str(change.key)[:5] for change in made.shared] == ["layer"]


def test_no_value_of_a_variable_is_written_down(world: World) -> None:
    world.require_applied(changed(LEAST, environment={"KEY": "a value that nobody may read"}))
    target = world.target()
    reading = target.read()
    entry = target.store.fetch(entry_name(STACK, reading.epochs[-1])) or b""
    assert b"KEY" in entry
    assert b"nobody may read" not in entry
    assert world.function("read")["environmentVariables"] == {"KEY": "a value that nobody may read"}


def test_a_function_with_an_alias_of_somebody_elses_is_not_deleted(world: World) -> None:
    world.require_applied(LEAST)
    world.edit("POST", "CreateAlias", "/functions/read/aliases", {"aliasName": "theirs", "versionId": "LATEST"})
    reading = world.target(LEAST).read()
    made = plans.make({}, reading, stack=STACK, destination=HERE, cause=Cause.DESTROYED)
    report = world.perform(made, reading, LEAST)
    assert report.error is not None
    assert report.error.problems[0].code == "E620"


# --- A service that answers something else -----------------------------------------------------------------------------------

NOT_DOCUMENTED: Mapping[str, tuple[str, str]] = {
    # By the field: the listing that has it, and its entries' name there.
    "tags": ("ListFunctions", "functions"),
    "layers": ("ListFunctions", "functions"),
    "environmentVariables": ("ListFunctions", "functions"),
    "compatibleRuntime": ("ListLayers", "layers"),
    "additionalVersionWeight": ("ListAliases", "aliases"),
}


@pytest.mark.parametrize("junk", [7, "text", True], ids=str)
@pytest.mark.parametrize("name", NOT_DOCUMENTED)
def test_an_answer_that_is_not_of_the_documented_form_is_refused_by_its_field(
    name: str, junk: object, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.require_applied(WHOLE)
    action, entries = NOT_DOCUMENTED[name]
    ask = FcClient.get

    def answer(client: FcClient, called: str, path: str, **params: str) -> dict[str, Any]:
        page = ask(client, called, path, **params)
        return {**page, entries: [{**entry, name: junk} for entry in page[entries]]} if called == action else page

    monkeypatch.setattr(FcClient, "get", answer)
    with pytest.raises(ServiceError, match=f"'{name}' that is no") as caught:
        world.target(WHOLE).read(full=True)
    assert caught.value.problems[0].code == "E604"


# --- Between two requests ---------------------------------------------------------------------------------------------------


def test_a_rival_between_update_and_publication_gets_no_version_and_no_alias(
    world: World, server: FcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.require_applied(WHOLE)
    client = world.client()
    send = client.send

    def rival(method: str, action: str, path: str, body: Any = None, **params: str) -> dict[str, Any]:
        if action == "PublishFunctionVersion":
            world.edit("PUT", "UpdateFunction", "/functions/read", {"code": code_of("rival")})
        return send(method, action, path, body, **params)

    monkeypatch.setattr(client, "send", rival)
    report = world.apply(NEXT)
    assert report.error is not None
    assert report.error.problems[0].code == "E506"
    monkeypatch.undo()
    called = world.client().get("GetFunction", "/functions/read", qualifier="prod")
    assert called["codeChecksum"] == FUNCTION.digest(world.desired(WHOLE)[FUNCTION.key("read")].object)  # type: ignore[arg-type]
    listed = world.client().pages("ListFunctionVersions", "/functions/read/versions", "versions")
    assert [version["versionId"] for version in listed] == ["1"]


def test_nobody_who_calls_by_the_alias_sees_old_code_with_a_new_layer(world: World, server: FcServer) -> None:
    world.require_applied(WHOLE)
    old, new = (world.desired(stack) for stack in (WHOLE, NEXT))
    right = set()
    for state in (old, new):
        [layer] = [key.name for key in state if key.kind == "layer"]
        right.add((FUNCTION.digest(state[FUNCTION.key("read")].object), layer))  # type: ignore[arg-type]
    seen, over = set(), threading.Event()

    def call() -> None:
        client = World(world.url, world.folder).client("caller")
        while not over.is_set():
            answer = client.get("GetFunction", "/functions/read", qualifier="prod")
            [layer] = answer["layers"]
            seen.add((answer["codeChecksum"], layer["arn"].split("/")[1]))

    callers = [threading.Thread(target=call) for _ in range(20)]
    for caller in callers:
        caller.start()
    try:
        for stack in (NEXT, WHOLE):
            report = world.apply(stack)
            assert report.complete, report.error
    finally:
        over.set()
        for caller in callers:
            caller.join()
    assert seen == right


def test_an_archive_that_is_too_large_for_a_request_goes_through_the_bucket_and_leaves_nothing_there(
    world: World, server: FcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = OssClient(Bucket("large", "cn-hangzhou", server.url, Credentials("ann", SECRET), "test"))
    monkeypatch.setattr(write, "BY_REQUEST", 10)
    world.staging, world.entries = bucket, OssEntries(bucket)
    world.require_applied(WHOLE)
    assert all(sent.request_bytes < 2000 for sent in server.requests if sent.path.startswith("/2023"))
    assert [key for key in bucket.keys("") if "code/" in key] == []
    assert [str(key) for key in world.target().read().live if "udfs-" in key.name] == []


def test_a_layer_of_somebody_else_is_the_same_by_its_arn_and_by_its_name(world: World) -> None:
    body = {"code": code_of("theirs"), "compatibleRuntime": ["python3.10"]}
    world.edit("POST", "CreateLayerVersion", "/layers/theirs/versions", body)
    for text in (f"{ARN}:layers/theirs/versions/1", "theirs:1"):
        world.require_applied(changed(LEAST, layers=(text,)))
    assert world.function("read")["layers"][0]["arn"] == f"{ARN}:layers/theirs/versions/1"


def test_a_saved_plan_asks_for_the_files_of_functions_and_layers_alone(world: World) -> None:
    made, reading = world.plan(WHOLE)
    saved = saved_plan.save(made, reading, "0" * 64)
    saved_plan.require_contents(saved, world.contents)
    with pytest.raises(StalePlan, match="function plain"):
        saved_plan.require_contents(saved, {})


# --- What is left behind ------------------------------------------------------------------------------------------------------


def tags_of(world: World, name: str = "read") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in world.function(name)["tags"] if tag["Key"] != TAG_OF_TAGS}


def test_a_tag_that_is_wanted_no_more_goes_and_those_of_others_stay(world: World) -> None:
    two = changed(WHOLE, tags={"team": "ocr", "cost": "12"})
    world.require_applied(two)
    arn = world.function("read")["functionArn"]
    theirs = {"ResourceType": "function", "ResourceId": [arn], "Tag": [{"Key": "theirs", "Value": "1"}]}
    world.edit("POST", "TagResources", "/tags-v2", theirs)
    world.require_unchanged(two)
    one = changed(WHOLE, tags={"team": "ocr"})
    made, _ = world.plan(one)
    assert [(change.key.name, [each.field for each in change.differences]) for change in made.changes] == [
        ("read", ["tags"])
    ]
    world.require_applied(one)
    assert tags_of(world) == {"team": "ocr", "theirs": "1"}
    none = changed(WHOLE, tags={})
    world.require_applied(none)
    assert tags_of(world) == {"theirs": "1"}
    assert [tag["Key"] for tag in world.function("read")["tags"]] == ["theirs"]


def test_what_a_plan_counts_as_kept_a_collection_counts_too(world: World) -> None:
    world.require_applied(WHOLE)
    world.require_applied(NEXT)
    made, reading = world.plan(NEXT, full=True)
    target = world.target(NEXT)
    entries = world.ledger(target, reading)
    collected = versions.collection(
        entries, reading, STACK, HERE, now=target.store.now(), grace=timedelta(hours=1), keep=1
    )
    assert (made.superseded, collected.superseded, collected.changes) == (2, 2, ())


@pytest.mark.parametrize("wish", [WHOLE, NEXT], ids=["as it was", "with other code"])
def test_a_function_that_is_called_otherwise_takes_all_that_is_its_own_along(world: World, wish: Stack) -> None:
    world.require_applied(WHOLE)
    renamed = replace(wish, functions={"reader": wish.functions["read"], "plain": wish.functions["plain"]})
    reading = world.target(renamed).read()
    made = plans.make(
        world.desired(renamed),
        reading,
        stack=STACK,
        destination=HERE,
        moved={FUNCTION.key("read"): FUNCTION.key("reader")},
    )
    assert {change.key.kind for change in made.changes if change.action is Action.DELETE} == {
        "function",
        "version",
        "alias",
        "trigger",
        "concurrency",
    }
    assert made.deletes == 0, "no number has to be allowed"
    report = world.perform(made, reading, renamed)
    assert report.complete, report.error
    world.require_unchanged(renamed)


@pytest.mark.parametrize("what", ["version", "alias", "trigger"])
def test_what_somebody_else_has_under_a_function_that_would_go_is_told_by_the_plan(what: str, world: World) -> None:
    world.require_applied(changed(WHOLE, "plain", triggers={}))
    if what == "version":
        world.edit("POST", "PublishFunctionVersion", "/functions/plain/versions", {})
    elif what == "alias":
        world.edit("POST", "CreateAlias", "/functions/plain/aliases", {"aliasName": "hers", "versionId": "LATEST"})
    else:
        trigger = {"triggerName": "hers", "triggerType": "http", "triggerConfig": "{}", "qualifier": "LATEST"}
        world.edit("POST", "CreateTrigger", "/functions/plain/triggers", trigger)
    rest = replace(WHOLE, functions={"read": WHOLE.functions["read"]})
    made, _ = world.plan(rest)
    [refusal] = made.refusals
    assert refusal.code == "E505"
    assert f"function plain would be deleted, and {what} 'plain/" in refusal.message
