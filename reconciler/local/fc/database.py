"""
Database of the local Function Compute: every object is a document, with the blob of its code where it has one.

An object has a kind, a parent (of a version its function, of an object of OSS its bucket, else none) and a name within it; numbers
are names with zeros before them, so that the order of names is theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.local.storage.transactions import TransactionStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_TABLES = {
    1: """
CREATE TABLE documents (
    kind TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
    sha256 TEXT, size INTEGER NOT NULL, checksum TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL,
    PRIMARY KEY (kind, parent, name)
) WITHOUT ROWID;
CREATE INDEX documents_by_blob ON documents (sha256);
"""
}
_COLUMNS = "kind, parent, name, document, sha256, size, checksum, created, modified"


@dataclass(frozen=True)
class StoredCode:
    """The blob of a ZIP file or of an object of OSS."""

    sha256: str | None
    """None for no bytes at all, of which there is no blob."""
    size: int
    checksum: str
    """CRC-64 in decimal."""


NO_CODE = StoredCode(None, 0, "0")


@dataclass(frozen=True, kw_only=True)
class StoredDocument:
    """One object of whatever kind."""

    kind: str
    parent: str = ""
    name: str
    document: dict[str, Any] = field(default_factory=dict)
    """What was sent of it, in the API's own form, and what we remember beside it under keys that begin with ``_``."""
    code: StoredCode = NO_CODE
    created: float
    modified: float


def new_document(
    kind: str, name: str, document: dict[str, Any], now: float, parent: str = "", code: StoredCode = NO_CODE
) -> StoredDocument:
    """Return an object as it is made."""
    return StoredDocument(kind=kind, parent=parent, name=name, document=document, code=code, created=now, modified=now)


class FcRecords:
    """The SQL of one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._unused: set[str] = set()

    @property
    def unused_blobs(self) -> set[str]:
        """Blobs that something stopped referring to."""
        return self._unused

    def is_used(self, sha256: str) -> bool:
        """Whether any document refers to the blob."""
        return self._db.execute("SELECT 1 FROM documents WHERE sha256 = ? LIMIT 1", (sha256,)).fetchone() is not None

    def find(self, kind: str, name: str, parent: str = "") -> StoredDocument | None:
        """Return an object by its name."""
        sql = f"SELECT {_COLUMNS} FROM documents WHERE (kind, parent, name) = (?, ?, ?)"
        row = self._db.execute(sql, (kind, parent, name)).fetchone()
        return _document(row) if row else None

    def add(self, record: StoredDocument) -> bool:
        """Add an object; False when its name is taken."""
        places = ", ".join("?" * 9)
        sql = f"INSERT INTO documents ({_COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING"
        return self._db.execute(sql, _row(record)).rowcount > 0

    def put(self, record: StoredDocument) -> None:
        """Add an object, or write over the one of its name."""
        before = self.find(record.kind, record.name, record.parent)
        if before is not None and before.code.sha256 != record.code.sha256:
            self._let_go(before)
        self._db.execute(f"REPLACE INTO documents ({_COLUMNS}) VALUES ({', '.join('?' * 9)})", _row(record))

    def drop(self, kind: str, name: str, parent: str = "") -> bool:
        """Remove an object; False when there is none."""
        before = self.find(kind, name, parent)
        if before is None:
            return False
        self._let_go(before)
        self._db.execute("DELETE FROM documents WHERE (kind, parent, name) = (?, ?, ?)", (kind, parent, name))
        return True

    def each(
        self, kind: str, parent: str | None = "", *, start: str = "", prefix: str = ""
    ) -> Iterator[StoredDocument]:
        """Yield the objects of a parent, or of all when it is None, by name, from the one named `start`."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM documents WHERE kind = ? AND (? IS NULL OR parent = ?) AND name >= ? "
            "AND substr(name, 1, length(?)) = ? ORDER BY parent, name",
            (kind, parent, parent, max(start, prefix), prefix, prefix),
        )
        return map(_document, rows)

    def last(self, kind: str, parent: str) -> StoredDocument | None:
        """Return the object of a parent whose name is the greatest."""
        sql = f"SELECT {_COLUMNS} FROM documents WHERE (kind, parent) = (?, ?) ORDER BY name DESC LIMIT 1"
        row = self._db.execute(sql, (kind, parent)).fetchone()
        return _document(row) if row else None

    def _let_go(self, record: StoredDocument) -> None:
        if record.code.sha256 is not None:
            self._unused.add(record.code.sha256)


def _row(record: StoredDocument) -> tuple[object, ...]:
    code = record.code
    text = json.dumps(record.document, ensure_ascii=False, separators=(",", ":"))
    key = record.kind, record.parent, record.name
    return (*key, text, code.sha256, code.size, code.checksum, record.created, record.modified)


def _document(row: tuple[Any, ...]) -> StoredDocument:
    kind, parent, name, text, sha256, size, checksum, created, modified = row
    return StoredDocument(
        kind=kind,
        parent=parent,
        name=name,
        document=json.loads(text),
        code=StoredCode(sha256, size, checksum),
        created=created,
        modified=modified,
    )


def padded_number(number: int) -> str:
    """Return a number as a name whose order is that of the numbers."""
    return f"{number:012d}"


class FcStore(TransactionStore[FcRecords]):
    """Functions, layers and objects in a directory."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        super().__init__(directory / "fc.db", FcRecords, _TABLES, sync=sync)
