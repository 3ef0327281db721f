"""
Layout of Debian packages in a layer: libraries in ``lib/``, programs in ``bin/``, data where Debian has them, and no links.

A library lies under its SONAME, by which others need it, once: so it is found by ``LD_LIBRARY_PATH=lib`` however the service
unpacks links, and without ldconfig or update-alternatives. GDAL takes 62.8 MiB so, and 158 MiB where links become copies.
Modules that a program loads by their path (codecs, drivers) keep theirs below ``lib/``. `layout: tree` keeps all of Debian's paths.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.patterns import matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from reconciler.packages.debian.archive import Deb, DebFile
    from reconciler.packages.inspect.elf import Elf

TRIPLET = "x86_64-linux-gnu"
_LIBRARY_FOLDERS = ("lib", "usr/lib", f"lib/{TRIPLET}", f"usr/lib/{TRIPLET}", "usr/local/lib", "lib64", "usr/lib64")
_PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/games", "usr/local/bin")
_MAX_LINKS = 20

SLIM = (
    *(
        "usr/share/man/",
        "usr/share/info/",
        "usr/share/locale/",
        "usr/share/lintian/",
        "usr/share/menu/",
        "usr/share/help/",
    ),
    *(
        "usr/share/icons/",
        "usr/share/pixmaps/",
        "usr/share/applications/",
        "usr/share/bash-completion/",
        "usr/share/bug/",
    ),
    *("usr/share/zsh/", "usr/share/fish/", "usr/share/doc-base/", "usr/share/gtk-doc/", "usr/share/pkgconfig/"),
    *("usr/include/", "usr/lib/systemd/", "lib/systemd/", "lib/udev/", "usr/lib/udev/", "etc/init.d/", "etc/systemd/"),
    *(
        "etc/cron*/",
        "etc/logrotate.d/",
        "var/",
        f"usr/lib/{TRIPLET}/pkgconfig/",
        f"usr/lib/{TRIPLET}/cmake/",
        "*.a",
        "*.la",
    ),
)
"""What no function reads. Licences are another matter: `NOTICES` stays, of every package."""

_DOC = re.compile(r"usr/share/doc/([^/]+)/(?P<file>.+)")
NOTICES = frozenset(("copyright", "NOTICE", "NOTICE.gz"))


@dataclass(frozen=True)
class LayerFile:
    """A file of the layer."""

    path: str
    """In the layer: lib/libz.so.1."""

    origin: str
    """In the system of Debian: usr/lib/x86_64-linux-gnu/libz.so.1.2.13."""

    package: str
    file: DebFile

    @property
    def elf(self) -> Elf | None:
        return self.file.elf


def make_layer(
    debs: Sequence[Deb],
    *,
    tree: bool = False,
    slim: bool = False,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> tuple[LayerFile, ...]:
    """
    Return the files of a layer. `exclude` and `keep` are patterns as in .gitignore over Debian's paths; what is kept is stronger.

    Raises E456 for two files of one place, or two libraries of one SONAME, that are not the same.
    """
    is_left_out, is_kept = _left_out(slim=slim, exclude=exclude), matcher(keep)
    system = _System(debs)
    placed: dict[str, LayerFile] = {}
    clashes: list[str] = []
    for origin, package, file in system.files():
        if is_left_out(origin) and not is_kept(origin):
            continue
        path = origin if tree else flat_path(origin, file.elf, system.needed)
        candidate = LayerFile(path, origin, package, file)
        rival = placed.get(path)
        if rival is None or _is_preferred(candidate, rival):
            placed[path] = candidate
        elif not _is_preferred(rival, candidate) and rival.file.sha256 != file.sha256:
            clashes.append(f"{path}: {rival.origin} of {rival.package}, {origin} of {package}")
    if clashes:
        hint = "leave one out by `exclude:`, or keep Debian's paths by `layout: tree`"
        raise PackageError("E456", "two files of Debian packages have one place", hint=hint, detail=tuple(clashes[:20]))
    return tuple(placed[path] for path in sorted(placed))


def _left_out(*, slim: bool, exclude: Sequence[str]) -> Callable[[str], bool]:
    """Return what says of a path of Debian's whether no function reads it; a licence is always kept."""
    is_excluded = matcher([*(SLIM if slim else ()), *exclude])

    def is_left_out(origin: str) -> bool:
        documentation = _DOC.fullmatch(origin)
        if documentation is None:
            return is_excluded(origin)
        return documentation["file"] not in NOTICES and (slim or is_excluded(origin))

    return is_left_out


def is_on_path(origin: str) -> bool:
    """Say whether a file lies where Debian's linker looks by itself."""
    return posixpath.dirname(origin) in _LIBRARY_FOLDERS


def flat_path(origin: str, elf: Elf | None, needed: Collection[str] = ()) -> str:
    """
    Return where a file goes in the flat layout.

    What others need goes to `lib/` even if they would find it by an RPATH of Debian's, which leads nowhere in a layer.
    """
    folder, name = posixpath.split(origin)
    if elf is not None and elf.soname is not None and (elf.soname in needed or _is_linked(folder, elf.soname)):
        return f"lib/{elf.soname}"
    if elf is not None and elf.soname is None and name in needed:
        return f"lib/{name}"
    if folder in _PROGRAM_FOLDERS:
        return f"bin/{name}"
    for prefix in (f"usr/lib/{TRIPLET}/", f"lib/{TRIPLET}/", "usr/lib/", "lib/", "usr/local/lib/"):
        if origin.startswith(prefix):
            return f"lib/{origin.removeprefix(prefix)}"
    return origin.removeprefix("usr/")


def _is_linked(folder: str, soname: str) -> bool:
    """
    Say whether a library is one that others link against.

    It lies in a folder of libraries, or one step below, where alternatives lie: ``blas/libblas.so.3``. A module that lies deeper, or
    whose SONAME has no number, is loaded by its path.
    """
    return folder in _LIBRARY_FOLDERS or (posixpath.dirname(folder) in _LIBRARY_FOLDERS and ".so." in soname)


def _is_preferred(candidate: LayerFile, rival: LayerFile) -> bool:
    """Say whether of two libraries of one SONAME the first lies where the system looks, and the other does not."""
    first, second = (posixpath.dirname(placed.origin) in _LIBRARY_FOLDERS for placed in (candidate, rival))
    return first and not second


class _System:
    """The packages as one system: what its links lead to, and what its files are."""

    def __init__(self, debs: Iterable[Deb]) -> None:
        self._files: dict[str, tuple[str, DebFile]] = {}
        self._links: dict[str, tuple[str, str]] = {}
        self._below: defaultdict[str, list[str]] = defaultdict(list)
        for deb in debs:
            self._files |= {file.path: (deb.name, file) for file in deb.files}
            self._links |= {path: (deb.name, target) for path, target in deb.links}
        self.needed = {name for _, file in self._files.values() if file.elf for name in file.elf.needed}
        """What any of the files needs by its SONAME."""

        for path in self._files:
            for folder in _parents(path):
                self._below[folder].append(path)

    def files(self) -> Iterator[tuple[str, str, DebFile]]:
        """Yield every file under every path that leads to it, but for libraries, which are found by their SONAME."""
        for path, (package, file) in self._files.items():
            yield path, package, file
        for path, (package, target) in self._links.items():
            final = self._follow(target)
            if final in self._files:
                file = self._files[final][1]
                if file.elf is None or posixpath.dirname(path) in _PROGRAM_FOLDERS:
                    yield path, package, file
            elif final in self._below:
                for inner in self._below[final]:
                    yield path + inner.removeprefix(final), package, self._files[inner][1]

    def _follow(self, path: str) -> str:
        """Return where a path ends, links on the way included."""
        for _ in range(_MAX_LINKS):
            for part in (path, *_parents(path)):
                if part in self._links:
                    path = self._links[part][1] + path.removeprefix(part)
                    break
            else:
                return path
        return path


def _parents(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) != "":
        yield path
