"""
Library path: what the dynamic linker finds in the folders of a function's code and layers.

The linker looks in the folders of RPATH, then in those of LD_LIBRARY_PATH, then in the system's own [ld.so(8)]; in each under the very name
that is needed. All here is pure, and about what one function has together.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.packages.inspect.files import FileFinding, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.inspect.contents import Native

_SYSTEM = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/local/lib/")


@dataclass(frozen=True)
class PlacedNative:
    """A native file where a function sees it."""

    native: Native
    path: str
    """/opt/lib/liblept.so.5"""

    owner: str
    """Who brings it: a Debian package, a wheel, the manifest."""

    sha256: str = ""
    """Of the file, as far as that is known."""

    is_debian: bool = False
    is_module: bool = False
    """Whether it is one of a wheel, whose libraries Python may have loaded already."""

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def folders(self) -> Iterator[str]:
        """The folders of its RPATH, absolute."""
        for folder in self.native.elf.rpath:
            origin = folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", posixpath.dirname(self.path))
            yield posixpath.normpath(origin)

    def __str__(self) -> str:
        return f"{self.path} of {self.owner}"


def find_missing(
    natives: Sequence[PlacedNative], search: Collection[str], base: Collection[str], runtime: Runtime
) -> Iterator[FileFinding]:
    """
    Yield the libraries that nothing has, each with who needs it.

    `search` are the folders of the library path, `base` the SONAMEs that the system has beside those of the runtime.
    """
    paths = {placed.path for placed in natives}
    reachable = {placed.name for placed in natives if posixpath.dirname(placed.path) in search} | {*base}
    answering = {name for placed in natives if placed.is_module for name in placed.native.answers_to}
    users: defaultdict[str, list[PlacedNative]] = defaultdict(list)
    for placed in natives:
        around = reachable | answering if placed.is_module else reachable
        for library in placed.native.elf.needed:
            is_beside = any(posixpath.join(folder, library) in paths for folder in placed.folders)
            if not (is_beside or library in around or runtime.has_library(library)):
                users[library].append(placed)
    for library, needing in users.items():
        yield _lack(library, needing, search, runtime)


def _lack(library: str, needing: list[PlacedNative], search: Collection[str], runtime: Runtime) -> FileFinding:
    # A plugin that nobody loads may need what nobody has; of wheels nobody knows what else the images bring.
    is_used = any(posixpath.dirname(placed.path) in search or "/bin/" in placed.path for placed in needing)
    is_known = runtime.has_library(library) is False or any(placed.is_debian for placed in needing)
    more = f" and {len(needing) - 1} more" if len(needing) > 1 else ""
    return FileFinding(
        "E459",
        f"lacks '{library}': {needing[0]} needs it{more}, and neither layers, code nor the base system have it",
        "name the Debian package that has it under `debian:`, look whether `exclude:` leaves it out, or put a .so under `libraries:`",
        shorten([str(placed) for placed in needing]) if more else (),
        "error" if is_known and (is_used or not needing[0].is_debian) else "warning",
    )


def find_rivals(natives: Sequence[PlacedNative], search: Collection[str]) -> Iterator[FileFinding]:
    """Yield the libraries that several folders of the library path have, each another: which is loaded, the order of layers says."""
    by_name: defaultdict[str, list[PlacedNative]] = defaultdict(list)
    for placed in natives:
        if posixpath.dirname(placed.path) in search and placed.sha256:
            by_name[placed.name].append(placed)
    for name, alike in by_name.items():
        if len({placed.sha256 for placed in alike}) > 1:
            message = f"has two libraries '{name}' that differ: {alike[0]}, and {alike[1]}"
            yield FileFinding("E464", message, "keep one, by `exclude:` in the other package", tuple(map(str, alike)))


def find_strays(natives: Iterable[PlacedNative], folders: Sequence[str]) -> Iterator[FileFinding]:
    """Yield the files whose RPATH leads where neither the system's libraries nor `folders`, those of code and layers, are."""
    lines = [
        f"{placed}: {folder}"
        for placed in natives
        for folder in placed.folders
        if not f"{folder}/".startswith((*_SYSTEM, *folders))
    ]
    if lines:
        yield FileFinding(
            "E465",
            f"has a library that looks for others where nothing of the function lies: {lines[0]}",
            "it was built for another place; what lies there on the worker, if anything, would be loaded",
            shorten(lines) if len(lines) > 1 else (),
            severity="warning",
        )
