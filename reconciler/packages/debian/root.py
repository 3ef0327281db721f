"""
Root file system made of Debian packages: unpacked as they are, by nobody but us, and good enough to start programs in.

No maintainer script runs. What those of the smallest system do that programs miss is done here: ``/bin``, ``/lib`` and ``/sbin`` are links
into ``/usr`` (usr-is-merged), there are users (base-passwd), and the certificates are in one file (ca-certificates). There is no cache of
the loader's, which finds libraries in Debian's own folders without one. Root, apt, dpkg and a container are needed for nothing.

A root is kept by what it is made of: the sha256 of its packages and the version of this module. It is made whole in a folder beside and
renamed, so any number of processes may make it at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, read_input
from reconciler.base.threads import Threads
from reconciler.packages.debian.archive import unpack_deb
from reconciler.packages.debian.closure import find_base, find_closure
from reconciler.packages.fetch.cache import cache_full, load_record, save_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconciler.packages.debian.archive import Deb
    from reconciler.packages.debian.index import PackageIndex, Stanza
    from reconciler.packages.debian.mirror import Mirror
    from reconciler.packages.fetch.cache import Cache

VERSION = 1
"""Of how roots are made; a new one makes new roots."""

PACKAGES = ("python3", "ca-certificates")
"""What a root has beside the smallest system."""

ROOTS, ROOTS_BY_SUITE = "roots", "roots-by-suite"
_MERGED = frozenset(("bin", "lib", "lib32", "lib64", "libx32", "sbin"))
_USERS = (("usr/share/base-passwd/passwd.master", "etc/passwd"), ("usr/share/base-passwd/group.master", "etc/group"))
_CERTIFICATES = "usr/share/ca-certificates/mozilla"
_LEFT_OUT = ("usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/")
_AT_ONCE = 8


@dataclass(frozen=True)
class RootRecord:
    """Which root a suite has, and of what it was made."""

    key: str
    suite: str
    python: tuple[int, int]
    released: str
    """The day of the suite's release."""

    packages: tuple[tuple[str, str], ...]
    """Name and version."""

    size: int
    """Bytes of its files."""

    is_signed: bool


def find_root(cache: Cache, suite: str) -> tuple[Path, RootRecord] | None:
    """Return the root of a suite, if one was made."""
    record = load_record(cache.root / ROOTS_BY_SUITE / f"{suite}.json", RootRecord)
    if record is None or record.suite != suite:
        return None
    folder = cache.root / ROOTS / record.key
    return (folder, record) if (folder / "usr").is_dir() else None


def make_root(
    mirror: Mirror, suite: str, python: tuple[int, int], *, now: datetime, on_step: Callable[[str], None]
) -> tuple[Path, RootRecord]:
    """
    Return the root of a suite as it is on the mirror, made if there is none of these packages.

    Raises E737 if the suite's own Python is of another version, and E450 to E455 for what is wrong with the mirror.
    """
    release, index = mirror.read_suite(suite, now=now)
    _require_python(index, suite, python)
    base = find_base(index)
    stanzas = [stanza for name in sorted(base) if (stanza := index.stanza(name)) is not None]
    stanzas += [package.stanza for package in find_closure(index, PACKAGES, base)]
    key = _key(stanzas)
    folder = mirror.cache.folder(ROOTS) / key
    if not folder.is_dir():
        total = sum(stanza.size for stanza in stanzas) / 1e6
        on_step(f"fetching {len(stanzas)} packages of {suite}, {total:.0f} MB")
        _build(mirror, stanzas, folder, on_step)
    size = sum(entry.stat(follow_symlinks=False).st_size for entry in _files(str(folder)))
    packages = tuple(sorted((stanza.name, stanza.version) for stanza in stanzas))
    record = RootRecord(key, suite, python, f"{release.date:%Y-%m-%d}", packages, size, release.is_signed)
    save_record(mirror.cache.root / ROOTS_BY_SUITE / f"{suite}.json", record)
    return folder, record


def _require_python(index: PackageIndex, suite: str, python: tuple[int, int]) -> None:
    stanza = index.stanza("python3")
    version = stanza.version if stanza else "none"
    number = "{}.{}".format(*python)
    if not version.startswith((f"{number}.", f"{number}~", f"{number}-")):
        message = f"the Python of '{suite}' is {version}, and the runtime has {number}"
        hint = f"without a root such functions run in a CPython {number} of this machine, and on its glibc"
        raise PackageError("E737", message, hint=hint)


def _key(stanzas: Sequence[Stanza]) -> str:
    text = "\n".join([str(VERSION), *sorted(stanza.sha256 for stanza in stanzas)])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _build(mirror: Mirror, stanzas: Sequence[Stanza], folder: Path, on_step: Callable[[str], None]) -> None:
    with Threads(_AT_ONCE) as threads:
        debs = threads.map(lambda stanza: mirror.fetch(stanza.path, stanza.sha256, stanza.name), stanzas)
    on_step(f"unpacking {len(stanzas)} packages")
    with mirror.cache.workspace() as work:
        root = work / "root"
        root.mkdir()
        try:
            for stanza, content in zip(stanzas, debs, strict=True):
                unpacked = work / "deb"
                unpacked.mkdir()
                _place(unpack_deb(content.path, stanza.name, unpacked), root)
                shutil.rmtree(unpacked)
            _complete(root)
            root.rename(folder)
        except FileExistsError:
            return
        except OSError as error:
            if folder.is_dir():  # another process was faster
                return
            raise cache_full(mirror.cache.root, error) from error


def _merge(path: str) -> str:
    """Return where a path of a package lies in a system whose /bin, /lib and /sbin are links into /usr."""
    return f"usr/{path}" if path.partition("/")[0] in _MERGED else path


def _place(deb: Deb, root: Path) -> None:
    """Move a package's files to their places; of what two packages have, the first stays, as where one diverts the other."""
    for file in deb.files:
        if file.path.startswith(_LEFT_OUT):
            continue
        goal = root / _merge(file.path)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(goal):
            os.link(file.source, goal)
            goal.chmod(0o755 if file.is_executable else 0o644)
    for path, target in deb.links:
        goal = root / _merge(path)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(goal):
            # From its own folder, so that it leads to the same place wherever the root is seen.
            steps = len(PurePosixPath(_merge(path)).parts) - 1
            goal.symlink_to("../" * steps + _merge(target))


def _complete(root: Path) -> None:
    """Do what scripts of the smallest system would have done."""
    for name in sorted(_MERGED):
        if (root / "usr" / name).is_dir() and not os.path.lexists(root / name):
            (root / name).symlink_to(f"usr/{name}")
    (root / "etc").mkdir(exist_ok=True)
    for source, goal in _USERS:
        if (root / source).is_file() and not (root / goal).exists():
            shutil.copyfile(root / source, root / goal)
    certificates = sorted((root / _CERTIFICATES).glob("*.crt"))
    if certificates:
        folder = root / "etc/ssl/certs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca-certificates.crt").write_bytes(b"".join(read_input(path, SHIPPED) for path in certificates))
    if not any((root / "usr/bin").glob("python3*")):
        raise PackageError("E455", "the suite's packages make no system with a Python", hint="nothing of it was kept")


def _files(folder: str) -> list[os.DirEntry[str]]:
    entries = []
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            entries += _files(entry.path)
        else:
            entries.append(entry)
    return entries
