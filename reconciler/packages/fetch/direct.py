"""
Get pinned wheels from the index without pip, several at a time.

A pin is a hash, and an index lists the hashes of its files (PEP 503, PEP 691), so where a file lies takes one look and no
resolving. pip takes seconds to start and fetches one file after another. It stays the one that counts: whatever is
unusual (an index that lists no hashes, wants a keyring, does not answer) is left to it, and so is explaining what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.index_pages import ACCEPTED, link_with
from reconciler.packages.fetch.pip import IndexSilent
from reconciler.packages.lock.resolver import Remote

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.fetch.downloads import Downloads
    from reconciler.packages.fetch.pip import Pin


@dataclass
class Direct:
    """Where wheels are found by their hashes. May be called from several threads."""

    downloads: Downloads
    indexes: tuple[str, ...] = field(repr=False)
    _silent: bool = field(default=False, init=False)
    """An index did not answer: the next wheel need not find that out again."""

    def __call__(self, pin: Pin, folder: Path) -> Path | None:
        """Put the wheel into `folder` and return its path; None if pip has to see to it. Who calls compares the hash."""
        if self._silent:
            return None
        try:
            remote = self._find(pin)
            return self.downloads.fetch(remote, folder) if remote is not None else None
        except IndexSilent:
            self._silent = True
        except PackageError:
            pass
        return None

    def _find(self, pin: Pin) -> Remote | None:
        from packaging.utils import canonicalize_name

        for index in self.indexes:
            try:
                kind, text, base = self.downloads.page(f"{index.rstrip('/')}/{canonicalize_name(pin.name)}/", ACCEPTED)
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
