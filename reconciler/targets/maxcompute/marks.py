"""
Marks in comments: the one free text that MaxCompute keeps of a resource and lists.

A mark stands at the end of a comment, behind what the user wrote. Functions have no comment, so the mark of the resource
that carries a function's code names the function too.
"""

from __future__ import annotations

import re

from reconciler.core.identity import Mark, fingerprint

_MARK = re.compile(
    r"(?P<text>.*?)\s*\[udfs/1 (?P<stack>[a-z][a-z0-9-]*) on=(?P<name>[0-9a-f]{8})"
    r"(?: sha256=(?P<sha256>[0-9a-f]{64}) md5=(?P<md5>[0-9a-f]{32}))?(?: for=(?P<functions>[0-9a-f,]+))?\]\Z",
    re.DOTALL,
)


def mark_text(mark: Mark, name: str) -> str:
    """Return a mark as it stands in the comment of the resource `name`, which it names too."""
    content = f" sha256={mark.sha256} md5={mark.digest}" if mark.sha256 else ""
    functions = f" for={','.join(sorted(mark.names))}" if mark.names else ""
    return f"[udfs/1 {mark.stack} on={fingerprint(name.lower())}{content}{functions}]"


def read_mark(text: str, name: str) -> Mark:
    """Return the mark that is all of a text; ValueError for anything else."""
    before, mark = read_comment(text, name)
    if before or mark is None:
        raise ValueError("a mark that udfs does not write")
    return mark


def write_comment(text: str, mark: Mark, name: str) -> str:
    """Return the comment that goes to the service for the resource `name`: the user's text, then the mark."""
    return f"{text} {mark_text(mark, name)}" if text else mark_text(mark, name)


def read_comment(comment: str, name: str) -> tuple[str, Mark | None]:
    """
    Split the comment of the resource `name` into the user's text and the mark, if there is one.

    A mark that names another resource was copied there with its comment, and marks nothing.
    """
    match = _MARK.match(comment)
    if match is None or match["name"] != fingerprint(name.lower()):
        return comment, None
    text, stack, _, sha256, md5, functions = match.groups()
    names = frozenset(filter(None, functions.split(","))) if functions else frozenset()
    return text, Mark(stack, sha256, md5, names)
