"""The job that applies may end at any request: "re-run failed jobs" does the rest of what was approved, and no more."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run as udfs
from reconciler.local import Server, Settings
from tests.forges import openapi
from tests.pipelines.hub import Hub
from tests.pipelines.platform import Event, Run
from tests.pipelines.scene import BACK, EXAMPLE, USERS, WORKFLOW, WRITER, Identity, Scene
from tests.pipelines.test_scenarios import at_night, before_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FIRST, MOST = 1, 40
STEP = 1 if os.environ.get("UDFS_PROOF") == "whole" else 5
"""Of the requests every one at night; in CI every fifth, which dies before and after it took effect in turn."""

LIFE = 601.0
"""Seconds after which the lease of a dead run is over."""

APPLY = """
name: udfs
on: {workflow_dispatch: {inputs: {target: {required: true}}}}
permissions: {}
jobs:
  apply:
    runs-on: ubuntu-24.04
    environment: test
    permissions: {contents: read, id-token: write, actions: read, pull-requests: write, deployments: write}
    env:
      ODPS_ENDPOINT: ${{ vars.ODPS_ENDPOINT }}
      UDFS_WRITERS: "1"
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {persist-credentials: false}
      - uses: actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97
      - uses: OWNER/udfs/.github/actions/apply@0000000000000000000000000000000000000000
        with:
          targets: ${{ inputs.target }}
          approved: run
          wheels: udfs-check-1
          plans: udfs-plan-1
"""

SHOUT = """
from odps.udf import annotate


@annotate("string->string")
class Shout(object):
    def evaluate(self, text):
        return text and text.upper() + "!"
"""


def manifest(*names: str) -> str:
    """Return a manifest with these targets, or a project for each place at which a run is ended."""
    names = names or tuple(f"k{number}" for number in range(FIRST - 1, MOST))
    targets = "".join(f'  {name}: {{endpoint: "${{env:ODPS_ENDPOINT}}", project: {name}}}\n' for name in names)
    return (
        f"stack: small\npython: cp311\ntargets:\n{targets}functions:\n"
        '  shout: {source: shout.py, class: Shout, tests: [{args: [ab], returns: "AB!"}]}\n'
    )


@dataclass
class Stage:
    """A scene in which jobs die, and leases run out as fast as the test says."""

    scene: Scene
    server: Server
    ahead: list[float]

    def kill_at(self, number: int) -> None:
        """Let the process that sends the n-th request from now on die, before or after it took effect in turn."""
        self.server.faults.clear()
        self.server.faults.add({"action": "kill", "nth": number, "when": "before" if number % 2 else "after"})

    def run_again(self, run: Run) -> None:
        """Press "re-run failed jobs" when the dead run's lease is over."""
        self.ahead[0] += LIFE
        self.scene.platform.run_failed_jobs_again(run)


@contextlib.contextmanager
def stage(folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str]) -> Iterator[Stage]:
    """Set a repository with these files up, before a service whose clock can be put forward."""
    ahead = [0.0]
    console = Identity("root", secrets.token_hex(12))
    settings = Settings(control=True, users=USERS, access_id=console.key, access_key=console.secret)
    server = Server(folder / "store", settings, clock=lambda: time.time() + ahead[0], environment=os.environ)
    with server:
        scene = Scene.begin(folder, server, files)
        scene.console = console
        with Hub(openapi.load(), scene.platform) as hub:
            scene.connect(hub)
            for name, value in {
                "ODPS_ENDPOINT": server.url,
                "ALIBABA_CLOUD_ACCESS_KEY_ID": WRITER.key,
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": WRITER.secret,
            }.items():
                monkeypatch.setenv(name, value)
            monkeypatch.chdir(scene.platform.origin)
            yield Stage(scene, server, ahead)
        assert [*scene.leaks()] == []
        assert hub.complaints == []


@pytest.mark.timeout(1200)
def test_a_job_that_dies_at_any_request_is_run_again_and_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"udfs.yaml": manifest(), "shout.py": SHOUT, WORKFLOW: APPLY}
    with stage(tmp_path, monkeypatch, files) as at:
        plans, wheels = tmp_path / "plans", tmp_path / "wheels"
        (wheels / "wheels").mkdir(parents=True)
        assert udfs(["ci", "plan", "--all-targets", "--out", str(plans)]) == 0
        platform = at.scene.platform
        head = platform.git("rev-parse", "HEAD")

        def start(target: str) -> Run:
            event = Event("workflow_dispatch", head, "refs/heads/main", {"inputs": {"target": target}})
            return platform.start(WORKFLOW, event, {"udfs-check-1": wheels, "udfs-plan-1": plans})

        at.server.clear_requests()
        whole = start("k0")
        assert whole.result == "success", whole.log
        requests = len(at.server.requests)
        assert 10 < requests < MOST
        for number in range(FIRST, requests + 1, STEP):
            at.kill_at(number)
            run = start(f"k{number}")
            at.server.faults.clear()
            if run.result == "success":
                # How often the service is asked whether a statement is done depends on how fast it is.
                assert number > 10, "there were fewer requests than an apply has"
                break
            at.run_again(run)
            assert run.result == "success", f"after an end at request {number}: {run.log}"
            assert udfs(["plan", "--target", f"k{number}", "--exit-code"]) == 0, f"request {number} left something"
            capsys.readouterr()


@at_night
@pytest.mark.timeout(1800)
def test_a_restore_that_dies_at_any_request_is_run_again_and_brings_back_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In CI the same command dies at a sample of its requests (`tests/invariants/test_killed.py`)."""
    files = {
        "udfs.yaml": manifest("prod") + "  sing: {source: sing.py, class: Shout}\n",
        "shout.py": SHOUT,
        "sing.py": f"{SHOUT}# Sings.\n",
        BACK: (EXAMPLE / BACK).read_text(),
    }
    with stage(tmp_path, monkeypatch, files) as at:
        assert udfs(["apply", "--target", "prod", "--yes"]) == 0
        wanted = [at.scene.class_of("prod", name) for name in ("shout", "sing")]

        def restore(number: int | None) -> Run:
            """Spoil two functions, and restore them in a run of which the job that writes dies."""
            at.scene.edit_at_console("prod", "shout")
            at.scene.edit_at_console("prod", "sing")
            before_job(at.scene, "go-back", lambda _: at.kill_at(number) if number else at.server.clear_requests())
            return at.scene.by_hand(BACK, what="restore", target="prod", epoch="")

        whole = restore(None)
        assert whole.result == "success", whole.log
        requests = len(at.server.requests)
        assert 10 < requests < MOST
        for number in range(1, requests + 1):
            run = restore(number)
            at.server.faults.clear()
            assert run.jobs["go-back"].result == "failure", run.log
            at.run_again(run)
            assert run.result == "success", f"after an end at request {number}: {run.log}"
            assert [at.scene.class_of("prod", name) for name in ("shout", "sing")] == wanted, f"request {number}"
            assert udfs(["drift", "--target", "prod"]) == 0
            capsys.readouterr()
