"""What happens between two steps of one request: somebody else's write, or the client's end."""

from __future__ import annotations

import hashlib
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.storage import blobs
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local import Server
    from tests.contract.conftest import Serve

RESOURCES = "/projects/demo/resources"


def test_a_part_that_changes_while_it_is_merged_is_not_merged(
    server: Server, raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MD5 was that of its old content."""
    hashed = blobs.md5_of

    def interrupted(files: Any) -> str:
        with Client(server.url) as other:
            other.part("p", b"new content")
        return hashed(files)

    raw.part("p", b"old content")
    monkeypatch.setattr("reconciler.local.storage.blobs.md5_of", interrupted)
    assert raw.merge("merged", hashlib.md5(b"old content").hexdigest(), "p").status == 404
    assert raw.listed() == []
    assert raw.content("p") == b"new content"


def test_a_part_that_vanishes_before_it_is_merged_is_not_there(raw: Client, tmp_path: Path) -> None:
    raw.part("p", b"content")
    for blob in (tmp_path / "service" / "blobs").iterdir():
        blob.unlink()
    assert raw.merge("merged", hashlib.md5(b"content").hexdigest(), "p").status == 404
    assert "Content-MD5" not in raw.get(f"{RESOURCES}/p?meta").headers


def test_content_replaced_between_looking_it_up_and_opening_it_is_looked_up_again(
    raw: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, misses = blobs.Blobs.open, [1, 2, 3]

    def sometimes(self: blobs.Blobs, segments: Any) -> Any:
        if misses:
            misses.pop()
            raise FileNotFoundError
        return opened(self, segments)

    raw.create("a.txt", b"content")
    monkeypatch.setattr(blobs.Blobs, "open", sometimes)
    assert raw.content("a.txt") == b"content"


def test_a_client_that_leaves_before_its_answer_harms_nobody(raw: Client) -> None:
    raw.create("a.txt", b"x" * (32 << 20))
    for _ in range(3):
        with socket.create_connection((raw.host, raw.port), timeout=60) as plain:
            plain.sendall(f"GET /api{RESOURCES}/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert plain.recv(10) == b"HTTP/1.1 2"
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert len(raw.content("a.txt")) == 32 << 20


def test_a_client_that_is_cut_off_in_the_middle_of_a_body_leaves_nothing(raw: Client) -> None:
    with socket.create_connection((raw.host, raw.port), timeout=60) as plain:
        head = (
            "Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\nExpect: 100-continue\r\n"
        )
        plain.sendall(f"POST /api{RESOURCES} HTTP/1.1\r\n{head}Content-Length: 9\r\n\r\n".encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 100")
        plain.sendall(b"abc")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert raw.listed() == []


@pytest.mark.parametrize("sent", ["5\r\nab", "5\r\n", "5", "", "0\r\n", "0\r\nTrailer: x\r\n"])
def test_a_client_that_stops_in_the_middle_of_a_chunk_leaves_nothing(raw: Client, sent: str) -> None:
    with socket.create_connection((raw.host, raw.port), timeout=60) as plain:
        head = "Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\n"
        body = f"Transfer-Encoding: chunked\r\n\r\n{sent}"
        plain.sendall(f"POST /api{RESOURCES} HTTP/1.1\r\n{head}{body}".encode())
        plain.shutdown(socket.SHUT_WR)
        assert not plain.recv(100).startswith(b"HTTP/1.1 2")
    assert raw.listed() == []


@pytest.mark.parametrize(
    ("trailers", "status"), [("Trailer: x\r\n", 201), ("T: x\r\n" * 200, 400), ("T: " + "x" * 9000 + "\r\n", 400)]
)
def test_trailers_are_skipped_within_reason(raw: Client, trailers: str, status: int) -> None:
    head = "Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\nConnection: close\r\n"
    body = f"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n{trailers}\r\n"
    answer = raw.say(f"POST /api{RESOURCES} HTTP/1.1\r\n{head}{body}".encode())
    assert answer.startswith(b"HTTP/1.1 %d" % status)


def test_a_body_where_none_belongs_is_refused(raw: Client) -> None:
    refused = raw.create("t", b"body", x_odps_resource_type="table", x_odps_copy_table_source="demo.t")
    assert refused.code == "InvalidParameter"


def test_a_content_md5_that_is_none_is_refused(raw: Client) -> None:
    assert raw.create("a.txt", b"x", Content_MD5="nonsense!").code == "InvalidParameter"


def test_an_unknown_status_can_be_answered_too(server: Server, raw: Client) -> None:
    server.faults.add({"action": "fail", "status": 599})
    assert raw.get("/tenants").status == 599


def test_a_connection_left_in_the_middle_of_a_body_is_ended_with_the_server(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.local.http.listener._FINISH_SECONDS", 0.1)
    server = serve()
    host, port = server.url.removeprefix("http://").removesuffix("/api").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as plain:
        head = (
            "Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\nExpect: 100-continue\r\n"
        )
        plain.sendall(f"POST /api{RESOURCES} HTTP/1.1\r\n{head}Content-Length: 9\r\n\r\n".encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 100")
        server.close()
        assert plain.recv(100) == b""


def test_what_an_unlocked_folder_of_uploads_holds_is_a_leftover(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "service" / "incoming" / "dead"
    folder.mkdir(parents=True)
    (folder / "half").write_bytes(b"x")
    serve()
    assert not folder.exists()


def test_a_blob_that_nothing_refers_to_is_a_leftover(serve: Serve, tmp_path: Path) -> None:
    stray = tmp_path / "service" / "blobs" / ("0" * 64)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    serve()
    assert not stray.exists()
