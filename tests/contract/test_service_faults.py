"""Going wrong on purpose: each kind does what it says, and leaves what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from http.client import HTTPException, IncompleteRead
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local import Fault, Server, Settings
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Serve

RESOURCES = "/projects/demo/resources"


def again(raw: Client) -> Client:
    """A new connection after the old one was lost."""
    raw.connection.close()
    return raw


def test_a_request_can_be_failed_without_effect(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", method="POST", status=503, retry_after=7))
    refused = raw.create("a.txt", b"x")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "ServiceUnavailable", "7")
    assert refused.xml.findtext("RequestId") == refused.headers["x-odps-request-id"]
    assert raw.listed() == []
    assert raw.create("a.txt", b"x").status == 201


def test_a_request_can_have_its_effect_and_fail_all_the_same(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", when="after", method="POST", status=502, code="BadGateway", message="lost"))
    refused = raw.create("a.txt", b"x")
    assert (refused.status, refused.code, refused.message) == (502, "BadGateway", "lost")
    assert raw.listed() == ["a.txt"]


@pytest.mark.parametrize("body", ["<html>gateway</html>", "<Error><Code>Cut", "", "\x00\x01"])
def test_a_failure_may_say_anything(server: Server, raw: Client, body: str) -> None:
    server.faults.add(Fault(action="fail", status=500, body=body, content_type="text/html"))
    refused = raw.get("/tenants")
    assert (refused.status, refused.body, refused.headers["Content-Type"]) == (500, body.encode(), "text/html")


def test_a_failure_in_the_middle_of_the_body_has_no_effect_and_keeps_the_connection(
    server: Server, raw: Client
) -> None:
    server.faults.add(Fault(action="fail", when="during", method="PUT"))
    raw.create("a.txt", b"old")
    assert raw.put("a.txt", b"new" * 100_000).status == 503
    assert raw.content("a.txt") == b"old"


@pytest.mark.parametrize(("when", "had_effect"), [("before", False), ("during", False), ("after", True)])
def test_a_request_can_be_stalled_and_goes_on(
    server: Server, raw: Client, monkeypatch: pytest.MonkeyPatch, when: Any, had_effect: bool
) -> None:
    seen: list[tuple[float, bool]] = []

    def sleep(seconds: float) -> None:
        with Client(server.url) as other:
            seen.append((seconds, other.listed() == ["a.txt"]))

    monkeypatch.setattr("reconciler.local.http.faults.time", SimpleNamespace(sleep=sleep))
    server.faults.add(Fault(action="stall", seconds=2.5, when=when))
    assert raw.create("a.txt", b"x" * 1000).status == 201
    assert seen == [(2.5, had_effect)]
    assert raw.listed() == ["a.txt"]


@pytest.mark.parametrize(("when", "effect"), [("before", []), ("during", []), ("after", ["a.txt"])])
def test_a_connection_can_be_reset(server: Server, raw: Client, when: Any, effect: list[str]) -> None:
    server.faults.add(Fault(action="reset", when=when))
    with pytest.raises(ConnectionError):
        raw.create("a.txt", b"x" * 1000)
    assert again(raw).listed() == effect


def test_an_answer_can_be_cut_in_the_middle_of_its_body(server: Server, raw: Client) -> None:
    raw.create("a.txt", b"0123456789")
    server.faults.add(Fault(action="truncate"))
    with pytest.raises(IncompleteRead) as cut:
        raw.get(f"{RESOURCES}/a.txt")
    assert cut.value.partial == b"01234"
    assert again(raw).content("a.txt") == b"0123456789"


def test_a_list_can_be_cut_too(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="truncate"))
    with pytest.raises(IncompleteRead):
        raw.get(f"{RESOURCES}?expectmarker=true")


def test_an_answer_without_a_body_is_cut_in_its_head(server: Server, raw: Client) -> None:
    """The write has had its effect: only the answer is lost."""
    server.faults.add(Fault(action="truncate"))
    request = b"POST /api/projects/demo/resources HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    answer = raw.say(request + b"x-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 201")
    assert b"\r\n\r\n" not in answer
    assert raw.listed() == ["a.txt"]


CLIENT = """
import http.client, os, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
headers = {"x-odps-resource-type": "file", "x-odps-resource-name": "a.txt", "User-Agent": f"pyodps/1 udfs-pid/{os.getpid()}"}
connection.request("POST", "/api/projects/demo/resources", b"x" * 1000, headers)
print(connection.getresponse().status)
"""


@pytest.mark.parametrize(("when", "effect"), [("before", []), ("during", []), ("after", ["a.txt"])])
def test_a_client_can_be_killed_at_its_nth_request(server: Server, raw: Client, when: Any, effect: list[str]) -> None:
    server.faults.add(Fault(action="kill", when=when, method="POST"))
    ended = subprocess.run([sys.executable, "-c", CLIENT, str(raw.port)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-9, "")
    assert raw.listed() == effect


def test_any_process_can_be_named_to_be_killed(server: Server, raw: Client) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        server.faults.add(Fault(action="kill", pid=victim.pid))
        with pytest.raises((ConnectionError, HTTPException)):
            raw.get("/tenants")
        assert victim.wait(60) == -9


def test_nobody_is_killed_when_nobody_is_named(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="kill"))
    with pytest.raises((ConnectionError, HTTPException)):
        raw.get("/tenants")
    assert again(raw).get("/tenants").status == 200


def test_the_nth_matching_request_is_hit_as_often_as_said(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", path=r"/resources/b\.", nth=2, times=2))
    statuses = [raw.get(f"{RESOURCES}/{name}?meta").status for name in ("b.1", "a", "b.2", "b.3", "a", "b.4")]
    assert statuses == [404, 404, 503, 503, 404, 404]


def test_without_times_it_never_ends_until_cleared(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", times=None))
    assert {raw.get("/tenants").status for _ in range(5)} == {503}
    server.faults.clear()
    assert raw.get("/tenants").status == 200


def test_rules_select_by_method_path_and_query(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", method="get", path="^/projects/demo/resources/a b$", query="(^|&)meta(&|$)"))
    assert raw.get(f"{RESOURCES}/a%20b").status == 404
    assert raw.ask("HEAD", f"{RESOURCES}/a%20b?meta").status == 404
    assert raw.get(f"{RESOURCES}/a%20b?meta&curr_project=demo").status == 503


def test_both_spellings_of_the_functions_path_match_alike(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", path="^/projects/demo/registration/functions$", times=2))
    assert raw.get("/projects/demo/registration%2Ffunctions").status == 503
    assert raw.get("/projects/demo/registration/functions").status == 503


def test_the_first_rule_that_is_due_wins_and_all_of_them_count(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="fail", status=501, nth=2))
    server.faults.add(Fault(action="fail", status=502, nth=2, times=2))
    assert [raw.get("/tenants").status for _ in range(4)] == [200, 501, 502, 200]
    assert [rule["seen"] for rule in server.faults.rules()] == [4, 4]


def test_a_fault_during_the_body_strikes_also_when_the_body_is_not_wanted(server: Server, raw: Client) -> None:
    raw.create("a.txt", b"x")
    server.faults.add(Fault(action="fail", when="during", method="POST", status=500))
    assert raw.create("a.txt", b"y").status == 500


@pytest.mark.parametrize("after_bytes", [0, 1, 10, 1000, 10**9, None])
def test_a_fault_during_the_body_may_wait_for_any_number_of_bytes(
    server: Server, raw: Client, after_bytes: int | None
) -> None:
    server.faults.add(Fault(action="reset", when="during", after_bytes=after_bytes))
    with pytest.raises(ConnectionError):
        raw.create("a.txt", b"x" * 1000)
    assert again(raw).listed() == []
    expected = {None: 500, 0: 1}.get(after_bytes, min(after_bytes or 0, 1000))
    assert server.requests[0].request_bytes == expected


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"action": "explode"},
        {"action": "fail", "when": "never"},
        {"action": "fail", "nth": 0},
        {"action": "fail", "times": 0},
        {"action": "fail", "status": 99},
        {"action": "fail", "status": "503"},
        {"action": "fail", "nth": True},
        {"action": "fail", "path": "("},
        {"action": "fail", "paht": "x"},
        {"action": "stall", "seconds": -1},
        {"action": "kill", "pid": 1},
        {"action": ["fail"]},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(server: Server, rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a fault"):
        server.faults.add(rule)
    assert server.faults.rules() == []


@pytest.fixture
def controlled(serve: Serve) -> Server:
    """A server that can be asked about itself."""
    return serve(control=True)


def test_faults_are_set_shown_and_cleared_over_http(controlled: Server) -> None:
    kind = {"Content-Type": "application/json"}
    with Client(controlled.url) as raw:
        rules = [{"action": "fail", "nth": 2}, {"action": "stall", "seconds": 0}]
        assert raw.ask("POST", "///_control/faults", json.dumps(rules[0]), kind).status == 201
        assert raw.ask("POST", "///_control/faults", json.dumps(rules[1:]), kind).status == 201
        assert [raw.get("/tenants").status for _ in range(2)] == [200, 503]
        listed = json.loads(raw.get("///_control/faults").body)["faults"]
        assert [(rule["action"], rule["seen"]) for rule in listed] == [("fail", 2), ("stall", 2)]
        assert raw.ask("DELETE", "///_control/faults").status == 204
        assert json.loads(raw.get("///_control/faults").body) == {"faults": []}


@pytest.mark.parametrize("body", ["", "nonsense", "[1]", '{"action": "x"}', '[{"action": "fail"}, {}]', "[" * 100_000])
def test_faults_that_make_no_sense_are_refused_all_together(controlled: Server, body: str) -> None:
    with Client(controlled.url) as raw:
        refused = raw.ask("POST", "///_control/faults", body, {"Content-Type": "application/json"})
        assert (refused.status, refused.code) == (400, "InvalidParameter")
    assert controlled.faults.rules() == []


def test_a_fault_must_be_sent_as_json(controlled: Server) -> None:
    """What a web page can send without asking is not that."""
    with Client(controlled.url) as raw:
        refused = raw.ask("POST", "///_control/faults", '{"action": "fail"}', {"Content-Type": "text/plain"})
        assert (refused.status, refused.code) == (415, "InvalidContentType")
        assert raw.ask("PUT", "///_control/faults", "{}").status == 404


def test_the_log_says_what_was_asked_in_order(controlled: Server) -> None:
    with Client(controlled.url) as raw:
        controlled.faults.add(Fault(action="fail", when="after", method="PUT", status=500))
        agent = {"User-Agent": "pyodps/0.13 udfs-pid/4711 CPython", "Authorization": "ODPS carol:c2ln"}
        raw.create("a b.txt", b"12345", **agent)
        raw.put("a%20b.txt", b"123")
        raw.get(f"{RESOURCES}/a%20b.txt?meta&curr_project=de%20mo")
        raw.get("/projects/demo/registration%2Ffunctions/none")
        log = json.loads(raw.get("///_control/requests").body)["requests"]
        assert [(entry["method"], entry["path"], entry["status"]) for entry in log] == [
            ("POST", "/projects/demo/resources", 201),
            ("PUT", "/projects/demo/resources/a b.txt", 500),
            ("GET", "/projects/demo/resources/a b.txt", 200),
            ("GET", "/projects/demo/registration/functions/none", 404),
        ]
        assert log[0] == {
            "n": 1,
            "method": "POST",
            "path": "/projects/demo/resources",
            "query": "",
            "status": 201,
            "pid": 4711,
            "request_bytes": 5,
            "response_bytes": 0,
            "actor": "ALIYUN$carol",
            "fault": None,
        }
        assert (log[1]["fault"], log[1]["request_bytes"]) == ("fail 500 after", 3)
        assert log[2]["query"] == "meta&curr_project=de mo"
        assert [asdict(entry) for entry in controlled.requests] == log
        assert raw.ask("DELETE", "///_control/requests").status == 204
    assert controlled.requests == []


def test_the_log_knows_a_request_by_the_time_its_answer_is_there(server: Server, raw: Client) -> None:
    for number in range(1, 50):
        raw.get("/tenants")
        assert len(server.requests) == number
    server.clear_requests()
    assert server.requests == []


def test_the_log_has_requests_that_were_never_answered(server: Server, raw: Client) -> None:
    server.faults.add(Fault(action="reset"))
    with pytest.raises(ConnectionError):
        raw.get("/tenants")
    (lost,) = server.requests
    assert (lost.status, lost.fault) == (None, "reset before")


def test_without_being_asked_for_there_is_no_control(server: Server, raw: Client) -> None:
    for path in ("///_control/requests", "///_control/faults"):
        assert raw.get(path).status == 404
    assert raw.ask("POST", "///_control/faults", "{}", {"Content-Type": "application/json"}).status == 404


def test_control_is_only_had_on_loopback(tmp_path: Path) -> None:
    """It can end processes."""
    with pytest.raises(ValueError, match="loopback"):
        Server(tmp_path, Settings(control=True), host="0.0.0.0")
