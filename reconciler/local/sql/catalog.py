"""
TableCatalog of tables, as statements see it: names, definitions, and the changes that a job asks for.

What a job changes is gathered and done at its end, all of it or nothing: a script is atomic [doc "SQL in script mode"].
Nothing here needs what ``udfs[sql]`` installs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO


class TableColumn(NamedTuple):
    """A column, or a partition key."""

    name: str
    type: str
    """As a signature spells it, in small letters."""
    comment: str = ""
    required: bool = False
    """Whether it is NOT NULL."""
    default: str | None = None
    """What it is where an INSERT leaves it out, as text that CAST reads."""


@dataclass(frozen=True)
class TableDefinition:
    """What a table or a view is made of."""

    columns: tuple[TableColumn, ...]
    keys: tuple[TableColumn, ...] = ()
    """What it is partitioned by."""
    comment: str = ""
    lifecycle: int | None = None
    """Days; nothing here ever ends by itself."""
    view: str = ""
    """The query of a view."""
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def all_columns(self) -> tuple[TableColumn, ...]:
        """The columns and then the partition keys, as a SELECT of everything has them."""
        return self.columns + self.keys


@dataclass(frozen=True)
class TableName:
    """A table's whole name."""

    project: str
    schema: str
    name: str

    def __str__(self) -> str:
        """Return it as messages of the service have it: ``project.table`` [recorded answers]."""
        schema = "" if self.schema.lower() == "default" else f"{self.schema}."
        return f"{self.project}.{schema}{self.name}"


_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_MOST_VALUE = 255


def partition_value(key: TableColumn, text: str) -> str:
    """
    Return a value of a partition key as it is kept; ValueError for one that the key's type does not have.

    Chinese is no value of a STRING [doc "Partition"]; what a tab, a line's end and a slash do is undefined there, and the length is a guess.
    """
    if key.type in _BITS:
        if not _WHOLE.fullmatch(text) or not -1 << _BITS[key.type] - 1 <= int(text) < 1 << _BITS[key.type] - 1:
            raise ValueError(f"{key.name}='{text}' is no {key.type.upper()}")
        return str(int(text))
    if not text or not text.isascii() or not text.isprintable() or set("/\\") & set(text) or len(text) > _MOST_VALUE:
        raise ValueError(f"{key.name}='{text[: _MOST_VALUE + 9]}'")
    return text


PartitionValues: TypeAlias = "tuple[str, ...]"
"""The values of a partition's keys, as text; empty for a table without keys."""


@dataclass(frozen=True)
class WrittenRows:
    """Rows that are written and belong to nothing yet."""

    values: PartitionValues
    rows: int
    handle: Any


class FunctionCatalog(Protocol):
    """The functions and resources of a service; what is changed is changed at the job's end."""

    def create(self, name: TableName, class_type: str, resources: Sequence[str], *, replaces: bool) -> None:
        """Register a function."""

    def drop(self, name: TableName, *, tolerant: bool) -> None:
        """Remove a function."""

    def drop_resource(self, container: TableName) -> None:
        """Remove a resource."""

    def add_table(self, container: TableName, source: str, comment: str, *, replaces: bool) -> None:
        """Make a resource that points at a table."""

    def describe(self, name: TableName) -> list[tuple[str, str]] | None:
        """Return what is known of a function, None if there is none."""

    def list_functions(self, container: TableName) -> list[tuple[str, str]]:
        """Return the functions of a schema: names, and what SHOW tells of each."""

    def list_resources(self, container: TableName) -> list[tuple[str, str]]:
        """Return the resources of a schema: names, and what SHOW tells of each."""


class TableCatalog(Protocol):
    """The tables of a service, with what the job has changed so far."""

    @property
    def functions(self) -> FunctionCatalog:
        """The functions and resources beside them."""

    def full_name(self, parts: Sequence[str], settings: SessionNames) -> TableName:
        """Return what a name of one to three parts means."""

    def definition(self, name: TableName) -> TableDefinition | None:
        """Return a table's definition, None if there is none."""

    def require_place(self, name: TableName) -> None:
        """Refuse a name whose project or schema is not there."""

    def is_provided(self, name: TableName) -> bool:
        """Whether it is a table that whoever runs the server provides, which no statement changes."""

    def names(self, project: str, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema, in order."""

    def partitions(self, name: TableName) -> list[PartitionValues]:
        """Return a table's partitions, in order."""

    def describe(self, name: TableName) -> TableFacts | None:
        """Return what is known of a table beside its definition."""

    def scan(self, name: TableName) -> Any:
        """Return what DuckDB reads a table's rows from."""

    def create(self, name: TableName, definition: TableDefinition) -> None:
        """Make a table or view."""

    def alter(self, name: TableName, definition: TableDefinition, new_name: str = "") -> None:
        """Give a table another definition or name."""

    def drop(self, name: TableName) -> None:
        """Remove a table or view with its rows."""

    def add_partition(self, name: TableName, values: PartitionValues) -> None:
        """Make an empty partition."""

    def drop_partition(self, name: TableName, values: PartitionValues) -> None:
        """Remove a partition with its rows."""

    def write_rows(self, values: PartitionValues, write: Callable[[BinaryIO], int]) -> WrittenRows:
        """Let `write` fill a file with rows, and return it; `write` tells how many they are."""

    def put_rows(self, name: TableName, files: Sequence[WrittenRows], emptied: Sequence[PartitionValues]) -> None:
        """Add rows to a table's partitions, those in `emptied` without what they held."""

    def close(self) -> None:
        """Let go of the files."""

    def commit(self) -> None:
        """Do all that was asked for; SqlFailed, and nothing is done, if something else has come in between."""


class SessionNames(NamedTuple):
    """How names are to be read in a session."""

    schema: str = ""
    """The schema of names without one, if it was SET."""
    three_levels: bool = False
    """Whether ``a.b`` is a schema's table and not a project's [doc "Schema-related operations"]."""


PLAIN_NAMES = SessionNames()


class TableFacts(NamedTuple):
    """What DESC tells of a table beside its definition."""

    owner: str
    created: float
    altered: float
    modified: float
    size: int
    rows: int
