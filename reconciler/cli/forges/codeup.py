"""
Codeup, the forge of Yunxiao: comments on change requests, and the status of a commit.

Calls and fields are those of its pages [help.aliyun.com, Yunxiao's API: CreateChangeRequestComment, ListMergeRequestComments,
CreateCommitStatus] and, for changing a comment, its patch sets and whose the token is, of Alibaba Cloud's own MCP server for
Yunxiao (``operations/codeup``). Not tried on Codeup. A person's access token is needed: a pipeline has none of its own.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler.cli.forges.comments import Comment
from reconciler.cli.forges.connection import ForgeConnection, ForgeFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "https://openapi-rdc.aliyuncs.com"
"""Of the central edition [help.aliyun.com, "Service endpoint"]; a region's has an address of its own."""

_CONTEXT, _DESCRIPTION = 50, 3_000
"""Characters of a status's name and description, the most there is place for."""


class Codeup:
    """One repository at Codeup, seen through the API."""

    def __init__(self, api: str, token: str, organization: str, repository: str) -> None:
        if not repository:
            raise ForgeFailure("the repository is not named: --repository")
        self.connection = ForgeConnection(api, token, "x-yunxiao-token")
        # A region's edition knows no organizations.
        whose = f"/organizations/{quote(organization, safe='')}" if organization else ""
        self._path = f"/oapi/v1/codeup{whose}/repositories/{quote(repository, safe='')}"

    @cached_property
    def author(self) -> str:
        """Who the token belongs to."""
        user = self.connection.get("/oapi/v1/platform/user")
        if not isinstance(user, dict) or not user.get("id"):
            raise ForgeFailure("the forge does not say whose the token is")
        return str(user["id"])

    def comments(self, number: int) -> Iterator[Comment]:
        """Yield the comments of a change request."""
        body = {"comment_type": "GLOBAL_COMMENT", "state": "OPENED"}
        reply = self.connection.send("POST", f"{self._request(number)}/comments/list", body)
        if not isinstance(reply.value, list):
            raise ForgeFailure("the forge answers with something that is no list")
        for item in reply.value:
            if isinstance(item, dict):
                author: Any = item.get("author")
                whose = str(author.get("userId")) if isinstance(author, dict) else ""
                yield Comment(str(item.get("comment_biz_id")), whose, str(item.get("content") or ""))

    def add_comment(self, number: int, body: str) -> None:
        """Write a comment on the newest version of a change request."""
        fields = {
            "comment_type": "GLOBAL_COMMENT",
            "content": body,
            "draft": False,
            "resolved": False,
            "patchset_biz_id": self._newest_version(number),
        }
        self.connection.send("POST", f"{self._request(number)}/comments", fields)

    def edit_comment(self, number: int, comment: Comment, body: str) -> None:
        """Change a comment."""
        path = f"{self._request(number)}/comments/{quote(comment.id, safe='')}"
        self.connection.send("PUT", path, {"content": body})

    def set_status(self, commit: str, name: str, *, succeeded: bool, description: str, link: str) -> None:
        """Set the status of a commit under a name."""
        fields = {
            "context": name[:_CONTEXT],
            "state": "success" if succeeded else "failure",
            "description": description[:_DESCRIPTION],
            **({"targetUrl": link} if link else {}),
        }
        self.connection.send("POST", f"{self._path}/commits/{quote(commit, safe='')}/statuses", fields)

    def _newest_version(self, number: int) -> str:
        versions = self.connection.get(f"{self._request(number)}/diffs/patches")
        sources = [
            item
            for item in (versions if isinstance(versions, list) else [])
            if isinstance(item, dict)
            and item.get("patchSetBizId")
            and item.get("relatedMergeItemType") == "MERGE_SOURCE"
        ]
        if not sources:
            raise ForgeFailure("the forge lists no version of the change request")
        return str(max(sources, key=lambda item: int(item.get("versionNo") or 0))["patchSetBizId"])

    def _request(self, number: int) -> str:
        return f"{self._path}/changeRequests/{number}"
