"""
Partitions of tables and the files of their rows: the SQL of one transaction.

A table without partition keys has one partition, whose values are none. A file is a blob in Parquet that never changes: rows
are added by one more file, and replaced by other files, so that a kill at any moment leaves either all of a change or nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from reconciler.local.sql.catalog import PartitionValues
    from reconciler.local.storage.blobs import Segment


@dataclass(frozen=True)
class StoredPartition:
    """A partition, and how much it holds."""

    id: int
    values: PartitionValues
    created: float
    modified: float
    size: int
    rows: int


class TableRows:
    """What a transaction can ask of partitions; tables are named by the id of their record."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.unused: set[str] = set()
        """Blobs that something stopped referring to."""

    def partitions(self, table: int) -> list[StoredPartition]:
        """Return a table's partitions, in the order of their values."""
        cursor = self._db.execute(
            "SELECT p.id, p.key, p.created, p.modified, coalesce(sum(f.size), 0), coalesce(sum(f.rows), 0) FROM partitions p"
            " LEFT JOIN row_files f ON f.partition_id = p.id WHERE p.table_id = ? GROUP BY p.id",
            (table,),
        )
        partitions = [StoredPartition(number, tuple(json.loads(key)), *more) for number, key, *more in cursor]
        return sorted(partitions, key=lambda partition: partition.values)

    def add_partition(self, table: int, values: PartitionValues, now: float) -> bool:
        """Make a partition; False when it is there."""
        sql = "INSERT INTO partitions (table_id, key, created, modified) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return self._db.execute(sql, (table, json.dumps(values), now, now)).rowcount > 0

    def files(self, partition: int) -> list[tuple[str, int, int]]:
        """Return the files of a partition: blob, bytes, rows."""
        sql = "SELECT sha256, size, rows FROM row_files WHERE partition_id = ? ORDER BY id"
        return list(self._db.execute(sql, (partition,)))

    def add_files(self, table: int, values: PartitionValues, files: Iterable[tuple[Segment, int]], now: float) -> None:
        """Add rows to a partition, which is made if need be."""
        self.add_partition(table, values, now)
        key = (table, json.dumps(values))
        (number,) = self._db.execute("SELECT id FROM partitions WHERE (table_id, key) = (?, ?)", key).fetchone()
        self._db.executemany(
            "INSERT INTO row_files (partition_id, sha256, size, rows) VALUES (?, ?, ?, ?)",
            [(number, segment.sha256, segment.size, rows) for segment, rows in files],
        )
        self._db.execute("UPDATE partitions SET modified = ? WHERE id = ?", (now, number))

    def empty_partition(self, table: int, values: PartitionValues) -> None:
        """Remove a partition's rows."""
        key = (table, json.dumps(values))
        for (number,) in self._db.execute("SELECT id FROM partitions WHERE (table_id, key) = (?, ?)", key).fetchall():
            self.unused.update(sha256 for sha256, _, _ in self.files(number))
            self._db.execute("DELETE FROM row_files WHERE partition_id = ?", (number,))

    def drop_partition(self, table: int, values: PartitionValues) -> bool:
        """Remove a partition and its rows; False when there is none."""
        self.empty_partition(table, values)
        sql = "DELETE FROM partitions WHERE (table_id, key) = (?, ?)"
        return self._db.execute(sql, (table, json.dumps(values))).rowcount > 0

    def drop_partitions(self, table: int) -> None:
        """Remove all that a table holds."""
        for partition in self.partitions(table):
            self.drop_partition(table, partition.values)
