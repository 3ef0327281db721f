"""Reports of applies and listings: values that ``engine`` and ``workflow`` make and ``render`` shows."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.base.errors import UdfsError
    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.state import Live
    from reconciler.packages.artifacts import Archive
    from reconciler.packages.content import Content


class Outcome(enum.Enum):
    """What became of one change."""

    DONE = "done"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class StepBegun(NamedTuple):
    """A change that is being made."""

    change: Change


class StepEnded(NamedTuple):
    """What became of a change."""

    change: Change
    outcome: Outcome
    error: UdfsError | None = None


class EntryBegun(NamedTuple):
    """A pipeline turns to a manifest and target."""

    command: str
    manifest: str
    target: str | None


class EntryEnded(NamedTuple):
    """What came of a manifest and target."""

    command: str
    manifest: str
    target: str | None
    outcome: str
    exit_code: int


@dataclass(frozen=True)
class SourceChange:
    """A text that a plan changes."""

    name: str
    """Without its version."""

    old: str
    new: str

    @property
    def backwards(self) -> SourceChange:
        """The same, seen from the other side."""
        return SourceChange(self.name, self.new, self.old)


@dataclass(frozen=True)
class Upload:
    """A file as it would be uploaded."""

    name: str
    """Of the resource."""

    type: str
    content: Content
    functions: tuple[str, ...]
    """Those that list it."""

    archive: Archive | None = None
    """What it is made of, if it is of a package."""

    source: tuple[str, int] | None = None
    """Of a module that something was added to: the path of its source, and how many lines were added."""


@dataclass(frozen=True)
class PackageExport:
    """A package as code for jobs that are not functions."""

    stack: str
    package: str
    python: str
    resources: tuple[str, ...]
    requirements: tuple[str, ...]
    prefer_binary: bool
    pre_release: bool
    code: str


@dataclass(frozen=True)
class ImportedObject:
    """An object that was written into a manifest."""

    key: Key
    text: str
    """What people are told of it, behind its name."""

    fields: Mapping[str, Any]
    """The same for programs, its name included."""

    size: int = 0
    """Bytes that were fetched."""


@dataclass(frozen=True)
class LeftOut:
    """An object that is not written into the manifest, and why."""

    key: Key
    reason: str


@dataclass(frozen=True)
class Imported:
    """What an import has written."""

    manifest: str
    functions: tuple[ImportedObject, ...]
    resources: tuple[ImportedObject, ...]
    left_out: tuple[LeftOut, ...]
    present: tuple[Key, ...]
    pythons: tuple[str, ...] = ()
    """The Python that each function is taken to be for."""

    lost_comments: tuple[Key, ...] = ()
    """Of which the manifest cannot have the comment, which adopting then takes away."""

    unproven: tuple[Key, ...] = ()
    """Files of which the service tells no checksum: only their size was compared."""

    @property
    def is_empty(self) -> bool:
        return not self.functions and not self.resources

    @property
    def keys(self) -> tuple[Key, ...]:
        """What was asked for and is in the manifest."""
        return (*(obj.key for obj in (*self.functions, *self.resources)), *self.present)


@dataclass(frozen=True)
class Report:
    """What an apply did."""

    outcomes: tuple[tuple[Change, Outcome], ...]
    """In the plan's order."""

    observed: Mapping[Key, Live] = field(default_factory=dict)
    """What was seen of the objects after they were written."""

    error: UdfsError | None = None
    interrupted: bool = False

    @property
    def done(self) -> tuple[Change, ...]:
        return tuple(change for change, outcome in self.outcomes if outcome is Outcome.DONE)

    @property
    def complete(self) -> bool:
        return all(outcome is Outcome.DONE for _, outcome in self.outcomes)


@dataclass(frozen=True)
class Deployed:
    """One function as it is in the project."""

    function: Live
    resources: tuple[Live, ...]
    absent: tuple[str, ...]
    """What the function lists and the project does not hold."""

    settings: tuple[tuple[str, str], ...]
    """What an SQL script has to SET before it calls the function."""

    description: str
