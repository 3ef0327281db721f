"""HTTP itself: framing, keep-alive, and who is listened to."""

from __future__ import annotations

import select
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server, Settings, UnguardedServer
from tests.contract.rawhttp import Client, function

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Serve


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came to it")


HEAD = "Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\n"


def test_a_connection_serves_many_requests(raw: Client) -> None:
    raw.create("a.txt", b"x")
    before = raw.connection.sock
    for _ in range(20):
        raw.get("/projects/demo/resources/a.txt?meta")
        raw.get("/projects/demo/resources/none")
        raw.put("a.txt", b"y")
    assert raw.connection.sock is before


def test_a_refused_body_does_not_disturb_the_next_request(raw: Client) -> None:
    """It is read and forgotten, or else its bytes would be taken for a request."""
    raw.create("a.txt", b"first")
    assert raw.create("a.txt", b"GET /tenants HTTP/1.1\r\n\r\n" * 1000).status == 409
    assert raw.content("a.txt") == b"first"


def test_requests_may_be_sent_ahead(raw: Client) -> None:
    one = f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 3\r\n\r\none"
    two = "GET /api/projects/demo/resources/a.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answers = raw.say((one + two).encode())
    assert answers.count(b"HTTP/1.1 201") == 1
    assert answers.endswith(b"\r\n\r\none")


@pytest.mark.parametrize("pieces", [[b"one piece"], [b"a", b"bc", b"x" * 100_000], [b""], []])
def test_a_chunked_body_is_the_sum_of_its_chunks(raw: Client, pieces: list[bytes]) -> None:
    headers = {"x-odps-resource-name": "a.txt", "x-odps-resource-type": "file", "Transfer-Encoding": "chunked"}
    raw.connection.request(
        "POST", "/api/projects/demo/resources", body=iter(pieces), headers=headers, encode_chunked=True
    )
    response = raw.connection.getresponse()
    assert (response.status, response.read()) == (201, b"")
    assert raw.content("a.txt") == b"".join(pieces)


@pytest.mark.parametrize(
    "body",
    [
        "x\r\n",
        "-1\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "\r\n",
        "f" * 20 + "\r\n",
    ],
)
def test_chunks_that_cannot_be_followed_are_refused_and_end_the_connection(raw: Client, body: str) -> None:
    """Two readers who disagree on where a request ends are how requests are smuggled."""
    sent = f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}"
    answer = raw.say(sent.encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Connection: close" in answer
    assert raw.listed() == []


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: -3",
        "Content-Length: 3x",
        "Content-Length: ",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: 3\r\nContent-Length: 3",
    ],
)
def test_a_body_framed_in_two_ways_or_none_is_refused(raw: Client, headers: str) -> None:
    answer = raw.say(f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}{headers}\r\n\r\nabc".encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"<Code>InvalidParameter</Code>" in answer
    assert raw.listed() == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_without_a_length_is_refused(raw: Client, method: str) -> None:
    path = "resources" if method == "POST" else "resources/a.txt"
    answer = raw.say(f"{method} /api/projects/demo/{path} HTTP/1.1\r\n{HEAD}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 411")
    assert b"<Code>MissingContentLength</Code>" in answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 more\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nLong: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["TLS", "one word", "version", "four words", "long line", "many headers", "long header"],
)
def test_garbage_is_answered_with_an_error_and_does_no_harm(raw: Client, garbage: bytes) -> None:
    answer = raw.say(garbage)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert answer.rstrip().endswith(b"</Error>")
    assert raw.get("/tenants").status == 200


def test_100_continue_is_said_when_the_body_is_wanted(raw: Client) -> None:
    with socket.create_connection((raw.host, raw.port), timeout=60) as plain:
        head = f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        plain.sendall(head.encode())
        assert plain.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        plain.sendall(b"abc")
        assert plain.recv(100).startswith(b"HTTP/1.1 201")
    assert raw.content("a.txt") == b"abc"


def test_100_continue_is_not_said_when_the_answer_is_no(raw: Client) -> None:
    """The point of it: a gigabyte that is refused is not sent."""
    raw.create("a.txt", b"kept")
    head = f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    answer = raw.say(head.encode())
    assert answer.startswith(b"HTTP/1.1 409")
    assert b"Connection: close" in answer


def test_a_client_that_stops_in_the_middle_leaves_nothing(raw: Client, tmp_path: Path) -> None:
    with socket.create_connection((raw.host, raw.port), timeout=60) as plain:
        plain.sendall(f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\nabc".encode())
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(100) == b""
    assert raw.listed() == []
    assert [path.name for path in (tmp_path / "service" / "incoming").rglob("*") if path.is_file()] == ["lock"]


def test_a_client_of_http_1_0_is_answered_and_let_go(raw: Client) -> None:
    answer = raw.say(b"GET /api/tenants HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"odps.namespace.schema" in answer


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:1", "127.1.2.3", "[::1]:99"])
def test_the_host_may_be_any_name_of_this_machine(raw: Client, host: str) -> None:
    assert raw.say(f"GET /tenants HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 200"
    )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", ""])
def test_another_host_is_refused(raw: Client, host: str) -> None:
    """A web page may make a name of its own point here; its browser still sends that name."""
    answer = raw.say(f"GET /tenants HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: localhost\r\n"])
def test_exactly_one_host_is_needed(raw: Client, hosts: str) -> None:
    assert raw.say(f"GET /tenants HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


PAGES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": "evil.example"},
    {"Host": "evil.example:127.0.0.1"},
    {"Host": "localhost@evil.example"},
    {"Host": "[::1].evil.example"},
    {"Host": "localhost, evil.example"},
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_web_page_can_neither_leave_code_here_nor_run_it(page: dict[str, str], raw: Client) -> None:
    """What it would take: a resource, a function of it, and a statement that calls the function."""
    statement = "<Instance><Job><Tasks><SQL><Name>s</Name><Query>SELECT f();</Query></SQL></Tasks></Job></Instance>"
    resource = {"x-odps-resource-name": "a.py", "x-odps-resource-type": "py"}
    answers = [
        raw.ask("POST", "/projects/demo/resources", b"", {**resource, **page}),
        raw.ask("POST", "/projects/demo/registration/functions", function("f"), page),
        raw.ask("POST", "/projects/demo/instances", statement, page),
        raw.ask("GET", "/projects/demo/resources", headers=page),
    ]
    assert [answer.status for answer in answers] == [403] * 4
    assert raw.listed() == raw.listed(kind="registration/functions") == []
    assert len(raw.get("/projects/demo/instances").xml.findall("Instance")) == 0


def test_who_types_the_address_into_a_browser_is_answered(raw: Client) -> None:
    assert raw.get("/tenants", **{"Sec-Fetch-Site": "none"}).status == 200


def test_latency_does_not_make_requests_queue(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five requests wait for each other while they wait: one after the other they would never end."""
    together = threading.Barrier(5)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        together.wait(60)

    url = serve(latency_ms=200).url
    monkeypatch.setattr("reconciler.local.http.connection.time", SimpleNamespace(sleep=sleep, time=time.time))

    def ask(_: int) -> int:
        with Client(url) as client:
            return client.get("/tenants").status

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(ask, range(5))) == [200] * 5
    assert waited == [0.2] * 5


def test_of_two_hundred_clients_at_once_no_request_is_lost(server: Server) -> None:
    together = threading.Barrier(200, timeout=60)

    def write_and_read(number: int) -> list[int]:
        with Client(server.url) as client:
            together.wait()
            return [
                client.create(f"of_{number}", str(number)).status,
                *(client.get(f"/projects/demo/resources/of_{number}").status for _ in range(3)),
            ]

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(write_and_read, range(200)))
    assert statuses == [[201, 200, 200, 200]] * 200
    assert len(server.requests) == 800


def test_closing_ends_idle_connections_and_is_closing_twice(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    with Client(server.url) as client:
        assert client.get("/tenants").status == 200
        server.close()
        server.close()
        with pytest.raises(OSError, match=r".*"):
            client.ask("GET", "/tenants")


def test_what_is_being_asked_is_answered_before_the_end(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    server.faults.add({"action": "stall", "seconds": 0.3, "when": "after"})
    with Client(server.url) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/tenants")
        wait_until(lambda: bool(server.faults.rules()[0]["seen"]))
        server.close()
        assert answer.result(60).status == 200


def test_a_server_that_never_started_can_be_closed(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert server.url.startswith("http://127.0.0.1:")
    server.close()


def test_serving_ends_when_a_signal_handler_closes(tmp_path: Path) -> None:
    """As a process does on SIGTERM: the handler runs in the thread that serves."""
    server = Server(tmp_path)
    before = signal.signal(signal.SIGALRM, lambda *_: server.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        server.serve_forever()
    finally:
        signal.signal(signal.SIGALRM, before)
    server.close()


def test_serving_can_be_left_by_an_exception_and_then_closed(tmp_path: Path) -> None:
    server = Server(tmp_path)

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, leave)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
    finally:
        signal.signal(signal.SIGALRM, before)
    server.close()


def test_a_port_that_is_taken_is_said_so_and_leaves_nothing_open(server: Server, tmp_path: Path) -> None:
    port = int(server.url.rsplit(":", 1)[1].partition("/")[0])
    with pytest.raises(OSError, match="in use"):
        Server(tmp_path / "other", port=port)


def test_a_server_may_listen_on_ipv6(tmp_path: Path) -> None:
    try:
        server = Server(tmp_path, host="::1")
    except OSError as problem:
        pytest.skip(f"no IPv6 loopback here: {problem}")
    with server, Client(server.url) as client:
        assert server.url.startswith("http://[::1]:")
        assert client.get("/tenants").status == 200


def test_a_server_for_others_needs_keys_and_checks_them_always(tmp_path: Path) -> None:
    with pytest.raises(UnguardedServer):
        Server(tmp_path / "open", host="0.0.0.0")
    keys = Settings(access_id="ann", access_key="secret", hosts=("MC.example",))
    with Server(tmp_path / "kept", keys, host="0.0.0.0") as server, Client(server.url) as client:
        own = {"Host": f"mc.example:{client.port}"}
        assert client.get("/tenants", **own).code == "MissingAuthorization"
        assert client.create("a.py", b"", **own).code == "MissingAuthorization"
        assert client.get("/tenants", Host="other.example").code == "AccessDenied"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /tenants HT", b"GET /tenants HTTP/1.1\r\nHost: localhost\r\nA: "], ids=["-", "line", "fields"]
)
def test_a_client_that_takes_forever_over_its_head_is_let_go(
    sent: bytes, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.local.http.pace.HEAD_SECONDS", 0.1)
    monkeypatch.setattr("reconciler.local.http.pace.IDLE_SECONDS", 0.1)
    answer = raw.say(sent)
    assert answer.startswith(b"HTTP/1.1 408") if sent else answer == b""


def test_a_client_that_takes_forever_over_its_body_is_let_go(raw: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.local.http.pace.BODY_SECONDS", 0.1)
    sent = f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\nabc"
    assert raw.say(sent.encode()) == b""
    assert raw.listed() == []


def test_one_client_too_many_takes_the_place_of_one_that_is_idle(raw: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.local.http.listener._MOST_CLIENTS", 2)

    def is_served() -> bool:
        with Client(f"http://{raw.host}:{raw.port}/api") as third:
            return third.get("/tenants").status == 200

    with Client(f"http://{raw.host}:{raw.port}/api") as second:
        raw.get("/tenants")
        second.get("/tenants")
        wait_until(is_served)  # who was answered is idle a moment after its answer, and until then there is no room
        let_go, _, _ = select.select([raw.connection.sock, second.connection.sock], [], [], 60)
        assert [idle.recv(1) for idle in let_go] == [b""], "it asks again on a connection of its own"


def test_where_all_are_busy_one_more_client_is_told_to_come_again(
    server: Server, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.local.http.listener._MOST_CLIENTS", 1)
    with socket.create_connection((raw.host, raw.port), timeout=60) as busy:
        busy.sendall(
            f"POST /api/projects/demo/resources HTTP/1.1\r\n{HEAD}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert busy.recv(100).startswith(b"HTTP/1.1 100")
        assert raw.say(b"").startswith(b"HTTP/1.1 503")
