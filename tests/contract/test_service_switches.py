"""What is not settled about the service is a switch; both positions do what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local import Settings
from tests.contract.rawhttp import Client, function

if TYPE_CHECKING:
    from tests.contract.conftest import Serve

RESOURCES = "/projects/demo/resources"
FUNCTIONS = "/projects/demo/registration/functions"


@pytest.mark.parametrize(("behaviour", "comment"), [("keep", "said"), ("clear", "")])
def test_a_put_without_a_comment_keeps_or_clears_it(serve: Serve, behaviour: str, comment: str) -> None:
    with Client(serve(put_without_comment=behaviour).url) as raw:
        raw.create("a.txt", b"x", x_odps_comment="said")
        raw.put("a.txt", b"y")
        assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-comment"] == comment
        raw.put("a.txt", b"y", x_odps_comment="again")
        assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-comment"] == "again"
        raw.put("a.txt", b"y", x_odps_comment="")
        assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-comment"] == ""


@pytest.mark.parametrize(("allowed", "status", "kind"), [(True, 201, "py"), (False, 400, "file")])
def test_a_put_may_change_the_type_or_not(serve: Serve, allowed: bool, status: int, kind: str) -> None:
    with Client(serve(allow_type_change_on_put=allowed).url) as raw:
        raw.create("a", b"x")
        assert raw.put("a", b"y", x_odps_resource_type="py").status == status
        assert raw.get(f"{RESOURCES}/a?meta").headers["x-odps-resource-type"] == kind
        assert raw.content("a") == (b"y" if allowed else b"x")


@pytest.mark.parametrize(("behaviour", "names"), [("prefix", ["ABC", "abd"]), ("contains", ["ABC", "abd", "xab"])])
def test_a_name_filters_by_prefix_or_anywhere(serve: Serve, behaviour: str, names: list[str]) -> None:
    with Client(serve(name_filter=behaviour).url) as raw:
        for name in ("abd", "ABC", "xab", "other"):
            raw.create(name, b"x")
        assert raw.listed("&name=Ab") == names


@pytest.mark.parametrize(("checked", "status"), [(False, 201), (True, 404)])
def test_the_resources_of_a_function_must_exist_or_not(serve: Serve, checked: bool, status: int) -> None:
    with Client(serve(functions_check_resources=checked).url) as raw:
        raw.create("Code.py", b"x")
        assert raw.register("good", "a.F", "code.PY").status == 201
        assert raw.register("bad", "a.F", "Code.py", "missing.zip").status == status
        assert raw.ask("PUT", f"{FUNCTIONS}/good", function("good", "a.F", "missing.zip")).status == status


@pytest.mark.parametrize(("refused", "status"), [(False, 204), (True, 409)])
def test_a_resource_in_use_can_be_deleted_or_not(serve: Serve, refused: bool, status: int) -> None:
    with Client(serve(refuse_delete_of_used_resource=refused).url) as raw:
        raw.create("used.py", b"x")
        raw.create("free.py", b"x")
        raw.register("fn", "a.F", "demo/resources/USED.py", project="elsewhere")
        assert raw.ask("DELETE", f"{RESOURCES}/used.py").status == status
        assert raw.ask("DELETE", f"{RESOURCES}/free.py").status == 204


@pytest.mark.parametrize("status", [200, 201])
def test_a_plain_put_is_answered_200_or_201(serve: Serve, status: int) -> None:
    with Client(serve(plain_put_status=status).url) as raw:
        raw.create("a.txt", b"x")
        assert raw.put("a.txt", b"y").status == status


def test_tables_are_all_known_or_those_that_are_listed(serve: Serve) -> None:
    with Client(serve(tables=("demo.known", "demo.s.deep")).url) as raw:

        def create(name: str, source: str) -> Any:
            return raw.create(name, x_odps_resource_type="table", x_odps_copy_table_source=source)

        assert create("a", "demo.Known partition(pt='x')").status == 201
        assert create("b", "demo.s.deep").status == 201
        refused = create("c", "demo.unknown")
        assert (refused.status, refused.code) == (404, "NoSuchObject")
        assert "ODPS-0422111" in refused.message


def test_a_list_may_lag_behind_the_last_write(serve: Serve) -> None:
    with Client(serve(stale_list=2).url) as raw:
        raw.create("a", b"x")
        assert [raw.listed() for _ in range(3)] == [[], [], ["a"]]
        raw.register("f")
        raw.create("b", b"x")
        assert raw.listed() == ["a"]
        assert raw.get(f"{RESOURCES}/b?meta").status == 200, "only lists lag"
        raw.ask("DELETE", f"{RESOURCES}/a")
        assert raw.create("b", b"x").status == 409, "a refused write makes no list older"
        assert [raw.listed("&maxitems=1") for _ in range(3)] == [["a"], ["a"], ["b"]]
        assert [raw.listed(kind="registration/functions") for _ in range(3)] == [[], [], ["f"]]


def test_a_page_is_no_longer_than_the_service_allows(serve: Serve) -> None:
    with Client(serve(page_size=2).url) as raw:
        for name in "abc":
            raw.create(name, b"x")
        assert raw.listed("&maxitems=100") == ["a", "b"]


@pytest.mark.parametrize(
    "settings",
    [{"access_id": "x"}, {"access_key": "x"}, {"page_size": 0}, {"latency_ms": -1}, {"max_resource_bytes": 0}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"given together|must"):
        Settings(**settings)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ("List", {"GET resources"}),
        ("CreateResource", {"POST resources"}),
        ("Write:resource/a.*", {"PUT resources/a.txt"}),
        ("Delete:resource/b*", set()),
        ("Read:*/a.txt", {"GET resources/a.txt"}),
        ("CreateFunction", {"POST registration/functions"}),
    ],
)
def test_what_is_denied_is_refused_and_said_when_it_is_asked_for(serve: Serve, rule: str, refused: set[str]) -> None:
    function = b"<Function><Alias>f</Alias><ClassType>a.F</ClassType><Resources/></Function>"
    asked: list[tuple[str, str, bytes, str, str]] = [
        ("POST", "resources", b"x", "CreateResource", "/projects/demo"),
        ("GET", "resources", b"", "List", "/projects/demo"),
        ("GET", "resources/a.txt", b"", "Read", "/projects/demo/resources/a.txt"),
        ("PUT", "resources/a.txt", b"y", "Write", "/projects/demo/resources/a.txt"),
        ("DELETE", "resources/a.txt", b"", "Delete", "/projects/demo/resources/a.txt"),
        ("POST", "registration/functions", function, "CreateFunction", "/projects/demo"),
    ]
    headers = {"x-odps-resource-type": "file", "x-odps-resource-name": "a.txt"}
    seen: set[str] = set()
    with Client(serve(denied=(rule,)).url) as raw:
        for method, path, body, action, place in asked:
            answer = raw.ask(method, f"/projects/demo/{path}", body, headers)
            question = json.dumps([{"Action": action, "Resource": place}]).encode()
            said = raw.ask("POST", "/projects/demo/auth/", question).xml.findtext("Result")
            assert (answer.status == 403) == (said == "Deny"), (method, path)
            if answer.status == 403:
                assert answer.xml.findtext("Code") == "NoPermission"
                assert f"odps:{action}' on" in (answer.xml.findtext("Message") or "")
                seen.add(f"{method} {path}")
    assert seen == refused
