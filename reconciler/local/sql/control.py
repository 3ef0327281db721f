"""
Control of a statement: the project that it asks, the limits of what it may take, and an end from outside.

Nothing here needs what ``udfs[sql]`` installs.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.local.sql.problems import Stopped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from reconciler.local.runner import Interpreter, Job
    from reconciler.local.sql.catalog import SessionNames, TableCatalog, TableDefinition, TableName

_INTERRUPT_SECONDS = 0.05


@dataclass(frozen=True)
class KnownTable:
    """What a statement may know of a table before it reads it."""

    columns: Mapping[str, str]
    """Names and types, as signatures spell them."""
    partitions: frozenset[str] = frozenset()
    """Names of the columns that it is partitioned by, folded."""
    project: str = ""


class SqlProject(Protocol):
    """What a statement needs of the service."""

    @property
    def catalog(self) -> TableCatalog:
        """The tables that statements make and change."""

    @property
    def names(self) -> SessionNames:
        """How names are read."""

    def in_session(self, names: SessionNames) -> SqlProject:
        """Return the same with names read as a session reads them."""

    def full_name(self, parts: tuple[str, ...]) -> TableName:
        """Return the whole name that the parts of a table's mean."""

    def functions(self) -> Collection[str]:
        """Return the names of the project's functions, folded."""

    def job(self, function: str, runtime: str, folder: Path) -> Job:
        """Return what runs a function; `folder` takes its resources. RunnerError where they are no good."""

    def view(self, parts: tuple[str, ...]) -> tuple[TableName, TableDefinition] | None:
        """Return a view by the parts of its name, None if it is none."""

    def table(self, parts: tuple[str, ...], connection: Any) -> Any | None:
        """Return what DuckDB reads a table's rows from, by the parts of its name, None if there is none."""

    def known_table(self, name: tuple[str, ...]) -> KnownTable | None:
        """Return what a table has, by the parts of its name, None if there is none."""

    def interpreter(self, job: Job) -> Interpreter:
        """Return the CPython that runs a job; RunnerError where there is none."""


@dataclass(frozen=True)
class StatementLimits:
    """How much one statement may take."""

    rows: int
    """Of a result that is not read by tunnel; what is more is cut off, as the service does [doc "SQL limits": 10,000]."""
    seconds: float
    megabytes: int
    """Of memory, for DuckDB."""
    data_types: str = "2.0"
    """The edition of types that the project has."""


@dataclass
class Control:
    """A way to end a statement from outside, or because its time is over."""

    stopped: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False
    _connection: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """End it soon."""
        self.stopped.set()
        if self._connection is not None:
            threading.Thread(target=self._interrupt, name="udfs-local-stop", daemon=True).start()

    def _interrupt(self) -> None:
        # Again until the statement is over: DuckDB forgets an interrupt that comes before its query has begun.
        while True:
            with self._lock:
                if self._connection is None:
                    return
                self._connection.interrupt()
            time.sleep(_INTERRUPT_SECONDS)

    def time_out(self) -> None:
        """End it because its time is over."""
        self.timed_out = True
        self.stop()

    @contextmanager
    def watching(self, connection: Any) -> Iterator[None]:
        """Let `stop` interrupt a connection."""
        with self._lock:
            self._connection = connection
        try:
            if self.stopped.is_set():
                raise Stopped
            yield
        finally:
            with self._lock:
                self._connection = None
