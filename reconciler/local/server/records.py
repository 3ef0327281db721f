"""Records of the server: projects, schemas, resources and functions, as values."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.local.server.protocol import same_name


@dataclass(frozen=True)
class Location:
    """Where objects live. Both names compare without case; `schema` is ``default`` when no schema was named."""

    project: str
    schema: str = "default"

    @property
    def keys(self) -> tuple[str, str]:
        """What two spellings of one place have in common."""
        return same_name(self.project), same_name(self.schema)


@dataclass(frozen=True, kw_only=True)
class StoredProject:
    """A project."""

    name: str
    owner: str
    created: float


@dataclass(frozen=True, kw_only=True)
class StoredSchema:
    """A schema of a project."""

    name: str
    owner: str
    description: str | None
    created: float


@dataclass(frozen=True, kw_only=True)
class StoredResource:
    """Everything about a resource but its bytes."""

    name: str
    owner: str
    updator: str
    type: str
    comment: str | None
    temporary: bool
    part: bool
    size: int
    md5: str | None
    source: str | None
    """The table or volume file it points at."""
    created: float
    modified: float

    @property
    def is_hidden(self) -> bool:
        """Temporary resources and parts are addressable but not listed."""
        return self.temporary or self.part


@dataclass(frozen=True)
class StoredReference:
    """A resource that a function names."""

    project: str
    schema: str
    name: str

    @property
    def location(self) -> Location:
        """Where the resource should be."""
        return Location(self.project, self.schema)


@dataclass(frozen=True, kw_only=True)
class StoredFunction:
    """A registered function."""

    name: str
    owner: str
    class_type: str | None
    resources: tuple[StoredReference, ...]
    extras: tuple[tuple[str, str], ...]
    """The elements only SQL and embedded functions have, as sent."""
    created: float
    modified: float
