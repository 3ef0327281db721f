"""Errors: what clients can rely on whatever goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local import Server
    from tests.contract.conftest import Serve


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/projects/demo/resources/none", 404, "NoSuchObject"),
        ("DELETE", "/projects/demo/resources/none", 404, "NoSuchObject"),
        ("GET", "/projects/demo/registration/functions/none", 404, "NoSuchObject"),
        ("GET", "/projects/demo/schemas/none", 404, "NoSuchObject"),
        ("GET", "/projects/demo/resources?curr_schema=none", 404, "NoSuchObject"),
        ("GET", "/projects/demo/quotas", 404, "NoSuchObject"),
        ("GET", "/nowhere", 404, "NoSuchObject"),
        ("GET", "//", 404, "NoSuchObject"),
        ("PATCH", "/projects/demo/resources", 405, "MethodNotAllowed"),
        ("DELETE", "/projects/demo", 405, "MethodNotAllowed"),
        ("BREW", "/tenants", 405, "MethodNotAllowed"),
        ("POST", "/projects/demo/resources/a.txt", 405, "MethodNotAllowed"),
        ("GET", "/projects/demo/resources/", 400, "InvalidParameter"),
        ("GET", "/projects//resources", 400, "InvalidParameter"),
        ("GET", "/projects/de%2Fmo/resources", 400, "InvalidParameter"),
        ("GET", "/projects/demo/resources/a%00b", 400, "InvalidParameter"),
        ("GET", "/projects/demo/resources/%ff", 400, "InvalidParameter"),
        ("GET", "/projects/demo/resources?x=%ff", 400, "InvalidParameter"),
        ("GET", "/projects/demo/resources?" + "&".join(f"p{n}=1" for n in range(200)), 400, "InvalidParameter"),
        ("GET", "/_control/requests", 404, "NoSuchObject"),
    ],
)
def test_every_error_has_its_code_and_all_four_elements(
    raw: Client, method: str, path: str, status: int, code: str
) -> None:
    """PyODPS falls back on guessing when one of the four is missing."""
    refused = raw.ask(method, path)
    assert (refused.status, refused.code) == (status, code)
    assert [element.tag for element in refused.xml] == ["Code", "Message", "RequestId", "HostId"]
    assert all(element.text for element in refused.xml)
    assert refused.xml.findtext("RequestId") == refused.headers["x-odps-request-id"]
    assert refused.headers["Content-Type"] == "application/xml"


def test_a_refused_method_says_which_are_allowed(raw: Client) -> None:
    assert raw.ask("DELETE", "/projects/demo/resources").headers["Allow"] == "GET, POST"


def test_every_answer_has_a_request_id_of_its_own(raw: Client) -> None:
    answers = [
        raw.get("/tenants"),
        raw.create("a", b"x"),
        raw.ask("HEAD", "/projects/demo/resources/a"),
        raw.ask("DELETE", "/projects/demo/resources/a"),
        raw.get("/nowhere"),
    ]
    assert len({answer.headers["x-odps-request-id"] for answer in answers}) == len(answers)


def test_what_the_client_sent_is_escaped_in_the_error(raw: Client) -> None:
    refused = raw.get("/projects/demo/resources/%3CCode%3E%26%3C/Code%3E%EF%BF%BF")
    assert refused.code in {"NoSuchObject", "InvalidParameter"}


def test_a_head_of_what_is_not_there_is_404_without_a_body(raw: Client) -> None:
    refused = raw.ask("HEAD", "/projects/demo/resources/none")
    assert (refused.status, refused.body) == (404, b"")
    assert raw.get("/tenants").status == 200


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        ({}, "MissingAuthorization", "ODPS-0410041"),
        ({"Authorization": "Bearer x"}, "InvalidAuthorization", "ODPS-0410042"),
        ({"Authorization": "ODPS alice"}, "InvalidAuthorization", "ODPS-0410042"),
        ({"Authorization": "ODPS mallory:sig", "Date": "now"}, "InvalidAuthorization", "ODPS-0410051"),
        ({"Authorization": "ODPS alice:sig"}, "RequestTimeTooSkewd", "ODPS-0410031"),
        ({"Authorization": "ODPS alice:sig", "Date": "yesterday"}, "RequestTimeTooSkewd", "ODPS-0410031"),
        (
            {"Authorization": "ODPS alice:sig", "Date": "Sat, 01 Jan 2000 00:00:00 GMT"},
            "RequestTimeTooSkewd",
            "ODPS-0410031",
        ),
        (
            {"Authorization": "ODPS alice/20000101/cn-shanghai/odps/aliyun_v4_request:sig", "Date": "now"},
            "RequestTimeTooSkewd",
            "ODPS-0410031",
        ),
        ({"Authorization": "ODPS alice:c2ln", "Date": "now"}, "InvalidAuthorization", "ODPS-0410042"),
        ({"Authorization": "ODPS alice:\xff\xfe", "Date": "now"}, "InvalidAuthorization", "ODPS-0410042"),
    ],
)
def test_a_request_that_proves_nothing_is_refused(
    serve: Serve, headers: dict[str, str], code: str, message: str
) -> None:
    from email.utils import formatdate

    if headers.get("Date") == "now":
        headers = {**headers, "Date": formatdate(usegmt=True)}
    with Client(serve(access_id="alice", access_key="right").url) as raw:
        refused = raw.ask("GET", "/projects/demo/resources", headers=headers)
    assert (refused.status, refused.code) == (401, code)
    assert message in refused.message


def test_a_mistake_of_the_server_is_a_500_like_any_other(
    server: Server, raw: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw.create("a.txt", b"content")
    for blob in (tmp_path / "service" / "blobs").iterdir():
        blob.unlink()
    refused = raw.get("/projects/demo/resources/a.txt")
    assert (refused.status, refused.code) == (500, "InternalServerError")
    (tmp_path / "service" / "blobs").rmdir()
    refused = raw.create("b.txt", b"content")
    assert (refused.status, refused.code) == (500, "InternalServerError")
    assert "request failed: POST" in caplog.text
