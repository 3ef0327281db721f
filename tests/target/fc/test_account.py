"""Credentials of another account than the target says: nothing of that account is planned or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run as udfs
from tests.canary import SECRET
from tests.target.fc.world import code_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local.fc import FcServer
    from tests.target.fc.world import World

MANIFEST = """\
stack: mine
target: {kind: fc}
targets: {here: {endpoint: "${env:ENDPOINT}", region: cn-hangzhou, account: "42"}}
functions:
  read: {runtime: python3.10, source: read.py, handler: read.handler}
"""


def names_of_functions(world: World) -> list[str]:
    return [function["functionName"] for function in world.client().get("ListFunctions", "/functions")["functions"]]


@pytest.fixture(autouse=True)
def _project(server: FcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENDPOINT", server.url)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    (tmp_path / "read.py").write_text("def handler(event, context):\n    return event\n")


@pytest.mark.parametrize("command", [("plan",), ("drift",), ("apply", "--yes")], ids=" ".join)
def test_a_region_of_another_account_is_not_read_on(
    command: tuple[str, ...], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = {"functionName": "theirs", "runtime": "python3.10", "handler": "index.handler", "code": code_of("one")}
    world.edit("POST", "CreateFunction", "/functions", theirs)
    assert udfs([*command]) == 4
    said = capsys.readouterr()
    assert "error[E623]: the credentials are of account 1234567890123456, and the target says 42" in said.err + said.out
    assert names_of_functions(world) == ["theirs"]


def test_in_an_empty_region_of_another_account_an_apply_stops_before_its_first_change(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert udfs(["apply", "--yes"]) == 4
    assert "error[E623]" in capsys.readouterr().err
    assert names_of_functions(world) == ["udfs-mine-1"], "the ledger's entry, and nothing else"
