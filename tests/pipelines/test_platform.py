"""The platform of these tests treats workflows as GitHub's pages say that GitHub does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipelines.platform import Event, Platform, Refused, Run, git, read_commands
from tests.pipelines.supplied import SUPPLIED

if TYPE_CHECKING:
    from pathlib import Path

ACTION = """
name: Greet
inputs:
  who: {default: "nobody, at ${{ github.event_name }}"}
outputs:
  greeting: {value: "${{ steps.say.outputs.text }}"}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      env: {WHO: "${{ inputs.who }}"}
      run: |
        echo "text=hello $WHO" >>"$GITHUB_OUTPUT"
        echo "LEFT=by $(basename "$GITHUB_ACTION_PATH")" >>"$GITHUB_ENV"
    - if: failure()
      shell: bash
      run: echo "never said"
"""

WORKFLOW = """
name: w
on: {push: {branches: [main]}, pull_request: {}}
permissions: {}
env: {OUTER: "1"}
jobs:
  a:
    runs-on: ubuntu-24.04
    permissions: {contents: read, id-token: write, pull-requests: write}
    outputs: {text: "${{ steps.greet.outputs.greeting }}"}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {persist-credentials: false}
      - id: greet
        uses: ./greet
        with: {who: "${{ github.actor }}"}
      - run: |
          echo "$OUTER $LEFT"
          env | sort >seen.txt
          printf 'LINES<<END\\none\\ntwo\\nEND\\n' >>"$GITHUB_ENV"
          echo "# done" >>"$GITHUB_STEP_SUMMARY"
      - run: echo "$LINES"; exit 1
        continue-on-error: true
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f
        with: {name: seen, path: seen.txt}
  b:
    needs: a
    runs-on: ubuntu-24.04
    permissions: {contents: read}
    steps:
      - id: broken
        run: test -f mended
        working-directory: ${{ github.workspace }}/..
      - run: echo "not this"
      - if: failure() && steps.broken.outcome == 'failure'
        uses: actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c
        with: {name: seen}
      - if: always()
        run: |
          echo "${{ needs.a.outputs.text }}"
          env | grep -c ACTIONS_ID_TOKEN || true
  c:
    needs: b
    runs-on: ubuntu-24.04
    permissions: {}
    steps: [{run: echo never}]
  d:
    needs: b
    if: ${{ !cancelled() && needs.b.result == 'failure' }}
    runs-on: ubuntu-24.04
    permissions: {}
    steps: [{run: echo after}]
"""


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    origin = tmp_path / "origin"
    (origin / ".github/workflows").mkdir(parents=True)
    (origin / "greet").mkdir()
    (origin / ".github/workflows/w.yml").write_text(WORKFLOW)
    (origin / "greet/action.yml").write_text(ACTION)
    git(origin, "init", "-q", "-b", "main")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "First")
    return Platform(tmp_path / "platform", origin, {}, SUPPLIED)


def start(platform: Platform, *, from_fork: bool = False) -> Run:
    name, ref = ("pull_request", "refs/pull/1/merge") if from_fork else ("push", "refs/heads/main")
    event = Event(name, platform.git("rev-parse", "main"), ref, from_fork=from_fork, base_ref="main")
    return platform.start(".github/workflows/w.yml", event)


def test_a_run_goes_as_on_the_real_platform(platform: Platform) -> None:
    run = start(platform)
    assert {name: job.result for name, job in run.jobs.items()} == {
        "a": "success",
        "b": "failure",
        "c": "skipped",
        "d": "success",
    }
    a, b = run.jobs["a"], run.jobs["b"]
    assert a.outputs == {"text": "hello ann"}
    assert "1 by greet" in a.log
    assert "one\ntwo" in a.log
    assert a.summary == "# done\n"
    assert "never said" not in a.log
    seen = (run.artifacts / "seen/seen.txt").read_text()
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" in seen
    assert all(token not in seen for token in platform.tokens), "nobody gave the token to the step"
    assert "not this" not in b.log
    assert "hello ann\n0\n" in b.log, "what was not granted is not there"


def test_failed_jobs_run_again_and_the_others_stay(platform: Platform) -> None:
    run = start(platform)
    first = run.jobs["a"]
    (platform.folder / "run-1000-2" / "b").mkdir(parents=True)
    (platform.folder / "run-1000-2" / "b" / "mended").touch()
    platform.run_failed_jobs_again(run)
    assert run.jobs["a"] is first
    assert {name: job.result for name, job in run.jobs.items()} == {
        "a": "success",
        "b": "success",
        "c": "success",
        "d": "success",
    }


def test_a_fork_writes_nothing_and_has_no_identity(platform: Platform) -> None:
    run = start(platform, from_fork=True)
    assert run.jobs["a"].permissions == {"contents": "read", "pull-requests": "read"}
    assert "ACTIONS_ID_TOKEN" not in (run.artifacts / "seen/seen.txt").read_text()


def test_what_the_platform_would_refuse_is_refused(platform: Platform) -> None:
    event = Event("push", platform.git("rev-parse", "main"), "refs/heads/side")
    with pytest.raises(Refused, match="not started"):
        platform.start(".github/workflows/w.yml", event)


def test_commands_end_where_they_are_stopped() -> None:
    log = "::notice file=a::b\n::stop-commands::word\n::error::no\n::word::\n  ::warning::yes\nnot ::error::this\nlog ##[error]old\n"
    assert [(command.name, command.message) for command in read_commands(log)] == [
        ("notice", "b"),
        ("stop-commands", "word"),
        ("warning", "yes"),
        ("error", "old"),
    ]
