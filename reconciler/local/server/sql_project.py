"""Project of a job of SQL: functions with their resources, tables, and CPythons."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.local import runner
from reconciler.local.server.database import FUNCTIONS, RESOURCES, Location
from reconciler.local.server.resources import FILE_TYPES, table_of
from reconciler.local.server.table_handlers import partition_of
from reconciler.local.sql.catalog import PLAIN_NAMES, SessionNames
from reconciler.local.sql.control import KnownTable
from reconciler.local.sql.problems import SqlFailed, internal_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.local.runner import Interpreter, Job, ResourceFile
    from reconciler.local.server.catalog import StoreCatalog
    from reconciler.local.server.database import Records, StoredFunction, StoredReference
    from reconciler.local.server.service import LocalService
    from reconciler.local.sql.catalog import TableDefinition, TableName


@dataclass(frozen=True)
class FunctionNames(Collection[str]):
    """The functions a statement can call, by names without their case; those of other places by ``project.function``."""

    project: JobProject
    folded: frozenset[str]

    def __contains__(self, name: object) -> bool:
        if name in self.folded:
            return True
        return isinstance(name, str) and "." in name and self.project.function_record(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.folded)

    def __len__(self) -> int:
        return len(self.folded)


@dataclass(frozen=True)
class JobProject:
    """The project of one job."""

    service: LocalService
    location: Location
    catalog: StoreCatalog
    names: SessionNames = PLAIN_NAMES

    def in_session(self, names: SessionNames) -> JobProject:
        """Return the same with names read as a session reads them."""
        return replace(
            self, names=names, location=Location(self.location.project, names.schema or self.location.schema)
        )

    def functions(self) -> Collection[str]:
        """Return the names of the functions."""
        with self.service.store.reading() as rows:
            return FunctionNames(self, frozenset(key for key, _ in rows.behind(FUNCTIONS, "", self.location)))

    def function_record(self, name: str) -> tuple[StoredFunction, Location] | None:
        """Return a function by its name, which may have a project and a schema; None if there is none."""
        *parents, function = name.split(".")
        whole = self.catalog.full_name((*parents, function), self.names)
        location = Location(whole.project, whole.schema) if parents else self.location
        with self.service.store.reading() as rows:
            record = rows.find(FUNCTIONS, function, location)
        return None if record is None else (record, location)

    def full_name(self, parts: tuple[str, ...]) -> TableName:
        """Return the whole name that the parts of a table's mean."""
        return self.catalog.full_name(parts, self.names)

    def view(self, parts: tuple[str, ...]) -> tuple[TableName, TableDefinition] | None:
        """Return a view by the parts of its name, None if it is none."""
        name = self.full_name(parts)
        definition = self.catalog.definition(name)
        return (name, definition) if definition is not None and definition.view else None

    def table(self, parts: tuple[str, ...], connection: Any) -> Any | None:
        """Return what DuckDB reads a table's rows from, None if there is no table of that name."""
        try:
            provided = self.service.tables.arrow(self.location.project, parts, connection)
            if provided is not None:
                return provided
            name = self.full_name(parts)
            return None if self.catalog.definition(name) is None else self.catalog.scan(name)
        except SqlFailed:
            raise
        except Exception as error:
            # The rows come from whoever provided the table, with errors of their own.
            raise internal_failure(f"table {'.'.join(parts)} cannot be read: {error}") from error

    def known_table(self, parts: tuple[str, ...]) -> KnownTable | None:
        """Return what a table has, by the parts of its name, None if there is none."""
        provided = self.service.tables.find(self.location.project, parts)
        if provided is not None:
            return KnownTable(dict(provided[1].columns))
        name = self.full_name(parts)
        definition = self.catalog.definition(name)
        if definition is None or definition.view:
            return None
        keys = frozenset(key.name.lower() for key in definition.keys)
        return KnownTable({column.name: column.type for column in definition.all_columns}, keys, name.project)

    def job(self, function: str, runtime: str, folder: Path) -> Job:
        """Return what runs a function, with what the store holds of its resources."""
        named = self.function_record(function)
        if named is None or named[0].class_type is None:
            raise runner.FunctionNotLoadable("it is no Python function")
        record = named[0]
        with self.service.store.reading() as rows:
            files = tuple(
                self._resource(rows, reference, folder / f"resource {number}")
                for number, reference in enumerate(record.resources)
            )
        return runner.Job(record.class_type or "", files, runtime)

    def _resource(self, rows: Records, reference: StoredReference, path: Path) -> ResourceFile:
        resource = rows.find(RESOURCES, reference.name, reference.location)
        if resource is None:
            raise runner.FunctionNotLoadable(f"its resource {reference.name} is not there")
        if resource.type == "table":
            return self._table_resource(resource.name, resource.source or "", reference.location)
        if resource.type not in FILE_TYPES:
            raise runner.FunctionNotLoadable(
                f"its resource {resource.name} is a {resource.type}, which has no file here"
            )
        with path.open("wb") as whole:
            for file in self.service.store.blobs.open(rows.segments(reference.name, reference.location)):
                with file:
                    shutil.copyfileobj(file, whole, 1 << 20)
        return runner.ResourceFile(resource.name, resource.type, path)  # type: ignore[arg-type]

    def _table_resource(self, resource: str, source: str, location: Location) -> ResourceFile:
        """Lay out a table resource: the whole rows of a provided table, those of a stored one without partition keys (a guess)."""
        parts = table_of(source).split(".")
        provided = self.service.tables.find(location.project, parts)
        if provided is not None:
            table = provided[1]
            types = tuple(kind for _, kind in table.columns)
            return runner.ResourceFile(resource, "table", None, runner.TableResource(types, table.rows))
        name = self.full_name(tuple(parts))
        definition = self.catalog.definition(name)
        if definition is None or definition.view:
            return runner.ResourceFile(resource, "table", None)
        names, types = zip(*((column.name, column.type) for column in definition.columns), strict=True)
        values = partition_of(source, definition)
        return runner.ResourceFile(
            resource, "table", None, runner.TableResource(types, lambda: self.catalog.rows(name, names, values))
        )

    def interpreter(self, job: Job) -> Interpreter:
        """Return the CPython of a job's runtime; for pure code of the newest one, this program's own may stand in."""
        pure = not any(
            candidate.type in {"archive", "jar"} or runner.is_extension(candidate.name) for candidate in job.resources
        )
        stand_in = Path(sys.executable) if pure and job.runtime == "cp311" else None
        return runner.locate(job.runtime, self.service.environment, None, stand_in)
