"""What GitHub is told by `udfs ci publish`: every request is one that GitHub's own description has."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.render.forges.drift_issue import read_drift_mark
from tests.canary import TOKEN
from tests.forges import runs
from tests.forges.fakes import BOT, COMMIT, Fault
from tests.forges.openapi import NotDescribed
from tests.forges.runs import Run, change

if TYPE_CHECKING:
    from tests.forges.fakes import FakeGitHub
    from tests.forges.openapi import Description

COMMENTS = r"issues/\d+/comments$"
PLAN = [change("create", "score"), change("create", "score__1a2b3c4d.py", "resource"), change("delete", "old")]


def publish(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str, to: str = "github") -> tuple[str, str]:
    """Publish a folder; return what is printed. It never fails: a post that cannot be made is told."""
    assert runs.publish(["--to", to, "--from", str(folder), *arguments]) == 0
    out, err = capsys.readouterr()
    return out, err


@pytest.fixture
def pull_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    event(monkeypatch, tmp_path, {"pull_request": {"number": 7}})
    return 7


def event(monkeypatch: pytest.MonkeyPatch, folder: Path, content: object) -> None:
    (folder / "event.json").write_text(json.dumps(content))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(folder / "event.json"))


def test_a_pull_request_has_one_comment_which_each_push_edits(
    github: FakeGitHub,
    pull_request: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(150):
        github.say(7, f"remark {number}", "ann")
    out, err = publish(capsys, Run(tmp_path / "a", "plan").add(runs.plan(PLAN)).write())
    assert out == "Summary of the step: written.\nComment on pull request 7: written.\n"
    assert err == ""
    assert github.count("GET") == 2, "as many pages as there are"
    (body,) = github.ours(7)
    assert "### Plan: 2 to create, 1 to delete" in body
    assert body.index("deletes 1 function") < body.index("| manifest | target |") < body.index("<details>")

    monkeypatch.setenv("GITHUB_RUN_ID", "1001")
    out, _ = publish(capsys, Run(tmp_path / "b", "plan").add(runs.plan(PLAN[:1])).write())
    assert "edited" in out
    (body,) = github.ours(7)
    assert "### Plan: 1 to create" in body

    # A run that got behind does not write over what is newer.
    monkeypatch.setenv("GITHUB_RUN_ID", "1000")
    out, _ = publish(capsys, Run(tmp_path / "c", "plan").add(runs.plan(PLAN)).write())
    assert "a later run has written it, so it stays" in out
    assert github.ours(7) == [body]


def test_a_push_takes_at_most_five_calls_however_many_targets_there_are(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "run", "plan")
    for number in range(90):
        run.add(runs.plan(PLAN), manifest=f"teams/{number // 3}/udfs.yaml", target=("dev", "test", "prod")[number % 3])
    publish(capsys, run.write())
    assert len(github.requests) == 2
    (body,) = github.ours(7)
    assert all(f"`teams/{number}/udfs.yaml`" in body for number in range(30))


def test_a_forged_comment_is_not_touched(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(capsys, Run(tmp_path / "a", "plan").add(runs.plan(PLAN)).write())
    (real,) = github.ours(7)
    forged = [github.say(7, real.replace("1 to delete", "nothing to do"), author) for author in ("eve", f"{BOT}x")]
    github.comments[7].insert(0, forged[0])
    before = [comment["body"] for comment in forged]
    publish(capsys, Run(tmp_path / "b", "plan").add(runs.plan(PLAN[:1])).write())
    assert [comment["body"] for comment in forged] == before
    assert len(github.ours(7)) == 1
    assert "Plan: 1 to create" in github.ours(7)[0]


def test_who_writes_by_another_name_hears_how_the_comment_is_found_again(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Run(tmp_path / "a", "plan").add(runs.plan(PLAN)).write()
    _, err = publish(capsys, folder, "--author", "udfs[bot]")
    assert "it is written as 'github-actions[bot]', and is found again only with --author" in err
    assert len(github.ours(7)) == 1


@pytest.mark.parametrize("kind", ["lost", "cut"])
def test_a_lost_answer_does_not_lead_to_two_comments(
    kind: str, github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults.append(Fault("POST", COMMENTS, kind))  # type: ignore[arg-type]
    _, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert err == ""
    assert len(github.ours(7)) == 1
    assert github.count("POST") == (1 if kind == "lost" else 2)
    assert len(github.requests) <= 5


def test_an_answer_that_never_comes_is_told_and_the_plan_stands(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults.append(Fault("POST", COMMENTS, "cut", times=9))
    out, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert "Summary of the step: written." in out
    assert "warning[E571]: the comment on pull request 7 is not up to date; GitHub: no answer" in err
    assert "it may be there all the same" in err


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", "", status=403, body={"message": "Resource not accessible by integration"}, times=9), "403: Res"),
        (Fault("GET", "", status=401, body={"message": f"{TOKEN} is no token"}, times=9), "401: [token] is no token"),
        (Fault("GET", "", status=429, headers={"Retry-After": "3600"}, times=9), "429 (rate limit)"),
        (
            Fault("GET", "", status=502, body={"message": "##[error]::error::Server Error"}, times=9),
            "502: ##\\u200b[er",
        ),
        (Fault("GET", "", status=302, headers={"Location": "http://198.51.100.1/?x"}, times=9), "to 198.51.100.1"),
        (Fault("GET", "", status=200, body={"id": 1}, times=9), "something that is no list"),
    ],
    ids=["fork", "token", "rate limit", "server error", "redirect", "nonsense"],
)
def test_what_cannot_be_posted_is_told_and_ends_nothing(
    fault: Fault, words: str, github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults.append(fault)
    out, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert "Summary of the step: written." in out
    assert "warning[E571]" in err
    assert words.encode().decode("unicode_escape") in err or words in err
    assert github.comments == {}


def test_what_passes_is_waited_for(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], waits: list[float]
) -> None:
    github.faults += [
        Fault("GET", COMMENTS, status=503),
        Fault("GET", COMMENTS, "cut"),
        Fault("POST", COMMENTS, status=403, headers={"Retry-After": "7"}, body={"message": "secondary rate limit"}),
    ]
    _, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert err == ""
    assert waits == [1, 2, 7]
    assert len(github.ours(7)) == 1


def test_the_same_origin_may_say_that_a_repository_has_moved(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = {"Location": "/repos/acme/functions/issues/7/comments?per_page=100&page=1"}
    github.faults.append(Fault("GET", COMMENTS, status=301, headers=moved))
    _, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert err == ""
    assert len(github.ours(7)) == 1


@pytest.mark.parametrize(
    "address", ["http://api.example", "https://user:word@api.example", "ftp://127.0.0.1", "api.example", "", "http://["]
)
def test_the_token_goes_nowhere_in_the_clear(
    address: str,
    github: FakeGitHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", address or " ")
    _, err = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write(), "--request", "7")
    assert "warning[E572]: nothing is posted to GitHub: the address of the API is not" in err


def test_the_folder_does_not_choose_where_it_is_shown(
    github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that follows one of a fork publishes that one's folder; which pull request it is of, GitHub says.
    own = {"head_sha": COMMIT, "head_branch": "main", "head_repository": {"owner": {"login": "eve"}}, "id": 900}
    event(monkeypatch, tmp_path, {"workflow_run": {**own, "pull_requests": [], "run_attempt": 1, "html_url": ""}})
    head = {"state": "open", "head": {"sha": COMMIT}}
    github.branches["eve:main"] = [{"number": 8, **head}, {"number": 9, "state": "open", "head": {"sha": "d" * 40}}]
    folder = Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write()
    index = json.loads((folder / "index.json").read_text())
    index |= {"request": 1, "pull_request": 1, "run": {"pull_request": 1, "number": 1}}
    (folder / "index.json").write_text(json.dumps(index))
    publish(capsys, folder)
    assert list(github.comments) == [8]


def test_names_of_the_index_lead_nowhere_else(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(runs.plan([change("create", "secret_function")])))
    folder = Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).add(runs.plan(PLAN)).add(runs.plan(PLAN)).write()
    index = json.loads((folder / "index.json").read_text())
    index["entries"][0]["files"]["json"] = "../../secret.json"
    index["entries"][1]["folder"] = ".."
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "entry-2" / "out.json").unlink()
    (folder / "entry-2" / "out.json").symlink_to(tmp_path / "secret.json")
    _, err = publish(capsys, folder)
    assert err.count("warning[E570]") == 3
    assert "secret_function" not in github.ours(7)[0] + err


def test_a_merge_says_on_the_pull_request_what_became_of_it(
    github: FakeGitHub,
    pull_request: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(capsys, Run(tmp_path / "plan", "plan").add(runs.plan(PLAN)).write())
    # Two pull requests came in by one push of a merge queue.
    second = "d" * 40
    event(monkeypatch, tmp_path, {"commits": [{"id": second}, {"id": COMMIT}]})
    for commit, number in ((COMMIT, 7), (second, 8)):
        github.pulls[commit] = [{"number": number, "merged_at": "2026-11-30", "merge_commit_sha": commit}]
    github.pulls[COMMIT].append({"number": 3, "merged_at": "2026-11-01", "merge_commit_sha": "e" * 40})
    monkeypatch.setenv("GITHUB_RUN_ID", "1002")
    run = Run(tmp_path / "apply", "apply")
    run.add(runs.report(runs.plan(PLAN), ["done", "failed", "not tried"]), "failed", exit_code=8, summary="1 of 3 done")
    run.add(runs.report(runs.plan(PLAN), ["done"] * 3), target="test", summary="3 done")
    run.add(None, "skipped", target="later", summary="not begun, because test did not get through")
    out, err = publish(capsys, run.write())
    assert err == ""
    (body,), (other,) = github.ours(7), github.ours(8)
    assert "### Applied in part: 1 of 3 targets, 1 in part, 1 failed, 1 not begun" in body
    assert "**failed**: 1 of 3 done" in body
    assert "failed 1 resource" in body
    assert body.index("Applied in part") < body.index("### Plan: 2 to create, 1 to delete"), "the plan stays below"
    assert "### Plan" not in other
    assert 3 not in github.comments
    states = {deployment["environment"]: deployment["statuses"][0]["state"] for deployment in github.deployments}
    assert states == {"prod": "failure", "test": "success"}
    assert "Deployment to prod: recorded as a failure." in out


def test_a_deployment_is_recorded_once_though_its_answers_are_lost(
    github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults += [Fault("POST", "deployments$", "lost"), Fault("POST", "statuses$", "lost")]
    _, err = publish(capsys, Run(tmp_path / "run", "apply").add(runs.report(runs.plan(PLAN), ["done"] * 3)).write())
    assert err == ""
    assert len(github.deployments) == 1
    assert {status["state"] for status in github.deployments[0]["statuses"]} == {"success"}


def test_a_merge_queue_names_its_pull_request(
    github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = f"refs/heads/gh-readonly-queue/main/pr-12-{'a' * 40}"
    event(monkeypatch, tmp_path, {"merge_group": {"head_ref": branch, "head_sha": COMMIT}})
    publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN)).write())
    assert len(github.ours(12)) == 1


def test_drift_has_one_issue_a_target_through_all_its_life(
    github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights = iter(range(100))

    def night(document: object, outcome: str, **more: object) -> str:
        folder = tmp_path / f"night-{next(nights)}"
        run = Run(folder, "drift").add(document, outcome, **more)  # type: ignore[arg-type]
        run.add(runs.drift(), "clean", target="test", summary="no drift")
        return "\n".join(publish(capsys, run.write()))

    github.open("by another", "<!-- udfs:drift key=" + "0" * 32 + " fingerprint= -->", "eve")
    assert "opened" in night(runs.drift("score"), "changes", fingerprint="a" * 64)
    assert len(github.issues) == 2
    issue = github.issues[1]
    assert issue["title"] == "Drift: prod of teams/risk/udfs.yaml"
    assert "edited by zhang at 2026-11-29" in issue["body"]

    quiet = len(github.requests)
    night(runs.drift("score"), "changes", fingerprint="a" * 64)
    assert [request.method for request in github.requests[quiet:]] == ["GET"], "the same again is no news"

    assert "up to date" in night(runs.drift("score", "rank"), "changes", fingerprint="b" * 64)
    assert "rank" in issue["body"]
    assert len(github.comments[2]) == 1

    for outcome in ("unknown", "failed", "refused"):
        said = night(None, outcome, summary="another apply holds the lease")
        assert "warning[E574]: no verdict about 1 target" in said
        assert "another apply holds the lease" in said
    assert issue["state"] == "open"
    assert len(github.comments[2]) == 1

    assert "closed" in night(runs.drift(), "clean", summary="no drift")
    assert issue["state"] == "closed"
    night(runs.drift(), "clean", summary="no drift")
    night(None, "unknown")
    assert len(github.comments[2]) == 2

    assert "reopened" in night(runs.drift("score"), "changes", fingerprint="c" * 64)
    assert issue["state"] == "open"
    issue.update(state="closed", state_reason="not_planned")
    night(runs.drift("score"), "changes", fingerprint="c" * 64)
    assert issue["state"] == "closed", "somebody has decided that"
    night(runs.drift("rank"), "changes", fingerprint="d" * 64)
    assert issue["state"] == "open"
    assert len(github.issues) == 2


@pytest.mark.parametrize("kind", ["lost", "cut"])
def test_a_lost_answer_does_not_lead_to_two_issues(
    kind: str, github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(120):
        github.open(f"other {number}", "text")
    github.faults.append(Fault("POST", "issues$", kind))  # type: ignore[arg-type]
    publish(capsys, Run(tmp_path / "run", "drift").add(runs.drift("score"), fingerprint="a" * 64).write())
    assert len([issue for issue in github.issues if read_drift_mark(issue["body"])]) == 1


def test_without_the_list_of_issues_none_is_opened(
    github: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults.append(Fault("GET", "issues$", status=500, times=9))
    _, err = publish(capsys, Run(tmp_path / "run", "drift").add(runs.drift("score"), fingerprint="a" * 64).write())
    assert "warning[E571]: the issues about drift are not up to date" in err
    assert github.issues == []


def test_ten_annotations_of_a_kind_and_the_rest_counted(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = [runs.problem("E501", f"clash {number}", file="udfs.yaml", line=number + 1) for number in range(25)]
    warnings = [runs.problem("E432", "one,\n::error::two", "warning", file="a:b,c.yaml", line=3)]
    out, _ = publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(PLAN, errors, warnings), "refused").write())
    commands = [line for line in out.splitlines() if line.startswith("::")]
    kinds = [command[: command.index(" ")] for command in commands]
    assert sorted(kinds) == ["::error"] * 10 + ["::warning"]
    assert any("::and 16 more errors (16 × E501)" in command for command in commands)
    assert re.match(r"::warning file=a%3Ab%2Cc\.yaml,line=3,", commands[kinds.index("::warning")])


def test_the_summary_of_a_step_fits_beside_what_is_there(
    github: FakeGitHub, pull_request: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.md").write_text("é" * 400_000)
    names = [change("create", "名" * 200 + str(number)) for number in range(5_000)]
    publish(capsys, Run(tmp_path / "run", "plan").add(runs.plan(names)).write())
    assert 800_000 < (tmp_path / "summary.md").stat().st_size <= 1024 * 1024
    assert "5,000 functions" in (tmp_path / "summary.md").read_text()


def test_what_a_plan_of_a_repository_writes_is_what_is_published(
    github: FakeGitHub,
    pull_request: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(Path(__file__).parents[2] / "examples" / "minimal", tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    assert run(["ci", "plan", "-f", "udfs.yaml", "--target", "local", "--out", str(tmp_path / "out")]) == 0
    digest = re.search(r"sha256:\w+", capsys.readouterr().out)
    _, err = publish(capsys, tmp_path / "out")
    assert err == ""
    (body,) = github.ours(7)
    assert "### Plan: 5 to create" in body
    rows = re.findall(r"^\| \+ \| (\w+) `(.*?)`", body, re.MULTILINE)
    assert [name for kind, name in rows if kind == "function"] == [name for _, name in rows[:2]]
    assert {name for _, name in rows[:2]} == {"slugify", "country_name"}
    assert digest
    assert f"`{digest[0]}`" in body


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/repos/acme/functions/issues/7/comments", {}, {"text": "x"}),
        ("POST", "/repos/acme/functions/issues/7/comments", {}, {"body": 1}),
        ("POST", "/repos/acme/functions/issues/7/comments", {}, None),
        ("GET", "/repos/acme/functions/issues/seven/comments", {}, None),
        ("GET", "/repos/acme/functions/issues", {"state": "any"}, None),
        ("GET", "/repos/acme/functions/issues", {"author": "x"}, None),
        ("PATCH", "/repos/acme/functions/issues/7", {}, {"state_reason": "fixed"}),
        ("PUT", "/repos/acme/functions/issues/7", {}, {"state": "closed"}),
    ],
)
def test_the_description_tells_what_github_would_not_take(
    method: str, path: str, query: dict[str, str], body: object, description: Description
) -> None:
    with pytest.raises(NotDescribed):
        description.check(method, path, query, body)


def test_a_folder_without_an_index_is_an_error_of_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs.publish(["--to", "github", "--from", str(tmp_path)]) == 3
    assert "error[E568]" in capsys.readouterr().err
