"""
A run that is killed anywhere leaves a project that the next run finishes.

A real process applies; the service kills it with SIGKILL when its n-th request comes in, or after it took effect, for
every n. After each death: no function lists a resource that is not there, what is foreign is as it was, and once the
dead run's lease is ended, the same command reaches the same state as a run that nobody killed.
"""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import pytest

from reconciler.cli import run
from reconciler.local import Server, Settings
from reconciler.plan import needs
from reconciler.state import Resource
from reconciler.targets.maxcompute import Client, Credentials, MaxCompute
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.ledger import Reading

UDFS = [sys.executable, "-m", "reconciler"]
SOURCE = "from odps.udf import annotate\n\n\n@annotate('string->string')\nclass {0}(object):\n    def evaluate(self, x):\n        return x + {1!r}\n"
BEFORE = """\
stack: risk
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
resources: {a.csv: {file: a.csv}}
functions:
  f: {source: f.py, class: F, resources: [a.csv]}
  old: {source: old.py, class: Old}
"""
AFTER = """\
stack: risk
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
resources: {b.csv: {file: b.csv}}
functions:
  f: {source: f.py, class: F, resources: [b.csv]}
  new: {source: f.py, class: F}
"""
REQUESTS = 40
"""More than the apply sends; the sweep ends at the first n that is never reached."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, text in {
        "f.py": SOURCE.format("F", "1"),
        "old.py": SOURCE.format("Old", ""),
        "a.csv": "1\n",
        "b.csv": "2\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    with Server(tmp_path / "store", Settings(control=True)) as running:
        monkeypatch.setenv("ENDPOINT", running.url)
        yield running


def udfs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*UDFS, *arguments], capture_output=True, text=True, timeout=120, check=False)


def here(*arguments: str) -> tuple[int, str]:
    """Run a command in this process, where it starts at once; return its exit code and all it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments)
    return code, said.getvalue()


def look(server: Server) -> Reading:
    return MaxCompute(Client(server.url, "demo", None, Credentials("eve", SECRET), "test"), "risk", str).read(full=True)


def contents(reading: Reading) -> dict[str, object]:
    return {
        key.name: have.object.md5 if isinstance(have.object, Resource) else have.object
        for key, have in reading.live.items()
    }


def begin(server: Server, tmp_path: Path) -> None:
    """Bring the project to where every run of the sweep starts from: the first manifest, and something foreign."""
    server.faults.clear()
    for name in contents(look(server)):
        kind = "resources" if "." in name else "registration/functions"
        Client(server.url, "demo", None, Credentials("eve", SECRET), "test").send(
            "delete", f"/{kind}/{name}", headers={}
        )
    for epoch in look(server).epochs:
        MaxCompute(Client(server.url, "demo", None, Credentials("eve", SECRET), "t"), "risk", str).store.remove(
            f"udfs.risk.{epoch}.json"
        )
    stranger = Client(server.url, "demo", None, Credentials("eve", SECRET), "test")
    headers = {"x-odps-resource-type": "py", "x-odps-resource-name": "theirs.py"}
    stranger.send("post", "/resources", headers=headers, body=b"theirs")
    (tmp_path / "f.py").write_text(SOURCE.format("F", "1"))
    (tmp_path / "udfs.yaml").write_text(BEFORE)
    assert here("apply", "--yes")[0] == 0
    (tmp_path / "f.py").write_text(SOURCE.format("F", "2"))
    (tmp_path / "udfs.yaml").write_text(AFTER)


def finish(server: Server) -> None:
    """End what the dead run left behind, apply once more, and see that nothing is left to do."""
    last = look(server).last
    if last is not None and last.outcome == "running":
        assert here("unlock", "--epoch", str(last.epoch), "--yes")[0] == 0
    code, said = here("apply", "--yes", "--allow-deletes", "9")
    assert code == 0, said


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_is_killed_at_any_request_is_finished_by_the_next(
    when: Literal["before", "after"], server: Server, tmp_path: Path
) -> None:
    begin(server, tmp_path)
    finish(server)
    wanted = contents(look(server))
    for number in range(1, REQUESTS):
        begin(server, tmp_path)
        server.faults.add({"action": "kill", "when": when, "nth": number})
        done = udfs("apply", "--yes", "--allow-deletes", "9")
        server.faults.clear()
        reading = look(server)
        for have in reading.live.values():
            missing = [need for need in needs(have.object) if need not in reading.live]
            assert not missing, f"request {number}: {have.object.key} is without {missing}"
        assert contents(reading)["theirs.py"] == wanted["theirs.py"]
        if done.returncode == 0:
            assert number > 10, "the sweep reached every request"
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
        finish(server)
        assert contents(look(server)) == wanted, f"killed {when} request {number}"
    raise AssertionError("the apply sends more requests than the sweep foresees")
