"""Signatures of our own, held byte for byte against those of PyODPS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from hypothesis import given
from hypothesis import strategies as st
from odps.accounts import CloudAccount, StsAccount

from reconciler.local import Server
from reconciler.targets.credentials.links import open_odps_source
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import resource_key
from reconciler.targets.maxcompute.signing import put_signature
from reconciler.targets.maxcompute.target import MaxCompute

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = "https://service.example/api"
DATE = "Sun, 29 Nov 2026 08:00:00 GMT"

names = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=12)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)
queries = st.dictionaries(
    st.sampled_from(["meta", "marker", "curr_project", "rIsPart", "x-odps-b", "x-odps-a"]), names | st.just("")
)
headers = st.dictionaries(
    st.sampled_from(["Content-Type", "content-md5", "x-odps-comment", "X-Odps-Resource-Type", "Accept", "Range"]), texts
)


def prepared(method: str, name: str, query: dict[str, str], told: dict[str, str]) -> requests.PreparedRequest:
    address = f"{ENDPOINT}/projects/demo/resources/{quote(name, safe='')}"
    return requests.Request(method, address, params=query, headers={**told, "Date": DATE}).prepare()


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), names, queries, headers, names, names, st.none() | names)
def test_a_request_is_signed_as_pyodps_signs_it(
    method: str, name: str, query: dict[str, str], told: dict[str, str], key: str, secret: str, token: str | None
) -> None:
    ours, theirs = prepared(method, name, query, told), prepared(method, name, query, told)
    put_signature(Credentials(key, secret, token), ours, ENDPOINT)
    account = StsAccount(key, secret, token) if token else CloudAccount(key, secret)
    account.sign_request(theirs, ENDPOINT)
    # When PyODPS looked for a token is told to the service, and is not signed.
    theirs.headers.pop("x-pyodps-token-timestamp", None)
    assert dict(ours.headers) == dict(theirs.headers)


def test_a_token_that_has_expired_is_looked_for_again(tmp_path: Path) -> None:
    file = tmp_path / "token.json"

    def hand_out(key: str) -> None:
        file.write_text(json.dumps({"accessKeyId": key, "accessKeySecret": "s", "securityToken": "t"}))

    hand_out("old")
    with Server(tmp_path / "store") as server:
        source = open_odps_source(None, {"ODPS_STS_ACCOUNT_FILE": str(file)})
        target = MaxCompute(Client(server.url, "demo", None, source, "test"), "risk", str)
        server.faults.add({"action": "fail", "status": 401, "code": "AuthenticationRequestExpired", "method": "POST"})
        hand_out("new")
        assert target.store.create("udfs.risk.1.json", b"{}", "")
        entry = target.read_one(resource_key("udfs.risk.1.json"))
        assert [request.status for request in server.requests] == [401, 201, 200]
    assert entry is not None
    assert entry.owner == "ALIYUN$new"
