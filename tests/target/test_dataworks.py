"""What Data Studio keeps of managed names is warned of, and never in the way."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from reconciler.base.errors import Position
from reconciler.cli.entry import run
from reconciler.core.copies import Copies
from reconciler.core.drift import Deviation, Drift, Drifted, attribute
from reconciler.targets.maxcompute.objects import resource_key
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.local import Server


class DataStudio(BaseHTTPRequestHandler):
    """The two listings, a page of 100 at a time; it refuses what is signed wrongly."""

    listings: dict[str, list[dict[str, Any]]]
    status: int
    asked: list[str]

    def do_GET(self) -> None:
        action = self.headers["x-acs-action"]
        query = dict(parse_qsl(urlsplit(self.path).query))
        self.asked.append(f"{action} {query['PageNumber']}")
        if self.status != 200:
            return self._answer(self.status, {"Code": "Throttling.User", "Message": SECRET})
        if not self._is_signed():
            return self._answer(400, {"Code": "SignatureDoesNotMatch"})
        entries = self.listings[action]
        first = (int(query["PageNumber"]) - 1) * int(query["PageSize"])
        page = entries[first : first + int(query["PageSize"])]
        return self._answer(200, {"PagingInfo": {action.removeprefix("List"): page, "TotalCount": len(entries)}})

    def _is_signed(self) -> bool:
        """Work the signature out anew, from the request as it came."""
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(","))
        names = parts["SignedHeaders"].split(";")
        query = "&".join(sorted(urlsplit(self.path).query.split("&")))
        lines = "".join(f"{name}:{self.headers[name]}\n" for name in names)
        digest = hashlib.sha256(b"").hexdigest()
        canonical = "\n".join(["GET", "/", query, lines, ";".join(names), digest])
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        wanted = hmac.digest(SECRET.encode(), text.encode(), "sha256").hex()
        required = {
            "host",
            "x-acs-action",
            "x-acs-date",
            "x-acs-signature-nonce",
            "x-acs-version",
            "x-acs-content-sha256",
        }
        return (scheme, parts["Credential"], parts["Signature"]) == (
            "ACS3-HMAC-SHA256",
            "ann",
            wanted,
        ) and required <= set(names)

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def studio() -> Iterator[ThreadingHTTPServer]:
    other = {"Name": "f", "DataSource": {"Type": "emr"}, "Owner": "eve"}
    mine = {
        "Name": "F",
        "Owner": "110755\x1b[31m",
        "ModifyTime": 1655953028000,
        "DataSource": {"Type": "odps", "Name": "p"},
    }
    DataStudio.listings = {
        "ListFunctions": [*({"Name": f"x{number}"} for number in range(150)), other, mine],
        "ListResources": [{"Name": "rates.csv", "Owner": "bob", "ModifyTime": "1655953028000"}, {"Name": None}, {}],
    }
    DataStudio.status, DataStudio.asked = 200, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), DataStudio)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, studio: ThreadingHTTPServer) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    (tmp_path / "f.py").write_text(
        'from odps.udf import annotate\n\n\n@annotate("string->string")\nclass F(object):\n    def evaluate(self, x):\n        return x\n'
    )
    (tmp_path / "rates.csv").write_text("1\n")
    (tmp_path / "udfs.yaml").write_text(
        f"""\
stack: risk
targets:
  prod:
    endpoint: {server.url}
    project: demo
    dataworks: {{workspace: 7, region: cn-shanghai, endpoint: "http://127.0.0.1:{studio.server_port}"}}
resources:
  rates.csv: {{file: rates.csv}}
functions:
  f: {{source: f.py, class: F, resources: [rates.csv]}}
"""
    )
    return tmp_path


WARNINGS = """\
udfs.yaml:10:3: warning[E747]: DataWorks keeps a copy of function f, of '110755\\x1b[31m', changed 2022-06-23 02:57Z: \
its next deployment overwrites what is applied
udfs.yaml:8:3: warning[E747]: DataWorks keeps a copy of resource rates.csv, of 'bob', changed 2022-06-23 02:57Z: \
its next deployment overwrites what is applied
"""


def test_plan_and_drift_warn_of_copies_with_owner_and_time(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan"]) == 0
    told = capsys.readouterr()
    for line in WARNINGS.splitlines():
        assert line in told.err
    assert "\x1b" not in told.err + told.out
    assert DataStudio.asked == ["ListFunctions 1", "ListFunctions 2", "ListResources 1"]
    assert run(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert run(["drift", "--format", "json"]) == 0, "a copy is no drift"
    document = json.loads(capsys.readouterr().out)
    assert [warning["code"] for warning in document["warnings"]] == ["E747", "E747"]
    assert run(["plan", "--format", "json"]) == 0
    assert "E747" in capsys.readouterr().out


@pytest.mark.parametrize("status", [403, 500, 302])
def test_a_plan_is_made_though_dataworks_does_not_answer(
    status: int, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--format", "json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    DataStudio.status = status
    assert run(["plan"]) == 0
    told = capsys.readouterr()
    assert f"warning[E748]: whether DataWorks keeps copies is not known: ListFunctions answers {status}" in told.err
    assert digest in told.out, "what another tool says is no part of the plan"
    assert SECRET not in told.err + told.out


def test_a_plan_is_made_though_nobody_listens(
    project: Path, studio: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    studio.server_close()
    studio.shutdown()
    text = (project / "udfs.yaml").read_text()
    (project / "udfs.yaml").write_text(text.replace(str(studio.server_port), "9"))
    assert run(["plan"]) == 0
    assert "http://127.0.0.1:9 does not answer (ConnectionError)" in capsys.readouterr().err


def test_credentials_are_sent_over_https_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (project / "udfs.yaml").read_text()
    (project / "udfs.yaml").write_text(
        text.replace('endpoint: "http://127.0.0.1:', 'endpoint: "http://dataworks.example:')
    )
    assert run(["plan"]) == 0
    assert "is not https, and requests carry credentials" in capsys.readouterr().err


def test_drift_by_the_scheduling_identity_was_deployed_from_there() -> None:
    kept = [
        Drifted(resource_key(name), Deviation.EDITED, Position("udfs.yaml"), who)
        for name, who in (("a", "RAM$acme:Jobs"), ("b", "ann"))
    ]
    drift = attribute(Drift(tuple(kept), 0, 0), Copies("DataWorks", deploys_as="ram$acme:jobs"))
    assert [deviation.sentence for deviation in drift.drifted] == [
        "was edited by RAM$acme:Jobs, deployed from DataWorks",
        "was edited by ann",
    ]
    assert attribute(Drift(tuple(kept), 0, 0), Copies("DataWorks")).drifted == tuple(kept)
