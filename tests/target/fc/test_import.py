"""What was made by hand on Function Compute becomes a manifest; once it is adopted, there is nothing left to do."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run as udfs
from reconciler.core.kind import fingerprint
from reconciler.packages.pack.same_files import hold_same_files
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.local.fc import FcServer
    from tests.target.fc.world import World

MANIFEST = """\
stack: taken
target: {kind: fc}
targets: {here: {endpoint: "${env:ENDPOINT}", region: cn-hangzhou, account: "1234567890123456"}}
# Nothing yet.
functions:
"""
HANDLER = "def handler(event, context):\n    return event\n\n\ndef init(context):\n    pass\n"
HTTP = {"authType": "function", "disableURLInternet": False, "methods": ["POST", "GET"], "bearerFormat": "opaque"}


def packed(files: Mapping[str, str], *, year: int = 2024, level: int = 1, executable: str = "") -> dict[str, str]:
    """Return code as another tool packs it: with dates, with folders, at another level."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (year, 5, 6, 7, 8, 10))
            info.external_attr = (0o100755 if name == executable else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, text)
    return {"zipFile": base64.b64encode(archive.getvalue()).decode()}


@pytest.fixture
def by_hand(world: World, server: FcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENDPOINT", server.url)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    layer = {"code": packed({"python/lib.py": "x = 1\n"}), "compatibleRuntime": ["python3.10"]}
    arn = world.edit("POST", "CreateLayerVersion", "/layers/theirs/versions", layer)["layerVersionArn"]
    read = {
        "functionName": "read",
        "runtime": "python3.10",
        "handler": "index.handler",
        "code": packed({"index.py": HANDLER, "lib/tool.sh": "#!/bin/sh\n", ".env": "A=1\n"}, executable="lib/tool.sh"),
        "environmentVariables": {"LANG": "C", "PRICE": "${x}", "EMPTY": "", "NUMBER": "007"},
        "memorySize": 1024,
        "cpu": 0.5,
        "timeout": 61,
        "internetAccess": False,
        "layers": [arn],
        "description": "reads: 'things'",
        "tags": [{"Key": "team", "Value": "ocr"}],
        "instanceLifecycleConfig": {"initializer": {"handler": "index.init", "timeout": 5}},
    }
    world.edit("POST", "CreateFunction", "/functions", read)
    trigger = {"triggerName": "web", "triggerType": "http", "triggerConfig": json.dumps(HTTP), "qualifier": "LATEST"}
    world.edit("POST", "CreateTrigger", "/functions/read/triggers", trigger)
    timer = {"cronExpression": "@every 5m", "enable": False, "payload": "now"}
    timed = {"triggerName": "tick", "triggerType": "timer", "triggerConfig": json.dumps(timer)}
    world.edit("POST", "CreateTrigger", "/functions/read/triggers", timed)
    world.edit("PUT", "PutConcurrencyConfig", "/functions/read/concurrency", {"reservedConcurrency": 7})
    serve = {
        "functionName": "serve",
        "runtime": "custom.debian12",
        "handler": "app.handler",
        "code": packed({"app.py": "print(1)\n"}),
        "customRuntimeConfig": {"command": ["python3", "app.py"], "port": 8080},
    }
    world.edit("POST", "CreateFunction", "/functions", serve)
    return world


def test_functions_made_by_hand_become_a_manifest_whose_plan_is_empty_once_they_are_adopted(
    by_hand: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert udfs(["import"]) == 0
    said = capsys.readouterr().out
    assert "+ function read → functions/read/, python3.10, index.handler, 2 triggers" in said
    assert "writes anew" not in said, said
    text = (tmp_path / "udfs.yaml").read_text()
    assert text.startswith(MANIFEST), "what was there stays as it is"
    assert 'exclude: ["!/.env"]' in text
    assert (tmp_path / "functions/read/index.py").read_text() == HANDLER
    assert (tmp_path / "functions/read/lib/tool.sh").stat().st_mode & 0o100
    assert udfs(["validate"]) == 0
    assert udfs(["adopt", "*", "--yes"]) == 0
    before = by_hand.function("read")
    assert udfs(["plan", "--exit-code"]) == 0, capsys.readouterr()
    assert udfs(["drift"]) == 0
    # What is changed then is that alone, and the archive stays as its maker packed it.
    (tmp_path / "udfs.yaml").write_text(text.replace("timeout: 61", "timeout: 62"))
    assert udfs(["apply", "--yes"]) == 0, capsys.readouterr()
    after = by_hand.function("read")
    assert (after["timeout"], after["codeChecksum"]) == (62, before["codeChecksum"])
    assert udfs(["plan", "--exit-code"]) == 0
    (tmp_path / "functions/read/index.py").write_text(HANDLER + "# edited\n")
    assert udfs(["plan", "--exit-code"]) == 2
    assert udfs(["apply", "--yes"]) == 0
    assert by_hand.function("read")["codeChecksum"] != before["codeChecksum"]
    assert udfs(["plan", "--exit-code"]) == 0


@pytest.mark.parametrize("options", [(), ("--as-sources",)])
def test_one_command_imports_and_adopts_and_leaves_nothing_to_do(
    options: tuple[str, ...], by_hand: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = by_hand.function("read")
    assert udfs(["import", "--adopt", *options, "--yes"]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "trigger read/web will be adopted" in said, "what lies within a function goes with it"
    assert "concurrency read will be adopted" in said
    assert "Plan: 5 to adopt" in said
    assert "source: functions/read" in (tmp_path / "udfs.yaml").read_text(), "code is always a source here"
    assert by_hand.function("read")["codeChecksum"] == before["codeChecksum"]
    assert udfs(["plan", "--exit-code"]) == 0, capsys.readouterr()
    assert udfs(["import", "--adopt", *options, "--yes"]) == 0, "again, there is nothing left"
    assert "In the manifest already: read, serve" in capsys.readouterr().out
    assert udfs(["import", "--stack", "taken"]) == 0, "it is the stack of the manifest"
    assert udfs(["import", "--stack", "another"]) == 3
    assert "error[E563]: 'udfs.yaml' is there, and says itself where its project is" in capsys.readouterr().err


def test_what_no_manifest_can_have_is_left_out_with_its_reason(
    by_hand: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def create(name: str, **fields: object) -> None:
        usual = {"runtime": "python3.10", "handler": "index.handler", "code": packed({"index.py": HANDLER})}
        by_hand.edit("POST", "CreateFunction", "/functions", {"functionName": name, **usual, **fields})

    create("node", runtime="nodejs20")
    create("paid", environmentVariables={"API_KEY": "canary-0123456789"})
    create("lost", handler="gone.handler")
    create("theirs", description="[udfs/1 other on=" + fingerprint("theirs") + "]")
    by_hand.edit("POST", "PublishFunctionVersion", "/functions/read/versions", {})
    by_hand.edit("POST", "CreateAlias", "/functions/read/aliases", {"aliasName": "prod", "versionId": "1"})
    assert udfs(["import"]) == 0
    said = capsys.readouterr().out
    assert "function node: udfs has no runtime nodejs20" in said
    assert "function paid: its variable API_KEY is called like a credential" in said
    assert "function lost: " in said
    assert "function theirs: stack 'other' manages it" in said
    assert "left as they are, since udfs did not publish what they lead to: alias prod" in said
    text = (tmp_path / "udfs.yaml").read_text()
    assert "canary" not in text
    assert [name for name in ("node", "paid", "lost", "theirs") if f"  {name}:" in text] == []
    assert udfs(["adopt", "*", "--yes"]) == 0
    assert udfs(["plan", "--exit-code"]) == 0


def test_what_is_in_the_way_is_refused_before_anything_is_fetched(
    by_hand: World, server: FcServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "functions" / "read").mkdir(parents=True)
    (tmp_path / "functions" / "read" / "index.py").write_text("mine\n")
    assert udfs(["import", "r*"]) == 5
    assert "error[E561]: 'functions/read' is there already" in capsys.readouterr().err
    assert udfs(["import", "x*"]) == 3
    assert "error[E560]: the region has no function that 'x*' fits" in capsys.readouterr().err
    assert udfs(["import", "r*", "--overwrite"]) == 0
    assert (tmp_path / "functions" / "read" / "index.py").read_text() == HANDLER
    assert (tmp_path / "udfs.yaml").read_text().count("runtime:") == 1


@pytest.mark.parametrize(
    ("files", "is_same"),
    [
        ({"a.py": "1", "b/": ""}, True),
        ({"a.py": "2"}, False),
        ({"a.py": "1", "c.py": ""}, False),
        ({}, False),
    ],
)
def test_archives_are_the_same_by_what_they_hold(files: Mapping[str, str], is_same: bool, tmp_path: Path) -> None:
    for name, content in (("one", packed({"a.py": "1"}, year=1990, level=9)), ("two", packed(files))):
        (tmp_path / name).write_bytes(base64.b64decode(content["zipFile"]))
    assert hold_same_files(tmp_path / "one", tmp_path / "two") == is_same
    (tmp_path / "two").write_bytes(b"PK no archive")
    assert not hold_same_files(tmp_path / "one", tmp_path / "two")
