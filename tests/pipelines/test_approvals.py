"""What was approved by merging is found, and nothing else counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.entry import run as udfs
from tests.forges import openapi
from tests.pipelines.hub import Hub
from tests.pipelines.platform import Event, Job, Platform, Run, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = ".github/workflows/udfs.yml"


class Repository:
    """A repository with merges, and runs that left plans."""

    def __init__(self, folder: Path) -> None:
        self.origin = folder / "origin"
        self.origin.mkdir()
        git(self.origin, "init", "-q", "-b", "main")
        self.commit("first")
        self.platform = Platform(folder / "platform", self.origin, {}, {})
        self.folder = folder
        permissions = {"contents": "read", "pull-requests": "read", "actions": "read"}
        self.platform.tokens["ghs_1"] = Job("apply", permissions=permissions)
        self.hub = Hub(openapi.load(), self.platform)

    def commit(self, message: str) -> str:
        git(self.origin, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.origin, "rev-parse", "HEAD")

    def plan(
        self,
        head: str,
        text: str,
        result: str = "success",
        path: str = PATH,
        artifact: str = "udfs-plan-1",
        **names: str,
    ) -> None:
        """Leave a run of a pull request's head with a plan."""
        number = 1000 + len(self.platform.runs)
        payload = {"pull_request": {"head": {"sha": head}}}
        run = Run(
            number, Event("pull_request", head, "refs/pull/1/merge", payload), path, {}, self.folder / str(number)
        )
        run.jobs["plan"] = Job("plan", result=result)
        for name, content in (names or {"domains.dev/plan.udfs.json": text, "index.json": text}).items():
            file = run.artifacts / artifact / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        self.platform.runs.append(run)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository(tmp_path)
    monkeypatch.chdir(repository.origin)
    with repository.hub as hub:
        for name, value in {
            "GITHUB_API_URL": hub.url,
            "GITHUB_TOKEN": "ghs_1",
            "GITHUB_REPOSITORY": "acme/functions",
            "GITHUB_REF_NAME": "main",
            "GITHUB_WORKFLOW_REF": f"acme/functions/{PATH}@refs/heads/main",
        }.items():
            monkeypatch.setenv(name, value)
        yield repository
        assert hub.complaints == []


def approvals(folder: Path) -> tuple[int, dict[str, str]]:
    """Fetch what was approved: exit code, and the plans by their paths."""
    out = folder / "approved"
    code = udfs(["ci", "approvals", "--from", "github", "--out", str(out)])
    plans = {str(path.relative_to(out)): path.read_text() for path in sorted(out.rglob("*")) if path.is_file()}
    if code == 0:
        assert '"entries": []' in plans.pop("nothing/index.json")
    return code, plans


def test_the_newest_plan_of_each_merged_pull_request_counts(repository: Repository, tmp_path: Path) -> None:
    hub = repository.hub
    heads = [str(number) * 40 for number in range(1, 5)]
    for number, head in enumerate(heads, 1):
        repository.plan(head, f"plan {number}")
    repository.plan(heads[0], "plan 1 again")
    repository.plan(heads[0], "", result="skipped")  # a label, on what is merged already
    hub.merged(1, heads[0], repository.commit("merge 1"))
    hub.merged(2, heads[1], repository.commit("merge 2"))
    hub.merged(3, heads[2], "f" * 40)  # into another branch's history
    code, plans = approvals(tmp_path)
    assert code == 0
    assert plans == {
        "pull-request-1/domains.dev/plan.udfs.json": "plan 1 again",
        "pull-request-1/index.json": "plan 1 again",
        "pull-request-2/domains.dev/plan.udfs.json": "plan 2",
        "pull-request-2/index.json": "plan 2",
    }


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ({"result": "failure"}, "no run of .github/workflows/udfs.yml for its head ended well"),
        ({"path": ".github/workflows/other.yml"}, "no run of .github/workflows/udfs.yml for its head ended well"),
        ({"head": "9" * 40}, "no run of .github/workflows/udfs.yml for its head ended well"),
        ({"artifact": "udfs-check-1"}, "kept none"),
    ],
)
def test_a_plan_that_somebody_slipped_in_does_not_count(
    run: dict[str, Any], reason: str, repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "1" * 40
    repository.plan(**{"head": head, "text": "forged", **run})
    repository.hub.merged(1, head, repository.commit("merge"))
    assert approvals(tmp_path) == (0, {})
    assert reason in capsys.readouterr().err


def test_an_archive_leads_nowhere_else(repository: Repository, tmp_path: Path) -> None:
    head = "1" * 40
    names = {
        "index.json": "an index",
        "a/plan.udfs.json": "a plan",
        "a/b/plan.udfs.json": "too deep",
        ".hidden/plan.udfs.json": "hidden",
        "a/sitecustomize.py": "code",
    }
    repository.plan(head, "", **names)
    repository.hub.merged(1, head, repository.commit("merge"))
    assert approvals(tmp_path) == (
        0,
        {"pull-request-1/a/plan.udfs.json": "a plan", "pull-request-1/index.json": "an index"},
    )


def test_without_an_answer_nothing_is_approved_and_the_job_fails(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.platform.tokens["ghs_1"].permissions.pop("actions")
    repository.hub.merged(1, "1" * 40, repository.commit("merge"))
    assert approvals(tmp_path) == (1, {})
    error = capsys.readouterr().err
    assert "Resource not accessible by integration" in error
    assert "ghs_1" not in error
