"""Cluster of a target: what answers at an address, or a Flink of one's own, which is started when a job is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.targets.flink.rest import FlinkRest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.flink.distribution import FlinkDistribution


_AGAIN = 60.0
"""Seconds until a TaskManager that ended is there again: 5 on a quiet machine [run]."""


class Cluster(Protocol):
    """Where jobs run."""

    @property
    def location(self) -> str:
        """As messages call it."""

    @property
    def client(self) -> str | None:
        """The Python of jobs without an environment, which plans and works; None for the one that the cluster finds."""

    def require(self) -> None:
        """Raise what would keep a job from being started, before anything else is changed for it."""

    def jobs(self) -> list[dict[str, Any]]:
        """Return the overview of its jobs; none where nothing runs."""

    def rest(self) -> FlinkRest:
        """Return the way to it; one's own is started for it."""

    def trial_rest(self) -> FlinkRest | None:
        """Return the way to it for programs that nobody has agreed to yet, whose files are this machine's alone; None where there is none."""

    def close(self) -> None:
        """Let go of it."""


@dataclass
class SessionCluster:
    """A cluster that somebody else runs."""

    url: str
    environment: Mapping[str, str]
    version: tuple[int, int]
    client: str | None = None
    _rest: FlinkRest | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def location(self) -> str:
        return self.url

    def require(self) -> None:
        """Nothing: it was asked for its jobs before."""

    def jobs(self) -> list[dict[str, Any]]:
        return self._reach().jobs()

    def rest(self) -> FlinkRest:
        """Return the way to it; programs are run by ``flink-python`` of its version where this machine has that, else by what is in its class path."""
        from reconciler.local.flink.distribution import find_python_jar

        rest = self._reach()
        rest.driver_jar = find_python_jar(self.environment, self.version)
        return rest

    def trial_rest(self) -> FlinkRest | None:
        return None

    def _reach(self) -> FlinkRest:
        # All writers share one: it lets one program at a time be planned.
        with self._lock:
            self._rest = self._rest or FlinkRest(self.url)
            return self._rest

    def close(self) -> None:
        if self._rest is not None:
            self._rest.session.close()


def _wait_for_worker(rest: FlinkRest) -> None:
    """Wait for the TaskManager, which is started again where a job's end took it along: Flink refuses a job for which there is none [run on 1.20.5]."""
    limit = rest.clock() + _AGAIN
    while not rest.overview()["taskmanagers"] and rest.clock() < limit:
        rest.pause(0.5)


@dataclass
class OwnCluster:
    """A Flink of one's own: it runs on behind the command that started it, as long as a job does."""

    store: Path
    environment: Mapping[str, str]
    version: tuple[int, int]
    note: Callable[[str], None]
    """Tells a person what is left running."""

    has_jobs: bool = True
    """Whether the manifest has some."""

    _rest: FlinkRest | None = field(default=None, repr=False)
    _is_written: bool = field(default=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def location(self) -> str:
        return "the local Flink"

    @property
    def client(self) -> str | None:
        return str(self._distribution.python)

    def require(self) -> None:
        if self.has_jobs:
            _ = self._distribution

    def jobs(self) -> list[dict[str, Any]]:
        rest = self._running()
        return rest.jobs() if rest is not None else []

    def rest(self) -> FlinkRest:
        # Writers that come together start one.
        with self._lock:
            self._is_written = True
            if (rest := self._running()) is None:
                from reconciler.local.flink.cluster import start_cluster

                cluster = start_cluster(self._distribution, self.store, self.environment)
                cluster.leave_running()
                rest = self._rest = self._way_to(cluster.url)
            _wait_for_worker(rest)
            return rest

    def trial_rest(self) -> FlinkRest | None:
        return self._running()

    def close(self) -> None:
        """End it if a command started it and no job runs on it any more."""
        from reconciler.local.flink.cluster import end_idle_cluster, find_left_cluster

        rest = self._running()
        if rest is not None:
            is_idle = all(job.get("state") in {"FINISHED", "FAILED", "CANCELED"} for job in rest.jobs())
            rest.session.close()
            if is_idle:
                end_idle_cluster(self.store)
            elif self._is_written and find_left_cluster(self.store):
                self.note(f"a Flink runs on at {rest.url} with its jobs, and ends with the last of them")

    @cached_property
    def _distribution(self) -> FlinkDistribution:
        from reconciler.local.flink.distribution import find_distribution

        return find_distribution(self.environment, self.version)

    def _running(self) -> FlinkRest | None:
        with self._lock:
            if self._rest is None:
                from reconciler.local.flink.cluster import find_cluster

                url = find_cluster(self.store)
                self._rest = self._way_to(url) if url else None
            return self._rest

    def _way_to(self, url: str) -> FlinkRest:
        from reconciler.local.flink.cluster import end_planners

        return FlinkRest(url, end_planning=partial(end_planners, self.store))
