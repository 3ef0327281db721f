"""
Surroundings of a pipeline's step: which run it is, which commit, and which pull requests it is about.

They come from the platform's variables and its event, never from the folder that is published: who wrote that may be whoever
opened the pull request, and must not choose where it is shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.inputs import Limit, read_input
from reconciler.render.forges.sections import RunNumber

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENT = Limit("an event of GitHub", 32 << 20)
_QUEUED = re.compile(r"/pr-(\d+)-[0-9a-f]{40}$")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class Surroundings:
    """What a platform says of a step."""

    commit: str = ""
    number: RunNumber = field(default_factory=RunNumber)
    link: str = ""
    """Where people see the run."""

    request: int | None = None
    """The pull request that the run is for, where the platform says so."""

    commits: frozenset[str] = frozenset()
    """What a push brought."""

    branch: str = ""
    """``OWNER:BRANCH`` of the run behind which this one follows, if so."""


def at_github(env: Mapping[str, str]) -> Surroundings:
    """Return what GitHub says: by variables, and by the event in the file of ``GITHUB_EVENT_PATH``."""
    event = _read_event(env.get("GITHUB_EVENT_PATH", ""))
    former = _dig(event, "workflow_run")
    commit = env.get("GITHUB_SHA", "")
    link = "/".join([env.get("GITHUB_SERVER_URL", ""), env.get("GITHUB_REPOSITORY", ""), "actions/runs"])
    link = f"{link}/{env.get('GITHUB_RUN_ID', '')}"
    run, attempt = env.get("GITHUB_RUN_ID", ""), env.get("GITHUB_RUN_ATTEMPT", "")
    branch = ""
    if isinstance(former, dict):
        # This run was started by the end of another, which had no right to write: what is published is that one's.
        commit, link = str(former.get("head_sha")), str(former.get("html_url"))
        run, attempt = str(former.get("id")), str(former.get("run_attempt"))
        owner = _dig(former, "head_repository", "owner", "login")
        branch = f"{owner}:{former.get('head_branch')}" if owner else ""
    return Surroundings(
        commit=_commit(commit),
        number=RunNumber(whole(run), whole(attempt)),
        link=_link(link),
        request=_request(event),
        commits=_list_pushed(event) | {_commit(commit)},
        branch=branch,
    )


def at_gitlab(env: Mapping[str, str]) -> Surroundings:
    """Return what GitLab says by its variables [docs.gitlab.com, "Predefined CI/CD variables"]."""
    return Surroundings(
        commit=_commit(env.get("CI_COMMIT_SHA", "")),
        number=RunNumber(whole(env.get("CI_PIPELINE_ID", "")), whole(env.get("CI_JOB_ID", ""))),
        link=_link(env.get("CI_JOB_URL", "")),
        request=whole(env.get("CI_MERGE_REQUEST_IID", "")) or None,
    )


def at_flow(env: Mapping[str, str]) -> Surroundings:
    """
    Return what Yunxiao Flow says by its variables [help.aliyun.com, "Environment variables"]; none names a change request.

    Where a run can be looked at is a guess.
    """
    pipeline, build = whole(env.get("PIPELINE_ID", "")), whole(env.get("BUILD_NUMBER", ""))
    link = f"https://flow.aliyun.com/pipelines/{pipeline}/builds/{build}" if pipeline and build else ""
    return Surroundings(commit=_commit(env.get("CI_COMMIT_SHA", "")), number=RunNumber(build, 1), link=link)


def whole(text: str) -> int:
    """Return a number that a platform wrote down; 0 for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _request(event: Mapping[str, Any]) -> int | None:
    number = _dig(event, "pull_request", "number") or _dig(event, "workflow_run", "pull_requests", 0, "number")
    if isinstance(number, int):
        return number
    # A merge queue tries the next pull request on a branch of its own, and says by its name which that is.
    queued = _QUEUED.search(str(_dig(event, "merge_group", "head_ref") or ""))
    return int(queued[1]) if queued else None


def _list_pushed(event: Mapping[str, Any]) -> frozenset[str]:
    commits = _dig(event, "commits")
    return frozenset(
        _commit(str(commit.get("id")))
        for commit in (commits if isinstance(commits, list) else [])
        if isinstance(commit, dict)
    )


def _read_event(path: str) -> Mapping[str, Any]:
    try:
        event = json.loads(read_input(Path(path), _EVENT)) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _dig(value: Any, *keys: str | int) -> Any:
    """Return what stands under some keys; None where there is nothing."""
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


def _link(text: str) -> str:
    """Return an address that can stand in Markdown as it is; nothing for any other."""
    return text if re.fullmatch(r"https?://[\w.:/%~-]+", text, re.ASCII) else ""
