"""The server itself: races, durability, faults, switches, and requests that are none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local import UnguardedServer
from reconciler.local.fc import FcServer, FcSettings
from reconciler.local.fc.checksums import CodeChecksum, crc64_by_table
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal, zip_of
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.fc.conftest import ServeFc


def together(count: int, call: Any) -> list[Any]:
    """Return what as many calls at once come to, each given its number."""
    gate, outcomes = threading.Barrier(count), []

    def run(number: int) -> None:
        gate.wait(30)
        outcomes.append(call(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_of_many_who_create_a_function_one_succeeds(serve_fc: ServeFc) -> None:
    clients = [FunctionCompute(serve_fc().authority) for _ in range(2)]
    from alibabacloud_tea_openapi import exceptions

    def create(number: int) -> str:
        try:
            clients[number % 2].create(content=zip_of(index=f"x = {number}"))
        except exceptions.AlibabaCloudException as error:
            return str(error.code)
        return "created"

    assert sorted(together(8, create)) == sorted(["created", *["FunctionAlreadyExists"] * 7])
    assert len(clients[0].names()) == 1


def test_of_many_versions_of_a_layer_each_has_its_number(serve_fc: ServeFc) -> None:
    clients = [FunctionCompute(serve_fc().authority) for _ in range(2)]
    numbers = together(8, lambda number: clients[number % 2].layer().version)
    assert sorted(numbers) == list(range(1, 9))


SERVE = """
import pathlib, sys
from reconciler.local.fc import FcServer
server = FcServer(pathlib.Path(sys.argv[1]))
print(server.authority, flush=True)
server.serve_forever()
"""


def test_what_was_answered_outlives_a_kill(tmp_path: Path, serve_fc: ServeFc) -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path / "fc")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        fc = FunctionCompute(process.stdout.readline().strip())
        fc.create(layers=[fc.layer().layer_version_arn])
        fc.publish()
        fc.alias("1")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    again = FunctionCompute(serve_fc(tmp_path / "fc").authority)
    assert again.get(qualifier="prod").code_checksum == str(crc64_by_table(HELLO))
    assert again.layer().version == 2


def test_code_that_nothing_needs_is_removed(tmp_path: Path, serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(tmp_path / "fc").authority)
    fc.create()
    fc.update(code=fc.code(zip_of(index="x = 1")))
    assert len(list((tmp_path / "fc" / "blobs").iterdir())) == 1
    fc.publish()
    fc.update(code=fc.code())
    fc.layer()
    assert len(list((tmp_path / "fc" / "blobs").iterdir())) == 2
    fc.client.delete_function_version("read", "1")
    fc.client.delete_function("read")
    assert len(list((tmp_path / "fc" / "blobs").iterdir())) == 1


def test_an_answer_that_is_lost_has_had_its_effect(fc_server: FcServer, fc: FunctionCompute) -> None:
    fc_server.faults.add({"action": "fail", "method": "POST", "path": "/functions$", "status": 503, "when": "after"})
    assert refusal(fc.create)[0] == 503
    assert fc.names() == ["read"]
    assert [exchange.fault for exchange in fc_server.requests] == ["fail 503 after", None]
    assert [exchange.path for exchange in fc_server.requests] == ["/2023-03-30/functions"] * 2


def test_lists_may_lag_behind_writes(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(stale_list=1).authority)
    fc.create()
    assert [fc.names(), fc.names()] == [[], ["read"]]


def test_a_change_may_take_its_time(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    with FcServer(tmp_path, FcSettings(update_seconds=10), clock=lambda: now[0]) as server:
        fc = FunctionCompute(server.authority)
        fc.create()
        assert (fc.get().state, fc.get().last_update_status) == ("Pending", "Successful")
        now[0] += 20
        fc.update(timeout=5)
        assert (fc.get().state, fc.get().last_update_status) == ("Active", "InProgress")
        now[0] += 20
        assert fc.get().last_update_status == "Successful"


def test_more_requests_than_the_rate_are_throttled(serve_fc: ServeFc) -> None:
    fc = FunctionCompute(serve_fc(requests_per_second=1).authority)
    refusals = {refusal(lambda: [fc.names() for _ in range(20)])}
    assert refusals == {(429, "Throttling")}


def test_a_server_for_others_needs_keys(tmp_path: Path) -> None:
    with pytest.raises(UnguardedServer):
        FcServer(tmp_path, host="0.0.0.0")


def test_checksums_by_table_and_by_library_are_the_same() -> None:
    assert crc64_by_table(b"123456789") == 0x995DC9BBDF1939FA
    checksum = CodeChecksum()
    for piece in (b"1234", memoryview(b"56789")):
        checksum.update(piece)
    assert str(checksum) == str(0x995DC9BBDF1939FA)
    assert crc64_by_table(b"56789", crc64_by_table(b"1234")) == 0x995DC9BBDF1939FA


UNREADABLE: dict[str, tuple[str, str, bytes, int]] = {
    "no JSON": ("POST", "/2023-03-30/functions", b"{", 400),
    "JSON that is no object": ("POST", "/2023-03-30/functions", b"[1]", 400),
    "JSON without end": ("POST", "/2023-03-30/functions", b"[" * 100_000, 400),
    "numbers for names": ("POST", "/2023-03-30/functions", b'{"functionName": 7}', 400),
    "a text for code": (
        "POST",
        "/2023-03-30/functions",
        b'{"functionName":"a","runtime":"python3","handler":"a.b","code":"x"}',
        400,
    ),
    "a list for layers": (
        "POST",
        "/2023-03-30/functions",
        b'{"functionName":"a","runtime":"python3","handler":"a.b","layers":7}',
        400,
    ),
    "a text for memory": (
        "POST",
        "/2023-03-30/functions",
        b'{"functionName":"a","runtime":"python3","handler":"a.b","memorySize":"x"}',
        400,
    ),
    "a huge body": ("PUT", "/2023-03-30/functions/a/concurrency", b" " * (1 << 21), 400),
    "an unknown call": ("POST", "/2023-03-30/nothing", b"{}", 400),
    "an unknown method": ("PATCH", "/2023-03-30/functions", b"", 400),
    "another version": ("GET", "/2021-04-06/functions", b"", 404),
    "a path that is not UTF-8": ("GET", "/2023-03-30/functions/%ff", b"", 400),
    "a name that climbs": ("GET", "/2023-03-30/functions/..%2f..%2fetc", b"", 404),
    "code that climbs": ("GET", "/_code/..%2f..%2ffc.db", b"", 404),
    "tags that are no JSON": ("GET", "/2023-03-30/functions?tags=%7B", b"", 400),
    "a limit that is none": ("GET", "/2023-03-30/functions?limit=ten", b"", 400),
    "a bucket that climbs": ("GET", "/../x", b"", 400),
    "a hidden bucket": ("PUT", "/_x/y", b"", 400),
    "a trigger that is none": ("PUT", "/_http/x", b"", 404),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_request_is_refused_and_changes_nothing(
    fc_server: FcServer, method: str, path: str, body: bytes, status: int
) -> None:
    with Client(fc_server.url) as client:
        answer = client.ask(method, path, body)
        assert answer.status == status, answer.body
        assert client.ask("GET", "/2023-03-30/functions").body == json.dumps({"functions": []}).encode()


def test_a_web_page_is_not_served(fc_server: FcServer) -> None:
    with Client(fc_server.url) as client:
        assert client.ask("GET", "/2023-03-30/functions", headers={"Origin": "https://example.com"}).status == 403
        assert client.ask("GET", "/2023-03-30/functions", headers={"Host": "example.com"}).status == 403


def test_a_body_is_not_taken_for_a_second_request(fc_server: FcServer) -> None:
    hidden = b"DELETE /2023-03-30/functions/read HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for more in (b"Transfer-Encoding : chunked\r\n", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b""):
        with Client(fc_server.url) as client:
            head = b"POST /2023-03-30/functions HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n"
            client.say(head + hidden)
    assert not [exchange for exchange in fc_server.requests if exchange.method == "DELETE"]
