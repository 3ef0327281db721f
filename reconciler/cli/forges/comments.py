"""
The one comment of a pull request: found by its marker and its author, edited in place.

A comment of anybody else is never touched, whatever it begins with. Where the answer to a new comment is lost, it is looked
for before it is sent again, so that there are not two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reconciler.cli.forges.connection import ForgeFailure
from reconciler.render.forges.sections import is_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Comment:
    """A comment as a forge has it."""

    id: str
    author: str
    """Who wrote it, by what the forge does not let two have."""

    body: str


class Thread(Protocol):
    """The comments of one pull request."""

    @property
    def author(self) -> str:
        """Who we are there."""

    def comments(self) -> Iterable[Comment]:
        """Yield all comments, the oldest first."""

    def add(self, body: str) -> None:
        """Write a comment."""

    def edit(self, comment: Comment, body: str) -> None:
        """Change a comment."""


def keep_comment(thread: Thread, compose: Callable[[str], str | None]) -> str:
    """
    Write or edit our comment, and return what was done in a word for the log; raises ForgeFailure.

    `compose` gets the text of the comment as it stands, empty if there is none, and returns None to leave it so.
    """
    comment = _ours(thread)
    body = compose(comment.body if comment else "")
    if body is None:
        return "left"
    if comment is not None:
        return _bring_up_to_date(thread, comment, body)
    try:
        thread.add(body)
    except ForgeFailure as failure:
        if failure.outcome != "unknown":
            raise
        comment = _ours(thread)
        if comment is not None:
            return _bring_up_to_date(thread, comment, body)
        thread.add(body)
    return "written"


def _bring_up_to_date(thread: Thread, comment: Comment, body: str) -> str:
    if comment.body == body:
        return "unchanged"
    thread.edit(comment, body)
    return "edited"


def _ours(thread: Thread) -> Comment | None:
    comments = thread.comments()
    return next((comment for comment in comments if comment.author == thread.author and is_marked(comment.body)), None)
