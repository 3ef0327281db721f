"""Signatures of the control API, as the vendor's SDK makes them."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.fc import AccessKey
from tests.contract.fc.calls import FunctionCompute, refusal

if TYPE_CHECKING:
    from reconciler.local.fc import FcServer
    from tests.contract.fc.conftest import ServeFc

KEYS = {"bob": AccessKey("bobs", token="t1"), "old": AccessKey("olds", token="t2", expires=1.0)}


@pytest.fixture
def guarded(serve_fc: ServeFc) -> FcServer:
    return serve_fc(access_id="ann", access_key="right", keys=KEYS)


def test_who_signs_rightly_is_served(guarded: FcServer) -> None:
    FunctionCompute(guarded.authority, "ann", "right").create(tags={"a b": "ü+/&"})
    bob = FunctionCompute(guarded.authority, "bob", "bobs", "t1")
    assert bob.names(tags={"a b": "ü+/&"}, limit=5) == ["read"]
    assert {exchange.actor for exchange in guarded.requests} == {"ann", "bob"}
    arn = bob.layer().layer_version_arn
    assert bob.client.get_layer_version_by_arn(arn).body.version == 1


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (("ann", "wrong", None), "SignatureNotMatch"),
        (("eve", "right", None), "InvalidAccessKeyID"),
        (("bob", "bobs", "t0"), "InvalidSecurityToken.MismatchWithAccessKey"),
        (("bob", "bobs", None), "InvalidSecurityToken.MismatchWithAccessKey"),
        (("old", "olds", "t2"), "InvalidSecurityToken.Expired"),
    ],
    ids=["a wrong secret", "nobody's key", "another's token", "no token", "a token that ended"],
)
def test_who_does_not_is_refused(guarded: FcServer, who: tuple[str, str, str | None], code: str) -> None:
    assert refusal(lambda: FunctionCompute(guarded.authority, *who).names()) == (403, code)


def send(server: FcServer, signed: dict[str, str], body: bytes, path: str = "/2023-03-30/functions") -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.authority, timeout=30)
    connection.request("POST", path, body, signed)
    answer = connection.getresponse()
    code = json.loads(answer.read() or b"{}").get("Code", "")
    connection.close()
    return answer.status, code


def signed_headers(server: FcServer, body: bytes, **more: str) -> dict[str, str]:
    """Return the headers by which the SDK signs a POST."""
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    request: Any = DaraRequest()
    request.method, request.pathname, request.query = "POST", "/2023-03-30/functions", {}
    digest = hashlib.sha256(body).hexdigest()
    request.headers = {
        "host": server.authority,
        "content-type": "application/json",
        "x-acs-date": Utils.get_timestamp(),
        "x-acs-content-sha256": digest,
        **more,
    }
    text = Utils.get_authorization(request, "ACS3-HMAC-SHA256", request.headers["x-acs-content-sha256"], "ann", "right")
    return {**request.headers, "Authorization": text}


def test_what_is_changed_under_a_signature_is_refused(guarded: FcServer) -> None:
    pytest.importorskip("alibabacloud_tea_openapi", reason="the vendor's SDK is not installed")
    body = b'{"functionName": "a"}'
    headers = signed_headers(guarded, body)
    assert send(guarded, headers, body) == (400, "InvalidArgument")  # served, and no function
    assert send(guarded, headers, b'{"functionName": "b"}') == (403, "SignatureNotMatch")
    assert send(guarded, headers, body, "/2023-03-30/functions?limit=1") == (403, "SignatureNotMatch")
    assert send(guarded, headers, body, "/2023-03-30/layers/a/versions") == (403, "SignatureNotMatch")
    assert send(guarded, {**headers, "x-acs-date": "2020-01-01T00:00:00Z"}, body) == (400, "InvalidTimeStamp.Expired")
    late = signed_headers(guarded, body, **{"x-acs-date": "2020-01-01T00:00:00Z"})
    assert send(guarded, late, body) == (400, "InvalidTimeStamp.Expired")
    assert send(guarded, {**headers, "x-acs-content-sha256": "0" * 64}, body) == (403, "SignatureNotMatch")
    unsigned = {name: value for name, value in headers.items() if name != "Authorization"}
    assert send(guarded, unsigned, body) == (400, "MissingRequiredHeader")
    assert send(guarded, {**headers, "Authorization": "acs ann:x"}, body) == (403, "SignatureNotMatch")
    part = headers["Authorization"].replace("host;", "")
    assert send(guarded, {**headers, "Authorization": part}, body) == (403, "SignatureNotMatch")
