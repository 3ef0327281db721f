"""What GitLab and Codeup are told: their calls are held against hand-made fakes, for want of a description."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.forges import runs
from tests.forges.fakes import COMMIT, Fault
from tests.forges.runs import Run, change
from tests.forges.test_github import publish

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.forges.fakes import FakeCodeup, FakeGitLab

PLAN = [change("create", "score"), change("update", "rank"), change("delete", "old")]


def test_a_merge_request_has_one_note_a_status_and_the_files_that_gitlab_shows(
    gitlab: FakeGitLab, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MERGE_REQUEST_IID", "5")
    for number in range(120):
        gitlab.say(5, f"remark {number}", author=9)
    problems = [runs.problem("E501", "taken", file="teams/risk/udfs.yaml", line=4), runs.problem("E5", "x")]
    refused = [problems[0], problems[0]]
    folder = Run(tmp_path / "a", "plan").add(runs.plan(PLAN, refused), "refused").write()
    gitlab.faults.append(Fault("POST", "notes$", "lost"))
    out, err = publish(capsys, folder, to="gitlab")
    assert err == ""
    assert "Comment on merge request 5: unchanged." in out
    forged = gitlab.say(5, gitlab.notes[5][-1]["body"], author=9)
    said = gitlab.say(5, gitlab.notes[5][-1]["body"], system=True)
    before = forged["body"]
    monkeypatch.setenv("CI_PIPELINE_ID", "1001")
    publish(capsys, Run(tmp_path / "b", "plan").add(runs.plan(PLAN[:1])).write(), to="gitlab")
    ours = [note["body"] for note in gitlab.notes[5] if note["author"]["id"] == 7 and not note["system"]]
    assert len(ours) == 1
    assert "Plan: 1 to create" in ours[0]
    assert forged["body"] == said["body"] == before

    assert [status["state"] for status in gitlab.statuses] == ["failed", "success"]
    assert gitlab.statuses[0]["sha"] == COMMIT
    assert json.loads((folder / "gitlab-plan.json").read_text()) == {"create": 1, "update": 1, "delete": 1}
    quality = json.loads((folder / "gitlab-codequality.json").read_text())
    assert [issue["location"] for issue in quality] == [{"path": "teams/risk/udfs.yaml", "lines": {"begin": 4}}] * 2
    assert len({issue["fingerprint"] for issue in quality}) == 2
    moved = [{**problem, "line": 40} for problem in refused]
    again = Run(tmp_path / "c", "plan").add(runs.plan(PLAN, moved), "refused").write()
    publish(capsys, again, to="gitlab")
    after = json.loads((again / "gitlab-codequality.json").read_text())
    assert [issue["fingerprint"] for issue in after] == [issue["fingerprint"] for issue in quality]


def test_a_merge_says_on_the_merge_request_what_became_of_it(
    gitlab: FakeGitLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gitlab.merge_requests[COMMIT] = [{"iid": 6}]
    run = Run(tmp_path / "run", "apply").add(runs.report(runs.plan(PLAN), ["done"] * 3))
    publish(capsys, run.write(), to="gitlab")
    assert "### Applied: 1 of 1 target" in gitlab.notes[6][0]["body"]


def test_a_change_request_has_one_comment_and_a_status(
    codeup: FakeCodeup, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--repository", "2813489", "--organization", "org-1", "--request", "3")
    many = [change("create", f"function_{number:05}".ljust(60, "x")) for number in range(5_000)]
    codeup.faults.append(Fault("POST", "comments$", "lost"))
    _, err = publish(capsys, Run(tmp_path / "a", "plan").add(runs.plan(many)).write(), *where, to="codeup")
    assert err == ""
    forged = codeup.say(3, codeup.comments[3][0]["content"], author="user-2")
    before = forged["content"]
    monkeypatch.setenv("BUILD_NUMBER", "1001")
    publish(capsys, Run(tmp_path / "b", "plan").add(runs.plan(PLAN)).write(), *where, to="codeup")
    ours = [comment["content"] for comment in codeup.comments[3] if comment["author"]["userId"] == "user-1"]
    assert len(ours) == 1
    assert "Plan: 1 to create, 1 to update, 1 to delete" in ours[0]
    assert forged["content"] == before
    assert [(status["sha"], status["state"]) for status in codeup.statuses] == [(COMMIT, "success")] * 2


def test_without_a_token_the_rest_is_done(
    gitlab: FakeGitLab, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITLAB_TOKEN")
    out, err = publish(capsys, Run(tmp_path / "a", "plan").add(runs.plan(PLAN)).write(), to="gitlab")
    assert "gitlab-plan.json: written." in out
    assert "warning[E572]: nothing is posted to GitLab: the token is empty" in err
    assert gitlab.requests == []
