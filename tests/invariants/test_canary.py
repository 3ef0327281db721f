"""The watch over secrets sees what it is there to see; everything else runs under it."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.canary import PASSWORD, SECRET, TOKEN, GaveAway, require_absent, require_absent_under

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "secret",
    [SECRET, TOKEN, PASSWORD, "ODPS ann:gk3mX2TqQkLr0s9vYwZpE4b1c2I="],
    ids=["key", "token", "password", "signature"],
)
def test_a_secret_is_seen_wherever_it_turns_up(
    secret: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GaveAway), contextlib.redirect_stderr(io.StringIO()):
        print(secret, file=sys.stderr)
    print(secret)
    with pytest.raises(GaveAway):
        capsys.readouterr()
    with pytest.raises(GaveAway):
        subprocess.run([sys.executable, "-c", "", secret], check=True)
    with pytest.raises(GaveAway):
        subprocess.run(
            [sys.executable, "-c", "print(input())"], input=secret, capture_output=True, text=True, check=True
        )
    folder: Path = tmp_path_factory.mktemp("another")
    (folder / "blob").write_bytes(b"\0" + secret.encode())
    with pytest.raises(GaveAway):
        require_absent_under(folder)


def test_what_is_no_secret_is_let_through() -> None:
    require_absent("a ledger", "ALIYUN$ann applied, 2 created; a canary is a bird")


def test_a_saved_plan_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.invariants.world import SOURCE, World

    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("PRIVATE_INDEX", f"https://ann:{PASSWORD}@127.0.0.1:1/simple")
    with World(tmp_path) as world:
        manifest = 'stack: risk\ntargets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}\n'
        world.write(f_py=SOURCE.format("F", "first"))
        world.write(udfs_yaml=f"{manifest}functions: {{f: {{source: f.py, class: F}}}}\n")
        for content in ("first", "second"):
            world.write(f_py=SOURCE.format("F", content))
            world.must("plan", "--out", f"{content}.json")
            plan = (world.project / f"{content}.json").read_bytes()
            require_absent("the plan", plan)
            assert content.encode() not in plan, "what is uploaded is named by its digest, and not in the file"
            world.must("apply", f"{content}.json", "--yes")
