"""`udfs doctor`: who this is, what a plan needs and lacks, and whom a role has to trust."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local import Server, Settings
from reconciler.local.server.settings import User
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = """
stack: risk
targets:
  prod:
    endpoint: "{url}"
    project: risk_prod
    credentials: {credentials}
functions:
  f: {{source: f.py, class: F}}
"""
SOURCE = """
from odps.udf import annotate
@annotate("->string")
class F(object):
    def evaluate(self): return None
"""
ROLE = "{oidc: {role_arn: 'acs:ram::1:role/r', provider_arn: 'acs:ram::1:oidc-provider/p', audience: udfs}}"
USERS = {"ann": User(SECRET, "RAM$ops:ann")}


@pytest.fixture(autouse=True)
def _ann(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    for name in ("GITHUB_REPOSITORY", "GITHUB_REPOSITORY_ID", "GITHUB_REPOSITORY_OWNER_ID", "CI_PROJECT_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


@contextlib.contextmanager
def denying(folder: Path, *rules: str) -> Iterator[Server]:
    settings = Settings(access_id="nobody", access_key="unused-secret", users=USERS, denied=rules)
    with Server(folder / "store", settings) as server:
        write(folder / "project", server.url)
        yield server


def write(folder: Path, url: str, credentials: str = "environment") -> None:
    (folder / "udfs.yaml").write_text(MANIFEST.format(url=url, credentials=credentials))
    (folder / "f.py").write_text(SOURCE)


def udfs(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(arguments)
    return code, out.getvalue()


def findings(*arguments: str) -> tuple[int, dict[str, list[dict[str, object]]]]:
    code, out = udfs("doctor", "--format", "json", *arguments)
    subjects: dict[str, list[dict[str, object]]] = {}
    for finding in json.loads(out):
        subjects.setdefault(finding["subject"], []).append(finding)
    return code, subjects


def test_it_says_who_the_service_takes_this_for_and_by_which_place(tmp_path: Path) -> None:
    with denying(tmp_path):
        code, subjects = findings("--target", "prod")
    [identity], [permissions] = subjects["identity"], subjects["permissions"]
    assert code == 0
    assert str(identity["finding"]).startswith("RAM$ops:ann (id ")
    assert str(identity["finding"]).endswith("by ALIBABA_CLOUD_ACCESS_KEY_ID")
    assert permissions["finding"] == "List, CreateResource, CreateFunction, CreateInstance, for a plan of 2 changes"
    assert "permission" not in subjects


def test_what_the_plan_lacks_is_named_with_its_grant_and_is_what_apply_is_refused_for(tmp_path: Path) -> None:
    with denying(tmp_path, "CreateFunction") as server:
        code, subjects = findings("--target", "prod")
        assert code == 1
        [lack] = subjects["permission"]
        assert lack["finding"] == "CreateFunction on project risk_prod is not permitted; 1 function to create"
        assert lack["hint"] == "GRANT CreateFunction ON PROJECT risk_prod TO USER RAM$ops:ann;"
        assert not [request for request in server.requests if request.method == "PUT"]
        code, out = udfs("apply", "--yes", "--target", "prod")
    assert code == 8
    assert "error[E603]: not permitted in project 'risk_prod': ODPS-0420095" in out
    assert "udfs doctor --target prod" in out


@pytest.mark.parametrize(
    ("rule", "grant"),
    [
        ("Write:function/f", "GRANT Write ON FUNCTION f TO USER RAM$ops:ann;"),
        ("List", "GRANT List ON PROJECT risk_prod TO USER RAM$ops:ann;"),
        ("CreateResource:project/*", "GRANT CreateResource ON PROJECT risk_prod TO USER RAM$ops:ann;"),
    ],
)
def test_each_kind_of_permission_is_asked_for_where_the_plan_needs_it(tmp_path: Path, rule: str, grant: str) -> None:
    with denying(tmp_path):
        assert udfs("apply", "--yes", "--target", "prod")[0] == 0
    with denying(tmp_path, rule):
        (tmp_path / "project" / "f.py").write_text(f"{SOURCE}# newer\n")
        code, subjects = findings("--target", "prod")
    assert code == 1
    assert [lack["hint"] for lack in subjects["permission"]] == [grant]


def test_sql_is_not_needed_for_an_apply(tmp_path: Path) -> None:
    with denying(tmp_path, "CreateInstance"):
        code, subjects = findings("--target", "prod")
    assert (code, subjects["permission"][0]["ok"]) == (0, None)


def test_a_service_that_does_not_know_the_question_is_no_fault(tmp_path: Path) -> None:
    with denying(tmp_path) as server:
        server.faults.add({"action": "fail", "status": 404, "code": "NoSuchObject", "path": "auth/", "times": None})
        code, subjects = findings("--target", "prod")
    assert code == 0
    assert {(lack["ok"], str(lack["finding"]).split(": ")[1]) for lack in subjects["permission"]} == {
        (None, "the service does not say")
    }


def test_without_a_target_no_plan_is_made(tmp_path: Path) -> None:
    with denying(tmp_path, "CreateFunction") as server:
        write(tmp_path / "project", server.url)
        code, out = udfs("doctor")
    assert code == 0
    assert "identity" in out
    assert "permission" not in out


def test_the_trust_policy_has_both_forms_of_githubs_subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "project", "http://127.0.0.1:9/api", ROLE)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:acme/risk-udfs.git"], check=True)
    _, out = udfs("doctor", "--trust", "--environment", "production", "--format", "json")
    policies = json.loads(out)
    jobs = ["pull_request", "ref:refs/heads/main", "ref:refs/heads/gh-readonly-queue/main/*"]
    assert [policy["subjects"] for policy in policies] == [
        subjects
        for name in ("acme/risk-udfs", "acme@OWNER_ID/risk-udfs@REPOSITORY_ID")
        for subjects in (
            [f"repo:{name}:environment:production"],
            [f"repo:{name}:{job}" for job in jobs],
        )
    ]
    [statement] = policies[0]["policy"]["Statement"]
    assert statement["Principal"] == {"Federated": ["acs:ram::1:oidc-provider/p"]}
    assert statement["Condition"]["StringEquals"] == {
        "oidc:iss": "https://token.actions.githubusercontent.com",
        "oidc:aud": "udfs",
        "oidc:sub": policies[0]["subjects"][0],
    }
    whole, queue = (statement["Condition"] for statement in policies[1]["policy"]["Statement"])
    assert whole["StringEquals"]["oidc:sub"] == policies[1]["subjects"][:2]
    assert queue["StringLike"] == {"oidc:sub": policies[1]["subjects"][2]}
    assert queue["StringEquals"].keys() == {"oidc:iss", "oidc:aud"}
    for name, value in (("", "acme/risk-udfs"), ("_ID", "22"), ("_OWNER_ID", "11")):
        monkeypatch.setenv(f"GITHUB_REPOSITORY{name}", value)
    _, out = udfs("doctor", "--trust")
    assert "subject repo:acme@11/risk-udfs@22:environment:prod\n" in out


def test_the_trust_policy_of_gitlab_has_the_projects_path_and_the_branch(tmp_path: Path) -> None:
    write(tmp_path / "project", "http://127.0.0.1:9/api")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://u:p@gitlab.acme.example/data/risk/udfs.git"], check=True)
    _, out = udfs("doctor", "--trust", "--branch", "release", "--format", "json")
    [policy] = json.loads(out)
    assert policy["subjects"] == ["project_path:data/risk/udfs:ref_type:branch:ref:release"]
    assert policy["policy"]["Statement"][0]["Condition"]["StringEquals"]["oidc:iss"] == "https://gitlab.acme.example"


def test_a_folder_that_is_no_checkout_is_told_what_names_the_repository(tmp_path: Path) -> None:
    write(tmp_path / "project", "http://127.0.0.1:9/api")
    code, out = udfs("doctor", "--trust")
    assert code == 3
    assert "error[E595]" in out
    assert "GITHUB_REPOSITORY=OWNER/NAME" in out


def test_a_job_that_holds_secrets_is_told_to_leave_code_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with denying(tmp_path):
        _, told = udfs("doctor")
        _, apart = udfs("doctor", "--no-build")
    assert "secrets" in told or "isolation" in told
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in told
    assert "builds and tests would run beside them" not in apart
    assert SECRET not in told
