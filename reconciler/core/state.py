"""
What a project holds, or should hold: frozen values, no behaviour of the world.

`Resource` and `Function` have only what is compared. `Desired` adds where in the manifest the wish stands; `Live` adds
who touched the object and when. A `Marker` is the line that udfs leaves in a resource's comment: the one free text
that the service keeps and lists. Functions have no comment, so the marker of the resource that carries a function's
code names the function too (see DECISIONS, "Who owns a function").

The values are named tuples: a plan of 15,000 objects makes more than a hundred thousand of them, and a frozen dataclass
takes three times as long to make, and more memory.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.base.names import Key, Reference, function_key, resource_key, unversioned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.base.errors import Position

WITH_CONTENT = frozenset({"py", "file", "archive", "jar"})
"""The types of resource whose bytes can be fetched and sent."""

_MARKER = re.compile(
    r"(?P<text>.*?)\s*\[udfs/1 (?P<stack>[a-z][a-z0-9-]*) on=(?P<name>[0-9a-f]{8})"
    r"(?: sha256=(?P<sha256>[0-9a-f]{64}) md5=(?P<md5>[0-9a-f]{32}))?(?: for=(?P<functions>[0-9a-f,]+))?\]\Z",
    re.DOTALL,
)


class Marker(NamedTuple):
    """Who manages a resource, and what was last put there."""

    stack: str
    sha256: str | None = None
    """Of the content that udfs uploaded; None for a table."""

    md5: str | None = None
    """Of the same content. The service reports MD5, so a foreign edit shows as a difference from this."""

    functions: frozenset[str] = frozenset()
    """Fingerprints (`name_mark`) of the functions whose code this resource carries."""

    def on(self, name: str) -> str:
        """Return the marker as it stands in the comment of the resource `name`, which it names too."""
        content = f" sha256={self.sha256} md5={self.md5}" if self.sha256 else ""
        functions = f" for={','.join(sorted(self.functions))}" if self.functions else ""
        return f"[udfs/1 {self.stack} on={name_mark(name)}{content}{functions}]"


@lru_cache(maxsize=1 << 16)
def name_mark(name: str) -> str:
    """Return the eight hex digits by which a marker names an object: comments are short, functions may be many."""
    return hashlib.sha256(name.lower().encode()).hexdigest()[:8]


def write_comment(text: str, marker: Marker, name: str) -> str:
    """Return the comment that goes to the service for the resource `name`: the user's text, then the marker."""
    return f"{text} {marker.on(name)}" if text else marker.on(name)


def read_comment(comment: str, name: str) -> tuple[str, Marker | None]:
    """
    Split the comment of the resource `name` into the user's text and the marker, if there is one.

    A marker that names another resource was copied there with its comment, and marks nothing.
    """
    found = _MARKER.match(comment)
    if found is None or found["name"] != name_mark(name):
        return comment, None
    text, stack, _, sha256, md5, functions = found.groups()
    marks = frozenset(filter(None, functions.split(","))) if functions else frozenset()
    return text, Marker(stack, sha256, md5, marks)


class Resource(NamedTuple):
    """A resource as far as it is compared."""

    name: str
    type: str
    """Lower case, as on the wire: py, file, archive, jar, table, volumefile, volumearchive."""

    md5: str | None = None
    """Hex. None where there is no content (a table) or where it was not asked for (a foreign resource)."""

    size: int = 0
    """Bytes."""

    comment: str = ""
    """Without the marker."""

    table: str | None = None
    """The source of a table resource: ``project.table`` or ``project.table partition(…)``."""

    @property
    def key(self) -> Key:
        return resource_key(self.name)


class Function(NamedTuple):
    """A function as far as it is compared."""

    name: str
    class_path: str
    resources: tuple[Reference, ...] = ()

    @property
    def key(self) -> Key:
        return function_key(self.name)


Object: TypeAlias = Resource | Function


class Desired(NamedTuple):
    """An object that should be there."""

    object: Object
    origin: Position
    """Where the manifest asks for it."""

    marker: Marker | None = None
    """For a resource: what will be written into its comment. Its sha256 is the name of the bytes to upload."""

    protected: bool = False
    """Whether it must not be deleted, even when the manifest no longer lists it."""


class Live(NamedTuple):
    """An object that is there."""

    object: Object
    owner: str = ""
    updater: str = ""
    """Who wrote it last. Empty for functions: the service does not tell."""

    created: datetime | None = None
    modified: datetime | None = None
    """None for functions: the service does not tell."""

    marker: Marker | None = None
    """For resources."""

    schema: str | None = None


def version_of(side: Desired | Live) -> str | None:
    """
    Return the plain name of a resource that is one version of a content, or None.

    The digest in its name must be that of its mark: a name that somebody chose may look alike.
    """
    if side.marker is None or side.marker.sha256 is None:
        return None
    return unversioned(side.object.name, side.marker.sha256)


DesiredState: TypeAlias = "Mapping[Key, Desired]"
LiveState: TypeAlias = "Mapping[Key, Live]"
