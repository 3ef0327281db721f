"""Changes of a lock file, and packages for other programs, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.packages.lock.file import LockChange


class LockMoveDocument(Model):
    """A distribution of a package group that is new, gone, or another file."""

    package: str
    runtime: str
    name: str
    before: str | None = Field(None, description="Its version in the lock as it was.")
    after: str | None = Field(None, description="Its version in the lock as it is.")
    file: str | None = None
    sha256: str | None = None
    size: int | None = Field(None, description="Bytes, if the index says so.")


class LockDocument(Model):
    """What `udfs lock` did."""

    format: Literal["udfs.lock-changes/1"] = "udfs.lock-changes/1"
    stack: str
    lock: str
    written: bool
    changes: tuple[LockMoveDocument, ...]


def lock_document(stack: str, lock_file: str, moves: Iterable[LockChange], *, written: bool) -> LockDocument:
    return LockDocument(stack=stack, lock=lock_file, written=written, changes=tuple(map(_move_document, moves)))


def _move_document(move: LockChange) -> LockMoveDocument:
    before, after = move.before, move.after
    versions = {"before": before and before.version, "after": after and after.version}
    return LockMoveDocument.of(move, after, **versions)


class ExportDocument(Model):
    """What a job needs to use a package."""

    format: Literal["udfs.export/1"] = "udfs.export/1"
    stack: str
    package: str
    python: str
    resources: tuple[str, ...]
    requirements: tuple[str, ...]
    prefer_binary: bool
    pre_release: bool
    code: str = Field(description="A Python module.")
