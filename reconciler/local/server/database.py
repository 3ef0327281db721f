"""
Database of the server: its tables, and the SQL of one transaction.

Every method runs inside the transaction of its caller; what it returns are records.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from reconciler.local.server.blobs import BlobContent, Segment
from reconciler.local.server.protocol import same_name
from reconciler.local.server.records import (
    Location,
    StoredFunction,
    StoredProject,
    StoredReference,
    StoredResource,
    StoredSchema,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

VERSION = 1
TABLES = """
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

# Columns in the order of the fields of `StoredResource` and `StoredFunction`.
_RESOURCE = "name, owner, updator, type, comment, temporary, part, size, md5, source, created, modified"
_FUNCTION = "name, owner, class_type, resources, extras, created, modified"
_AT = "project = ? AND schema = ? AND key = ?"


class Records:
    """The SQL of one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.unused: set[str] = set()
        """Blobs that something stopped referring to."""

    # Projects and schemas

    def project(self, name: str) -> StoredProject | None:
        """The project, however it is spelled."""
        row = self._one("SELECT name, owner, created FROM projects WHERE key = ?", same_name(name))
        return StoredProject(name=row[0], owner=row[1], created=row[2]) if row else None

    def projects(self, after: str) -> Iterator[tuple[str, StoredProject]]:
        """Projects by key, those behind `after`."""
        for key, name, owner, created in self._db.execute(
            "SELECT key, name, owner, created FROM projects WHERE key > ? ORDER BY key", (after,)
        ):
            yield key, StoredProject(name=name, owner=owner, created=created)

    def add_project(self, project: StoredProject) -> None:
        """Add a project; one that is there already stays as it is."""
        self._db.execute(
            "INSERT OR IGNORE INTO projects VALUES (?, ?, ?, ?)",
            (same_name(project.name), project.name, project.owner, project.created),
        )

    def schema(self, location: Location) -> StoredSchema | None:
        """The schema that `location` names."""
        row = self._one(
            "SELECT name, owner, description, created FROM schemas WHERE project = ? AND key = ?", *location.keys
        )
        return StoredSchema(name=row[0], owner=row[1], description=row[2], created=row[3]) if row else None

    def schemas(self, location: Location, after: str) -> Iterator[tuple[str, StoredSchema]]:
        """The schemas of the project by key, those behind `after`."""
        for key, name, owner, description, created in self._db.execute(
            "SELECT key, name, owner, description, created FROM schemas WHERE project = ? AND key > ? ORDER BY key",
            (location.keys[0], after),
        ):
            yield key, StoredSchema(name=name, owner=owner, description=description, created=created)

    def add_schema(self, project: str, schema: StoredSchema) -> bool:
        """Add a schema; False when its name is taken."""
        return self._changes_row(
            "INSERT INTO schemas VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            same_name(project),
            same_name(schema.name),
            schema.name,
            schema.owner,
            schema.description,
            schema.created,
        )

    def drop_schema(self, location: Location) -> bool:
        """Remove a schema; False when there is none."""
        return self._changes_row("DELETE FROM schemas WHERE project = ? AND key = ?", *location.keys)

    def is_empty(self, location: Location) -> bool:
        """Whether nothing lives at `location`."""
        return not self._one(
            "SELECT 1 FROM resources WHERE (project, schema) = (?, ?) UNION ALL "
            "SELECT 1 FROM functions WHERE (project, schema) = (?, ?) LIMIT 1",
            *location.keys,
            *location.keys,
        )

    # Resources

    def resource(self, location: Location, name: str) -> StoredResource | None:
        """The resource, however it is spelled."""
        row = self._one(f"SELECT {_RESOURCE} FROM resources WHERE {_AT}", *location.keys, same_name(name))
        return _resource(row) if row else None

    def resources(self, location: Location, after: str) -> Iterator[tuple[str, StoredResource]]:
        """The resources a list shows, by key, those behind `after`."""
        for row in self._db.execute(
            f"SELECT {_RESOURCE}, key FROM resources WHERE project = ? AND schema = ? AND key > ?"
            " AND NOT temporary AND NOT part ORDER BY key",
            (*location.keys, after),
        ):
            yield row[-1], _resource(row)

    def segments(self, location: Location, name: str) -> tuple[Segment, ...]:
        """The content of a resource."""
        cursor = self._db.execute(
            "SELECT sha256, size FROM segments "
            f"WHERE resource = (SELECT id FROM resources WHERE {_AT}) ORDER BY position",
            (*location.keys, same_name(name)),
        )
        return tuple(Segment(sha256, size) for sha256, size in cursor)

    def add_resource(self, location: Location, resource: StoredResource, content: BlobContent) -> None:
        """Add a resource under a name that is free."""
        self._db.execute(
            f"INSERT INTO resources (project, schema, key, {_RESOURCE}) VALUES (?, ?, ?{', ?' * 12})",
            (*location.keys, same_name(resource.name), *astuple(resource)),
        )
        self._add_segments(location, resource.name, content)

    def replace_resource(
        self, location: Location, resource: StoredResource, content: BlobContent | None = None
    ) -> None:
        """Write over a resource that exists; its content stays when none is given."""
        self._db.execute(
            f"UPDATE resources SET ({_RESOURCE}) = (?{', ?' * 11}) WHERE {_AT}",
            (*astuple(resource), *location.keys, same_name(resource.name)),
        )
        if content is not None:
            self._drop_segments(location, resource.name)
            self._add_segments(location, resource.name, content)

    def drop_resource(self, location: Location, name: str) -> None:
        """Remove a resource."""
        self._drop_segments(location, name)
        self._db.execute(f"DELETE FROM resources WHERE {_AT}", (*location.keys, same_name(name)))

    def is_used(self, sha256: str) -> bool:
        """Whether any resource refers to the blob."""
        return self._one("SELECT 1 FROM segments WHERE sha256 = ? LIMIT 1", sha256) is not None

    def _add_segments(self, location: Location, name: str, content: BlobContent) -> None:
        (resource,) = self._one(f"SELECT id FROM resources WHERE {_AT}", *location.keys, same_name(name)) or (None,)
        self._db.executemany(
            "INSERT INTO segments VALUES (?, ?, ?, ?)",
            [(resource, position, part.sha256, part.size) for position, part in enumerate(content.segments)],
        )

    def _drop_segments(self, location: Location, name: str) -> None:
        self.unused.update(segment.sha256 for segment in self.segments(location, name))
        self._db.execute(
            f"DELETE FROM segments WHERE resource = (SELECT id FROM resources WHERE {_AT})",
            (*location.keys, same_name(name)),
        )

    # Functions

    def function(self, location: Location, name: str) -> StoredFunction | None:
        """The function, however it is spelled."""
        row = self._one(f"SELECT {_FUNCTION} FROM functions WHERE {_AT}", *location.keys, same_name(name))
        return _function(row) if row else None

    def functions(self, location: Location, after: str) -> Iterator[tuple[str, StoredFunction]]:
        """The functions at `location` by key, those behind `after`."""
        for row in self._db.execute(
            f"SELECT {_FUNCTION}, key FROM functions WHERE project = ? AND schema = ? AND key > ? ORDER BY key",
            (*location.keys, after),
        ):
            yield row[-1], _function(row)

    def every_function(self) -> Iterator[StoredFunction]:
        """The functions of all projects."""
        for row in self._db.execute(f"SELECT {_FUNCTION} FROM functions"):
            yield _function(row)

    def add_function(self, location: Location, function: StoredFunction) -> None:
        """Add a function under a name that is free."""
        self._db.execute(
            f"INSERT INTO functions (project, schema, key, {_FUNCTION}) VALUES (?, ?, ?{', ?' * 7})",
            (*location.keys, same_name(function.name), *_function_values(function)),
        )

    def replace_function(self, location: Location, function: StoredFunction) -> None:
        """Write over a function that exists."""
        self._db.execute(
            f"UPDATE functions SET ({_FUNCTION}) = (?{', ?' * 6}) WHERE {_AT}",
            (*_function_values(function), *location.keys, same_name(function.name)),
        )

    def drop_function(self, location: Location, name: str) -> None:
        """Remove a function."""
        self._db.execute(f"DELETE FROM functions WHERE {_AT}", (*location.keys, same_name(name)))

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
        return row

    def _changes_row(self, sql: str, *values: object) -> bool:
        """Run `sql` and say whether it touched a row."""
        return self._db.execute(sql, values).rowcount > 0


def _resource(row: tuple[Any, ...]) -> StoredResource:
    name, owner, updator, kind, comment, temporary, part, size, md5, source, created, modified, *_ = row
    return StoredResource(
        name=name,
        owner=owner,
        updator=updator,
        type=kind,
        comment=comment,
        temporary=bool(temporary),
        part=bool(part),
        size=size,
        md5=md5,
        source=source,
        created=created,
        modified=modified,
    )


def _function(row: tuple[Any, ...]) -> StoredFunction:
    name, owner, class_type, resources, extras, created, modified, *_ = row
    return StoredFunction(
        name=name,
        owner=owner,
        class_type=class_type,
        resources=tuple(StoredReference(*parts) for parts in json.loads(resources)),
        extras=tuple((tag, value) for tag, value in json.loads(extras)),
        created=created,
        modified=modified,
    )


def _function_values(function: StoredFunction) -> tuple[object, ...]:
    return (
        function.name,
        function.owner,
        function.class_type,
        json.dumps([astuple(reference) for reference in function.resources]),
        json.dumps(function.extras),
        function.created,
        function.modified,
    )
