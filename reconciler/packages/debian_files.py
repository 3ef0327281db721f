"""
Files of the Debian packages of a lock, as layers have them.

Each package is fetched by its sha256, whatever the mirror, and opened once. Its files are then copied into layers as they lie in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.activity import activity
from reconciler.base.errors import PackageError, Problem
from reconciler.packages.debian.layout import make_layer
from reconciler.packages.judged import Judged, judge, place_problems
from reconciler.packages.lock.debian import unpack_debs
from reconciler.packages.pack.zips import zip_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Package
    from reconciler.packages.debian.archive import Deb
    from reconciler.packages.debian.layout import LayerFile
    from reconciler.packages.lock.file import Group, LockedDeb
    from reconciler.packages.pack.zips import Packed
    from reconciler.packages.wheels import Supply

_BY_LAYOUT = "ldconfig"
"""Done by the layout: each library lies under its SONAME."""

VERSION = 1
"""Of where files are laid. With another number layers are packed again."""


@dataclass(frozen=True)
class DebianFiles:
    """What the Debian packages of a package bring, for one runtime."""

    placed: tuple[LayerFile, ...]
    provided: frozenset[str]
    """SONAMEs that the base system has for them."""

    recipe: list[object]
    """All that the layer depends on."""

    def members(self) -> Iterator[Packed]:
        """Yield the files as members of an archive, each at its place."""
        archives: dict[Path, dict[str, Packed]] = {}
        for placed in self.placed:
            source = placed.file.source
            if source not in archives:
                archives[source] = {member.name: member for member in zip_entries(source)}
            yield replace(archives[source][placed.file.path], name=placed.path)


@activity("laying out Debian packages")
def find_debian(loaded: Loaded, supply: Supply) -> Judged[dict[tuple[str, str], DebianFiles]]:
    """Return the files of the Debian packages that the lock names, by package and runtime tag."""
    groups = {pair: group for pair, (group, _) in (supply.locks.groups if supply.locks else {}).items() if group.debs}
    opened, problems = open_locked(loaded, groups, supply)
    complete = {
        pair: [opened[deb] for deb in group.debs]
        for pair, group in groups.items()
        if all(deb in opened for deb in group.debs)
    }
    judged = judge(
        {
            pair: partial(_lay_out, loaded.manifest.packages[pair[0]], groups[pair], debs)
            for pair, debs in complete.items()
        },
        lambda pair: loaded.at("packages", pair[0], "debian"),
        lambda pair, files: (),
    )
    return Judged(judged.value, (*problems, *judged.problems))


def open_locked(
    loaded: Loaded, groups: Mapping[tuple[str, str], Group], supply: Supply
) -> tuple[dict[LockedDeb, Deb], list[Problem]]:
    """Return the packages that groups have, with their files, and what is wrong with those that could not be had."""
    opened: dict[LockedDeb, Deb] = {}
    problems: list[Problem] = []
    for (package, _), group in groups.items():
        assert supply.mirrors is not None  # a lock with Debian packages has them
        missing = [deb for deb in group.debs if deb not in opened]
        for deb, outcome in unpack_debs(missing, str(group.inputs.suite), supply.mirrors).items():
            if isinstance(outcome, PackageError):
                problems += place_problems(outcome, loaded.at("packages", package, "debian"))
            else:
                opened[deb] = outcome
    return opened, problems


def _lay_out(package: Package, group: Group, debs: Sequence[Deb]) -> DebianFiles:
    options: dict[str, object] = {
        "tree": package.layout == "tree",
        "slim": package.slim,
        "exclude": [*package.exclude],
        "keep": [*package.keep],
    }
    placed = make_layer(
        debs, tree=package.layout == "tree", slim=package.slim, exclude=package.exclude, keep=package.keep
    )
    return DebianFiles(placed, frozenset(group.provided), [VERSION, [deb.sha256 for deb in group.debs], options])


def script_problems(loaded: Loaded, supply: Supply) -> Iterator[Problem]:
    """Yield for each package of the manifest what scripts of its Debian packages would have done, which nobody runs; E488."""
    groups = {pair: group for pair, (group, _) in (supply.locks.groups if supply.locks else {}).items() if group.debs}
    opened, _ = open_locked(loaded, groups, supply)
    for (package, tag), group in groups.items():
        deeds = {
            deb.name: [deed for deed in opened[deb].undone if deed != _BY_LAYOUT] for deb in group.debs if deb in opened
        }
        lines = tuple(f"{name}: {', '.join(undone)}" for name, undone in sorted(deeds.items()) if undone)
        if lines:
            message = f"what scripts of Debian packages would do is not done for '{package}' ({tag})"
            hint = "look whether the function needs it: data that a script makes can be made by you, and shipped under `source:`"
            position = loaded.at("packages", package, "debian")
            yield Problem("E488", message, position, hint, severity="warning", detail=lines)
