"""
Database of the server: its records, its tables, and the SQL of one transaction.

The columns of a table are a key, made of names without their case, and the fields of its record. Every method of `Records`
runs inside the transaction of its caller.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reconciler.local.server.protocol import same_name
from reconciler.local.server.table_rows import TableRows
from reconciler.local.sql.catalog import TableColumn, TableDefinition
from reconciler.local.storage.blobs import Segment
from reconciler.local.storage.transactions import TransactionStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TABLES = """
CREATE TABLE projects (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE schemas (
    project TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, description TEXT,
    created REAL NOT NULL, UNIQUE (project, key)
);
CREATE TABLE resources (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, schema TEXT NOT NULL, key TEXT NOT NULL,
    name TEXT NOT NULL, owner TEXT NOT NULL, updator TEXT NOT NULL, type TEXT NOT NULL, comment TEXT,
    temporary INTEGER NOT NULL, part INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT,
    source TEXT, created REAL NOT NULL, modified REAL NOT NULL,
    UNIQUE (project, schema, key)
);
CREATE TABLE segments (
    resource INTEGER NOT NULL, position INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (resource, position)
) WITHOUT ROWID;
CREATE INDEX segments_by_blob ON segments (sha256);
CREATE TABLE functions (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, schema TEXT NOT NULL, key TEXT NOT NULL,
    name TEXT NOT NULL, owner TEXT NOT NULL, class_type TEXT, resources TEXT NOT NULL, extras TEXT NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL,
    UNIQUE (project, schema, key)
);
"""
_ADDED = """
CREATE TABLE tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, schema TEXT NOT NULL, key TEXT NOT NULL,
    name TEXT NOT NULL, owner TEXT NOT NULL, definition TEXT NOT NULL,
    created REAL NOT NULL, altered REAL NOT NULL, modified REAL NOT NULL,
    UNIQUE (project, schema, key)
);
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, key TEXT NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL, UNIQUE (table_id, key)
);
CREATE TABLE row_files (
    id INTEGER PRIMARY KEY, partition_id INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    rows INTEGER NOT NULL
);
CREATE INDEX row_files_by_partition ON row_files (partition_id);
CREATE INDEX row_files_by_blob ON row_files (sha256);
"""
"""What version 2 has beside version 1: a store of before gets it when it is opened."""

TABLES = {1: _TABLES, 2: _ADDED}


@dataclass(frozen=True)
class Location:
    """Where objects live. Both names compare without case; `schema` is ``default`` when no schema was named."""

    project: str
    schema: str = "default"

    @property
    def keys(self) -> tuple[str, str]:
        """What two spellings of one place have in common."""
        return same_name(self.project), same_name(self.schema)


NOWHERE = Location("")
"""Where projects are."""


@dataclass(frozen=True, kw_only=True)
class StoredProject:
    name: str
    owner: str
    created: float


@dataclass(frozen=True, kw_only=True)
class StoredSchema:
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
    comment: str | None = None
    temporary: bool = False
    part: bool = False
    size: int = 0
    md5: str | None = None
    source: str | None = None
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
    name: str
    owner: str
    class_type: str | None
    resources: tuple[StoredReference, ...]
    extras: tuple[tuple[str, str], ...]
    """The elements only SQL and embedded functions have, as sent."""
    created: float
    modified: float


@dataclass(frozen=True, kw_only=True)
class StoredTable:
    """Everything about a table or a view but its rows."""

    name: str
    owner: str
    definition: TableDefinition
    created: float
    altered: float
    """When its definition was last changed."""
    modified: float
    """When its rows were."""


T = TypeVar("T", bound=StoredProject | StoredSchema | StoredResource | StoredFunction | StoredTable)

# What SQLite keeps as a number or as JSON.
_READ: dict[str, Callable[[Any], object]] = {
    "temporary": bool,
    "part": bool,
    "resources": lambda text: tuple(StoredReference(*parts) for parts in json.loads(text)),
    "extras": lambda text: tuple(map(tuple, json.loads(text))),
    "definition": lambda text: _definition(*json.loads(text)),
}


def _definition(columns: Any, keys: Any, comment: str, lifecycle: int | None, view: str, more: Any) -> TableDefinition:
    read = [tuple(TableColumn(*column) for column in part) for part in (columns, keys)]
    return TableDefinition(read[0], read[1], comment, lifecycle, view, tuple(map(tuple, more)))


class RecordTable(Generic[T]):
    """The SQL of a table of records."""

    def __init__(self, name: str, record: type[T], *key: str, listed: str = "") -> None:
        self._record = record
        self._names = [field.name for field in fields(record)]
        self._converted = [(name, _READ[name]) for name in self._names if name in _READ]
        self.name = name
        self.noun = name.removesuffix("s")
        """What one of them is called in messages."""
        self.depth = len(key)
        """How many parts of a location the key begins with."""
        key = (*key, "key")
        columns, condition = ", ".join(self._names), " AND ".join(f"{part} = ?" for part in key)
        self.each = f"SELECT {columns}, key FROM {name}"
        self.find = f"{self.each} WHERE {condition}"
        self.behind = f"{self.find.removesuffix('= ?')}> ?{listed} ORDER BY key"
        self.identify = f"SELECT id FROM {name} WHERE {condition}"
        places = ", ".join("?" * (len(key) + len(self._names)))
        self.add = f"INSERT INTO {name} ({', '.join(key)}, {columns}) VALUES ({places}) ON CONFLICT DO NOTHING"
        self.replace = f"UPDATE {name} SET ({columns}) = ({', '.join('?' * len(self._names))}) WHERE {condition}"
        self.drop = f"DELETE FROM {name} WHERE {condition}"

    def record(self, row: tuple[Any, ...]) -> T:
        """Return a row of `each`, `find` or `behind` as a record."""
        values = dict(zip(self._names, row, strict=False))  # the last one is the key
        for name, read in self._converted:
            values[name] = read(values[name])
        return self._record(**values)

    def values(self, record: T) -> list[Any]:
        """Return a record as the columns after the key."""
        return [json.dumps(value) if isinstance(value, tuple) else value for value in astuple(record)]


PROJECTS = RecordTable("projects", StoredProject)
SCHEMAS = RecordTable("schemas", StoredSchema, "project")
RESOURCES = RecordTable("resources", StoredResource, "project", "schema", listed=" AND NOT temporary AND NOT part")
FUNCTIONS = RecordTable("functions", StoredFunction, "project", "schema")
TABLES_OF_ROWS = RecordTable("tables", StoredTable, "project", "schema")


class Records:
    """The SQL of one transaction. Whatever has a name is found however it is spelled."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.rows = TableRows(db)
        self._unused: set[str] = set()

    @property
    def unused_blobs(self) -> set[str]:
        """Blobs that something stopped referring to."""
        return self._unused | self.rows.unused

    def find(self, table: RecordTable[T], name: str, location: Location = NOWHERE) -> T | None:
        """Return a record by its name."""
        row = self._db.execute(table.find, _key(table, name, location)).fetchone()
        return table.record(row) if row else None

    def behind(self, table: RecordTable[T], after: str, location: Location = NOWHERE) -> Iterator[tuple[str, T]]:
        """Yield the records that a list shows, by key, those behind `after`."""
        for row in self._db.execute(table.behind, (*location.keys[: table.depth], after)):
            yield row[-1], table.record(row)

    def each(self, table: RecordTable[T]) -> Iterator[T]:
        """Yield the records of all places."""
        yield from map(table.record, self._db.execute(table.each))

    def add(self, table: RecordTable[T], record: T, location: Location = NOWHERE) -> bool:
        """Add a record; False when its name is taken, and nothing is changed."""
        values = (*_key(table, record.name, location), *table.values(record))
        return self._db.execute(table.add, values).rowcount > 0

    def replace(self, table: RecordTable[T], record: T, location: Location) -> None:
        """Write over a record that exists."""
        self._db.execute(table.replace, (*table.values(record), *_key(table, record.name, location)))

    def rename(self, table: RecordTable[T], name: str, new: str, location: Location) -> None:
        """Let a record be found by another name; the record itself is to be replaced, too."""
        sql = f"UPDATE {table.name} SET key = ? WHERE id = ({table.identify})"
        self._db.execute(sql, (same_name(new), *_key(table, name, location)))

    def drop(self, table: RecordTable[T], name: str, location: Location) -> bool:
        """Remove a record; False when there is none."""
        return self._db.execute(table.drop, _key(table, name, location)).rowcount > 0

    def is_empty(self, location: Location) -> bool:
        """Whether nothing lives at `location`."""
        cursor = self._db.execute(
            "SELECT 1 FROM resources WHERE (project, schema) = (?, ?) UNION ALL "
            "SELECT 1 FROM functions WHERE (project, schema) = (?, ?) UNION ALL "
            "SELECT 1 FROM tables WHERE (project, schema) = (?, ?) LIMIT 1",
            location.keys * 3,
        )
        return cursor.fetchone() is None

    def table_id(self, name: str, location: Location) -> int:
        """Return the id of a table that is there."""
        key = _key(TABLES_OF_ROWS, name, location)
        return int(self._db.execute(TABLES_OF_ROWS.identify, key).fetchone()[0])

    # The content of resources

    def segments(self, name: str, location: Location) -> tuple[Segment, ...]:
        """Return the content of a resource."""
        cursor = self._db.execute(
            f"SELECT sha256, size FROM segments WHERE resource = ({RESOURCES.identify}) ORDER BY position",
            _key(RESOURCES, name, location),
        )
        return tuple(Segment(sha256, size) for sha256, size in cursor)

    def set_segments(self, name: str, location: Location, segments: tuple[Segment, ...]) -> None:
        """Give a resource its content, in the place of what it had."""
        key = _key(RESOURCES, name, location)
        self._unused.update(segment.sha256 for segment in self.segments(name, location))
        self._db.execute(f"DELETE FROM segments WHERE resource = ({RESOURCES.identify})", key)
        self._db.executemany(
            f"INSERT INTO segments VALUES (({RESOURCES.identify}), ?, ?, ?)",
            [(*key, position, segment.sha256, segment.size) for position, segment in enumerate(segments)],
        )

    def drop_resource(self, name: str, location: Location) -> None:
        """Remove a resource and its content."""
        self.set_segments(name, location, ())
        self.drop(RESOURCES, name, location)

    def is_used(self, sha256: str) -> bool:
        """Whether any resource or table refers to the blob."""
        used = "SELECT 1 FROM segments WHERE sha256 = ? UNION ALL SELECT 1 FROM row_files WHERE sha256 = ? LIMIT 1"
        return self._db.execute(used, (sha256, sha256)).fetchone() is not None


class ServerStore(TransactionStore[Records]):
    """Projects, resources, functions and tables in a directory."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        super().__init__(directory / "maxcompute.db", Records, TABLES, sync=sync)


def _key(table: RecordTable[T], name: str, location: Location) -> tuple[str, ...]:
    return (*location.keys[: table.depth], same_name(name))
