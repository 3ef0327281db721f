"""
Tables of the store, as the statements of one job see them: what is stored, and what the job has changed so far.

Rows are written to files at once and belong to nothing until `StoreCatalog.commit`, which is one transaction. What another job
did in the meantime is looked at there once more, so that of two that make one table exactly one succeeds.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from reconciler.local.server.database import PROJECTS, SCHEMAS, TABLES_OF_ROWS, Location, StoredTable
from reconciler.local.server.function_changes import FunctionChanges
from reconciler.local.server.protocol import same_name
from reconciler.local.sql.catalog import TableColumn, TableDefinition, TableFacts, TableName, WrittenRows
from reconciler.local.sql.problems import SqlFailed, semantic_failure, table_exists, unknown_partition, unknown_table
from reconciler.local.storage.blobs import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from reconciler.local.server.database import Records
    from reconciler.local.server.service import LocalService
    from reconciler.local.sql.catalog import PartitionValues, SessionNames
    from reconciler.local.storage.blobs import BlobContent, IncomingBlob


_ATTEMPTS = 5


@dataclass
class StoreCatalog:
    """The tables of a service for one job."""

    service: LocalService
    location: Location
    actor: str
    functions: FunctionChanges = field(init=False)
    _changes: list[Callable[[Records], None]] = field(default_factory=list)
    _changed: dict[tuple[str, ...], TableDefinition | None] = field(default_factory=dict)
    """Definitions that the job has set so far, None for a table that it dropped."""
    _written: set[tuple[str, ...]] = field(default_factory=set)
    """Tables whose rows the job has changed so far."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.functions = FunctionChanges(self.service, self.actor, self._changes)

    def close(self) -> None:
        """Let go of the files."""
        self._stack.close()

    def full_name(self, parts: Sequence[str], settings: SessionNames) -> TableName:
        """
        Return what a name means.

        ``a.b`` is a project's table, and a schema's where three levels are on [doc "Schema-related operations"].
        """
        schema = settings.schema or self.location.schema
        match tuple(parts):
            case (project, schema, name):
                pass
            case (schema, name) if settings.three_levels:
                project = self.location.project
            case (project, name):
                schema = settings.schema if settings.three_levels else "default"
            case _:
                project, name = self.location.project, parts[-1]
        return TableName(project, schema, name)

    def definition(self, name: TableName) -> TableDefinition | None:
        """Return a table's definition, None if there is none."""
        provided = self.service.tables.find(name.project, (name.schema, name.name))
        if provided is not None:
            return TableDefinition(tuple(TableColumn(column, kind) for column, kind in provided[1].columns))
        if (key := _key(name)) in self._changed:
            return self._changed[key]
        with self.service.store.reading() as rows:
            record = rows.find(TABLES_OF_ROWS, name.name, _location(name))
        return None if record is None else record.definition

    def is_provided(self, name: TableName) -> bool:
        """Whether it is a table that whoever runs the server provides."""
        return self.service.tables.find(name.project, (name.schema, name.name)) is not None

    def require_place(self, name: TableName) -> None:
        """Refuse a name whose project or schema is not there; the codes are those that dbt-maxcompute knows."""
        with self.service.store.reading() as rows:
            if rows.find(PROJECTS, name.project) is None:
                raise SqlFailed(f"ODPS-0420111:Project not found - '{name.project}'")
            if same_name(name.schema) != "default" and rows.find(SCHEMAS, name.schema, _location(name)) is None:
                raise SqlFailed(f"ODPS-0422155:Schema not found - '{name.schema}'")

    def names(self, project: str, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema, in order."""
        location = Location(project, schema)
        with self.service.store.reading() as rows:
            names = {key: record.name for key, record in rows.behind(TABLES_OF_ROWS, "", location)}
        for *parents, key in (key for key, definition in self._changed.items() if definition is not None):
            if tuple(parents) == location.keys:
                names.setdefault(key, key)
        provided = self.service.tables.names(project) if same_name(schema) == "default" else []
        return sorted({**{same_name(name): name for name in provided}, **names}.values(), key=same_name)

    def partitions(self, name: TableName) -> list[PartitionValues]:
        """Return a table's partitions, in order."""
        with self.service.store.reading() as rows:
            if rows.find(TABLES_OF_ROWS, name.name, _location(name)) is None:
                return []
            held = rows.rows.partitions(rows.table_id(name.name, _location(name)))
        return [partition.values for partition in held]

    def describe(self, name: TableName) -> TableFacts | None:
        """Return what is known of a table beside its definition; nothing of one that is provided."""
        with self.service.store.reading() as rows:
            record = rows.find(TABLES_OF_ROWS, name.name, _location(name))
            if record is None:
                return None
            held = rows.rows.partitions(rows.table_id(name.name, _location(name)))
        size, count = sum(partition.size for partition in held), sum(partition.rows for partition in held)
        return TableFacts(record.owner, record.created, record.altered, record.modified, size, count)

    def scan(self, name: TableName, values: PartitionValues | None = None) -> Any:
        """Return what DuckDB reads the rows of a table, or of one partition, from. Its files are open, so that they stay whatever others do."""
        from reconciler.local.sql import row_files  # pyarrow may not be there

        definition = self.definition(name)
        assert definition is not None
        if _key(name) in self._written:
            raise semantic_failure(
                None,
                f"table {name} is written and then read in one script [SET odps.sql.step.script.mode=true runs its "
                "statements one after the other]",
            )
        for attempt in range(_ATTEMPTS):
            try:
                return row_files.dataset(definition, self._open_files(name, values))
            except FileNotFoundError:  # replaced between looking it up and opening it
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def batches(self, name: TableName, columns: Sequence[str], values: PartitionValues | None = None) -> Iterator[Any]:
        """Yield a table's rows, or those of one partition, in the columns asked for, as Arrow batches."""
        from reconciler.local.sql import row_files

        definition = self.definition(name)
        if definition is None or definition.view:
            return iter(())
        if self.is_provided(name):
            with closing(row_files.open_scratch()) as connection:
                table = self.service.tables.arrow(name.project, (name.schema, name.name), connection)
            return iter(table.select(list(columns)).to_batches() if table is not None else ())
        return row_files.read_batches(self.scan(name, values), columns)

    def rows(
        self, name: TableName, columns: Sequence[str], values: PartitionValues | None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the same, row by row."""
        from reconciler.local.sql import row_files

        for batch in self.batches(name, columns, values):
            yield from row_files.read_rows([batch], batch.num_rows)

    def _open_files(self, name: TableName, values: PartitionValues | None) -> list[tuple[PartitionValues, BinaryIO]]:
        opened: list[tuple[PartitionValues, BinaryIO]] = []
        with self.service.store.reading() as rows:
            if rows.find(TABLES_OF_ROWS, name.name, _location(name)) is None:
                return opened
            for partition in rows.rows.partitions(rows.table_id(name.name, _location(name))):
                if values is not None and partition.values != values:
                    continue
                segments = [Segment(sha256, size) for sha256, size, _ in rows.rows.files(partition.id)]
                files = self.service.store.blobs.open(segments)
                opened += [(partition.values, self._stack.enter_context(file)) for file in files]
        return opened

    def create(self, name: TableName, definition: TableDefinition) -> None:
        """Make a table or view."""
        self._changed[_key(name)] = definition

        def change(rows: Records) -> None:
            now = self.service.now()
            record = StoredTable(
                name=name.name, owner=self.actor, definition=definition, created=now, altered=now, modified=now
            )
            if not rows.add(TABLES_OF_ROWS, record, _location(name)):
                raise table_exists(None, str(name))
            if not definition.keys and not definition.view:
                rows.rows.add_partition(rows.table_id(name.name, _location(name)), (), now)

        self._changes.append(change)

    def alter(self, name: TableName, definition: TableDefinition, new_name: str = "") -> None:
        """Give a table another definition or name."""
        renamed = replace(name, name=new_name or name.name)
        self._changed[_key(name)] = None
        self._changed[_key(renamed)] = definition

        def change(rows: Records) -> None:
            location, record = self._existing(rows, name)
            if (
                new_name
                and same_name(new_name) != same_name(name.name)
                and rows.find(TABLES_OF_ROWS, new_name, location)
            ):
                raise table_exists(None, str(renamed))
            altered = replace(record, name=renamed.name, definition=definition, altered=self.service.now())
            rows.rename(TABLES_OF_ROWS, name.name, altered.name, location)
            rows.replace(TABLES_OF_ROWS, altered, location)

        self._changes.append(change)

    def drop(self, name: TableName) -> None:
        """Remove a table or view with its rows."""
        self._changed[_key(name)] = None

        def change(rows: Records) -> None:
            location, _ = self._existing(rows, name)
            rows.rows.drop_partitions(rows.table_id(name.name, location))
            rows.drop(TABLES_OF_ROWS, name.name, location)

        self._changes.append(change)

    def add_partition(self, name: TableName, values: PartitionValues) -> None:
        """Make an empty partition; it may be there by then."""

        def change(rows: Records) -> None:
            location, record = self._existing(rows, name)
            rows.rows.add_partition(rows.table_id(name.name, location), values, self.service.now())
            rows.replace(TABLES_OF_ROWS, replace(record, altered=self.service.now()), location)

        self._changes.append(change)

    def drop_partition(self, name: TableName, values: PartitionValues) -> None:
        """Remove a partition with its rows."""
        self._written.add(_key(name))

        def change(rows: Records) -> None:
            location, record = self._existing(rows, name)
            if not rows.rows.drop_partition(rows.table_id(name.name, location), values):
                raise unknown_partition(None, str(name))
            rows.replace(TABLES_OF_ROWS, replace(record, altered=self.service.now()), location)

        self._changes.append(change)

    def write_rows(self, values: PartitionValues, write: Callable[[BinaryIO], int]) -> WrittenRows:
        """Let `write` fill a file with rows, and return it."""
        blob = self._stack.enter_context(self.service.store.blobs.upload(with_md5=False))
        count = write(cast("BinaryIO", blob))
        return WrittenRows(values, count, (blob, blob.finish(sync=self.service.settings.sync)))

    def put_rows(self, name: TableName, files: Sequence[WrittenRows], emptied: Sequence[PartitionValues]) -> None:
        """Add rows to a table's partitions, those in `emptied` without what they held."""
        definition = self.definition(name)
        self._written.add(_key(name))

        def change(rows: Records) -> None:
            location, record = self._existing(rows, name)
            if definition is None or record.definition.all_columns != definition.all_columns:
                raise SqlFailed(f"ODPS-0110141:Data version exception - table {name} was changed in the meantime")
            table, now = rows.table_id(name.name, location), self.service.now()
            for values in emptied:
                rows.rows.empty_partition(table, values)
            for file in files:
                blob, content = cast("tuple[IncomingBlob, BlobContent]", file.handle)
                self.service.store.blobs.keep(blob, content)
                rows.rows.add_files(table, file.values, [(content.segments[0], file.rows)], now)
            rows.replace(TABLES_OF_ROWS, replace(record, modified=now), location)

        self._changes.append(change)

    def commit(self) -> None:
        """Do all that was asked for; SqlFailed, and nothing is done, if something else has come in between."""
        if self._changes:
            with self.service.store.writing() as rows:
                for change in self._changes:
                    change(rows)
            self._changes.clear()
        self._changed.clear()
        self._written.clear()

    def _existing(self, rows: Records, name: TableName) -> tuple[Location, StoredTable]:
        location = _location(name)
        record = rows.find(TABLES_OF_ROWS, name.name, location)
        if record is None:
            raise unknown_table(None, str(name))
        return location, record


def _location(name: TableName) -> Location:
    return Location(name.project, name.schema)


def _key(name: TableName) -> tuple[str, ...]:
    return (*_location(name).keys, same_name(name.name))
