"""
Debian packages of a lock: chosen anew where the manifest, or who upgrades, asks for it, and else as they were.

A suite has one version of a package at a time, and those of one day belong together. So a group is kept whole or chosen whole: a lock that
nothing touches asks no mirror at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import PackageError, Problem
from reconciler.base.threads import gather
from reconciler.packages.debian.layout import is_on_path
from reconciler.packages.debian.mirror import SECURITY_MIRROR
from reconciler.packages.debian.suites import choose_packages
from reconciler.packages.lock.file import LockedDeb, LockedRelease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.base.errors import Position
    from reconciler.packages.debian.archive import Deb
    from reconciler.packages.debian.index import Stanza
    from reconciler.packages.debian.release import Release
    from reconciler.packages.debian.suites import Mirrors
    from reconciler.packages.lock.file import Group, Inputs
    from reconciler.packages.lock.inputs import LockRequest


class DebianPart(NamedTuple):
    """What a group has of Debian."""

    releases: list[LockedRelease]
    debs: list[LockedDeb]
    provided: list[str]


NO_DEBIAN = DebianPart([], [], [])


@dataclass(frozen=True)
class DebianLocker:
    """Chooses the Debian packages of groups."""

    mirrors: Mirrors
    now: datetime
    on_step: Callable[[str], None]
    on_warning: Callable[[Problem], None]

    def lock(
        self, request: LockRequest, before: Group | None, upgraded: Iterable[str], *, everything: bool
    ) -> DebianPart:
        """Return the Debian packages of a group, as they were or chosen now; raises PackageError with a place of the manifest."""
        inputs = request.inputs
        if not inputs.debian:
            return NO_DEBIAN
        if before is not None and not everything and _still_fits(before, inputs, upgraded):
            return DebianPart(before.releases, before.debs, before.provided)
        try:
            return self._choose(request, before)
        except PackageError as error:
            raise PackageError.of(replace(p, at=p.at or _place(p, request)) for p in error.problems) from error

    def _choose(self, request: LockRequest, before: Group | None) -> DebianPart:
        inputs, suite = request.inputs, str(request.inputs.suite)
        since = {release.suite: datetime.fromisoformat(release.date) for release in before.releases} if before else {}
        self.on_step(f"reading Debian's suite '{suite}'")
        packages = self.mirrors.suite(suite, now=self.now, since=since)
        if not self.mirrors.has_security:
            message = f"no mirror of Debian's security updates is known: '{suite}' was locked without them"
            hint = f"set {SECURITY_MIRROR} to the address of one"
            self.on_warning(
                Problem("E466", message, request.places[f"debian {inputs.debian[0]}"], hint, severity="warning")
            )
        choice = choose_packages(packages.index, inputs.debian, inputs.base, recommends=inputs.recommends)
        debs = [_lock_deb(chosen.stanza, chosen.because) for chosen in choice.packages]
        base = [_lock_deb(stanza, None) for stanza in choice.leans_on]
        return DebianPart(
            [_lock_release(release) for release in packages.releases], debs, self._system_sonames(base, suite)
        )

    def _system_sonames(self, base: Iterable[LockedDeb], suite: str) -> list[str]:
        """Return the SONAMEs of what the base system has of the libraries that are needed."""
        self.on_step("looking at what the base system has")
        sonames: set[str | None] = set()
        for outcome in unpack_debs(base, suite, self.mirrors).values():
            if isinstance(outcome, PackageError):
                raise outcome
            sonames |= {file.elf.soname for file in outcome.files if is_on_path(file.path) and file.elf is not None}
        return sorted(filter(None, sonames))


def unpack_debs(debs: Iterable[LockedDeb], suite: str, mirrors: Mirrors) -> dict[LockedDeb, Deb | PackageError]:
    """Return locked packages with their files, fetched side by side where the cache lacks them."""

    def unpack(deb: LockedDeb) -> Callable[[], Deb]:
        return lambda: mirrors.unpack(deb.suite or suite, deb.file, deb.sha256, deb.name)

    return gather({deb: unpack(deb) for deb in debs}, mirrors.downloads.stop)


def _still_fits(before: Group, inputs: Inputs, upgraded: Iterable[str]) -> bool:
    was = before.inputs
    same = all(getattr(was, key) == getattr(inputs, key) for key in ("debian", "suite", "base", "recommends"))
    return same and bool(before.debs) and not {*upgraded} & {deb.name for deb in before.debs}


def _lock_deb(stanza: Stanza, because: str | None) -> LockedDeb:
    if reason := stanza.why_unusable():
        raise PackageError("E451", f"the index says of '{stanza.name}' what cannot be: {reason}")
    return LockedDeb(
        name=stanza.name,
        version=stanza.version,
        architecture=stanza.architecture,
        file=stanza.path,
        sha256=stanza.sha256,
        size=stanza.size,
        suite=stanza.suite,
        because=because,
    )


def _lock_release(release: Release) -> LockedRelease:
    date = release.date.astimezone(timezone.utc).isoformat(timespec="seconds")
    return LockedRelease(suite=release.suite, date=date, sha256=release.sha256, signed=release.is_signed)


def _place(problem: Problem, request: LockRequest) -> Position | None:
    """Return where the manifest names the Debian package that a problem is about, or the first of them."""
    names = request.inputs.debian
    about = next(
        (name for name in names if f"'{name}'" in problem.message or f"'{name.partition(' ')[0]}'" in problem.message),
        names[0],
    )
    return request.places.get(f"debian {about}")
