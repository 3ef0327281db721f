"""The event file: what a command did, line by line, and nothing that it should not have."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from reconciler.cli.entry import run
from tests.benchmarks.stack import service, udfs, write

FUNCTIONS = 3
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/events.schema.json").read_text())


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file, each held against the schema."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        jsonschema.validate(event, SCHEMA)
    return events


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == kind]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stack"
    folder.mkdir()
    write(folder, FUNCTIONS)
    manifest = folder / "udfs.yaml"
    manifest.write_text(manifest.read_text().replace("'${env:ENDPOINT}'", "local").replace("'${env:PROJECT}'", "demo"))
    monkeypatch.chdir(folder)
    return tmp_path


def test_an_apply_is_told_from_beginning_to_end_and_each_operation_with_its_outcome(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = stack / "events.jsonl"
    assert run(["plan", "--format", "json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    assert run(["apply", "--yes", "--events", str(log)]) == 0
    events = lines(log)
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    assert events[0]["command"] == "apply"
    assert events[-1]["exit_code"] == 0
    assert len({event["run"] for event in events}) == 1
    [plan] = of(events, "plan")
    assert plan["digest"] == digest
    assert plan["counts"] == {"create": 3 * FUNCTIONS}
    ended = of(events, "operation-ended")
    assert len(ended) == 3 * FUNCTIONS
    assert {event["outcome"] for event in ended} == {"done"}
    assert {event["name"] for event in of(events, "operation-begun")} == {event["name"] for event in ended}
    assert {"reading the manifest", "applying"} <= {event["activity"] for event in of(events, "activity-ended")}
    assert [event["seconds"] for event in events] == sorted(event["seconds"] for event in events)


def test_runs_add_to_a_file_and_each_is_told_apart(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = stack / "events.jsonl"
    assert run(["apply", "--yes", "--events", str(log)]) == 0
    before = log.read_bytes()
    assert run(["plan", "--exit-code", "--events", str(log)]) == 0
    assert run(["drift", "--events", str(log)]) == 0
    assert run(["verify", "--events", str(log)]) == 0
    assert log.read_bytes().startswith(before)
    events = lines(log)
    assert [event["command"] for event in of(events, "started")] == ["apply", "plan", "drift", "verify"]
    assert len({event["run"] for event in events}) == 4
    assert [(event["drifted"], event["unchanged"]) for event in of(events, "drift")] == [([], 3 * FUNCTIONS)]
    Path("udfs.yaml").write_text("stack: [")
    assert run(["plan", "--events", str(log)]) == 3
    last = lines(log)[-1]
    assert (last["event"], last["exit_code"]) == ("finished", 3)
    assert last["problems"][0]["code"] == "E111"


def test_what_failed_and_what_was_not_tried_is_told_with_its_code_and_no_secret_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log = tmp_path / "stack", tmp_path / "events.jsonl"
    write(folder, FUNCTIONS)
    with service(tmp_path / "store") as running:
        rule = {
            "action": "fail",
            "method": "POST",
            "path": "/registration/functions",
            "status": 400,
            "code": "InvalidParameter",
            "times": None,
        }
        faults = running.control.replace("/requests", "/faults")
        requests.post(faults, json=rule, timeout=60).raise_for_status()
        secret = "canary-" + "5" * 20
        env = {**running.env(), "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret, "GITHUB_TOKEN": secret}
        with pytest.raises(SystemExit):
            udfs(folder, env, "apply", "--yes", "--writers", "1", "--events", str(log))
    assert secret not in log.read_text()
    events = lines(log)
    outcomes = {(event["kind"], event["outcome"]) for event in of(events, "operation-ended")}
    assert ("resource", "done") in outcomes
    assert ("function", "failed") in outcomes
    [*failed] = [event for event in of(events, "operation-ended") if event["outcome"] == "failed"]
    assert all(event["codes"] for event in failed)
    assert len(of(events, "operation-ended")) == 3 * FUNCTIONS, "what was not tried is told, too"
    assert events[-1]["exit_code"] == 8
    assert events[-1]["problems"]


def test_a_pipe_is_told_line_by_line_if_somebody_reads_it_and_is_refused_if_not(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = stack / "pipe"
    os.mkfifo(pipe)
    assert run(["apply", "--yes", "--events", str(pipe)]) == 3
    told = capsys.readouterr()
    assert "error[E743]: events cannot be written" in told.err
    assert "nobody reads this pipe" in told.err
    assert "created" not in told.out + told.err, "before anything is changed"
    read: list[str] = []
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)

    def follow() -> None:
        with os.fdopen(descriptor) as stream:
            read.extend(stream)

    reader = threading.Thread(target=follow)
    with_writer = os.open(pipe, os.O_WRONLY)
    reader.start()
    assert run(["plan", "--events", str(pipe)]) == 0
    os.close(with_writer)
    reader.join(30)
    assert [json.loads(line)["event"] for line in read][-1] == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_events_that_cannot_be_written_end_no_command(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply", "--yes", "--events", "/dev/full"]) == 0
    assert capsys.readouterr().err.count("events are no longer written") == 1


def test_a_link_of_a_checkout_leads_to_no_file_that_is_written(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stack / "precious").write_text("as it was")
    Path("events.jsonl").symlink_to(stack / "precious")
    assert run(["plan", "--events", "events.jsonl"]) == 3
    assert "it is a link" in capsys.readouterr().err
    assert run(["plan", "--events", str(stack / "none" / "e.jsonl")]) == 3
    assert (stack / "precious").read_text() == "as it was"


def test_the_schema_is_the_one_in_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "events"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
