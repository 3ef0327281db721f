"""
Transactions over a store directory: metadata in SQLite, content in blobs.

Several processes may serve one directory. What keeps them apart is SQLite's write lock and nothing in memory: a
write is one transaction, a name is unique by constraint, and blobs are named and removed inside a write.
"""

from __future__ import annotations

import fcntl
import queue
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from reconciler.local.storage.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Longer than any write we make: a merge of 2 GiB hashes before it takes the lock.
_BUSY_SECONDS = 60


class BlobUser(Protocol):
    """The SQL of one transaction, as far as blobs go."""

    @property
    def unused_blobs(self) -> set[str]:
        """Blobs that something stopped referring to."""

    def is_used(self, sha256: str) -> bool:
        """Whether anything refers to a blob."""


R = TypeVar("R", bound=BlobUser)


class TransactionStore(Generic[R]):
    """Transactions over a directory."""

    def __init__(
        self, file: Path, records: Callable[[sqlite3.Connection], R], tables: dict[int, str], *, sync: bool
    ) -> None:
        """`tables` has what each version of the store adds to the one before, by the number of the version."""
        directory = file.parent
        directory.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._records = records
        self._tables = tables
        self._synchronous = "FULL" if sync else "NORMAL"
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._closed = False
        try:
            with (directory / "opening.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._create()
                self.blobs = Blobs(directory, sync=sync)
                self.blobs.sweep_incoming()
            self._sweep_blobs()
        except BaseException:  # a damaged store, say
            self._close_connections()
            raise

    def close(self) -> None:
        """Close what is open; a connection still in use is closed when it is given back."""
        self._close_connections()
        self.blobs.close()

    def _close_connections(self) -> None:
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def reading(self) -> Iterator[R]:
        """A consistent view that changes nothing."""
        with self._connection() as db:
            db.execute("BEGIN")
            try:
                yield self._records(db)
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[R]:
        """All or nothing, and alone: other writers, in whatever process, wait."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                rows = self._records(db)
                yield rows
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._remove_unused(db, rows.unused_blobs)

    def _remove_unused(self, db: sqlite3.Connection, candidates: set[str]) -> None:
        """
        Remove blobs that nothing refers to any more.

        In a write of its own, after the one that let go of them is on disk: a crash between the two leaves a file too
        many, never one too few.
        """
        if not candidates:
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            rows = self._records(db)
            for sha256 in candidates:
                if not rows.is_used(sha256):
                    self.blobs.remove(sha256)
        finally:
            db.execute("ROLLBACK")

    def _sweep_blobs(self) -> None:
        """Remove what a kill between two writes left."""
        with self._connection() as db:
            self._remove_unused(db, set(self.blobs.names()))

    def _create(self) -> None:
        with self._connection() as db:
            db.execute("PRAGMA journal_mode = WAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > max(self._tables):
                raise RuntimeError(f"{self._file} was written by another version; use another directory")
            if added := "".join(sql for number, sql in sorted(self._tables.items()) if number > version):
                db.executescript(f"BEGIN; {added} PRAGMA user_version = {max(self._tables)}; COMMIT;")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # A connection for one thread at a time; they are kept, since opening one costs more than most requests.
        db = None
        try:
            db = self._idle_connection() or self._connect()
            yield db
        except sqlite3.OperationalError as error:
            from reconciler.local.storage.room import disk_failure

            failure = disk_failure(error, self._file.parent)
            if failure is None:
                raise
            raise failure from error
        finally:
            if db is not None and self._closed:
                db.close()
            elif db is not None:
                self._idle.put(db)

    def _idle_connection(self) -> sqlite3.Connection | None:
        with suppress(queue.Empty):
            return self._idle.get_nowait()
        return None

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
        except BaseException:
            db.close()
            raise
        return db
