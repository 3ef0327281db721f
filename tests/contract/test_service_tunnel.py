"""The instance tunnel on the wire: its sessions, its limit, and what is no result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from reconciler.local import ProvidedTable
from reconciler.local.tunnel.arrow_stream import decode_arrow
from reconciler.local.tunnel.column_types import parse_type
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from reconciler.local import Server
    from tests.contract.conftest import Serve

SELECT = "SELECT n, CONCAT('row ', CAST(n AS STRING)) AS s FROM t"


def numbers(count: int) -> ProvidedTable:
    return ProvidedTable((("n", "bigint"),), lambda: ((number,) for number in range(count)))


def submit(client: Client, sql: str, settings: str = "{}") -> str:
    """Run a statement and return the path of its instance."""
    config = f"<Config><Property><Name>settings</Name><Value>{settings}</Value></Property></Config>"
    task = f"<SQL><Name>q</Name>{config}<Query><![CDATA[{sql}]]></Query></SQL>"
    body = f"<Instance><Job><Priority>9</Priority><Tasks>{task}</Tasks></Job></Instance>".encode()
    created = client.ask("POST", "/projects/demo/instances", body)
    path = "/projects/demo/instances/" + created.headers["Location"].rpartition("/")[2]
    while client.get(f"{path}?instancestatus").xml.findtext("Status") != "Terminated":
        pass  # each waits for the end, some seconds at most
    return path


def test_the_limit_is_asked_for_and_holds_for_the_plain_result(serve: Serve) -> None:
    server = serve(sql_rows=3)
    server.provide_table("demo", "t", numbers(50_123))
    with Client(server.url) as client:
        path = submit(client, SELECT)
        counts = [
            json.loads(client.ask("POST", f"{path}?downloads{limit}", b"").body)["RecordCount"]
            for limit in ("", "&instance_tunnel_limit_enabled")
        ]
        assert counts == [50_123, 3]
        session = json.loads(client.ask("POST", f"{path}?downloads", b"").body)
        assert json.loads(client.get(f"{path}?downloadid={session['DownloadID']}").body) == session
        answer = client.get(f"{path}?downloadid={session['DownloadID']}&data&arrow&rowrange=(49998,5)")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        batches = decode_arrow([answer.body], ["n", "s"], [parse_type("bigint"), parse_type("string")], "UTC")
        assert pa.Table.from_batches(batches).to_pydict() == {
            "n": list(range(49998, 50003)),
            "s": [f"row {number}" for number in range(49998, 50003)],
        }


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ("&data&rowrange=(0,11)", 400, "InvalidRowRange"),
        ("&data&rowrange=(-1,2)", 400, "InvalidRowRange"),
        ("&data", 400, "InvalidRowRange"),
        ("&data&rowrange=(0,1)&columns=n,nosuch", 400, "NoSuchColumn"),
        ("0&data&rowrange=(0,1)", 404, "NoSuchObject"),
    ],
)
def test_what_is_not_there_is_refused(server: Server, raw: Client, question: str, status: int, code: str) -> None:
    server.provide_table("demo", "t", numbers(10))
    path = submit(raw, SELECT)
    session = json.loads(raw.ask("POST", f"{path}?downloads", b"").body)["DownloadID"]
    answer = raw.get(f"{path}?downloadid={session}{question}")
    assert (answer.status, answer.code) == (status, code)


def test_a_statement_that_failed_has_no_rows(raw: Client) -> None:
    answer = raw.ask("POST", f"{submit(raw, 'SELECT nosuch(1)')}?downloads", b"")
    assert (answer.status, answer.code) == (400, "TaskFailed")
    assert "nosuch" in answer.message


def test_the_tunnel_is_where_the_service_is(server: Server, raw: Client) -> None:
    assert raw.get("/projects/demo/tunnel?service").body.decode() in server.url
    assert raw.get("/projects/demo/tunnel").status == 400
