"""The MaxCompute target over real HTTP: what it sends, and what it makes of every kind of answer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import pytest
import requests

from reconciler.base.errors import AccessError, Position, ServiceError, StalePlan
from reconciler.core.diff import Action, Change
from reconciler.core.kind import Mark
from reconciler.core.state import Desired, Live
from reconciler.local import Server, Settings
from reconciler.targets.credentials.links import open_odps_source
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute import write
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import Function, Resource, function_key, resource_key
from reconciler.targets.maxcompute.target import MaxCompute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = Position("udfs.yaml", 1, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "store", Settings(control=True, page_size=3)) as running:
        yield running


@pytest.fixture
def target(server: Server) -> MaxCompute:
    return reach(server)


def reach(server: Server, *, stack: str = "risk", schema: str | None = None, secret: str = "key") -> MaxCompute:
    client = Client(server.url, "demo", schema, Credentials("ann", secret), "udfs-test")
    return MaxCompute(client, stack, lambda: "abc123")


def uploading(
    tmp_path: Path, name: str, content: bytes, *, kind: str = "file", stack: str = "risk"
) -> tuple[Change, dict[str, Path]]:
    """Return the creation of a resource, and where its bytes are."""
    file = tmp_path / f"{name}.bytes"
    file.write_bytes(content)
    sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
    desired = Desired(Resource(name, kind, md5, len(content)), HERE, Mark(stack, sha256, md5))
    return Change(Action.CREATE, resource_key(name), desired, None), {sha256: file}


def put(target: MaxCompute, change: Change, contents: dict[str, Path] | None = None) -> list[int]:
    sent: list[int] = []
    target.write(change, contents or {}, sent.append)
    return sent


def replacing(change: Change) -> Change:
    assert change.desired is not None
    return Change(Action.UPDATE, change.key, change.desired, Live(change.desired.object))


def stored(server: Server, target: MaxCompute, name: str, tmp_path: Path) -> bytes:
    target.download(resource_key(name), tmp_path / "downloaded")
    return (tmp_path / "downloaded").read_bytes()


def test_what_is_written_is_what_is_read(target: MaxCompute, tmp_path: Path) -> None:
    change, contents = uploading(tmp_path, "a.csv", b"1,2\n")
    assert sum(put(target, change, contents)) == 4
    assert change.desired is not None
    live = target.read().live[resource_key("a.csv")]
    assert live.object == change.desired.object
    assert live.mark == change.desired.mark
    assert live.updater == "ALIYUN$ann"
    assert target.read_one(resource_key("a.csv")) is not None


@pytest.mark.parametrize("told", ["nobody", "creator"])
def test_the_last_who_changed_a_resource_is_known_whoever_the_service_tells_of(
    tmp_path: Path, told: Literal["nobody", "creator"]
) -> None:
    """Until somebody updates it, the service tells of nobody, and it was its owner who made it."""
    with Server(tmp_path / "store", Settings(updater_of_new=told)) as server:
        ann = reach(server)
        change, contents = uploading(tmp_path, "a.csv", b"1,2\n")
        put(ann, change, contents)
        bob = MaxCompute(
            Client(server.url, "demo", None, Credentials("bob", "key"), "udfs-test"), "risk", lambda: "abc"
        )
        assert updaters(ann, "a.csv") == {"ALIYUN$ann"}
        put(bob, replacing(change), contents)
        assert updaters(ann, "a.csv") == {"ALIYUN$bob"}


def updaters(target: MaxCompute, name: str) -> set[str]:
    """Return who is told by the list and by the resource itself."""
    live = target.read_one(resource_key(name))
    assert live is not None
    return {target.read().live[resource_key(name)].updater, live.updater}


def test_an_empty_file_arrives_empty(server: Server, target: MaxCompute, tmp_path: Path) -> None:
    """requests would send an empty stream chunked, which says nothing about its length."""
    put(target, *uploading(tmp_path, "empty.csv", b""))
    assert stored(server, target, "empty.csv", tmp_path) == b""


def test_a_listing_of_several_pages_is_read_whole(server: Server, target: MaxCompute, tmp_path: Path) -> None:
    names = [f"r{number}.csv" for number in range(7)]
    for name in names:
        put(target, *uploading(tmp_path, name, name.encode()))
    server.clear_requests()
    assert [key.name for key in target.read().live] == names
    asked = [sent.path.rpartition("/")[2] for sent in server.requests]
    assert sorted(asked) == sorted(["functions", *["resources"] * 3, *names]), "pages, and one meta a managed file"


def test_nothing_is_asked_about_the_resources_of_others(server: Server, target: MaxCompute, tmp_path: Path) -> None:
    put(target, *uploading(tmp_path, "theirs.csv", b"1", stack="geo"))
    server.clear_requests()
    assert target.read().live[resource_key("theirs.csv")].object.name == "theirs.csv"
    assert len(server.requests) == 2


def test_a_resource_that_goes_away_while_it_is_read_is_not_there(
    server: Server, target: MaxCompute, tmp_path: Path
) -> None:
    put(target, *uploading(tmp_path, "a.csv", b"1"))
    server.faults.add({"action": "fail", "status": 404, "code": "NoSuchObject", "query": "meta"})
    assert target.read().live == {}


def test_a_large_file_goes_up_in_parts_that_nobody_sees(
    server: Server, target: MaxCompute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PART_BYTES", 1000)
    content = bytes(range(256)) * 20
    change, contents = uploading(tmp_path, "big.zip", content, kind="archive")
    assert sum(put(target, change, contents)) == len(content)
    assert stored(server, target, "big.zip", tmp_path) == content
    assert [key.name for key in target.read().live] == ["big.zip"]
    put(target, replacing(change), contents)
    assert [sent.method for sent in server.requests if "rOpMerge" in sent.query] == ["POST", "PUT"]


def test_parts_are_taken_back_when_one_of_them_fails(
    server: Server, target: MaxCompute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PART_BYTES", 1000)
    server.faults.add({"action": "fail", "status": 500, "code": "InternalServerError", "query": "rIsPart", "nth": 2})
    change, contents = uploading(tmp_path, "big.zip", b"x" * 2500, kind="archive")
    with pytest.raises(ServiceError, match="InternalServerError"):
        put(target, change, contents)
    assert target.read().live == {}
    for index in range(3):
        assert target.read_one(resource_key(f"big.zip.part.tmp.abc123.{index:06d}")) is None


def test_a_create_never_overwrites(target: MaxCompute, tmp_path: Path) -> None:
    put(target, *uploading(tmp_path, "a.csv", b"theirs"))
    change, contents = uploading(tmp_path, "A.csv", b"ours")
    with pytest.raises(StalePlan, match=r"resource A\.csv was created by somebody else since the plan was made"):
        put(target, change, contents)
    found = target.read_one(resource_key("a.csv"))
    assert isinstance(found.object if found else None, Resource)


@pytest.mark.parametrize("kind", ["resource", "function"])
@pytest.mark.parametrize("action", [Action.UPDATE, Action.DELETE])
def test_what_is_gone_is_neither_replaced_nor_deleted(
    kind: str, action: Action, target: MaxCompute, tmp_path: Path
) -> None:
    change, contents = uploading(tmp_path, "a.csv", b"1")
    if kind == "function":
        function = Function("f", "a.F", (Reference("a.py"),))
        change = Change(Action.UPDATE, function_key("f"), Desired(function, HERE), Live(function))
    assert change.desired is not None
    wanted = change.desired if action is Action.UPDATE else None
    with pytest.raises(StalePlan, match="was deleted by somebody else"):
        put(target, Change(action, change.key, wanted, Live(change.desired.object)), contents)


def test_a_file_that_changes_on_disk_while_it_is_sent_is_noticed(target: MaxCompute, tmp_path: Path) -> None:
    change, contents = uploading(tmp_path, "a.csv", b"as read!" * (2 << 20))
    [file] = contents.values()

    def meddle(size: int) -> None:
        file.write_bytes(b"changed!" * (2 << 20))

    with pytest.raises(ServiceError, match="did not arrive as it was sent") as failed:
        target.write(change, contents, meddle)
    assert failed.value.problems[0].code == "E609"


def test_a_resource_that_vanishes_after_its_upload_is_noticed(
    server: Server, target: MaxCompute, tmp_path: Path
) -> None:
    server.faults.add({"action": "fail", "status": 404, "code": "NoSuchObject", "query": "meta"})
    with pytest.raises(StalePlan, match="was deleted by somebody else"):
        put(target, *uploading(tmp_path, "a.csv", b"1"))


def test_a_function_keeps_its_class_and_its_list(target: MaxCompute, tmp_path: Path) -> None:
    for name in ("f.py", "a.csv"):
        put(target, *uploading(tmp_path, name, b"#", kind="py" if name == "f.py" else "file"))
    function = Function("geo.f", "f.F", (Reference("f.py"), Reference("a.csv"), Reference("b.csv", "other")))
    change = Change(Action.CREATE, function_key("geo.f"), Desired(function, HERE), None)
    put(target, change)
    assert target.read().live[function_key("geo.f")].object == function
    changed = Function("GEO.F", "f.G", (Reference("f.py"),))
    put(target, Change(Action.UPDATE, change.key, Desired(changed, HERE), Live(function)))
    found = target.read_one(function_key("geo.f"))
    assert found is not None
    assert found.object == Function("geo.f", "f.G", (Reference("f.py"),)), "the first spelling is kept"
    put(target, Change(Action.DELETE, change.key, None, found))
    assert target.read_one(function_key("geo.f")) is None


def test_a_table_resource_keeps_its_source(target: MaxCompute) -> None:
    table = Resource("iris", "table", table="demo.iris partition(pt='1')")
    put(target, Change(Action.CREATE, resource_key("iris"), Desired(table, HERE, Mark("risk")), None))
    live = target.read().live[resource_key("iris")].object
    assert isinstance(live, Resource)
    assert (live.type, (live.table or "").replace(" ", "")) == ("table", "demo.irispartition(pt='1')")


def test_a_schema_is_a_place_of_its_own(server: Server, target: MaxCompute, tmp_path: Path) -> None:
    url = f"{server.url}/projects/demo/schemas"
    assert requests.post(url, data="<Schema><Name>sales</Name></Schema>", timeout=10).ok
    in_schema = reach(server, schema="sales")
    put(in_schema, *uploading(tmp_path, "f.py", b"#", kind="py"))
    function = Function("f", "f.F", (Reference("f.py"),))
    put(in_schema, Change(Action.CREATE, function_key("f"), Desired(function, HERE), None))
    assert in_schema.read().live[function_key("f")].object == function
    assert target.read().live == {}


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ({"status": 401, "code": "Unauthorized"}, "E602", "refuses the credentials"),
        ({"status": 403, "code": "AccessDenied"}, "E603", "not permitted in project 'demo'"),
        ({"status": 404, "code": "NoSuchProject"}, "E606", "has no project 'demo'"),
        ({"status": 500, "code": "InternalServerError"}, "E605", "the service answers InternalServerError"),
        ({"status": 503, "times": 99}, "E605", "the service answers ServiceUnavailable"),
        ({"status": 502, "body": "<html>Bad Gateway</html>", "times": 99}, "E604", "answered 502 with something"),
        ({"status": 200, "body": "<html>Log in</html>"}, "E604", "something that is not MaxCompute's"),
        (
            {"status": 200, "body": "<!DOCTYPE x [<!ENTITY a 'b'>]><Resources>&a;</Resources>"},
            "E604",
            "not MaxCompute's",
        ),
        ({"status": 200, "body": "<Resources><Resource>"}, "E604", "not MaxCompute's"),
        ({"status": 200, "body": ""}, "E604", "not MaxCompute's"),
        ({"status": 200, "body": "<Resources><Marker>again</Marker></Resources>", "times": 99}, "E604", "never ends"),
        ({"action": "reset", "times": 99}, "E601", "does not answer"),
        ({"action": "truncate", "times": 99}, "E60", ""),
    ],
)
def test_every_bad_answer_to_a_reading_is_told_as_what_it_is(
    fault: dict[str, object], code: str, said: str, server: Server, target: MaxCompute
) -> None:
    server.faults.add({"action": "fail", "path": "/resources", "body": None, **fault})
    with pytest.raises(ServiceError) as failed:
        target.read()
    [problem] = failed.value.problems
    assert problem.code.startswith(code)
    assert said in problem.message
    assert isinstance(failed.value, AccessError) == (code in {"E602", "E603"})


def test_a_passing_failure_of_a_reading_is_tried_again(server: Server, target: MaxCompute) -> None:
    server.faults.add({"action": "fail", "status": 503, "times": 2})
    assert target.read().live == {}


def test_a_write_is_sent_once_whatever_happens(server: Server, target: MaxCompute, tmp_path: Path) -> None:
    """PyODPS's own repetition would send what is left of the stream."""
    change, contents = uploading(tmp_path, "a.csv", b"1")
    put(target, change, contents)
    server.clear_requests()
    server.faults.add({"action": "fail", "status": 502, "method": "PUT", "times": 99})
    with pytest.raises(ServiceError):
        put(target, replacing(change), contents)
    assert [sent.method for sent in server.requests] == ["PUT"]


def test_an_error_that_is_not_text_is_not_a_crash(server: Server, target: MaxCompute) -> None:
    server.faults.add({"action": "fail", "status": 500, "body": "\x00\xff garbage", "content_type": "image/png"})
    with pytest.raises(ServiceError):
        target.read()


def test_nobody_listens(tmp_path: Path) -> None:
    with Server(tmp_path / "store") as server:
        target = reach(server)
    with pytest.raises(ServiceError, match="does not answer: Connection refused"):
        target.read()


@pytest.mark.parametrize("token", [None, "sts-token"])
def test_signed_requests_are_taken_and_wrongly_signed_ones_refused(tmp_path: Path, token: str | None) -> None:
    with Server(tmp_path / "store", Settings(access_id="ann", access_key="right")) as server:
        good = MaxCompute(Client(server.url, "demo", None, Credentials("ann", "right", token), "t"), "risk", str)
        put(good, *uploading(tmp_path, "a+b_c.csv", b"1"))
        assert [key.name for key in good.read().live] == ["a+b_c.csv"]
        bad = MaxCompute(Client(server.url, "demo", None, Credentials("ann", "wrong-canary", token), "t"), "risk", str)
        with pytest.raises(AccessError) as refused:
            bad.read()
    assert refused.value.problems[0].code == "E602"
    assert "wrong-canary" not in str(refused.value)


def test_credentials_are_never_shown() -> None:
    assert "canary" not in repr(Credentials("canary-id", "canary-secret", "canary-token"))


def test_without_keys_of_the_environment_the_variables_of_pyodps_are_read(server: Server) -> None:
    names = ("ODPS_STS_TOKEN", "ODPS_STS_ACCESS_KEY_ID", "ODPS_STS_ACCESS_KEY_SECRET")
    source = open_odps_source(None, dict(zip(names, ("token", "bob", "key"), strict=True)))
    client = Client(server.url, "demo", None, source, "t")
    assert MaxCompute(client, "risk", str).read().live == {}
    assert {request.actor for request in server.requests} == {"ALIYUN$bob"}
