"""What is stored stays, whatever ends the process, and however many processes there are."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server
from tests.contract.rawhttp import Client, function

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Process

    Spawn = Callable[[Path], Process]


def test_a_store_is_the_same_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Client(server.url) as raw:
        raw.create("Code.py", b"content", x_odps_resource_type="py", x_odps_comment="said")
        raw.part("p", b"part")
        raw.merge("merged", hashlib.md5(b"part").hexdigest(), "p")
        raw.register("fn", "Code.F", "code.py")
        raw.ask("POST", "/projects/demo/schemas", "<Schema><Name>s1</Name></Schema>")
        before = [raw.get(path).body for path in LISTS]
    with Server(tmp_path) as server, Client(server.url) as raw:
        assert [raw.get(path).body for path in LISTS] == before
        assert raw.content("code.py") == b"content"
        assert raw.content("merged") == b"part"


LISTS = (
    "/projects/demo/resources?expectmarker=true",
    "/projects/demo/registration/functions?expectmarker=true",
    "/projects/demo/schemas?expectmarker=true",
    "/projects",
)


def begin_upload(raw: Client, method: str, path: str, announced: int, sent: bytes) -> socket.socket:
    """Start a request whose body never ends; some of it is certainly on its way to disk."""
    plain = socket.create_connection((raw.host, raw.port), timeout=60)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\n"
        f"Content-Length: {announced}\r\nExpect: 100-continue\r\n\r\n"
    )
    plain.sendall(head.encode())
    assert plain.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    plain.sendall(sent)
    return plain


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_half_visible(
    tmp_path: Path, spawn: Spawn, method: str
) -> None:
    process = spawn(tmp_path)
    path = "/projects/demo/resources" + ("/a.txt" if method == "PUT" else "")
    with Client(process.url) as raw:
        if method == "PUT":
            raw.create("a.txt", b"old")
        with begin_upload(raw, method, path, 64 << 20, b"x" * (4 << 20)):
            process.kill()
    with Server(tmp_path) as server, Client(server.url) as raw:
        if method == "PUT":
            assert raw.content("a.txt") == b"old"
        assert raw.listed() == (["a.txt"] if method == "PUT" else [])
        left = [found for found in tmp_path.rglob("*") if found.is_file() and found.stat().st_size > 1 << 20]
        assert left == [], "what the dead process had begun is removed by the next start"


def test_an_answered_write_survives_a_kill(tmp_path: Path, spawn: Spawn) -> None:
    process = spawn(tmp_path)
    with Client(process.url) as raw:
        raw.create("a.txt", b"content")
        raw.register("fn", "a.F", "a.txt")
    process.kill()
    with Client(spawn(tmp_path).url) as raw:
        assert raw.content("a.txt") == b"content"
        assert raw.listed(kind="registration/functions") == ["fn"]


def test_a_kill_at_any_moment_of_many_writes_leaves_whole_resources(tmp_path: Path, spawn: Spawn) -> None:
    """Every resource that is listed has the content its size and MD5 speak of."""
    process = spawn(tmp_path)

    def write(writer: int) -> None:
        with Client(process.url) as client:
            try:
                for number in range(1000):
                    content = f"{writer} {number} ".encode() * 2000
                    client.create(f"r{writer}_{number % 7}", content)
                    client.put(f"r{writer}_{number % 7}", content[::-1])
                    if writer == 0 and number == 12:
                        process.kill()
            except OSError:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with Server(tmp_path) as server, Client(server.url) as raw:
        names = raw.listed()
        assert names
        for name in names:
            content = raw.content(name)
            meta = raw.get(f"/projects/demo/resources/{name}?meta").headers
            assert hashlib.md5(content).hexdigest() == meta["Content-MD5"]
            assert len(content) == int(meta["x-odps-resource-size"])


def test_two_processes_show_each_other_their_writes(tmp_path: Path, spawn: Spawn) -> None:
    with Client(spawn(tmp_path).url) as one, Client(spawn(tmp_path).url) as two:
        one.create("a.txt", b"of one")
        assert two.content("a.txt") == b"of one"
        two.put("a.txt", b"of two")
        assert one.content("a.txt") == b"of two"
        one.part("p", b"part of one")
        assert two.merge("merged", hashlib.md5(b"part of one").hexdigest(), "p").status == 201
        assert one.content("merged") == b"part of one"
        two.ask("DELETE", "/projects/demo/resources/a.txt")
        assert one.listed() == ["merged"]


def test_a_second_server_does_not_take_the_first_ones_uploads_for_leftovers(tmp_path: Path, spawn: Spawn) -> None:
    first = spawn(tmp_path)
    with Client(first.url) as raw:
        content = b"x" * (2 << 20)
        with begin_upload(raw, "POST", "/projects/demo/resources", len(content), content[:-1]) as plain:
            with Client(spawn(tmp_path).url) as other:
                assert other.listed() == []
            plain.sendall(content[-1:])
            assert plain.recv(100).startswith(b"HTTP/1.1 201")
        assert raw.content("a.txt") == content


def test_of_many_creates_of_one_name_exactly_one_succeeds(tmp_path: Path, spawn: Spawn) -> None:
    """Across processes too: it is the one compare-and-swap that the service offers."""
    urls = [spawn(tmp_path).url, spawn(tmp_path).url]
    for attempt in range(10):
        name, path = f"lease{attempt}", "/projects/demo/registration/functions"

        def race(racer: int, name: str = name, path: str = path) -> tuple[int, int]:
            with Client(urls[racer % 2]) as client:
                resource = client.create(name, f"racer {racer}".encode())
                return resource.status, client.ask("POST", path, function(name, f"racer.{racer}")).status

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(race, range(8)))
        assert Counter(status for status, _ in answers) == {201: 1, 409: 7}
        assert Counter(status for _, status in answers) == {201: 1, 409: 7}
        winner = [status for status, _ in answers].index(201)
        with Client(urls[0]) as client:
            assert client.content(name) == f"racer {winner}".encode()


def test_of_many_merges_onto_one_name_exactly_one_succeeds(tmp_path: Path, spawn: Spawn) -> None:
    urls = [spawn(tmp_path).url, spawn(tmp_path).url]
    for attempt in range(5):
        name = f"merged{attempt}"

        def race(racer: int, name: str = name) -> int:
            content = f"racer {racer}".encode()
            with Client(urls[racer % 2]) as client:
                client.part(f"{name}.part.{racer}", content)
                return client.merge(name, hashlib.md5(content).hexdigest(), f"{name}.part.{racer}").status

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(race, range(6)))
        assert Counter(answers) == {201: 1, 409: 5}
        with Client(urls[1]) as client:
            assert client.content(name) == f"racer {answers.index(201)}".encode()


def test_readers_see_the_old_or_the_new_content_and_nothing_between(tmp_path: Path, spawn: Spawn) -> None:
    urls = [spawn(tmp_path).url, spawn(tmp_path).url]
    old, new = b"o" * 300_000, b"n" * 200_000
    with Client(urls[0]) as client:
        client.create("a.txt", old)

    def write(_: int) -> set[bytes]:
        with Client(urls[0]) as client:
            for content in (new, old) * 20:
                assert client.put("a.txt", content).status == 201
        return set()

    def read(reader: int) -> set[bytes]:
        with Client(urls[reader % 2]) as client:
            return {client.content("a.txt") for _ in range(60)}

    with ThreadPoolExecutor(4) as pool:
        written, *seen = [pool.submit(write, 0), *(pool.submit(read, reader) for reader in range(3))]
        written.result()
        assert set().union(*(found.result() for found in seen)) <= {old, new}


def test_a_store_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with Server(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "maxcompute.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(RuntimeError, match="another version"):
        Server(tmp_path)


def test_a_store_may_be_told_to_wait_for_the_disk(tmp_path: Path) -> None:
    from reconciler.local import Settings

    with Server(tmp_path, Settings(sync=True)) as server, Client(server.url) as raw:
        raw.create("a.txt", b"content")
        assert raw.content("a.txt") == b"content"
