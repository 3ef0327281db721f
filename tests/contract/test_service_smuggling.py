"""Requests that two readers would read in two ways: one answer, no handler, and no second request."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.local import Server
from reconciler.local.http.head import RequestHead, read_head
from reconciler.local.http.messages import MalformedRequest
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = b"DELETE /api/projects/demo/resources/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What the second request would be; whoever takes it, the log of the server has it."""
POST = b"POST /api/projects/demo/resources HTTP/1.1"
FIELDS = b"Host: localhost\r\nx-odps-resource-type: file\r\nx-odps-resource-name: a.txt\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def request(first: bytes = POST, more: bytes = b"", body: bytes = b"") -> bytes:
    return first + b"\r\n" + FIELDS + more + b"\r\n" + body


MALFORMED = {
    "space before the colon": request(more=b"Transfer-Encoding : chunked\r\n", body=b"0\r\n\r\n"),
    "tab before the colon": request(more=b"Content-Length\t: 3\r\n", body=b"abc"),
    "CR within a value": request(more=b"A: b\rTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", body=b"abc"),
    "lines that end with CR": b"GET /api/tenants HTTP/1.1\rHost: localhost\r\r",
    "lines that end with LF": b"GET /api/tenants HTTP/1.1\nHost: localhost\n\n",
    "a field that ends with LF": request(more=b"A: b\nContent-Length: 3\r\n", body=b"abc"),
    "NUL within a value": request(more=b"A: b\0c\r\nContent-Length: 0\r\n"),
    "NUL within a name": request(more=b"A\0: b\r\nContent-Length: 0\r\n"),
    "DEL within a value": request(more=b"A: b\x7fc\r\nContent-Length: 0\r\n"),
    "a folded field": request(more=b"A: b\r\n c\r\nContent-Length: 0\r\n"),
    "a folded coding": request(more=b"Transfer-Encoding:\r\n chunked\r\n", body=b"0\r\n\r\n"),
    "a fold before all fields": POST + b"\r\n X: y\r\n" + FIELDS + b"Content-Length: 0\r\n\r\n",
    "a field without a colon": request(more=b"Garbage\r\nContent-Length: 0\r\n"),
    "a field without a name": request(more=b": x\r\nContent-Length: 0\r\n"),
    "two lengths": request(more=b"Content-Length: 3\r\nContent-Length: 4\r\n", body=b"abc"),
    "one length twice": request(more=b"Content-Length: 3\r\nContent-Length: 3\r\n", body=b"abc"),
    "a list of lengths": request(more=b"Content-Length: 3, 3\r\n", body=b"abc"),
    "length and chunks": request(more=b"Content-Length: 3\r\n" + CHUNKED, body=b"0\r\n\r\n"),
    "a length with a plus": request(more=b"Content-Length: +3\r\n", body=b"abc"),
    "a negative length": request(more=b"Content-Length: -3\r\n", body=b"abc"),
    "a length with an underscore": request(more=b"Content-Length: 1_0\r\n", body=b"abcdefghij"),
    "a hexadecimal length": request(more=b"Content-Length: 0x3\r\n", body=b"abc"),
    "other scripts' digits": request(more=b"Content-Length: \xef\xbc\x93\r\n", body=b"abc"),
    "an empty length": request(more=b"Content-Length: \r\n"),
    "a length with a space": request(more=b"Content-Length: 1 0\r\n"),
    "a huge length": request(more=b"Content-Length: 99999999999999999999\r\n"),
    "two codings": request(more=CHUNKED + b"Transfer-Encoding: identity\r\n", body=b"0\r\n\r\n"),
    "an unknown coding": request(more=b"Transfer-Encoding: xchunked\r\n", body=b"0\r\n\r\n"),
    "a list of codings": request(more=b"Transfer-Encoding: identity, chunked\r\n", body=b"0\r\n\r\n"),
    "a coding behind a VT": request(more=b"Transfer-Encoding: \x0bchunked\r\n", body=b"0\r\n\r\n"),
    "chunks in HTTP/1.0": request(POST[:-1] + b"0", CHUNKED, b"0\r\n\r\n"),
    "an extension of a chunk": request(more=CHUNKED, body=b"3;a=b\r\nabc\r\n0\r\n\r\n"),
    "an extension with LF": request(more=CHUNKED, body=b"3;\nxx\r\nabc\r\n0\r\n\r\n"),
    "a chunk with a plus": request(more=CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n"),
    "a negative chunk": request(more=CHUNKED, body=b"-3\r\nabc\r\n0\r\n\r\n"),
    "a chunk with 0x": request(more=CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk with an underscore": request(more=CHUNKED, body=b"0_3\r\nabc\r\n0\r\n\r\n"),
    "a chunk with a space": request(more=CHUNKED, body=b"3 \r\nabc\r\n0\r\n\r\n"),
    "chunks that end with LF": request(more=CHUNKED, body=b"3\nabc\n0\n\n"),
    "a chunk that is longer": request(more=CHUNKED, body=b"3\r\nabcXX0\r\n\r\n"),
    "a huge chunk": request(more=CHUNKED, body=b"fffffffffffffffff\r\nabc"),
    "a chunk without a size": request(more=CHUNKED, body=b"\r\nabc"),
    "a trailer with a space": request(more=CHUNKED, body=b"0\r\nA : b\r\n\r\n"),
    "a method that is no token": request(b"P(ST /api/tenants HTTP/1.1"),
    "two spaces": request(b"GET  /api/tenants HTTP/1.1"),
    "a tab for a space": request(b"GET\t/api/tenants HTTP/1.1"),
    "a space at the end": request(b"GET /api/tenants HTTP/1.1 "),
    "VT within the target": request(b"GET /api/ten\x0bants HTTP/1.1"),
    "bytes within the target": request("GET /api/ä HTTP/1.1".encode()),
    "another server's target": request(b"GET http://evil.example/api/tenants HTTP/1.1"),
    "a target without a slash": request(b"GET api/tenants HTTP/1.1"),
    "http in lower case": request(b"GET /api/tenants http/1.1"),
    "version 1.10": request(b"GET /api/tenants HTTP/1.10"),
    "version 2.0": request(b"GET /api/tenants HTTP/2.0"),
    "version 0.9": b"GET /api/tenants\r\n\r\n",
    "an empty line first": b"\r\n" + request(b"GET /api/tenants HTTP/1.1"),
    "two hosts": request(more=b"Host: localhost\r\nContent-Length: 0\r\n"),
    "two names": request(more=b"x-odps-resource-name: b.txt\r\nContent-Length: 0\r\n"),
    "two who ask": request(more=b"Authorization: ODPS a:b\r\nAuthorization: ODPS b:c\r\nContent-Length: 0\r\n"),
    "too many fields": request(more=b"".join(b"A%d: b\r\n" % number for number in range(200))),
    "fields that are too long": request(more=b"A: " + b"b" * 70_000 + b"\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as running:
        yield running


def is_refused_once(server: Server, sent: bytes) -> None:
    """Say it, with a second request behind it; see one refusal, and that nobody took the second."""
    server.clear_requests()
    with Client(server.url) as client:
        answer = client.say(sent + HIDDEN)
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505")), answer
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        assert b"\r\nConnection: close\r\n" in answer
        assert client.listed() == []
    statuses = [exchange.status for exchange in server.requests[:-1]]
    assert all(status is not None and status >= 400 for status in statuses), "no handler was reached"
    assert "DELETE" not in {exchange.method for exchange in server.requests}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_request_that_can_be_read_in_two_ways_is_refused_once(sent: bytes, server: Server) -> None:
    is_refused_once(server, sent)


TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NO_TOKEN = st.sampled_from([byte for byte in range(256) if byte not in TOKEN and byte not in b":"]).map(
    lambda b: bytes([b])
)
NO_TEXT = st.sampled_from([byte for byte in range(256) if (byte < 32 and byte != 9) or byte == 127]).map(
    lambda b: bytes([b])
)
WORD = st.binary(max_size=5).map(lambda word: bytes(byte for byte in word if byte in TOKEN))
NO_LENGTH = st.binary(max_size=6).filter(lambda text: b"\n" not in text and not text.strip(b" \t").isdigit())
NO_SIZE = st.binary(max_size=6).filter(
    lambda text: b"\n" not in text and any(byte not in b"0123456789abcdefABCDEF" for byte in text)
)


def joined(*parts: bytes | st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*(st.just(part) if isinstance(part, bytes) else part for part in parts)).map(b"".join)


BROKEN_FIELD = st.one_of(
    joined(b"x", WORD, NO_TOKEN, WORD, b": v\r\n"),
    joined(b"x", WORD, b": ", WORD, NO_TEXT, WORD, b"\r\n"),
    joined(
        b"x: ", WORD, st.sampled_from([b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n ", b"\r\n\t"]), b"Content-Length: 7\r\n"
    ),
    joined(b"Content-Length: ", NO_LENGTH, b"\r\n"),
    joined(b"Transfer-Encoding: ", WORD.filter(lambda word: word.lower() != b"chunked"), b"\r\n"),
    joined(CHUNKED, b"Content-Length: ", st.integers(0, 99).map(lambda number: b"%d" % number), b"\r\n"),
)
BROKEN = st.one_of(
    BROKEN_FIELD.map(lambda field: request(more=field, body=b"0\r\n\r\n")),
    NO_SIZE.map(lambda size: request(more=CHUNKED, body=size + b"\r\nabc\r\n0\r\n\r\n")),
    st.binary(min_size=1, max_size=4)
    .filter(lambda end: not end.startswith(b"\r\n"))
    .map(lambda end: request(more=CHUNKED, body=b"3\r\nabc" + end + b"\r\n0\r\n\r\n")),
    joined(
        b"P",
        NO_TOKEN.filter(lambda byte: byte != b" "),
        b"ST ",
        POST[5:],
        b"\r\n",
        FIELDS,
        b"Content-Length: 0\r\n\r\n",
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=BROKEN)
@example(sent=request(more=b"Content-Length: 1\x1c\r\n"))
def test_whatever_is_malformed_gets_one_answer_and_reaches_nobody(sent: bytes, server: Server) -> None:
    is_refused_once(server, sent)


# --- A second reader ------------------------------------------------------------------------------------------------------

GOOD = [
    request(more=b"Content-Length: 3\r\nConnection: keep-alive\r\n", body=b"abc"),
    request(more=CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"),
    request(b"GET /api/projects/demo/resources?a=b%20c HTTP/1.1", b"Accept: */*\r\nUser-Agent: \xc3\xa4\t b\r\n"),
]
PIECES = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b"0",
    b"chunked",
    b"Content-Length: 5\r\n",
    CHUNKED,
    b"\x85",
    b"\xa0",
]


@st.composite
def nearly_good(draw: st.DrawFn) -> bytes:
    """A good request of which a few bytes are others."""
    sent = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(sent)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=2))
        sent = sent[:at] + piece + sent[at + draw(st.integers(0, 3)) :]
    return sent


def read(sent: bytes) -> RequestHead | None:
    stream = io.BytesIO(sent)
    try:
        head = read_head(lambda limit: stream.readline(limit))
        assert head.body_length is None or head.body_length >= 0
    except MalformedRequest:
        return None
    return head if "Host" in head.headers else None


@settings(max_examples=500, deadline=None)
@given(sent=nearly_good())
def test_what_is_read_here_another_reader_reads_as_the_same(sent: bytes) -> None:
    h11 = pytest.importorskip("h11", reason="the second reader of HTTP is not installed")
    head = read(sent)
    if head is None:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(sent)
    event = other.next_event()
    target = re.sub("^//+", "/", event.target.decode())  # slashes at the start count as one
    assert (event.method.decode(), target) == (head.method, head.target)
    fields = [(name.lower(), value) for name, value in head.headers.items()]
    assert fields == [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
    body = sent[sent.index(b"\r\n\r\n") + 4 :]
    if head.body_length is not None and head.body_length <= len(body):
        pieces = []
        while isinstance(event := other.next_event(), h11.Data):
            pieces.append(event.data)
        assert isinstance(event, h11.EndOfMessage)
        assert b"".join(pieces) == body[: head.body_length]
