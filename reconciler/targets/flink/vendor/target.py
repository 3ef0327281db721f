"""Realtime Compute as a target: a namespace of a workspace, and the part of its bucket that is the stack's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.targets.flink.objects import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.targets.flink.vendor.read import NamespaceReading
    from reconciler.targets.oss import OssEntries


@dataclass(frozen=True)
class RealtimeCompute:
    """A namespace as a `Target`."""

    reading: NamespaceReading
    queue: str
    _digests: dict[tuple[str, int], str] = field(init=False, default_factory=dict, repr=False)

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    def read(self, *, full: bool = False) -> Reading:
        return self.reading.read(self._digests, full=full)

    def read_one(self, key: Key) -> Live | None:
        return self.reading.find(key, self._digests)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        # A plan reads only, so what writes is imported when it is asked to.
        from reconciler.targets.flink.vendor.write import NamespaceWriting

        return NamespaceWriting(self.reading, self._digests, self.queue).write(change, contents, progress)

    @property
    def store(self) -> OssEntries:
        return self.reading.bucket.entries

    def download(self, key: Key, destination: Path) -> None:
        self.reading.bucket.download(key.name, destination)
