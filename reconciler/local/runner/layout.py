"""
Directory layout of a MaxCompute worker when it starts a Python UDF.

What the service does with the resources of a function (documentation: "Resource operations", the pyodps-pack page):

* PY and FILE resources lie in the working directory under their resource name; a PY resource is importable by its stem.
* An ARCHIVE is unpacked to `work/<resource name>/`, the name with its extension. Which kind of archive it is, is told
  by the end of the *name*: `.zip`, `.jar`, `.tar`, `.tgz`, `.tar.gz`.
* A TABLE is not a file. Its rows, if there are any to give, are kept outside the working directory.

That a JAR lies in the working directory as it is, and that an archive itself does not, are guesses.

Archives come from users and from package indexes, so no member is trusted: a name that leaves the directory, a link
that points out of it, a device, an encrypted member, or more bytes than any honest archive holds is refused with
`UnsafeArchive`. Links are made last, when no file can be written through them any more.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Protocol

from reconciler.local.runner import wire
from reconciler.local.runner.errors import ResourceUnusable, UnsafeArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ResourceType = Literal["py", "file", "archive", "jar", "table"]

ARCHIVE_SUFFIXES = (".zip", ".jar", ".tar", ".tgz", ".tar.gz")


@dataclass(frozen=True)
class TableResource:
    """The rows that `get_cache_table` gives."""

    types: tuple[str, ...]
    """Of its columns, in the spelling of a signature."""
    rows: Callable[[], Iterable[Sequence[object]]]
    """Called each time the rows are laid out."""


@dataclass(frozen=True)
class ResourceFile:
    """A resource of the function, in the order of its list, and the local file with its content."""

    name: str
    """The resource name on the service; `/` is a separator there and cannot be in it."""
    type: ResourceType
    path: Path | None
    """Only ever read; None for a table."""
    table: TableResource | None = None
    """What a table holds; None when there is nothing to give."""


@dataclass(frozen=True)
class Limits:
    """What one archive may unpack to."""

    total_bytes: int = 8 * 1024**3
    """Four times the service's limit for one resource, 2,048 MB."""
    members: int = 200_000
    ratio: int = 200
    """Unpacked to packed. Code and data stay under 20; deflate itself can reach 1,032."""
    free_bytes: int = 256 * 1024**2
    """Below this the ratio does not matter: a small file of zeros is no bomb."""


@dataclass(frozen=True)
class Layout:
    """A prepared directory."""

    cwd: Path
    """The working directory of the worker."""
    tmp: Path
    """For temporary files, empty."""
    tables: Mapping[str, Path]
    """Of each table with rows, the file that holds them."""
    native: tuple[str, ...]
    """Shared objects that came with the resources, as `resource` or `archive/member`."""


class Unpacking(Protocol):
    """What lays out an archive: `extract`, or what does it once for several functions."""

    def __call__(self, archive: Path, target: Path, *, name: str, limits: Limits | None = None) -> tuple[str, ...]:
        """Unpack the file `archive` into the new directory `target`; return the names of files and links."""


def prepare_directory(
    root: Path,
    resources: Iterable[ResourceFile],
    limits: Limits | None = None,
    unpack: Unpacking | None = None,
) -> Layout:
    """Fill `root`, which must be new or empty, and return what is where."""
    unpack = unpack or extract
    resources = tuple(resources)
    _check_names(resources)
    cwd, tmp = root / "worker", root / "tmp"
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise ResourceUnusable(f"the directory {root} is not empty", hint="name one that is new or empty")
    cwd.mkdir()
    tmp.mkdir()
    native: list[str] = []
    tables: dict[str, Path] = {}
    for number, resource in enumerate(resources):
        if resource.type == "table":
            if resource.table is not None:
                tables[resource.name] = root / f"table {number}"
                # The types and then the rows, one line each, in the cells of `wire`.
                with tables[resource.name].open("w", encoding="ascii") as file:
                    file.write(json.dumps(resource.table.types) + "\n")
                    file.writelines(json.dumps(wire.cells(row)) + "\n" for row in resource.table.rows())
            continue
        source = resource.path
        if source is None or not source.is_file():
            raise ResourceUnusable(f"the file of resource {resource.name!r} is missing: {source}")
        if resource.type == "archive":
            members = unpack(source, cwd / "work" / resource.name, name=resource.name, limits=limits)
            native += [f"{resource.name}/{member}" for member in members if is_extension(member)]
        else:
            _copy(resource, source, cwd / resource.name)
            native += [resource.name] if is_extension(resource.name) else []
    return Layout(cwd, tmp, tables, tuple(native))


def is_extension(name: str) -> bool:
    """Return whether the file name is that of a shared object: `x.so`, `libx.so.26`, `x.cpython-37m-x86_64-linux-gnu.so`."""
    return re.search(r"\.so(\.\d+)*$", name) is not None


def _check_names(resources: tuple[ResourceFile, ...]) -> None:
    seen: dict[str, str] = {}
    for resource in resources:
        name = resource.name
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ResourceUnusable(f"{name!r} cannot be the name of a resource")
        # Names are looked up without regard to case on the service, so two that differ in nothing else are one there.
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise ResourceUnusable(f"two resources of one function are called {other!r} and {name!r}")
        if resource.type == "archive" and not name.lower().endswith(ARCHIVE_SUFFIXES):
            raise ResourceUnusable(
                f"the service does not unpack {name!r}: the name of an archive ends in {', '.join(ARCHIVE_SUFFIXES)}",
                hint=f"upload the wheel as {name[:-4]}.zip" if name.lower().endswith(".whl") else "",
            )
        if name.lower() == "work" and resource.type != "table":
            raise ResourceUnusable("a resource called 'work' is in the way of the directory of archives")


def _copy(resource: ResourceFile, source: Path, target: Path) -> None:
    # Copied, never linked: a function may write to its files, and a link would hand it the user's own.
    try:
        shutil.copyfile(source, target)
        target.chmod(0o644)
    except OSError as error:
        raise ResourceUnusable(f"resource {resource.name!r} cannot be copied: {error.strerror}") from error


@dataclass(frozen=True)
class _Member:
    """What zip and tar have in common."""

    name: str
    kind: Literal["file", "directory", "symlink", "hardlink"]
    size: int = 0
    executable: bool = False
    target: str = ""
    content: IO[bytes] | None = None


def extract(archive: Path, target: Path, *, name: str, limits: Limits | None = None) -> tuple[str, ...]:
    """
    Unpack the file `archive`, whose kind is told by `name`, into the new directory `target`.

    Returns the names of the files and links made. Content is streamed, memory does not grow with its size.
    """
    unpacking = _Unpacking(name, target, limits or Limits(), packed=archive.stat().st_size)
    target.mkdir(parents=True)
    try:
        if name.lower().endswith((".zip", ".jar")):
            unpacking.take(_zip_members(archive, name))
        else:
            unpacking.take(_tar_members(archive, name))
        unpacking.link()
    except UnsafeArchive:
        raise
    except OSError as error:
        raise ResourceUnusable(f"archive {name!r} cannot be unpacked: {error.strerror or error}") from error
    except Exception as error:
        # Damaged archives make the libraries raise nearly anything: LZMAError, zlib.error, struct.error, TypeError, ...
        raise ResourceUnusable(f"archive {name!r} cannot be read: {error}") from error
    return tuple(unpacking.made)


def _zip_members(archive: Path, name: str) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            member = info.orig_filename
            mode = info.external_attr >> 16
            if info.flag_bits & 0x1:
                raise UnsafeArchive(f"archive {name!r} is encrypted: member {member!r}")
            if member.endswith("/"):
                yield _Member(member, "directory")
                continue
            with opened.open(info) as content:
                if stat.S_ISLNK(mode):
                    # A target is a path; whatever is longer is not one.
                    yield _Member(member, "symlink", target=content.read(4096).decode("utf-8", "surrogateescape"))
                elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                    yield _Member(member, "file", info.file_size, bool(mode & 0o100), content=content)
                else:
                    raise UnsafeArchive(f"archive {name!r} holds a device or pipe: member {member!r}")


def _tar_members(archive: Path, name: str) -> Iterator[_Member]:
    # A stream is enough, and spares gzip the way back: `r|` reads forward only.
    with tarfile.open(archive, "r|" if name.lower().endswith(".tar") else "r|gz") as opened:
        for info in opened:
            if info.isdir():
                yield _Member(info.name, "directory")
            elif info.issym():
                yield _Member(info.name, "symlink", target=info.linkname)
            elif info.islnk():
                yield _Member(info.name, "hardlink", target=info.linkname)
            elif info.isreg():
                yield _Member(info.name, "file", info.size, bool(info.mode & 0o100), content=opened.extractfile(info))
            else:
                raise UnsafeArchive(f"archive {name!r} holds a device or pipe: member {info.name!r}")


class _Unpacking:
    """One archive on its way to one directory."""

    def __init__(self, archive: str, target: Path, limits: Limits, *, packed: int) -> None:
        self.archive = archive
        self.target = target
        self.made: dict[str, Path] = {}
        self._links: dict[str, str] = {}
        self._members_left = limits.members
        self._bytes_left = min(limits.total_bytes, max(limits.free_bytes, packed * limits.ratio))
        self._directories = {target}

    def _unsafe(self, what: str) -> UnsafeArchive:
        return UnsafeArchive(f"archive {self.archive!r}{what}")

    def take(self, members: Iterator[_Member]) -> None:
        """Write directories and files; remember links."""
        for member in members:
            self._members_left -= 1
            if self._members_left < 0:
                raise self._unsafe(" holds too many members")
            parts = self._parts(member.name)
            if not parts:
                continue
            path = self.target.joinpath(*parts)
            plain = "/".join(parts)
            if member.kind == "directory":
                self._make_directory(path)
                continue
            if plain in self.made or plain in self._links:
                raise self._unsafe(f" holds the member {member.name!r} twice")
            self._make_directory(path.parent)
            if member.kind == "symlink":
                self._links[plain] = self._link_target(member, parts)
            else:
                self._write(path, member)
                self.made[plain] = path

    def link(self) -> None:
        """Make the symbolic links, then look where each really leads: a link may go through another."""
        root = self.target.resolve()
        for plain, target in self._links.items():
            self.target.joinpath(plain).symlink_to(target)
            self.made[plain] = self.target / plain
        for plain, target in self._links.items():
            # A loop of links makes realpath give up half way, which is inside and harmless.
            if not Path(os.path.realpath(self.target / plain)).is_relative_to(root):
                raise self._unsafe(f": the link {plain!r} leads outside, to {target!r}")

    def _parts(self, name: str) -> list[str]:
        """Return the components of a member's name; a Windows path counts as one, for what it might become."""
        parts = re.split(r"[/\\]", name)
        if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or re.match(r"[A-Za-z]:[/\\]", name):
            raise self._unsafe(f": the member {name!r} leaves its directory")
        return [part for part in name.split("/") if part not in ("", ".")]

    def _link_target(self, member: _Member, parts: list[str]) -> str:
        joined = os.path.normpath("/".join([*parts[:-1], member.target]))
        if not member.target or member.target.startswith("/") or joined.split("/")[0] == ".." or "\0" in member.target:
            raise self._unsafe(f": the link {member.name!r} leads outside, to {member.target!r}")
        return member.target

    def _make_directory(self, path: Path) -> None:
        if path not in self._directories:
            path.mkdir(parents=True, exist_ok=True)
            self._directories.add(path)

    def _write(self, path: Path, member: _Member) -> None:
        with path.open("xb") as out:
            if member.kind == "hardlink":
                self._copy_earlier(member, out)
            elif member.content is not None:
                self._copy_content(member.content, out)
        if member.executable:
            path.chmod(0o755)

    def _copy_earlier(self, member: _Member, out: IO[bytes]) -> None:
        earlier = self.made.get("/".join(self._parts(member.target)))
        if earlier is None:
            raise self._unsafe(f": the link {member.name!r} leads to {member.target!r}, which is no earlier member")
        with earlier.open("rb") as content:
            self._copy_content(content, out)

    def _copy_content(self, content: IO[bytes], out: IO[bytes]) -> None:
        """Count what really comes: the sizes written in an archive are only claims."""
        while piece := content.read(1 << 20):
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise self._unsafe(" unpacks to more than an honest archive would")
            out.write(piece)


def remove(directory: Path) -> None:
    """Remove a directory, also where the function took away the right to."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        for parent, _, _ in os.walk(directory):
            Path(parent).chmod(0o700)
        shutil.rmtree(directory, ignore_errors=True)
