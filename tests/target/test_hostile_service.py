"""A service, a network or a disk that means harm: nothing it says or does leads anywhere but to an error."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from reconciler.base.errors import PackageError, Position, ServiceError, UdfsError, UsageError
from reconciler.core.diff import Action, Change
from reconciler.core.kind import Key, Mark
from reconciler.core.state import Desired, Live
from reconciler.local import Server
from reconciler.targets import planned_files
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute import client, jobs, read
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import Function, Resource, resource_key
from reconciler.targets.maxcompute.target import MaxCompute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HERE = Position("udfs.yaml", 1, 1)
EMPTY = b"<Functions></Functions>"

Answering = tuple[int, dict[str, str], bytes]


@contextmanager
def speaking(answer: Callable[[BaseHTTPRequestHandler], Answering]) -> Iterator[str]:
    """Serve whatever `answer` says, and yield the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            status, headers, body = answer(self)
            self.send_response(status)
            usual = {"Content-Length": str(len(body)), "x-odps-request-id": "1"}
            for name, value in {**usual, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reach(endpoint: str, token: str | None = None) -> MaxCompute:
    keys = Credentials("ann", "canary-secret-0123456789", token)
    return MaxCompute(Client(endpoint, "demo", None, keys, "udfs-test"), "risk", lambda: "abc123")


def said(error: UdfsError) -> tuple[str, str]:
    [problem] = error.problems
    return problem.code, problem.message


def listing(**texts: str) -> Callable[[BaseHTTPRequestHandler], Answering]:
    """Answer both listings, with one resource that has these elements."""
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())

    def answer(asked: BaseHTTPRequestHandler) -> Answering:
        if "/functions" in asked.path:
            return 200, {}, EMPTY
        return 200, {}, f"<Resources><Resource>{inner}</Resource></Resources>".encode()

    return answer


# --- Names --------------------------------------------------------------------------------------------------------------


class Liar:
    """A target whose resource has the name that it was asked for, and two bytes."""

    def __init__(self, *names: str) -> None:
        self.names, self.written = names, list[str]()

    def read_one(self, key: Key) -> Live:
        if key.kind == "function":
            return Live(Function("f", "f.F", tuple(map(Reference, self.names))))
        return Live(Resource(key.name, "file"))

    def download(self, name: str, destination: Path) -> None:
        self.written.append(destination.name)
        destination.write_bytes(b"1\n")


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "..", "a\\b", "a\x1b[2Jb", "", "."])
def test_a_name_from_the_service_never_becomes_a_path(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    liar = Liar("good.csv", name)
    with pytest.raises(UsageError) as refused:
        jobs.deployed_job(None, liar, "f", folder)  # type: ignore[arg-type]
    assert said(refused.value)[0] == "E705"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["0"]


def test_a_resource_that_answers_under_another_name_is_not_taken(tmp_path: Path) -> None:
    with speaking(lambda _: (200, {"x-odps-resource-name": "../../x", "x-odps-resource-type": "file"}, b"")) as url:
        with pytest.raises(ServiceError) as refused:
            reach(url).read_one(resource_key("a.csv"))
        assert said(refused.value)[0] == "E604"


def test_the_services_spelling_of_a_name_is_taken() -> None:
    with speaking(lambda _: (200, {"x-odps-resource-name": "A.csv", "x-odps-resource-type": "file"}, b"")) as url:
        found = reach(url).read_one(resource_key("a.csv"))
    assert found is not None
    assert found.object.name == "A.csv"


# --- Redirects and proxies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_not_followed_and_hands_nothing_on(status: int, tmp_path: Path) -> None:
    asked = list[str]()

    def elsewhere(handler: BaseHTTPRequestHandler) -> Answering:
        asked.append(handler.command)
        return 200, {}, EMPTY

    with speaking(elsewhere) as other, speaking(lambda _: (status, {"Location": f"{other}/x"}, b"")) as url:
        target = reach(url, "sts-token-canary")
        with pytest.raises(ServiceError) as refused:
            target.read_one(resource_key("a.csv"))
        assert said(refused.value)[0] == "E604"
        assert "redirects elsewhere" in said(refused.value)[1]
        with pytest.raises(ServiceError, match="redirects elsewhere"):
            target.store.create("udfs.risk.1.json", b"{}", "")
    assert asked == []


def test_a_loopback_endpoint_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://ann:canary@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with speaking(listing(Name="a.csv", ResourceType="file")) as url:
        assert list(reach(url).read().live) == [resource_key("a.csv")]


def test_a_proxy_that_refuses_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://ann:canary@127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ServiceError) as refused:
            reach("http://service.invalid/api").store.create("udfs.risk.1.json", b"{}", "")
    code, message = said(refused.value)
    assert code == "E601"
    assert f"the proxy 127.0.0.1:{port}" in message
    assert "canary" not in message
    assert refused.value.outcome == "safe"


# --- Bounds and forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_unpacks_without_end_is_refused(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_ANSWER", 1 << 20)
    bomb = gzip.compress(b" " * (8 << 20))
    with speaking(lambda _: (status, {"Content-Encoding": "gzip"}, bomb)) as url:
        for ask in (lambda: reach(url).read(), lambda: reach(url).store.fetch("udfs.risk.1.json")):
            with pytest.raises(ServiceError) as refused:
                ask()
            assert re.search(r"more than 1 MiB|larger than any that udfs writes", said(refused.value)[1])


def test_an_entry_that_is_too_large_is_damage_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_ANSWER", 1024)
    with speaking(lambda _: (200, {}, b" " * 2048)) as url, pytest.raises(ServiceError) as refused:
        reach(url).store.fetch("udfs.risk.7.json")
    code, message = said(refused.value)
    assert code == "E611"
    assert "udfs.risk.7.json cannot be read: it is larger than any that udfs writes" in message
    assert "E611" in str(refused.value.problems[0].hint)


def test_a_listing_of_ever_new_pages_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_MAX_PAGES", 20)
    numbers = iter(range(1000))

    def pages(asked: BaseHTTPRequestHandler) -> Answering:
        if "/functions" in asked.path:
            return 200, {}, EMPTY
        return 200, {}, f"<Resources><Marker>m{next(numbers)}</Marker></Resources>".encode()

    with speaking(pages) as url, pytest.raises(ServiceError) as refused:
        reach(url).read()
    assert said(refused.value)[0] == "E604"
    assert "20 pages" in said(refused.value)[1]


@pytest.mark.parametrize(
    "body",
    [
        "<Resources/>".encode("utf-16"),
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><Resources>&a;</Resources>'.encode(
            "utf-16"
        ),
        b"<Resources>\0</Resources>",
        '<?xml version="1.0" encoding="iso-8859-1"?><Resources>\xe9</Resources>'.encode("latin-1"),
    ],
)
def test_xml_that_is_not_utf_8_is_refused(body: bytes) -> None:
    with speaking(lambda a: (200, {}, EMPTY if "/functions" in a.path else body)) as url:
        with pytest.raises(ServiceError) as refused:
            reach(url).read()
        assert said(refused.value)[0] == "E604"


@pytest.mark.parametrize("size", ["many", "-1", "1e3", "\u0661", "9" * 5000, "1_000"])
def test_a_size_that_is_no_number_is_refused(size: str) -> None:
    with speaking(listing(Name="a.csv", ResourceType="file", ResourceSize=size)) as url:
        with pytest.raises(ServiceError) as refused:
            reach(url).read()
        assert said(refused.value)[0] == "E604"


@pytest.mark.parametrize(
    ("date", "read_as"),
    [
        ("Sat, 21 Nov 2026 10:00:00 -0000", datetime(2026, 11, 21, 10, tzinfo=timezone.utc)),
        ("Sat, 21 Nov 2026 10:00:00 +0100", datetime(2026, 11, 21, 9, tzinfo=timezone.utc)),
        ("Sat, 21 Nov 99999999999999999999 10:00:00 GMT", None),
        ("Sat, 21 Nov 2026 10:00:00 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),  # a minute later is no time
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        (",", None),
        ("soon", None),
    ],
)
def test_a_date_can_be_compared_or_is_none(date: str, read_as: datetime | None) -> None:
    with speaking(listing(Name="a.csv", ResourceType="file", LastModifiedTime=date)) as url:
        assert reach(url).read().live[resource_key("a.csv")].modified == read_as


# --- Secrets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("form", ["xml", "text"])
def test_a_service_that_echoes_credentials_is_not_repeated(status: int, form: str) -> None:
    def echo(handler: BaseHTTPRequestHandler) -> Answering:
        told = (
            f"{handler.headers['Authorization']} {handler.headers['authorization-sts-token']} canary-secret-0123456789"
        )
        if form == "text":
            return status, {"x-odps-request-id": told}, told.encode()
        body = f"<Error><Code>X {told}</Code><Message>{told}</Message><RequestId>{told}</RequestId><HostId/></Error>"
        return status, {}, body.encode()

    with speaking(echo) as url, pytest.raises(ServiceError) as refused:
        reach(url, "sts-token-canary").read()
    message = said(refused.value)[1]
    assert "canary" not in message
    assert "ann:" not in message


# --- Files that change between the plan and the upload ------------------------------------------------------------------------


def uploading(tmp_path: Path, content: bytes) -> tuple[Change, dict[str, Path]]:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
    desired = Desired(Resource("a.csv", "file", md5, len(content)), HERE, Mark("risk", sha256, md5))
    return Change(Action.CREATE, resource_key("a.csv"), desired, None), {sha256: file}


def _other_bytes(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


def _shorter(file: Path) -> None:
    file.write_bytes(b"x")


def _link(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(
    ("harm", "code", "told"),
    [
        (_other_bytes, "E402", "the file of resource a.csv changed since the plan was made"),
        (_shorter, "E402", "changed since the plan was made"),
        (_link, "E402", "became a symbolic link since the plan was made"),
        (_pipe, "E402", "changed since the plan was made"),
        (lambda file: file.unlink(), "E305", "cannot be read any more"),
    ],
)
def test_a_file_that_is_not_the_planned_one_is_not_sent(
    harm: Callable[[Path], None], code: str, told: str, held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_files, "HELD_BYTES", 1 << 20 if held else 0)
    change, contents = uploading(tmp_path, b"1,2\n" * 100)
    [file] = contents.values()
    harm(file)
    with Server(tmp_path / "store") as server:
        target = reach(server.url)
        with pytest.raises(PackageError) as refused:
            target.write(change, contents, lambda _: None)
        assert server.requests == []
    assert said(refused.value)[0] == code
    assert told in said(refused.value)[1]
    assert str(file) in said(refused.value)[1]


def test_a_file_that_grows_shorter_while_it_is_sent_ends_the_request(tmp_path: Path) -> None:
    """The service would wait for the rest of what was promised."""
    change, contents = uploading(tmp_path, b"1" * (20 << 20))
    [file] = contents.values()
    with Server(tmp_path / "store") as server:
        target = reach(server.url)
        with pytest.raises(PackageError, match="changed since the plan was made"):
            target.write(change, contents, lambda _: os.truncate(file, 5 << 20))
        assert target.read_one(resource_key("a.csv")) is None


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_page_with_a_200_that_somebody_in_between_shows_makes_no_write_done(method: str) -> None:
    page = (200, {"x-odps-request-id": ""}, b"<html>Please log in</html>")
    with speaking(lambda _: page) as endpoint, pytest.raises(ServiceError, match="Please log in") as refused:
        reach(endpoint).client.send(method, "/registration/functions/f", headers={}, body=b"")
    assert (refused.value.problems[0].code, refused.value.outcome) == ("E604", "unknown")


@pytest.mark.parametrize(
    "page",
    [
        "<Functions><Marker>{}</Marker>{}</Functions>",
        "<?xml version='1.0'?>\n<Functions>\n  <Marker>{}</Marker><MaxItems>1</MaxItems>{}</Functions>",
        "<Functions>{1}<Marker>{0}</Marker></Functions>",
        "<Functions><!-- <Marker>b</Marker> --><Marker>{}</Marker>{}</Functions>",
        "<Functions><Marker kind='x'>{}</Marker>{}</Functions>",
    ],
)
def test_a_listing_is_followed_wherever_its_pages_say_what_comes_next(page: str) -> None:
    pages = {"": ("a&amp;b", "one"), "a&b": ("\n c ", "two"), "c": ("", "three")}

    def answer(request: BaseHTTPRequestHandler) -> Answering:
        url = urlsplit(request.path)
        if url.path.endswith("/resources"):
            return 200, {}, b"<Resources></Resources>"
        coming, name = pages[parse_qs(url.query).get("marker", [""])[0]]
        return 200, {}, page.format(coming, f"<Function><Alias>{name}</Alias></Function>").encode()

    with speaking(answer) as endpoint:
        assert sorted(key.name for key in reach(endpoint).read().live) == ["one", "three", "two"]


@pytest.mark.parametrize(("hanging", "root"), [("/functions", "Functions"), ("/resources", "Resources")])
def test_what_one_listing_fails_of_is_told_while_the_other_hangs_and_no_more_of_that_is_asked_for(
    hanging: str, root: str
) -> None:
    released, asked, before = threading.Event(), [], set(threading.enumerate())

    def answer(request: BaseHTTPRequestHandler) -> Answering:
        if not urlsplit(request.path).path.endswith(hanging):
            return 200, {}, b"<oops/>"
        asked.append(request.path)
        released.wait(60)
        return 200, {}, f"<{root}><Marker>{len(asked)}</Marker></{root}>".encode()

    with speaking(answer) as endpoint:
        with pytest.raises(ServiceError, match="oops"):
            reach(endpoint).read()
        assert not released.is_set()
        released.set()
        for thread in set(threading.enumerate()) - before:
            if thread.name == "udfs-reader":
                while thread.ident is None:  # one that a reader is just starting
                    time.sleep(0.01)
                thread.join(60)
                assert not thread.is_alive()
    assert len(asked) <= 1
