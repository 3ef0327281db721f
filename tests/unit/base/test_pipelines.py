"""What each system tells of a pipeline's run, and that nothing it says is believed beyond its form."""

from __future__ import annotations

import json
from dataclasses import astuple, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base import pipelines
from reconciler.base.pipelines import Pipeline, describe_run

HEAD, BASE, BEFORE = "a" * 40, "b" * 40, "c" * 40

GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_TRIGGERING_ACTOR": "bob", "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/udfs", "GITHUB_RUN_ID": "77", "GITHUB_SHA": HEAD, "GITHUB_EVENT_PATH": "event.json",
}  # fmt: skip
GITHUB_RUN = "https://github.com/acme/udfs/actions/runs/77"
FLOW = {
    "PIPELINE_ID": "12", "BUILD_NUMBER": "3", "BUILD_EXECUTOR": "张三", "CI_COMMIT_REF_NAME": "master", "CI_COMMIT_SHA": HEAD,
}  # fmt: skip
GITEE = {
    "GITEE_PIPELINE_NAME": "deploy", "GITEE_PIPELINE_BUILD_NUMBER": "4", "GITEE_PIPELINE_TRIGGER_USER": "ann",
    "GITEE_REPO": "udfs", "GITEE_BRANCH": "master", "GITEE_COMMIT": HEAD,
}  # fmt: skip
GITLAB = {
    "GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ann", "CI_PIPELINE_URL": "https://gitlab.example/acme/udfs/-/pipelines/5",
    "CI_COMMIT_SHA": HEAD, "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_BEFORE_SHA": BEFORE,
}  # fmt: skip
JENKINS = {
    "JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/udfs/6/", "BUILD_NUMBER": "6", "GIT_COMMIT": HEAD,
    "GIT_PREVIOUS_SUCCESSFUL_COMMIT": BEFORE, "BRANCH_NAME": "main",
}  # fmt: skip

RUNS: dict[str, tuple[dict[str, str], object, Pipeline]] = {
    "github, a push": (
        {**GITHUB, "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main"},
        {"before": BEFORE},
        Pipeline("github", "bob", GITHUB_RUN, HEAD, "main", "", BEFORE),
    ),
    "github, a pull request": (
        {
            **GITHUB,
            "GITHUB_REF": "refs/pull/9/merge",
            "GITHUB_REF_NAME": "9/merge",
            "GITHUB_HEAD_REF": "fix",
            "GITHUB_BASE_REF": "main",
        },
        {"pull_request": {"number": 9, "base": {"sha": BASE}}},
        Pipeline("github", "bob", GITHUB_RUN, HEAD, "fix", "9", BASE, "main"),
    ),
    "github, a merge queue": (
        {
            **GITHUB,
            "GITHUB_REF": "refs/heads/gh-readonly-queue/main/pr-9",
            "GITHUB_REF_NAME": "gh-readonly-queue/main/pr-9",
        },
        {"merge_group": {"base_sha": BASE}},
        Pipeline("github", "bob", GITHUB_RUN, HEAD, "gh-readonly-queue/main/pr-9", "", BASE),
    ),
    "github, a branch that looks like a pull request, new": (
        {**GITHUB, "GITHUB_REF": "refs/heads/refs/pull/9/merge", "GITHUB_REF_NAME": "refs/pull/9/merge"},
        {"before": "0" * 40},
        Pipeline("github", "bob", GITHUB_RUN, HEAD, "refs/pull/9/merge"),
    ),
    "gitlab, a push": (GITLAB, None, Pipeline("gitlab", "ann", GITLAB["CI_PIPELINE_URL"], HEAD, "main", "", BEFORE)),
    "gitlab, a merge request": (
        {
            **GITLAB,
            "CI_MERGE_REQUEST_IID": "8",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix",
            "CI_COMMIT_BEFORE_SHA": "0" * 40,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
        },
        None,
        Pipeline("gitlab", "ann", GITLAB["CI_PIPELINE_URL"], HEAD, "fix", "8", BASE, "main"),
    ),
    "flow": (FLOW, None, Pipeline("yunxiao", "张三", "https://flow.aliyun.com/pipelines/12/builds/3", HEAD, "master")),
    "gitee, a push": (GITEE, None, Pipeline("gitee", "ann", "udfs deploy #4", HEAD, "master")),
    "gitee, a pull request": (
        {
            **GITEE,
            "GITEE_COMMIT": BASE,
            "GITEE_PULL_ID": "2",
            "GITEE_SOURCE_BRANCH": "fix",
            "GITEE_SOURCE_COMMIT": HEAD,
        },
        None,
        Pipeline("gitee", "ann", "udfs deploy #4", HEAD, "fix", "2", BASE, "master"),
    ),
    "jenkins, a branch": (JENKINS, None, Pipeline("jenkins", "", JENKINS["BUILD_URL"], HEAD, "main", "", BEFORE)),
    "jenkins, a pull request": (
        {
            **JENKINS,
            "BRANCH_NAME": "PR-3",
            "CHANGE_ID": "3",
            "CHANGE_AUTHOR": "eve",
            "CHANGE_BRANCH": "fix",
            "CHANGE_TARGET": "main",
        },
        None,
        Pipeline("jenkins", "eve", JENKINS["BUILD_URL"], HEAD, "fix", "3", "", "main"),
    ),
    "a laptop": ({"HOME": "/home/ann", "BUILD_NUMBER": "3"}, None, Pipeline()),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_system_tells_who_runs_what(name: str) -> None:
    env, event, run = RUNS[name]
    assert describe_run(env, lambda path: json.dumps(event)) == run


def test_each_variable_that_is_looked_at_comes_up_in_these_tests() -> None:
    tried = {variable for env, _, _ in RUNS.values() for variable in env}
    looked_at = {
        variable
        for system in pipelines._SYSTEMS
        for field in fields(system)
        if isinstance(values := getattr(system, field.name), tuple) and field.name != "signs"
        for template in values
        for variable in pipelines._VARIABLE.findall(template)
    }
    # Of systems that the README does not name, and of plugins.
    others = {name for name in looked_at if name.startswith(("CIRCLE_", "SYSTEM_", "BUILD_"))}
    assert looked_at - tried - others == {"CI_COMMIT_SHA_1", "CI_COMMIT_REF_NAME_1", "GIT_BRANCH", "JOB_NAME"}


ODD = st.one_of(
    st.text(max_size=400),
    st.sampled_from(["\x1b]0;x\x07", "a\nb", "::error::x", "\udcff", "https://u:canary@h/p?canary#canary"]),
)


@given(st.sampled_from(sorted(RUNS)), st.data())
def test_whatever_a_pull_request_puts_there_stays_text_of_a_bounded_length(name: str, data: st.DataObject) -> None:
    env = RUNS[name][0]
    changed = {variable: data.draw(ODD) for variable in env}
    run = describe_run({**changed, **{sign: changed[sign] or "x" for sign in changed}}, lambda path: data.draw(ODD))
    for text in astuple(run):
        assert len(text) <= 2000
        text.encode()
    assert run.commit == run.base == run.pull_request == "" or set(run.pull_request) <= set("0123456789")


@pytest.mark.parametrize("name", ["CI_PIPELINE_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_BUILDURI"])
def test_an_address_comes_without_what_may_be_a_secret(name: str) -> None:
    run = describe_run({name: "https://ann:canary@ci.example:8443/run/7?token=canary#canary"})
    assert run.run == "https://ci.example:8443/run/7"


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["pull_request", "base", "sha", "merge_group", "base_sha", "before", "number"]), inner)))  # fmt: skip
def test_an_event_of_another_form_tells_nothing_and_breaks_nothing(event: object) -> None:
    run = describe_run(GITHUB, lambda path: json.dumps(event))
    assert run.base == "" or len(run.base) in (40, 64)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00", "null"])
def test_an_event_that_is_no_json(text: str) -> None:
    assert describe_run(GITHUB, lambda path: text).base == ""
