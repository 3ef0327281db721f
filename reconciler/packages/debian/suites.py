"""
Suites as a mirror has them today: a stable one and its security updates, put together as apt does it.

Security updates lie on a mirror of their own. Where none is known they are left out, and whoever locks is told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.packages.debian.closure import find_base, find_closure
from reconciler.packages.debian.index import add_updates
from reconciler.packages.debian.mirror import Mirror, find_mirror
from reconciler.packages.debian.unpacked import open_deb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.packages.content import Content
    from reconciler.packages.debian.archive import Deb
    from reconciler.packages.debian.closure import ClosurePackage
    from reconciler.packages.debian.index import PackageIndex, Stanza
    from reconciler.packages.debian.release import Release
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.downloads import Downloads

_WITHOUT_UPDATES = frozenset(("stretch", "buster"))
"""Their security suites have other names and are no longer filled."""


def security_suite(suite: str) -> str:
    """Return the suite of security updates that belongs to a suite."""
    return f"{suite}-security"


@dataclass(frozen=True)
class SuitePackages:
    """The packages of a suite, its updates included."""

    releases: tuple[Release, ...]
    index: PackageIndex


@dataclass
class Mirrors:
    """The mirrors of this machine. May be used from several threads."""

    downloads: Downloads
    cache: Cache
    env: Mapping[str, str] = field(repr=False)
    allow_unsigned: bool = False
    _guard: Lock = field(default_factory=Lock, init=False, repr=False)
    _suites: dict[str, SuitePackages] = field(default_factory=dict, init=False, repr=False)

    def suite(self, name: str, *, now: datetime, since: Mapping[str, datetime]) -> SuitePackages:
        """Return what a suite has, read once; `since` has the dates of the releases in the lock, by suite."""
        with self._guard:  # who comes second waits, and has it then
            if name not in self._suites:
                self._suites[name] = self._read(name, now, since)
            return self._suites[name]

    def fetch(self, suite: str, path: str, sha256: str, name: str) -> Content:
        """Return a .deb, from the cache or the mirror of its suite; raises as `Mirror.fetch`."""
        return self.cache.get(sha256) or self._open(suite).fetch(path, sha256, name)

    def unpack(self, suite: str, path: str, sha256: str, name: str) -> Deb:
        """Return a package with its files, fetched if need be."""
        return open_deb(self.fetch(suite, path, sha256, name), name, self.cache)

    @property
    def has_security(self) -> bool:
        """Whether a mirror of security updates is known."""
        try:
            find_mirror(self.env, security=True)
        except PackageError:
            return False
        return True

    def _read(self, name: str, now: datetime, since: Mapping[str, datetime]) -> SuitePackages:
        release, index = self._open(name).read_suite(name, now=now, locked=since.get(name))
        updates = security_suite(name)
        if name in _WITHOUT_UPDATES or not self.has_security:
            return SuitePackages((release,), index)
        later, newer = self._open(updates).read_suite(updates, now=now, locked=since.get(updates))
        return SuitePackages((release, later), add_updates(index, newer, updates))

    def _open(self, suite: str) -> Mirror:
        address = find_mirror(self.env, security=suite.endswith("-security"))
        return Mirror(address, self.downloads, self.cache, self.env, self.allow_unsigned)


@dataclass(frozen=True)
class PackageChoice:
    """What belongs to the Debian packages of a package, and what of the system it leans on."""

    packages: tuple[ClosurePackage, ...]
    leans_on: tuple[Stanza, ...]
    """Packages of the base system that those need."""


def choose_packages(
    index: PackageIndex, names: Sequence[str], base: Iterable[str], *, recommends: bool = False
) -> PackageChoice:
    """Return the closure of packages over a base system, to which the packages `base` and all that they need belong."""
    system = find_base(index)
    more = [name for name in base if name not in system and index.stanza(name) is not None]
    system |= {chosen.stanza.name for chosen in find_closure(index, more, system)}
    packages = find_closure(index, names, system, recommends=recommends)
    return PackageChoice(tuple(packages), tuple(_leans_on(index, packages, system)))


def _leans_on(index: PackageIndex, packages: Iterable[ClosurePackage], system: Iterable[str]) -> Iterator[Stanza]:
    """Yield the packages of a system that others state to need, by name."""
    present = {name: stanza for name in system if (stanza := index.stanza(name)) is not None}
    providers: defaultdict[str, list[Stanza]] = defaultdict(list)
    for stanza in present.values():
        for provided in {stanza.name, *(relation.name for relation in stanza.provides)}:
            providers[provided].append(stanza)
    groups = [group for chosen in packages for group in chosen.stanza.relations("Pre-Depends", "Depends")]
    relations = {relation for group in groups for relation in group}
    names = {
        stanza.name for relation in relations for stanza in providers.get(relation.name, ()) if stanza.meets(relation)
    }
    return (present[name] for name in sorted(names))
