"""
Pool of SQL instances: a few run at a time, and each has an end.

An instance lives in the server that made it, as long as that lives; the oldest that have ended are forgotten when there
are many. A few run at a time, the others wait.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.control import Control
    from reconciler.local.sql.results import StatementResult

KEPT = 200
"""Instances that have ended, whose results are kept."""

AT_A_TIME = 4

Status: TypeAlias = Literal["Waiting", "Running", "Success", "Failed", "Cancelled"]


@dataclass
class Instance:
    """One job, and what became of it."""

    id: str
    project: str
    owner: str
    task: str
    """The name of its one task."""
    source: str
    """The job as it was sent."""
    control: Control
    started: float
    settings: dict[str, str] = field(default_factory=dict)
    """Of its task, as they were sent."""
    ended: float | None = None
    status: Status = "Waiting"
    result: StatementResult | None = None
    text: str = ""
    """What a statement without rows says: DESC and SHOW, say."""
    failure: str = ""
    downloads: dict[str, int] = field(default_factory=dict)
    """The tunnel's download sessions, each with how many of the rows it is for."""
    over: threading.Event = field(default_factory=threading.Event)


class Instances:
    """The instances of a server."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._all: OrderedDict[str, Instance] = OrderedDict()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._results: tempfile.TemporaryDirectory[str] | None = None

    def find(self, project: str, name: str) -> Instance | None:
        """Return an instance of a project."""
        with self._lock:
            instance = self._all.get(name)
        return instance if instance is not None and instance.project == project else None

    def of_project(self, project: str) -> list[Instance]:
        """Return the instances of a project, in the order in which they were made."""
        with self._lock:
            return [instance for instance in self._all.values() if instance.project == project]

    def submit(self, instance: Instance, work: Callable[[Instance, Path], None]) -> None:
        """Run an instance when its turn comes; `work` gets a folder that is removed afterwards, and sets the outcome."""
        with self._lock:
            self._all[instance.id] = instance
            ended = [other.id for other in self._all.values() if other.over.is_set()]
            for name in ended[: max(0, len(ended) - KEPT)]:
                self._forget(self._all.pop(name))
            if self._pool is None:
                self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="udfs-local-sql")
            self._pool.submit(self._run, instance, work)

    def _run(self, instance: Instance, work: Callable[[Instance, Path], None]) -> None:
        if instance.control.stopped.is_set():
            instance.status = "Cancelled"
        else:
            instance.status = "Running"
            with tempfile.TemporaryDirectory(prefix="udfs-sql-", ignore_cleanup_errors=True) as folder:
                work(instance, Path(folder))
                if instance.result is not None:
                    instance.result = replace(instance.result, path=self._keep(instance.id, instance.result.path))
        instance.ended = self._clock()
        instance.over.set()

    def _keep(self, name: str, path: Path) -> Path:
        """Move a result out of the folder of its instance."""
        with self._lock:
            if self._results is None:
                self._results = tempfile.TemporaryDirectory(prefix="udfs-results-", ignore_cleanup_errors=True)
            return path.rename(Path(self._results.name, name))

    def _forget(self, instance: Instance) -> None:
        if instance.result is not None:
            # Who still reads it has it open. A system that keeps an open file removes it at the end.
            with suppress(OSError):
                instance.result.path.unlink()

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            running, pool = list(self._all.values()), self._pool
        for instance in running:
            instance.control.stop()
        if pool is not None:
            pool.shutdown()
        if self._results is not None:
            self._results.cleanup()


def new_id(now: float) -> str:
    """Return an id in the form of the service's: the time, a letter, and what nobody guesses."""
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    return f"{moment}{int(now * 1000) % 1000:03}g{secrets.token_hex(5)}"
