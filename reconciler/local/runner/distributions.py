"""
Distributions that the service has installed beside the standard library, as the interpreter of this machine has them.

A worker here sees no site-packages, so that nothing passes which the service has not. What it does have is linked, by the
files that each distribution's own record lists, into a folder at the end of the worker's `sys.path`. Which version the service has
is published for images alone, so the one that is here is taken. With a distribution comes what it requires, where that is here.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {"cp27": ("numpy",), "cp37": (), "cp311": ()}
"""Runtime → distributions [doc "Python 2 UDFs", "Third-party libraries"; "Python 3 UDFs": NumPy is not there]."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def link_distributions(names: Iterable[str], site_packages: Iterable[Path], folder: Path) -> tuple[str, ...]:
    """Link distributions and what they require into the new `folder`; return those of `names` that are not here."""
    paths = [str(path) for path in site_packages]
    waiting, linked = [_fold(name) for name in names], set[str]()
    absent = tuple(name for name in waiting if _find(name, paths) is None)
    folder.mkdir()
    while waiting:
        name = waiting.pop()
        distribution = None if name in linked else _find(name, paths)
        linked.add(name)
        if distribution is not None:
            _link(distribution, folder)
            waiting += map(_fold, _requirements(distribution))
    return absent


def _find(name: str, paths: list[str]) -> metadata.Distribution | None:
    """Return a distribution by the name of its folder: reading what each of hundreds says of itself takes longer than a start."""
    return next(iter(metadata.distributions(name=name, path=paths)), None)


def _link(distribution: metadata.Distribution, folder: Path) -> None:
    """Link each file and folder at the top of a distribution, but for what only installers read."""
    for top in {file.parts[0] for file in distribution.files or ()}:
        source = distribution.locate_file(top)
        if top != ".." and not top.endswith((".dist-info", ".egg-info")) and not (folder / top).is_symlink():
            (folder / top).symlink_to(str(source))


def _requirements(distribution: metadata.Distribution) -> Iterable[str]:
    """Yield what a distribution requires; of an extra of it, nothing."""
    for requirement in distribution.requires or ():
        name = _NAME.match(requirement)
        if name is not None and "extra" not in requirement.partition(";")[2]:
            yield name[0]


def _fold(name: str) -> str:
    """Return the one spelling of a distribution's name [PyPA specification, "Names and normalization"]."""
    return re.sub(r"[-_.]+", "-", name).lower()
