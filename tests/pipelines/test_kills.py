"""The job that applies may end at any request: "re-run failed jobs" does the rest of what was approved, and no more."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run as udfs
from reconciler.local import Server, Settings
from tests.forges import openapi
from tests.pipelines.hub import Hub
from tests.pipelines.platform import Event, Run
from tests.pipelines.scene import USERS, WORKFLOW, WRITER, Scene

if TYPE_CHECKING:
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


def manifest() -> str:
    """Return a manifest with a project for each place at which a run is ended."""
    targets = "".join(
        f'  k{number}: {{endpoint: "${{env:ODPS_ENDPOINT}}", project: k{number}}}\n'
        for number in range(FIRST - 1, MOST)
    )
    return (
        f"stack: small\npython: cp311\ntargets:\n{targets}functions:\n"
        '  shout: {source: shout.py, class: Shout, tests: [{args: [ab], returns: "AB!"}]}\n'
    )


@pytest.mark.timeout(1200)
def test_a_job_that_dies_at_any_request_is_run_again_and_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead = [0.0]
    settings = Settings(control=True, users=USERS, access_id="root", access_key=secrets.token_hex(12))
    files = {"udfs.yaml": manifest(), "shout.py": SHOUT, WORKFLOW: APPLY}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            Server(tmp_path / "store", settings, clock=lambda: time.time() + ahead[0], environment=os.environ)
        )
        scene = Scene.begin(tmp_path, server, files)
        scene.connect(hub := stack.enter_context(Hub(openapi.load(), scene.platform)))
        plans, wheels = tmp_path / "plans", tmp_path / "wheels"
        (wheels / "wheels").mkdir(parents=True)
        for name, value in {
            "ODPS_ENDPOINT": server.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": WRITER.key,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": WRITER.secret,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(scene.platform.origin)
        assert udfs(["ci", "plan", "--all-targets", "--out", str(plans)]) == 0
        head = scene.platform.git("rev-parse", "HEAD")

        def start(target: str) -> Run:
            event = Event("workflow_dispatch", head, "refs/heads/main", {"inputs": {"target": target}})
            return scene.platform.start(WORKFLOW, event, {"udfs-check-1": wheels, "udfs-plan-1": plans})

        server.clear_requests()
        whole = start("k0")
        assert whole.result == "success", whole.log
        requests = len(server.requests)
        assert 10 < requests < MOST
        for number in range(FIRST, requests + 1, STEP):
            server.faults.clear()
            server.faults.add({"action": "kill", "nth": number, "when": "before" if number % 2 else "after"})
            run = start(f"k{number}")
            server.faults.clear()
            if run.result == "success":
                # How often the service is asked whether a statement is done depends on how fast it is.
                assert number > 10, "there were fewer requests than an apply has"
                break
            ahead[0] += LIFE
            scene.platform.run_failed_jobs_again(run)
            assert run.result == "success", f"after an end at request {number}: {run.log}"
            assert udfs(["plan", "--target", f"k{number}", "--exit-code"]) == 0, f"request {number} left something"
            capsys.readouterr()
        assert [*scene.leaks()] == []
        assert hub.complaints == []
