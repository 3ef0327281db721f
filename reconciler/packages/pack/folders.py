"""
Folder archives, the same bytes wherever a folder of the manifest's is packed.

All files are in it but what Python, editors and file managers leave beside them, virtual environments and ``.env`` files (`base.patterns`), and
what `exclude` names. Order, dates, owners and permissions are fixed as in
`zips`; an executable file stays executable, and a text has its line ends, as in Git. Links, devices and names that systems read differently are
refused, as they are in archives that somebody else packed (`members`).

A folder that is packed as ``.tar`` is not compressed at all.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.base.line_ends import take_census
from reconciler.base.names import module_name, versioned_name
from reconciler.base.patterns import ENVIRONMENT_MARK, is_litter, matcher
from reconciler.packages.content import OwnPackage, read_content, why_no_source
from reconciler.packages.fetch.cache import reading
from reconciler.packages.inspect.files import shorten
from reconciler.packages.inspect.members import MAX_MEMBERS, why_not_a_member
from reconciler.packages.pack.archives import Chooser, PackedArchive, Shape, pack_once
from reconciler.packages.pack.zips import make_entry, write_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.base.line_ends import Rule
    from reconciler.manifest.model import Resource
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache

_DATE = (1980, 1, 1, 0, 0, 0)
_SECONDS = 315_532_800
"""The same date, as tar counts."""

# The many versions of zlib give the same bytes; its replacement zlib-ng, which some distributions build Python with, others.
_LEVEL = 6
"""What zip and gzip mean by default."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileMember:
    """A file that is to be a member of an archive."""

    name: str
    """In the archive."""

    path: Path
    executable: bool
    sha256: str
    size: int


def pack_folder(resource: str, folder: Path, shown: str, declared: Resource, cache: Cache) -> PackedArchive:
    """
    Return the archive of a folder, from the cache or made now.

    It is a zip or tar archive by the end of the resource's name. `shown` is the folder as the manifest has it.
    """
    chooser = Chooser(Shape(exclude=tuple(declared.exclude)), keeps_metadata=False)
    is_wanted = matcher([pattern[1:] for pattern in declared.exclude if pattern.startswith("!")])
    unsafe: list[str] = []
    with reading(shown, folder):
        paths = dict(_walk(folder, chooser, unsafe, is_wanted))
        if unsafe:
            hint = "an archive holds plain files and folders; put a copy in its place, or name it under `exclude:`"
            raise PackageError("E421", f"'{shown}' holds what must not be packed", hint=hint, detail=shorten(unsafe))
        if not paths:
            raise PackageError("E426", f"there is no file to pack in '{shown}'", hint="name a folder with files in it")
        is_executable = cache.line_ends.is_executable
        files = [
            _file(name, path, cache, declared.line_ends, is_executable(path)) for name, path in sorted(paths.items())
        ]
        kind = archive_kind(resource)
        recipe = ["folder", kind, [(file.name, file.executable, file.sha256) for file in files]]

        def make(workspace: Path) -> Path:
            archive = workspace / f"folder.{kind}"
            _write(archive, files, kind)
            return archive

        packed = pack_once(recipe, cache, lambda workspace: (make(workspace), (), ()))
        return PackedArchive(packed.content, chooser.left_out(), chooser.idle())


def pack_files(files: Iterable[tuple[str, Content, bool]], cache: Cache) -> Content:
    """Return a zip archive of files, from the cache or made now: of each its name there, its content, and whether it can be executed."""
    members = [
        FileMember(name, content.path, executable, content.sha256, content.size) for name, content, executable in files
    ]
    recipe = ["files", sorted((member.name, member.executable, member.sha256) for member in members)]

    def make(workspace: Path) -> Path:
        archive = workspace / "files.zip"
        with archive.open("xb") as out:
            write_file_zip(out, sorted(members, key=lambda member: member.name))
        return archive

    return pack_once(recipe, cache, lambda workspace: (make(workspace), (), ())).content


def pack_package(folder: Path, shown: str, cache: Cache, is_versioned: bool) -> OwnPackage:
    """
    Return a package of the user's own as an archive that has the folder at its top.

    What Python and editors leave beside sources is not of the package. Nothing is compressed, so the bytes are the same
    whatever this machine's zlib is; sources are small.
    """
    name = module_name(shown)
    chooser = Chooser(Shape(exclude=("*.py[co]", ".*")), keeps_metadata=False)
    unsafe: list[str] = []
    with reading(shown, folder):
        paths = sorted(_walk(folder, chooser, unsafe))
        if unsafe:
            hint = "a package holds plain files and folders; put a copy in its place"
            raise PackageError("E421", f"'{shown}' holds what must not be packed", hint=hint, detail=shorten(unsafe))
        files = {f"{name}/{inside}": _file(f"{name}/{inside}", path, cache) for inside, path in paths}
        sources = {inside: file for inside, file in files.items() if inside.endswith(".py")}
        if not sources:
            raise PackageError("E426", f"there is no Python file in '{shown}'", hint="name a package, or a .py file")
        for inside, file in sources.items():
            if reason := why_no_source(inside, file.size):
                raise PackageError("E405", f"'{inside}' is too large: {reason}")
        recipe = ["package", [(file.name, file.sha256) for file in files.values()]]
        packed = pack_once(
            recipe, cache, lambda workspace: (_write_stored(workspace / f"{name}.zip", files.values()), (), ())
        )
        contents = {inside: cache.read(file.path) for inside, file in sources.items()}
    archive = versioned_name(f"{name}.zip", packed.content.sha256) if is_versioned else f"{name}.zip"
    return OwnPackage(archive, packed.content, contents)


def convert_line_ends(
    archive: Content, kind: str, convert: Callable[[BinaryIO], Iterator[bytes]], workspace: Path
) -> Content:
    """
    Return what a folder's archive would be were all its texts converted; it lies in a folder of its own in `workspace`.

    `kind` is how it was packed: ``zip``, ``tar``, ``tar.gz``, or ``package`` for one of `pack_package`.
    """
    folder = Path(tempfile.mkdtemp(dir=workspace))
    files = []
    for number, (name, executable, stream) in enumerate(_read_members(archive.path, kind)):
        whole, path = folder / f"{number}.member", folder / f"{number}.converted"
        with stream, whole.open("xb") as out:
            shutil.copyfileobj(stream, out, _BLOCK)
        if not take_census(whole).is_binary:
            with open_input(whole, SHIPPED) as text, path.open("xb") as out:
                out.writelines(convert(text))
        content = read_content(path if path.exists() else whole)
        files.append(FileMember(name, content.path, executable, content.sha256, content.size))
    converted = folder / archive.path.name
    if kind == "package":
        _write_stored(converted, files)
    else:
        _write(converted, files, kind)
    return read_content(converted)


def _read_members(path: Path, kind: str) -> Iterator[tuple[str, bool, IO[bytes]]]:
    """Yield the files of an archive that was packed here: name, whether it can be executed, and what is in it."""
    with open_input(path, SHIPPED) as file:
        if kind in ("zip", "package"):
            with ZipFile(file) as packed:
                for entry in packed.infolist():
                    yield entry.filename, bool(entry.external_attr >> 16 & 0o100), packed.open(entry)
        else:
            with tarfile.open(fileobj=file, mode="r:gz" if kind == "tar.gz" else "r:") as tar:
                for member in tar:
                    if (content := tar.extractfile(member)) is not None:
                        yield member.name, bool(member.mode & 0o100), content


def _write(path: Path, files: Sequence[FileMember], kind: str) -> None:
    with path.open("xb") as out:
        write_file_zip(out, files) if kind == "zip" else _write_tar(out, files, kind)


def archive_kind(resource: str) -> str:
    """Return how a folder is packed, by the end of the resource's name."""
    return "zip" if resource.lower().endswith(".zip") else "tar" if resource.lower().endswith(".tar") else "tar.gz"


def _write_stored(path: Path, files: Iterable[FileMember]) -> Path:
    members = []
    for file in files:
        with _open_checked(file) as read:
            members.append(make_entry(file.name, b"".join(iter(lambda read=read: read(_BLOCK), b""))))  # type: ignore[misc]
    with path.open("xb") as out:
        write_zip(out, members)
    return path


def _walk(
    folder: Path, chooser: Chooser, unsafe: list[str], is_wanted: Callable[[str], bool] = lambda path: False
) -> Iterator[tuple[str, Path]]:
    """
    Yield every file that is wanted, by its path below the folder; what cannot be packed is added to `unsafe`.

    `is_wanted` says so of what tools leave, which is not packed as a rule.
    """

    def fail(error: OSError) -> None:
        raise error

    def is_left_out(path: str) -> bool:
        is_left = is_litter(path.rstrip("/").rpartition("/")[2]) or (folder / path / ENVIRONMENT_MARK).is_file()
        return is_left and not is_wanted(path)

    seen: dict[str, str] = {}
    for above, folders, files in os.walk(folder, onerror=fail):
        here = Path(above)
        links = [name for name in folders if (here / name).is_symlink()]
        top = "" if here == folder else f"{here.relative_to(folder).as_posix()}/"
        folders[:] = sorted(name for name in {*folders} - {*links} if not is_left_out(f"{top}{name}/"))
        for name in sorted(f"{top}{file}" for file in (*files, *links) if not is_left_out(f"{top}{file}")):
            path = folder / name
            status = path.lstat()
            if not chooser.takes(name, status.st_size):
                continue
            twin = seen.setdefault(name.lower(), name)
            if reason := _why_not(status.st_mode) or why_not_a_member(name):
                unsafe.append(f"{name!r} {reason}")
            elif twin != name:
                unsafe.append(f"{name!r} differs from {twin!r} only in case")
            elif len(seen) > MAX_MEMBERS:
                raise PackageError("E422", f"'{folder.name}' holds more than {MAX_MEMBERS:,} files")
            else:
                yield name, path


def _why_not(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    return "is a symbolic link" if stat.S_ISLNK(mode) else "is neither a file nor a folder"


def _file(name: str, path: Path, cache: Cache, rule: Rule | None = None, executable: bool = False) -> FileMember:
    content = cache.read_stored(path, rule)
    return FileMember(name, content.path, executable, content.sha256, content.size)


def write_file_zip(out: IO[bytes], files: Sequence[FileMember]) -> None:
    """Write a zip archive of files; raises E402 for one that is not what it was when it was hashed."""
    with ZipFile(out, "w") as archive:
        for file in files:
            with archive.open(member_info(file), "w") as member, _open_checked(file) as read:
                while block := read(_BLOCK):
                    member.write(block)


def member_info(file: FileMember) -> ZipInfo:
    """Return what an archive says of a file."""
    info = ZipInfo(file.name, _DATE)
    info.create_system, info.compress_type = 3, ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | _mode(file)) << 16
    info.file_size = file.size  # by which zipfile chooses zip64
    return info


def _write_tar(out: IO[bytes], files: Sequence[FileMember], kind: str) -> None:
    with ExitStack() as opened:
        if kind == "tar.gz":
            out = opened.enter_context(
                gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=out, mtime=0)  # type: ignore[arg-type]
            )
        archive = opened.enter_context(tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT))
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.size, info.mtime, info.mode = file.size, _SECONDS, _mode(file)
            with _open_checked(file) as read:
                archive.addfile(info, _Reader(read))  # type: ignore[arg-type]


def _mode(file: FileMember) -> int:
    return 0o755 if file.executable else 0o644


@contextmanager
def _open_checked(file: FileMember) -> Iterator[Callable[[int], bytes]]:
    """Give what reads a file, and raise if it was not the one that was looked at."""
    digest = hashlib.sha256()
    with open_input(file.path, SHIPPED) as stream:

        def read(size: int) -> bytes:
            block = stream.read(size)
            digest.update(block)
            return block

        yield read
        digest.update(stream.read(1))  # more than was asked for is a change too
    if digest.hexdigest() != file.sha256:
        raise PackageError("E402", f"'{file.name}' changed while it was packed", hint="run the command again")


@dataclass(frozen=True)
class _Reader:
    """A file as `tarfile` wants it."""

    read: Callable[[int], bytes]
