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


class Discussions(Protocol):
    """What GitHub, GitLab and Codeup alike let us do to the comments of a pull request."""

    @property
    def author(self) -> str:
        """Who we are there."""

    def comments(self, number: int) -> Iterable[Comment]:
        """Yield all comments of a pull request, the oldest first."""

    def add_comment(self, number: int, body: str) -> None:
        """Write a comment."""

    def edit_comment(self, number: int, comment: Comment, body: str) -> None:
        """Change a comment."""


def keep_comment(forge: Discussions, number: int, compose: Callable[[str], str | None]) -> str:
    """
    Write or edit our comment, and return what was done in a word for the log; raises ForgeFailure.

    `compose` gets the text of the comment as it stands, empty if there is none, and returns None to leave it so.
    """
    comment = _ours(forge, number)
    body = compose(comment.body if comment else "")
    if body is None:
        return "left"
    if comment is not None:
        return _bring_up_to_date(forge, number, comment, body)
    try:
        forge.add_comment(number, body)
    except ForgeFailure as failure:
        if failure.outcome != "unknown":
            raise
        comment = _ours(forge, number)
        if comment is not None:
            return _bring_up_to_date(forge, number, comment, body)
        forge.add_comment(number, body)
    return "written"


def _bring_up_to_date(forge: Discussions, number: int, comment: Comment, body: str) -> str:
    if comment.body == body:
        return "unchanged"
    forge.edit_comment(number, comment, body)
    return "edited"


def _ours(forge: Discussions, number: int) -> Comment | None:
    comments = forge.comments(number)
    return next((comment for comment in comments if comment.author == forge.author and is_marked(comment.body)), None)
