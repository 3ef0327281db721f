"""Flink as a target: a cluster by its REST interface, and the folder that it shares with this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.inputs import SHIPPED, copy_input
from reconciler.targets.flink import read
from reconciler.targets.flink.entries import FolderEntries, folder_refuses
from reconciler.targets.flink.objects import CATALOG
from reconciler.targets.flink.read import DigestBook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.targets.flink.cluster import Cluster
    from reconciler.targets.flink.folder import SharedFolder


@dataclass(frozen=True)
class FlinkTarget:
    """A cluster as a `Target`."""

    cluster: Cluster
    folder: SharedFolder
    remains: list[str] = field(init=False, default_factory=list, repr=False)
    """What writes leave behind that a report does not say, in words."""

    _book: DigestBook = field(init=False, default_factory=DigestBook, repr=False)

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    def read(self, *, full: bool = False) -> Reading:
        return read.read_cluster(self.cluster, self.folder, self.store, self._book, full=full)

    def read_one(self, key: Key) -> Live | None:
        return read.find_live(self.cluster, self.folder, self._book, key)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        # A plan reads only, so what writes is imported when it is asked to.
        from reconciler.targets.flink.write import ClusterWriting

        return ClusterWriting(self.cluster, self.folder, self._book, self.remains.append).write(
            change, contents, progress
        )

    @property
    def store(self) -> FolderEntries:
        return FolderEntries(self.folder.ledger)

    def download(self, key: Key, destination: Path) -> None:
        # Others may write to the folder too: a link, a pipe or a device there is refused.
        try:
            copy_input(self.folder.path(key.name), destination, SHIPPED)
        except OSError as error:
            raise folder_refuses(self.folder.base, error) from error
