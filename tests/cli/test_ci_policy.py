"""A pull request that edits the policy by which it is judged: its plan says so, in the log, in the findings and in the comment's source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.entry import run
from tests.cli.test_ci import SOURCE, git, index

MANIFEST = """stack: a
python: cp37
policy: rules/policy.yaml
variables: {rules: rules}
targets:
  local: {endpoint: local, project: demo}
functions:
  f_a: {source: f.py, class: F}
"""
POLICY = "names: {functions: [f_*]}\nmax_size: 1 MB\n"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pull request's checkout, and the commit that it goes to."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    for name, text in {
        "udfs.yaml": MANIFEST,
        "f.py": SOURCE.format(1),
        "rules/policy.yaml": POLICY,
        "rules/lax.yaml": "max_size: 1 GB\n",
        ".gitignore": ".udfs/\nout/\nevent.json\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    in_pull_request(monkeypatch, commit)
    return commit


def in_pull_request(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    Path("event.json").write_text(json.dumps({"pull_request": {"number": 3, "base": {"sha": base}}}))
    for name, text in {"ACTIONS": "true", "REF": "refs/pull/3/merge", "EVENT_PATH": "event.json"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", text)


def warnings() -> list[dict[str, Any]]:
    """Plan, and return what the plan warns of."""
    assert run(["ci", "plan", "--out", "out"]) == 0
    [entry] = index()["entries"]
    folder = Path("out", entry["folder"])
    document = json.loads((folder / entry["files"]["json"]).read_text())
    told: list[dict[str, Any]] = document.get("warnings") or []
    [sarif] = json.loads((folder / entry["files"]["sarif"]).read_text())["runs"]
    assert [result["ruleId"] for result in sarif["results"]] == [warning["code"] for warning in told]
    return told


def edit(name: str, old: str, new: str) -> None:
    path = Path(name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "rules/policy.yaml",
            "max_size: 1 MB\n",
            "",
            "this change edits the policy 'rules/policy.yaml', and is judged by it as it is now",
        ),
        (
            "udfs.yaml",
            "policy: rules/policy.yaml\n",
            "",
            "this change takes the policy 'rules/policy.yaml' out of the manifest, and is judged without it",
        ),
        (
            "udfs.yaml",
            "policy: rules/policy.yaml",
            "policy: rules/lax.yaml",
            "this change puts the policy 'rules/lax.yaml' in the place of 'rules/policy.yaml', and is judged without it",
        ),
    ],
)
def test_a_change_to_the_policy_is_told_in_the_plan_that_the_policy_judges(
    base: str, name: str, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("f.py", "x + 1", "x + 2")
    assert warnings() == []
    edit(name, old, new)
    [warning] = warnings()
    assert (warning["code"], warning["message"]) == ("E758", message)
    said = capsys.readouterr().out
    assert "warning[E758]" in said


def test_a_variable_or_a_link_that_leads_to_another_policy_is_such_a_change(base: str) -> None:
    edit("udfs.yaml", "policy: rules/policy.yaml", "policy: ${var:rules}/policy.yaml")
    git("commit", "-qam", "main")
    assert warnings() == []
    edit("udfs.yaml", "rules: rules}", "rules: other}")
    Path("other").symlink_to("rules")
    [warning] = warnings()
    assert "in the place of" in warning["message"]


def test_a_manifest_that_leaves_its_policy_behind_as_it_moves_is_such_a_change(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("team/rules").mkdir(parents=True)
    Path("team/rules/policy.yaml").write_text("max_size: 1 GB\n")
    git("add", ".")
    git("commit", "-qm", "another team's")
    in_pull_request(monkeypatch, git("rev-parse", "HEAD"))
    git("mv", "udfs.yaml", "f.py", "team")
    moves = "this change moves 'udfs.yaml' here and"
    [warning] = warnings()
    instead = "puts the policy 'team/rules/policy.yaml' in the place of 'rules/policy.yaml'"
    assert (warning["code"], warning["message"]) == ("E758", f"{moves} {instead}, and is judged without it")
    edit("team/udfs.yaml", "policy: rules/policy.yaml\n", "")
    [warning] = warnings()
    assert warning["message"].startswith(f"{moves} takes the policy 'rules/policy.yaml' out of the manifest")
    edit("team/udfs.yaml", "stack: a\n", "stack: another\n")
    assert warnings() == [], "a new stack had no policy"


def test_a_manifest_that_moves_with_its_policy_is_judged_by_one_that_nobody_has_seen(base: str) -> None:
    Path("team").mkdir()
    git("mv", "udfs.yaml", "f.py", "rules", "team")
    [warning] = warnings()
    assert warning["message"].startswith("this change edits the policy 'rules/policy.yaml'")


def test_a_second_manifest_for_a_stack_that_has_a_policy_is_such_a_change(base: str) -> None:
    Path("team").mkdir()
    Path("team/udfs.yaml").write_text(Path("udfs.yaml").read_text().replace("policy: rules/policy.yaml\n", ""))
    Path("team/f.py").write_text(Path("f.py").read_text())
    assert run(["ci", "plan", "--out", "out"]) == 0
    documents = [
        json.loads(Path("out", entry["folder"], entry["files"]["json"]).read_text()) for entry in index()["entries"]
    ]
    told = [warning["message"] for document in documents for warning in document.get("warnings") or []]
    assert [message[:36] for message in told] == ["this change moves 'udfs.yaml' here a"]


def test_a_policy_of_the_environment_that_lies_in_the_repository_counts_too(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UDFS_POLICY", "rules/lax.yaml")
    edit("rules/lax.yaml", "1 GB", "2 GB")
    [warning] = warnings()
    assert warning["code"] == "E758"


def test_where_the_base_is_not_in_the_clone_it_is_said_that_nobody_knows(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pull_request(monkeypatch, "1" * 40)
    [warning] = warnings()
    assert (warning["code"], warning["hint"][:25]) == ("E759", "fetch it: `fetch-depth: 2")
    # Who has no policy has nothing to be told.
    edit("udfs.yaml", "policy: rules/policy.yaml\n", "")
    assert warnings() == []


def test_the_first_policy_of_a_manifest_takes_nobodys_place(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("udfs.yaml", "policy: rules/policy.yaml\n", "")
    git("commit", "-qam", "without")
    in_pull_request(monkeypatch, git("rev-parse", "HEAD"))
    edit("udfs.yaml", "python:", "policy: rules/new.yaml\npython:")
    Path("rules/new.yaml").write_text("require_tests: false\n")
    assert warnings() == []


def test_outside_of_a_pull_request_nothing_is_compared(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("rules/policy.yaml", "1 MB", "2 MB")
    monkeypatch.setenv("GITHUB_REF", "refs/heads/main")
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    assert warnings() == []
