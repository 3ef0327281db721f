"""The Flink that deployments run on: one at an address, or one of our own that is started when a job is."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.local.ververica.flink_api import FlinkApi, FlinkRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})


@dataclass(frozen=True)
class FlinkAtAddress:
    """A cluster that somebody else runs; it sees this machine's files."""

    url: str
    client: str | None = None

    def find(self) -> FlinkApi:
        return FlinkApi(self.url)

    def reach(self) -> FlinkApi:
        return FlinkApi(self.url)

    def close(self) -> None:
        """Nothing: it is somebody else's."""


@dataclass
class OwnFlink:
    """A cluster of our own over a folder: it runs on behind whoever started it, as long as a job does."""

    store: Path
    environment: Mapping[str, str]
    version: tuple[int, int]
    is_reached: bool = field(default=False, init=False)
    """Whether something was asked of it beside what it does."""

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def client(self) -> str | None:
        from reconciler.local.flink.distribution import find_distribution

        return str(find_distribution(self.environment, self.version).python)

    def find(self) -> FlinkApi | None:
        from reconciler.local.flink.cluster import find_cluster

        url = find_cluster(self.store)
        return FlinkApi(url) if url else None

    def close(self) -> None:
        from reconciler.local.flink.cluster import end_idle_cluster

        flink = self.find()
        with suppress(FlinkRefusal):
            if flink is not None and _ENDED.issuperset(flink.states().values()):
                end_idle_cluster(self.store)

    def reach(self) -> FlinkApi:
        from reconciler.local.flink.cluster import start_cluster
        from reconciler.local.flink.distribution import find_distribution

        with self._lock:
            self.is_reached = True
            if (running := self.find()) is not None:
                return running
            cluster = start_cluster(find_distribution(self.environment, self.version), self.store, self.environment)
            cluster.leave_running()
            return FlinkApi(cluster.url)
