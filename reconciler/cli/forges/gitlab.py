"""
GitLab: notes on merge requests, the merge requests of a commit, and the status of a commit.

Calls and fields are those of its pages [docs.gitlab.com: "Notes API", "Commits API", "Users API"]. Not tried on GitLab. The token
of a job (``CI_JOB_TOKEN``) may write no notes; a project's or a group's access token with the scope ``api`` may.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler.cli.forges.comments import Comment
from reconciler.cli.forges.connection import ForgeConnection, ForgeFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTION = 255
"""Characters of a status's description, the most there is place for."""


class GitLab:
    """One project at GitLab, seen through the API."""

    def __init__(self, api: str, token: str, project: str) -> None:
        if not project:
            raise ForgeFailure("the project is not named: --repository, or CI_PROJECT_ID")
        self.connection = ForgeConnection(api, token, "PRIVATE-TOKEN")
        self._path = f"/projects/{quote(project, safe='')}"

    @cached_property
    def author(self) -> str:
        """Who the token belongs to, as a number: names can be changed, and be given to others."""
        user = self.connection.get("/user")
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise ForgeFailure("the forge does not say whose the token is")
        return str(user["id"])

    def comments(self, number: int) -> Iterator[Comment]:
        """Yield the notes of a merge request, the oldest first."""
        path = f"{self._path}/merge_requests/{number}/notes"
        for item in self.connection.pages(path, sort="asc", order_by="created_at"):
            # What GitLab itself notes of a merge request is under the name of whoever did it.
            if isinstance(item, dict) and not item.get("system"):
                author: Any = item.get("author")
                whose = str(author.get("id")) if isinstance(author, dict) else ""
                yield Comment(str(item.get("id")), whose, str(item.get("body") or ""))

    def add_comment(self, number: int, body: str) -> None:
        """Write a note."""
        self.connection.send("POST", f"{self._path}/merge_requests/{number}/notes", {"body": body})

    def edit_comment(self, number: int, comment: Comment, body: str) -> None:
        """Change a note."""
        self.connection.send("PUT", f"{self._path}/merge_requests/{number}/notes/{int(comment.id)}", {"body": body})

    def merge_requests_of(self, commit: str) -> list[int]:
        """Return the numbers of the merge requests that brought a commit."""
        items = self.connection.get(f"{self._path}/repository/commits/{quote(commit, safe='')}/merge_requests")
        numbers = [item.get("iid") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        return [number for number in numbers if isinstance(number, int)]

    def set_status(self, commit: str, name: str, *, succeeded: bool, description: str, link: str) -> None:
        """Set the status of a commit under a name; the same twice says no more than once."""
        fields = {
            "state": "success" if succeeded else "failed",
            "name": name,
            "description": description[:_DESCRIPTION],
            **({"target_url": link} if link else {}),
        }
        self.connection.send("POST", f"{self._path}/statuses/{quote(commit, safe='')}", fields)
