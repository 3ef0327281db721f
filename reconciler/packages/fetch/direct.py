"""
Pinned wheels straight from the index, without pip, several at a time.

A pin is a hash, and an index lists the hashes of its files (PEP 503, PEP 691), so where a file lies takes one look and no
resolving. pip takes seconds to start and fetches one file after another. It stays the one that counts: whatever is
unusual (an index that lists no hashes, wants a keyring, does not answer) is left to it, and so is explaining what is wrong.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.index import IndexSilent, Remote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from reconciler.packages.fetch.downloads import Downloads
    from reconciler.packages.fetch.index import Pin

_PATIENCE = 5.0
"""Seconds without a byte after which pip, which knows this machine's settings and has more patience, is asked instead."""


@dataclass
class DirectIndex:
    """
    Finds wheels by their hashes. Use it in a ``with``, which closes the connections; from any thread.

    What it takes is imported when the first wheel is missing: most runs find all of theirs in the cache.
    """

    environment: Mapping[str, str] = field(repr=False)
    """Of the command, as pip is to see it."""

    downloads: Downloads | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _silent: bool = field(default=False, init=False)
    """An index did not answer, or nobody wants an answer any more: the next wheel need not find that out again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.downloads is not None:
            self.downloads.close()

    def fetch(self, pin: Pin, folder: Path) -> Path | None:
        """Put the wheel into `folder` and return its path; None if pip has to see to it. Who calls compares the hash."""
        if self._silent:
            return None
        try:
            downloads = self._open()
            remote = _find(pin, downloads)
            return downloads.fetch(remote, folder) if remote is not None else None
        except IndexSilent:
            self._silent = True
        except PackageError:
            pass
        return None

    def stop(self) -> None:
        """End what is being fetched."""
        self._silent = True
        if self.downloads is not None:
            self.downloads.stop()

    def _open(self) -> Downloads:
        from reconciler.packages.fetch import indexes
        from reconciler.packages.fetch.downloads import Downloads

        with self._lock:
            if self.downloads is None:
                pip = indexes.pip_settings(self.environment, Path(sys.prefix))
                addresses = () if pip.no_index else indexes.all_of(pip)
                self.downloads = Downloads(pip, addresses, timeout=_PATIENCE)
            return self.downloads


def _find(pin: Pin, downloads: Downloads) -> Remote | None:
    from packaging.utils import canonicalize_name

    from reconciler.packages.fetch.index_pages import ACCEPTED, link_with

    for index in downloads.addresses:
        try:
            kind, text, base = downloads.page(f"{index.rstrip('/')}/{canonicalize_name(pin.name)}/", ACCEPTED)
        except IndexSilent:
            raise
        except PackageError:  # it has nothing of this name, or wants to know who asks
            continue
        link = link_with(pin.sha256, kind, text)
        if link is not None:
            url = urljoin(base, link).partition("#")[0]
            file = unquote(urlsplit(url).path.rpartition("/")[2])
            return Remote(file, url, pin.sha256) if file.endswith(".whl") else None
    return None
