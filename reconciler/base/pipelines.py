"""
Pipeline facts: the system, user, run, commit, branch and pull request that an environment tells of, one row a system.

What they say comes from outside (a pull request chooses the name of its branch), so each is bounded, taken only in the form
that it has to have, and shown like any text that is not ours. Nothing that could be a secret is taken: of an address neither
user, password, query nor fragment.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from reconciler.base.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True)
class Pipeline:
    """What a system tells of the run that this process is part of; empty where it tells nothing."""

    system: str = ""
    """``github``, ``gitlab``, ``yunxiao``, ``jenkins``, ``gitee``, ``azure``, ``circleci``."""

    user: str = ""
    """Who started the run."""

    run: str = ""
    """The run's address; the pipeline's name and the run's number where a system tells no address."""

    commit: str = ""
    branch: str = ""
    """The branch, of a pull request the one that it comes from; or the tag."""

    pull_request: str = ""
    """Its number."""

    base: str = ""
    """
    The commit that the change is to be compared with.

    Of a pull request the tip of its target, as the event knew it, or the commit where it left it; of a push the commit
    before. It need not be in a shallow checkout.
    """

    base_branch: str = ""
    """The branch that a pull request goes to: where a system does not tell `base`, its tip is what there is."""


@dataclass(frozen=True)
class _System:
    """Where a system says what. Of the texts of a fact the first counts whose variables are all set."""

    name: str
    signs: tuple[str, ...]
    """Variables, each of which gives the system away."""

    user: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    commit: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    pull_request: tuple[str, ...] = ()
    base_of_pull_request: tuple[str, ...] = ()
    base_of_push: tuple[str, ...] = ()
    base_branch: tuple[str, ...] = ()
    """Looked at in a pull request alone."""

    event: str = ""
    """The variable with the path of the event's JSON."""


_SYSTEMS = (
    # https://docs.github.com/en/actions/reference/workflows-and-actions/variables; who re-runs is the triggering actor.
    _System(
        "github",
        signs=("GITHUB_ACTIONS", "GITHUB_RUN_ID", "GITHUB_ACTOR"),
        user=("$GITHUB_TRIGGERING_ACTOR", "$GITHUB_ACTOR"),
        run=("$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID",),
        commit=("$GITHUB_SHA",),
        branch=("$GITHUB_HEAD_REF", "$GITHUB_REF_NAME"),
        pull_request=("$GITHUB_REF",),
        base_branch=("$GITHUB_BASE_REF",),
        event="GITHUB_EVENT_PATH",
    ),
    # https://docs.gitlab.com/ci/variables/predefined_variables/
    _System(
        "gitlab",
        signs=("GITLAB_CI", "CI_PIPELINE_URL"),
        user=("$GITLAB_USER_LOGIN",),
        run=("$CI_PIPELINE_URL",),
        commit=("$CI_COMMIT_SHA",),
        branch=("$CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "$CI_COMMIT_REF_NAME"),
        pull_request=("$CI_MERGE_REQUEST_IID",),
        base_of_pull_request=("$CI_MERGE_REQUEST_DIFF_BASE_SHA",),
        base_of_push=("$CI_COMMIT_BEFORE_SHA",),
        base_branch=("$CI_MERGE_REQUEST_TARGET_BRANCH_NAME",),
    ),
    # https://help.aliyun.com/zh/yunxiao/user-guide/environment-variables: nothing of a merge request; its runs have the
    # source branch. That the address of a run is made like this was seen in people's scripts and is a guess.
    _System(
        "yunxiao",
        signs=("BUILD_EXECUTOR",),
        user=("$BUILD_EXECUTOR",),
        run=("https://flow.aliyun.com/pipelines/$PIPELINE_ID/builds/$BUILD_NUMBER",),
        commit=("$CI_COMMIT_SHA", "$CI_COMMIT_SHA_1"),
        branch=("$CI_COMMIT_REF_NAME", "$CI_COMMIT_REF_NAME_1"),
    ),
    # https://help.gitee.com/gitee-go/pipeline/parameter: no address of a run. GITEE_BRANCH and GITEE_COMMIT are the target's
    # in a pull request, and the source's are set in a pull request alone.
    _System(
        "gitee",
        signs=("GITEE_PIPELINE_NAME", "GITEE_PIPELINE_BUILD_NUMBER"),
        user=("$GITEE_PIPELINE_TRIGGER_USER",),
        run=(
            "$GITEE_REPO $GITEE_PIPELINE_NAME #$GITEE_PIPELINE_BUILD_NUMBER",
            "$GITEE_PIPELINE_NAME #$GITEE_PIPELINE_BUILD_NUMBER",
        ),
        commit=("$GITEE_SOURCE_COMMIT", "$GITEE_COMMIT"),
        branch=("$GITEE_SOURCE_BRANCH", "$GITEE_BRANCH"),
        pull_request=("$GITEE_PULL_ID",),
        base_of_pull_request=("$GITEE_COMMIT",),
        base_branch=("$GITEE_BRANCH",),
    ),
    # https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables, and the Git and branch-source plugins'
    # (CHANGE_*, GIT_*). BUILD_USER_ID is of the plugin "build user vars"; without it Jenkins does not say who started a run.
    _System(
        "jenkins",
        signs=("JENKINS_URL", "BUILD_URL"),
        user=("$BUILD_USER_ID", "$CHANGE_AUTHOR"),
        run=("$BUILD_URL", "$JOB_NAME #$BUILD_NUMBER"),
        commit=("$GIT_COMMIT",),
        branch=("$CHANGE_BRANCH", "$BRANCH_NAME", "$GIT_BRANCH"),
        pull_request=("$CHANGE_ID",),
        base_of_push=("$GIT_PREVIOUS_SUCCESSFUL_COMMIT",),
        base_branch=("$CHANGE_TARGET",),
    ),
    # https://learn.microsoft.com/azure/devops/pipelines/build/variables
    _System(
        "azure",
        signs=("BUILD_BUILDURI",),
        user=("$BUILD_REQUESTEDFOR",),
        run=("${SYSTEM_COLLECTIONURI}${SYSTEM_TEAMPROJECT}/_build/results/$BUILD_BUILDID", "$BUILD_BUILDURI"),
        commit=("$BUILD_SOURCEVERSION",),
        branch=("$SYSTEM_PULLREQUEST_SOURCEBRANCH", "$BUILD_SOURCEBRANCHNAME"),
        pull_request=("$SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "$SYSTEM_PULLREQUEST_PULLREQUESTID"),
        base_branch=("$SYSTEM_PULLREQUEST_TARGETBRANCH",),
    ),
    # https://circleci.com/docs/reference/variables/
    _System(
        "circleci",
        signs=("CIRCLE_BUILD_URL",),
        user=("$CIRCLE_USERNAME",),
        run=("$CIRCLE_BUILD_URL",),
        commit=("$CIRCLE_SHA1",),
        branch=("$CIRCLE_BRANCH", "$CIRCLE_TAG"),
        pull_request=("$CIRCLE_PULL_REQUEST",),
    ),
)

_VARIABLE = re.compile(r"\$\{?([A-Z0-9_]+)")

_LONGEST = 200
"""Characters of a user, a branch or a run's name; of an address ten times as many."""

_COMMIT = re.compile(r"(?!0+\Z)(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_PULL_REQUEST = re.compile(
    r"(?:\Arefs/pull/|\Ahttps?://[^\s?#]+/pull/|\A)(?P<number>[1-9][0-9]{0,11})(?:/merge|/head)?\Z"
)
"""The bare number, GitHub's ref of a pull request, or the address that CircleCI tells."""


def describe_run(env: Mapping[str, str], read_event: Callable[[str], str] = lambda path: "") -> Pipeline:
    """
    Return what the environment tells of the pipeline that this process runs in; all of it empty outside of one.

    `read_event` gives the text of the file that describes the event, or nothing: of the systems only GitHub has one.
    """
    system = next((system for system in _SYSTEMS if any(env.get(sign) for sign in system.signs)), None)
    if system is None:
        return Pipeline()
    event = _parse_event(read_event(path)) if (path := env.get(system.event, "")) else {}
    number = _first(env, system.pull_request, _number) or _number(_inner_text(event, "pull_request", "number"))
    return Pipeline(
        system=system.name,
        user=_first(env, system.user, _short_text),
        run=_first(env, system.run, public_address),
        commit=_first(env, system.commit, _commit),
        branch=_first(env, system.branch, _short_text).removeprefix("refs/heads/"),
        pull_request=number,
        base=_first(env, system.base_of_pull_request if number else system.base_of_push, _commit) or _event_base(event),
        base_branch=_first(env, system.base_branch, _short_text).removeprefix("refs/heads/") if number else "",
    )


def public_address(text: str) -> str:
    """Return an address without what may be a secret: user, password, query and fragment. The ledger is read by many."""
    if "://" not in text:
        return _short_text(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return printable(address)[: 10 * _LONGEST]


def printable(text: str) -> str:
    """Return what a system told without secrets, and with escapes for the bytes that are no text: the ledger takes nothing else."""
    return redact(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _first(env: Mapping[str, str], templates: Iterable[str], take: Callable[[str], str]) -> str:
    for template in templates:
        names = _VARIABLE.findall(template)
        if all(env.get(name) for name in names) and (text := take(Template(template).substitute(env))):
            return text
    return ""


def _short_text(text: str) -> str:
    return printable(text)[:_LONGEST].strip()


def _commit(text: str) -> str:
    return text.lower() if _COMMIT.match(text.lower()) else ""


def _number(text: str) -> str:
    match = _PULL_REQUEST.match(text)
    return match["number"] if match else ""


def _parse_event(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}


def _event_base(event: Any) -> str:
    """Return GitHub's word for what an event changes: of a pull request, a merge queue's group, a push."""
    paths = (("pull_request", "base", "sha"), ("merge_group", "base_sha"), ("before",))
    return next((commit for path in paths if (commit := _commit(_inner_text(event, *path)))), "")


def _inner_text(value: Any, *path: str) -> str:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value) if isinstance(value, (str, int)) else ""
