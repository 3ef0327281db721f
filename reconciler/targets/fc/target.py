"""Function Compute as a target: a region of an account, read and written over the service's own HTTP API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.targets.fc import read
from reconciler.targets.fc.entries import MarkerFunctions
from reconciler.targets.fc.layer_book import LayerBook
from reconciler.targets.fc.objects import CATALOG
from reconciler.targets.fc.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.targets.fc.client import FcClient
    from reconciler.targets.fc.entries import EntryStore
    from reconciler.targets.oss import OssClient


@dataclass(frozen=True)
class FunctionCompute:
    """A region of an account as a `Target`."""

    client: FcClient
    stack: str
    wishes: Wishes = field(default_factory=Wishes)
    entries: EntryStore | None = None
    """Where the ledger is kept, if not in functions of its own."""

    staging: OssClient | None = None
    """A bucket for archives that are too large for a request."""

    book: LayerBook = field(init=False, default_factory=LayerBook, repr=False)
    """Which versions of layers stand for ours, as far as they were seen."""

    _seen: dict[str, Live] = field(init=False, default_factory=dict, repr=False)
    """How functions were seen last: what is published is held against it."""

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    def read(self, *, full: bool = False) -> Reading:
        reading = read.read_region(self.client, self.stack, self.wishes, self.book, self.store, full=full)
        self._seen.clear()
        self._seen.update({key.name: live for key, live in reading.live.items() if key.kind == "function"})
        return reading

    def read_one(self, key: Key) -> Live | None:
        present = read.find_object(self.client, self.book, key)
        if key.kind == "function":
            # Who applies looks at a function before it is written, and after an answer that was lost: what is published is held against that.
            self._note(key, present)
        return present

    def _note(self, key: Key, present: Live | None) -> None:
        if present is None:
            self._seen.pop(key.name, None)
        else:
            self._seen[key.name] = present

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        # A plan reads only, so what writes is imported when it is asked to.
        from reconciler.targets.fc.write import Writing

        writing = Writing(self.client, self.stack, self.wishes, self.book, self._seen, self.staging)
        return writing.write(change, contents, progress)

    @property
    def store(self) -> EntryStore:
        return self.entries or MarkerFunctions(self.client)

    def download(self, key: Key, destination: Path) -> None:
        read.download(self.client, self.book, key, destination)

    def download_layer(self, arn: str, destination: Path) -> None:
        """Write the content of a layer's version to a file, by its ARN: whoever made it; E562 if it comes otherwise than the service says."""
        read.download_layer(self.client, arn, destination)
