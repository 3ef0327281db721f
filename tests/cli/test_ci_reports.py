"""What `udfs ci` leaves for those who collect: JUnit, annotations, pages, events, and no secret in any of it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from reconciler.cli.entry import run
from reconciler.local import Server, Settings
from reconciler.local.server.settings import User

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = """stack: {team}
python: cp311
targets:
  there: {{endpoint: "${{env:ENDPOINT}}", project: demo}}
functions:
  {team}_f: {{source: {team}.py, class: F, tests: [{{args: [1], returns: 2}}]}}
"""
SOURCE = """from odps.udf import annotate
@annotate("bigint->bigint")
class F(object):
    def evaluate(self, x):
        return x + 1
"""
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/events.schema.json").read_text())
SECRET, TOKEN = (f"canary-{what}-{secrets.token_hex(12)}" for what in ("secret", "token"))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A project that knows one person, and two manifests for it in one folder."""
    users = {"ann": User(SECRET, "RAM$acme:ann", TOKEN)}
    settings = Settings(control=True, users=users, access_id="root", access_key=secrets.token_hex(12))
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for team in ("a", "b"):
        write(team)
    with Server(tmp_path / "store", settings, environment=os.environ) as server:
        for name, value in {
            "ENDPOINT": server.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "ann",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
            "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN,
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def write(team: str, text: str = MANIFEST) -> None:
    Path(team).mkdir(exist_ok=True)
    Path(team, "udfs.yaml").write_text(text.format(team=team))
    Path(team, f"{team}.py").write_text(f"{SOURCE}# {team}\n")


def ci(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a step and return its exit code and its entries, by teams."""
    code = run(["ci", *arguments, "--out", "out"])
    entries = json.loads(Path("out/index.json").read_text())["entries"]
    return code, {entry["manifest"][0]: entry for entry in entries}


def junit(entry: dict[str, Any]) -> dict[str, int]:
    """Return how many cases of an entry's report passed, failed, …"""
    [suite] = ET.parse(Path("out", entry["folder"], entry["files"]["junit"])).getroot()
    verdicts = [child.tag for case in suite for child in case if child.tag != "system-out"]
    numbers = {verdict: verdicts.count(verdict) for verdict in verdicts}
    assert int(suite.get("failures", "")) == numbers.get("failure", 0)
    assert int(suite.get("tests", "")) == len(suite)
    return {**numbers, "passed": len(suite) - len(verdicts)}


def document(entry: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("out", entry["folder"], entry["files"]["json"]).read_text())
    return content


def test_each_step_leaves_a_report_that_fails_where_something_is_wrong(
    service: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    code, entries = ci("check")
    assert (code, junit(entries["a"])) == (0, {"passed": 1}), capsys.readouterr().err
    code, entries = ci("plan")
    assert (code, junit(entries["a"])) == (0, {"passed": 1})
    page = Path("out", entries["b"]["folder"], entries["b"]["files"]["html"]).read_text()
    assert "b_f" in page
    assert page.lstrip().lower().startswith("<!doctype html>")
    code, entries = ci("apply", "--yes", "--verify")
    assert (code, junit(entries["a"])) == (0, {"passed": 1})
    verification = document(entries["a"])["verification"]
    assert (verification["format"], verification["passed"]) == ("udfs.verify/1", 1)

    Path("b/udfs.yaml").write_text("stack: b\nfunktions: {}\nmore: 1\n")
    write("a", MANIFEST.replace("returns: 2", "returns: 3"))
    for step in ("check", "plan", "drift"):
        _, entries = ci(step)
        assert junit(entries["b"])["failure"] >= 2, step
        assert junit(entries["a"]) == ({"failure": 1, "passed": 0} if step == "check" else {"passed": 1}), step
    code, entries = ci("apply", "--yes", "--verify", "-f", "a")
    assert (code, junit(entries["a"])) == (9, {"failure": 1, "passed": 0})
    assert document(entries["a"])["verification"]["failed"] == 1


def test_without_a_verdict_nothing_is_said_to_collectors_of_findings(
    service: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "apply", "--yes"]) == 0
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-another-secret")
    Path("b/udfs.yaml").write_text("stack: b\nfunktions: {}\n")
    code, entries = ci("drift")
    assert {team: (entry["outcome"], entry["exit_code"]) for team, entry in entries.items()} == {
        "a": ("unknown", 4),
        "b": ("failed", 3),
    }
    assert code == 4
    assert entries["a"]["summary"].startswith("No verdict: ")
    told = document(entries["a"])
    assert (told["format"], told["outcome"], told["drifted"]) == ("udfs.drift/1", "unknown", [])
    assert junit(entries["a"]) == {"error": 1, "passed": 0}
    # An empty document would close the alerts of a night that saw something.
    assert not {"sarif", "annotations", "html"} & {*entries["a"]["files"]}
    # So would one with the service's refusal alone; what is wrong with a manifest is a verdict.
    code, entries = ci("plan")
    assert {team: entry["outcome"] for team, entry in entries.items()} == {"a": "failed", "b": "failed"}
    assert {team: "sarif" in entry["files"] for team, entry in entries.items()} == {"a": False, "b": True}
    assert "annotations" in entries["a"]["files"]


def test_a_step_annotates_ten_lines_of_a_kind_however_many_manifests_there_are(
    service: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        write(f"m{number}", "stack: {team}\nfunktions: 1\n")
    write("a", "stack: {team}\nfunktions: 1\n")
    assert run(["ci", "plan", "--format", "github"]) == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::error")]
    assert len(lines) == 10
    assert "more errors (" in lines[-1]


def test_events_of_a_pipeline_say_which_manifest_they_are_about(
    service: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    assert run(["ci", "apply", "--yes", "--events", str(log)]) == 0
    assert run(["ci", "drift", "--events", str(log)]) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    for event in events:
        jsonschema.validate(event, SCHEMA)
    steps = [
        (event["event"].removeprefix("entry-"), event["command"], event["manifest"], event.get("outcome"))
        for event in events
        if event["event"].startswith("entry-")
    ]
    assert steps == [
        (what, command, f"{team}/udfs.yaml", outcome if what == "ended" else None)
        for command, outcome in (("plan", "changes"), ("apply", "changes"), ("drift", "clean"))
        for team in "ab"
        for what in ("begun", "ended")
    ]
    kinds = [event["event"] for event in events]
    assert kinds.count("operation-ended") == 4
    assert kinds.count("drift") == 2
    assert [event["command"] for event in events if event["event"] == "started"] == ["ci apply", "ci drift"]


def _fault(message: str) -> dict[str, Any]:
    return {
        "action": "fail",
        "method": "POST",
        "path": "/registration/functions",
        "status": 400,
        "code": "InvalidParameter",
        "message": message,
        "times": None,
    }


def test_what_a_service_gives_away_is_in_no_file_of_a_pipeline(
    service: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that answers with the session that asked: its words are in every document, and the session in none."""
    message = f"no quota for {SECRET} of {TOKEN}, SecurityToken={'t' * 20}"
    service.faults.add(_fault(message))
    log = tmp_path / "events.jsonl"
    code, entries = ci("apply", "--yes", "--events", str(log))
    assert code == 8
    assert run(["ci", "publish", "--to", "gitlab", "--from", "out"]) == 0
    service.faults.clear()
    service.faults.add({**_fault(message), "method": "GET", "path": "", "status": 403, "code": "NoPermission"})
    for step in (("plan",), ("drift",), ("apply", "--yes")):
        ci(*step, "--events", str(log))
    said = capsys.readouterr()
    written = {str(path): path.read_text() for path in [log, *Path().rglob("out/**/*")] if path.is_file()}
    assert sum("no quota for …" in text for text in written.values()) > 8
    for name, text in {"stdout": said.out, "stderr": said.err, **written}.items():
        assert SECRET not in text, name
        assert TOKEN not in text, name
        assert "t" * 20 not in text, name
    assert entries["a"]["outcome"] == "failed"
