"""
GitHub: comments, issues, deployments, and the pull requests of a commit.

Calls and fields are those of GitHub's published description of its API, which the tests hold every request against
[npm, @octokit/openapi 23.0.2]. Not tried on GitHub itself: that ``creator`` takes the name of a bot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from reconciler.base.words import safe
from reconciler.cli.forges.comments import Comment
from reconciler.cli.forges.connection import ForgeConnection, ForgeFailure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

ACTIONS_BOT = "github-actions[bot]"
"""Who writes with the token of a workflow; brackets are in no name that a person can have."""

_VERSION = "2022-11-28"
TASK = "udfs"
"""What tells our deployments from those of others."""

_DESCRIPTION = 140
"""Characters of a deployment status's description, the most there is place for."""


@dataclass(frozen=True)
class Issue:
    """An issue as GitHub has it."""

    number: int
    is_open: bool
    is_dismissed: bool
    """Whether somebody closed it as not planned."""

    body: str


class GitHub:
    """One repository at GitHub, seen through the API."""

    def __init__(self, api: str, token: str, repository: str, author: str = ACTIONS_BOT) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
            raise ForgeFailure("the repository is not OWNER/NAME")
        self.author = author
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION}
        self.connection = ForgeConnection(api, token, "Authorization", "Bearer ", headers)
        self._path = f"/repos/{repository}"

    def pull_requests_of(self, commit: str) -> list[Mapping[str, Any]]:
        """Return the pull requests that brought a commit, or have it."""
        return _objects(self.connection.get(f"{self._path}/commits/{quote(commit, safe='')}/pulls", per_page=100))

    def pull_requests_from(self, branch: str) -> list[Mapping[str, Any]]:
        """Return the open pull requests from a branch, ``OWNER:BRANCH``."""
        return _objects(self.connection.get(f"{self._path}/pulls", state="open", head=branch, per_page=100))

    def comments(self, number: int) -> Iterator[Comment]:
        """Yield the comments of a pull request, the oldest first."""
        for item in self.connection.pages(f"{self._path}/issues/{number}/comments"):
            if isinstance(item, dict):
                yield Comment(str(item.get("id")), _login(item), str(item.get("body") or ""))

    def add_comment(self, number: int, body: str) -> None:
        """Write a comment."""
        reply = self.connection.send("POST", f"{self._path}/issues/{number}/comments", {"body": body})
        author = _login(reply.value) if isinstance(reply.value, dict) else ""
        if author and author != self.author:
            # By another name it would not be found, and each push would write one more.
            raise ForgeFailure(
                f"it is written as '{safe(author)}', and is found again only with --author '{safe(author)}'"
            )

    def edit_comment(self, number: int, comment: Comment, body: str) -> None:
        """Change a comment."""
        self.connection.send("PATCH", f"{self._path}/issues/comments/{int(comment.id)}", {"body": body})

    def issues(self) -> Iterator[Issue]:
        """Yield all issues that we opened, the newest first."""
        pages = self.connection.pages(f"{self._path}/issues", state="all", creator=self.author)
        for item in pages:
            # The list has pull requests in it, too.
            if isinstance(item, dict) and "pull_request" not in item and _login(item) == self.author:
                is_dismissed = item.get("state_reason") == "not_planned"
                is_open = item.get("state") == "open"
                yield Issue(int(item["number"]), is_open, is_dismissed, str(item.get("body") or ""))

    def open_issue(self, title: str, body: str) -> None:
        """Open an issue."""
        self.connection.send("POST", f"{self._path}/issues", {"title": title, "body": body})

    def change_issue(self, number: int, body: str, state: Literal["open", "closed"] | None = None) -> None:
        """Change the text of an issue, and open or close it."""
        reason = {"open": "reopened", "closed": "completed"}
        more = {"state": state, "state_reason": reason[state]} if state else {}
        self.connection.send("PATCH", f"{self._path}/issues/{number}", {"body": body, **more})

    def record_deployment(
        self, environment: str, commit: str, run: str, *, succeeded: bool, description: str, log: str
    ) -> None:
        """Record that a commit was brought to an environment, or was not, by a run."""
        path = f"{self._path}/deployments"
        fields = {
            "ref": commit,
            "task": TASK,
            "environment": environment,
            "description": description[:_DESCRIPTION],
            "payload": {"run": run},
            # The commit is deployed as it is, and was checked before.
            "auto_merge": False,
            "required_contexts": [],
        }
        try:
            number = _number(self.connection.send("POST", path, fields).value)
        except ForgeFailure as failure:
            if failure.outcome != "unknown":
                raise
            present = self._deployment_of(environment, commit, run)
            number = _number(self.connection.send("POST", path, fields).value) if present is None else present
        state = "success" if succeeded else "failure"
        status = {"state": state, "description": description[:_DESCRIPTION], **({"log_url": log} if log else {})}
        try:
            self.connection.send("POST", f"{path}/{number}/statuses", status)
        except ForgeFailure as failure:
            if failure.outcome != "unknown":
                raise
            # Twice the same status says no more than once.
            self.connection.send("POST", f"{path}/{number}/statuses", status)

    def _deployment_of(self, environment: str, commit: str, run: str) -> int | None:
        query = {"sha": commit, "task": TASK, "environment": environment}
        items = _objects(self.connection.get(f"{self._path}/deployments", **query, per_page=100))
        return next((_number(item) for item in items if item.get("payload") == {"run": run}), None)


def merged_by(commits: Collection[str], pulls: list[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of those pull requests whose merge is among some commits; one that is alone is meant in any case."""
    merged = [pull for pull in pulls if pull.get("merge_commit_sha") in commits and pull.get("merged_at")]
    numbers = [_number(pull) for pull in merged or (pulls if len(pulls) == 1 else [])]
    return list(dict.fromkeys(numbers))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ForgeFailure("the forge answers with something that is no list")
    return [item for item in value if isinstance(item, dict)]


def _number(item: Any) -> int:
    """Return the number of a pull request, or the id of what has none."""
    value = item.get("number", item.get("id")) if isinstance(item, dict) else None
    if not isinstance(value, int):
        raise ForgeFailure("the forge answers without a number")
    return value


def _login(item: Mapping[str, Any]) -> str:
    user = item.get("user")
    return str(user.get("login")) if isinstance(user, dict) else ""
