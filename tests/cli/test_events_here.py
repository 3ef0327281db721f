"""Functions that take events run here: ``udfs test`` and ``udfs call --event``, of what an apply would upload."""

from __future__ import annotations

import base64
import io
import json
import os
import textwrap
import zipfile
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.fc import FcServer
from reconciler.local.invoke import RUNTIMES, NotInvocable, find_glibc, find_python
from reconciler.local.sandbox import Road
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.fc.client import FcClient

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
import json, os
import shared

def handler(event, context):
    print("got", len(event))
    return {"length": len(event), "name": context.function.name, "who": shared.WHO, "x": os.environ.get("X")}

def fail(event, context):
    return json.loads(event)["x"]
"""


@pytest.fixture(scope="module")
def runtime() -> str:
    for name in ("python3.12", "python3.10", "python3.9", "custom.debian12", "custom"):
        try:
            find_python(name, os.environ)
        except NotInvocable:
            continue
        return name
    pytest.skip("no CPython of any runtime is on this machine")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn/index.py").write_text(SOURCE)
    (tmp_path / "fn/shared.py").write_text("WHO = 'code'")
    (tmp_path / "udfs.yaml").write_text(
        textwrap.dedent(f"""
            stack: demo
            target: {{kind: fc}}
            targets: {{local: {{endpoint: local, region: cn-hangzhou}}}}
            functions:
              count:
                runtime: {runtime}
                source: fn
                handler: index.handler
                environment: {{X: y}}
                tests:
                  - {{event: hello, returns: {{length: 5, name: count, who: code, x: y}}}}
                  - {{event: {{a: ü}}, returns: {{length: 11, name: count, who: code, x: y}}}}
              fail:
                runtime: {runtime}
                source: fn
                handler: index.fail
                tests:
                  - {{event: {{x: text}}, returns: text}}
                  - {{event: {{y: 1}}, raises: KeyError}}
                  - {{event: {{y: 1}}, returns: 3}}
        """)
    )
    return tmp_path


def test_tests_of_functions_run_in_their_runtime(
    project: Path, runtime: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["test", "--format", "json"]) == 9
    trials = json.loads(capsys.readouterr().out)["tests"]
    assert [trial["verdict"] for trial in trials] == ["passed"] * 4 + ["failed"]
    assert trials[4]["reason"] == "raised KeyError: 'x'"
    assert [line.strip() for line in trials[4]["traceback"]][-1] == 'return json.loads(event)["x"]'
    has_note = any("checked against glibc" in note for note in trials[0].get("notes", ()))
    assert has_note == (find_glibc() != RUNTIMES[runtime].glibc)


def test_a_function_is_called_with_an_event_or_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "count", "--event", "hello"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["length"] == 5
    assert "got 5" in said.err
    (project / "event.bin").write_bytes(b"\xff\x00")
    assert run(["call", "count", "--event", "@event.bin"]) == 0
    assert json.loads(capsys.readouterr().out)["length"] == 2
    assert run(["call", "count", "--event", "@nothing.bin"]) == 3
    assert "error[E738]: the event 'nothing.bin' cannot be read: No such file" in capsys.readouterr().err


def test_an_error_of_a_function_has_its_stack_and_exit_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "fail", "--event", "{}"]) == 1
    said = capsys.readouterr()
    assert "fail raised KeyError: 'x'" in said.err
    assert 'return json.loads(event)["x"]' in said.err
    assert said.out == ""


def test_who_takes_events_takes_no_arguments(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "count", "1"]) == 3
    assert "E566" in capsys.readouterr().err
    assert run(["call", "count", "1", "--event", "x"]) == 3
    assert "E901" in capsys.readouterr().err


def test_without_a_sandbox_that_is_always_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reconciler.local.invoke.instance.find_road", lambda: Road.PLAIN)
    assert run(["call", "count", "--event", "hello"]) == 0
    assert "no sandbox" in capsys.readouterr().err


def test_a_layer_that_the_manifest_does_not_make_is_fetched_once_and_then_at_hand(
    project: Path, runtime: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-0123456789")
    monkeypatch.setenv("UDFS_CACHE", str(project / "cache"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("python/elsewhere.py", "WHO = 'a layer of somebody else'")
    with FcServer(project / "fc") as server:
        client = FcClient(server.url, "cn-hangzhou", Credentials("ann", "canary-0123456789"), "test", token=lambda: "t")
        code = {"zipFile": base64.b64encode(packed.getvalue()).decode()}
        document = {"code": code, "compatibleRuntime": [runtime]}
        arn = client.send("POST", "CreateLayerVersion", "/layers/theirs/versions", document)["layerVersionArn"]
        (project / "fn/index.py").write_text(
            "import sys\nsys.path.append('/opt/python')\nimport elsewhere\n\n\ndef handler(event, context):\n    return elsewhere.WHO\n"
        )
        (project / "udfs.yaml").write_text(
            f"stack: demo\ntarget: {{kind: fc}}\ntargets: {{here: {{endpoint: '{server.url}', region: cn-hangzhou}}}}\nfunctions:\n"
            f"  who: {{runtime: {runtime}, source: fn, handler: index.handler, layers: ['{arn}']}}\n"
        )
        assert run(["call", "who", "--event", "x"]) == 0
        assert "a layer of somebody else" in capsys.readouterr().out
        asked = len(server.requests)
        assert run(["call", "who", "--event", "x"]) == 0
        assert len(server.requests) == asked, "a version of a layer never changes"
