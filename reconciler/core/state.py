"""
State of a project, desired and live: frozen values, no behaviour of the world.

What an object is, only its kind knows (`Kind`). `Desired` adds where in the manifest the wish stands; `Live` adds who
touched the object and when. A `Mark` is what udfs leaves on an object, where the service keeps such a thing. An object
that keeps none is named in the mark of one that it needs, its carrier (see DECISIONS, "Who owns a function").

The values are named tuples: a plan of 15,000 objects makes more than a hundred thousand of them, and a frozen dataclass
takes three times as long to make, and more memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.base.errors import Position
    from reconciler.core.kind import Key, Kind, Mark


class Object(Protocol):
    """An object as far as it is compared: a named tuple of its target, with the kind that knows what is in it."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> Key: ...

    @property
    def kind(self) -> Kind[Any]: ...

    def _replace(self, *_: Any, **fields: Any) -> Any: ...


class Desired(NamedTuple):
    """An object that should be there."""

    object: Object
    origin: Position
    """Where the manifest asks for it."""

    mark: Mark | None = None
    """What will be put on it, where its kind has marks. Its sha256 is the name of the bytes to upload."""

    protected: bool = False
    """Whether it must not be deleted, even when the manifest no longer lists it."""

    part_of: str = ""
    """What of the manifest brings it, where that brings several objects, for several others: ``package science``."""


class Live(NamedTuple):
    """An object that is there."""

    object: Object
    owner: str = ""
    updater: str = ""
    """Who wrote it last. Empty where the service does not tell."""

    created: datetime | None = None
    modified: datetime | None = None
    """None where the service does not tell."""

    mark: Mark | None = None
    schema: str | None = None


def version_of(side: Desired | Live) -> str | None:
    """
    Return the plain name of an object that is one version of a content, or None.

    The digest in its name must be that of its mark: a name that somebody chose may look alike.
    """
    if side.mark is None or side.mark.sha256 is None:
        return None
    return side.object.kind.version_of(side.object.name, side.mark.sha256)


DesiredState: TypeAlias = "Mapping[Key, Desired]"
LiveState: TypeAlias = "Mapping[Key, Live]"
