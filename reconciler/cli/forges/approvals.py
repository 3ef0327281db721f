"""
Plans that people agreed to by merging: kept by the runs of pull requests at GitHub, taken back when what they plan is to be done.

A pull request counts if its merge is among the last commits, and its plan if the last run of the head that got merged kept it, by the workflow
that asks, and ended well. Approval narrows what an apply does and never adds to it: what is performed comes from the merged commit.
So who forges a plan gains nothing that the commit does not say; that no code of a pull request can do it unseen is the workflow's part,
which lets none run beside or after the job that keeps the plans.

Calls and fields are those of GitHub's published description of its API [npm, @octokit/openapi 23.0.2]. Not tried on GitHub itself.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.base.files import replace_file
from reconciler.cli.forges.connection import ForgeFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    import requests

    from reconciler.cli.forges.github import GitHub

_MOST_PULL_REQUESTS = 30
"""Whose plans are fetched, the newest; each costs two requests and a download."""

_MOST_BYTES = 64 << 20
"""Of an archive, and of what is in it."""

_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,200}/)?(?:index\.json|plan\.udfs\.json)")
"""What is taken out of an artifact: the index, and saved plans one folder below."""


@dataclass(frozen=True)
class MergedPlan:
    """The plan of a pull request that was merged."""

    number: int
    """Of the pull request."""

    run: int
    """Whose plan it is."""

    artifact: int


def find_plans(
    forge: GitHub, repository: str, branch: str, commits: Collection[str], artifact: str, workflow: str
) -> Iterator[MergedPlan | str]:
    """
    Yield the newest plan of each pull request that was merged by one of `commits`, or why one has none.

    Artifacts are called `artifact`-N, with the number of the attempt. `workflow` is the path of the workflow's file. Raises `ForgeFailure`.
    """
    heads = _list_merges(forge, repository, branch, commits)
    for number, head in heads[:_MOST_PULL_REQUESTS]:
        run = _newest_run(forge, repository, head, workflow)
        if run is None:
            yield f"pull request {number} has no plan: no run of {workflow} for its head ended well"
            continue
        identity = _newest_artifact(forge, repository, run, artifact)
        if identity is None:
            yield f"pull request {number} has no plan: run {run} kept none, or it is gone by now"
        else:
            yield MergedPlan(number, run, identity)


def _list_merges(forge: GitHub, repository: str, branch: str, commits: Collection[str]) -> list[tuple[int, str]]:
    """Return the pull requests whose merge is one of the commits, with their heads, the newest first."""
    query: dict[str, str | int] = {"state": "closed", "base": branch, "sort": "updated", "direction": "desc"}
    return [
        (int(pull["number"]), str(pull["head"]["sha"]))
        for pull in _items(forge.connection.get(f"/repos/{repository}/pulls", **query, per_page=100))
        if pull.get("merged_at") and pull.get("merge_commit_sha") in commits
    ]


def _newest_run(forge: GitHub, repository: str, head: str, workflow: str) -> int | None:
    """
    Return the last run of a pull request's head by a workflow, if it ended well.

    One that did nothing, since the event was not for it (a label that somebody puts on what is merged already), says nothing.
    """
    query: dict[str, str | int] = {"head_sha": head, "event": "pull_request", "per_page": 100}
    runs = [
        run
        for run in _items(forge.connection.get(f"/repos/{repository}/actions/runs", **query), "workflow_runs")
        if run.get("head_sha") == head
        and run.get("event") == "pull_request"
        and run.get("conclusion") != "skipped"
        and str(run.get("path", "")).partition("@")[0] == workflow
    ]
    last = max(runs, key=lambda run: int(run["id"]), default=None)
    return int(last["id"]) if last and last.get("conclusion") == "success" else None


def _newest_artifact(forge: GitHub, repository: str, run: int, name: str) -> int | None:
    """
    Return the last artifact of a name in a run.

    The job that keeps plans runs after the one that runs code, in each attempt: so the last is its.
    """
    path = f"/repos/{repository}/actions/runs/{run}/artifacts"
    kept = [
        int(item["id"])
        for item in _items(forge.connection.get(path, per_page=100), "artifacts")
        if re.fullmatch(rf"{re.escape(name)}-[0-9]+", str(item.get("name"))) and not item.get("expired")
    ]
    return max(kept, default=None)


def _items(answer: Any, key: str = "") -> list[Mapping[str, Any]]:
    items = answer.get(key) if key and isinstance(answer, dict) else answer
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def fetch_plan(forge: GitHub, repository: str, plan: MergedPlan, folder: Path) -> int:
    """Write the index and the saved plans of an artifact into a folder, and return how many plans there are."""
    content = _download(forge, f"/repos/{repository}/actions/artifacts/{plan.artifact}/zip")
    count, left = 0, _MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                if not _NAME.fullmatch(member.filename):
                    continue
                left -= member.file_size
                if left < 0:
                    raise ForgeFailure("the artifact holds more than any plan")
                path = folder / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as stream:
                    replace_file(path, stream.read(member.file_size + 1))
                count += member.filename.endswith("plan.udfs.json")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ForgeFailure(f"the artifact is no archive that can be read: {error}") from None
    return count


def _download(forge: GitHub, path: str) -> bytes:
    """Return an artifact. GitHub sends us to another place for it, which gets no token."""
    import requests

    from reconciler.targets.transport import read_body

    connection = forge.connection
    try:
        answer = requests.get(
            connection.base + path,
            headers={**connection.headers, "User-Agent": "udfs"},
            auth=_sign_with(connection.token),
            allow_redirects=False,
            timeout=(10, 60),
        )
        place = answer.headers.get("Location", "")
        if answer.status_code != 302 or not place:
            raise ForgeFailure(f"no artifact: {answer.status_code}", status=answer.status_code)
        if urlsplit(place).scheme != "https" and urlsplit(place).hostname not in {"127.0.0.1", "localhost"}:
            raise ForgeFailure("the artifact is to come from a place that is not https")
        with requests.get(
            place, headers={"User-Agent": "udfs"}, auth=_sign_with(""), stream=True, timeout=(10, 60)
        ) as response:
            response.raise_for_status()
            content = read_body(response, 1 << 16, _MOST_BYTES)
        if content is None:
            raise ForgeFailure("the artifact is larger than any plan")
    except requests.RequestException as error:
        status = error.response.status_code if error.response is not None else None
        raise ForgeFailure(f"no artifact: {status or 'no answer'}", "unknown", status) from None
    return content


def _sign_with(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what signs a request. As a function, so that no .netrc of the machine takes its place."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign
