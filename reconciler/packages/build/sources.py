"""
Source of a wheel, copied into a workspace and proved to be the one that was meant.

An sdist is named by its sha256; a folder by that of all that is copied from it (`tree_digest`).
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import ZIP_LZMA, ZipFile

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.base.line_ends import LineEnds, with_line_feeds
from reconciler.base.patterns import ENVIRONMENT_MARK, is_litter
from reconciler.packages.content import hash_blocks, read_content
from reconciler.packages.inspect.members import UNREADABLE, TooMuch, bound
from reconciler.packages.inspect.xz import MAGIC, open_xz

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.packages.build import BuildSource

_ANYWHERE = frozenset({"node_modules"})
_AT_THE_TOP = frozenset({"build", "dist", ".udfs", "udfs.lock"})
"""Further down, these are names of packages. A lock that counted itself would be stale for ever."""

_BLOCK = 1 << 20
_SUFFIXES = (".egg-info", ".pyc", ".pyo")


def tree_digest(folder: Path) -> str:
    """Return the sha256 of what a build would take from a folder."""
    total, line_ends = hashlib.sha256(), LineEnds()
    # Names, bytes and whether a file may be executed, as Git has them; not times, nor what version control, editors and earlier builds left.
    for name, path in sorted(_files(folder)):
        # What a link out leads to is not read: `copy_source` refuses it.
        if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
            kind, content = "l", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        else:
            kind = "x" if line_ends.is_executable(path) else "f"
            content = hash_blocks(path, _blocks(path, line_ends)).sha256
        total.update(f"{kind} {content} {len(name.encode())} {name}\n".encode())
    return total.hexdigest()


def copy_source(source: BuildSource, target: Path) -> Path:
    """Put the source under `target` and return the project's folder; refuse other bytes than the ones named."""
    is_folder = source.path.is_dir()
    try:
        digest = tree_digest(source.path) if is_folder else read_content(source.path).sha256
        if digest != source.sha256:
            raise PackageError(
                "E402",
                f"the source of {source.label} has sha256 {digest}, not {source.sha256}",
                hint="nothing was built; it was changed since, or the pin is of another file",
            )
        if is_folder:
            inside, line_ends = source.path.resolve(), LineEnds()
            for name, path in _files(source.path):
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    raise OSError(f"'{name}' leads out of the project, to {path.readlink()}")
                _copy(path, target / name, line_ends)
            return target
        _unpack(source.path, target)
    except TooMuch as error:
        raise _unusable(source, f"it expands too far: {error}") from error
    except OSError as error:
        raise _unusable(source, error.strerror or str(error)) from error
    except UNREADABLE as error:
        raise _unusable(source, f"it is not an sdist: {error}") from error
    tops = [path for path in target.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise _unusable(source, f"an sdist holds one folder, and this has {len(tops)}")
    return tops[0]


def _unusable(source: BuildSource, why: str) -> PackageError:
    hint = "name an sdist (.tar.gz, .zip), or a folder with a pyproject.toml or a setup.py"
    return PackageError("E442", f"{source.label} cannot be built: {why}", hint=hint)


def _files(top: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        folders[:] = [name for name in folders if _counts(top, here / name)]
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            path = here / name
            if _counts(top, path):
                yield path.relative_to(top).as_posix(), path


def _counts(top: Path, path: Path) -> bool:
    name = path.name
    if is_litter(name) or name in _ANYWHERE or name.endswith(_SUFFIXES) or (path.parent == top and name in _AT_THE_TOP):
        return False
    return not (path / ENVIRONMENT_MARK).is_file()


def _blocks(path: Path, line_ends: LineEnds) -> Iterator[bytes]:
    """Yield a file as Git stores it."""
    is_changed = read_content(path).has_crlf and line_ends.are_changed(path)
    with open_input(path, SHIPPED) as file:
        yield from with_line_feeds(file) if is_changed else iter(partial(file.read, _BLOCK), b"")


def _copy(path: Path, to: Path, line_ends: LineEnds) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() and not path.is_file():
        target = path.readlink()
        if target.is_absolute():
            raise OSError(f"'{path}' leads out of the project, to {target}")
        to.symlink_to(target)
    else:
        with to.open("wb") as out:
            out.writelines(_blocks(path, line_ends))
        to.chmod(0o755 if line_ends.is_executable(path) else 0o644)


def _unpack(path: Path, target: Path) -> None:
    target.mkdir(parents=True)
    if path.name.lower().endswith(".zip"):
        with open_input(path, SHIPPED) as file, ZipFile(file) as archive:
            infos = archive.infolist()
            bound(len(infos), sum(info.file_size for info in infos), path.stat().st_size)
            if any(info.compress_type == ZIP_LZMA for info in infos):
                raise OSError("it is packed by LZMA, which says itself how much memory it takes")
            archive.extractall(target)
    elif not hasattr(tarfile, "data_filter"):
        raise OSError("this Python is too old to unpack archives safely (it needs 3.10.12, or 3.11.4)")
    else:
        count = total = 0

        def limit(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
            nonlocal count, total
            count, total = count + 1, total + member.size
            bound(count, total, path.stat().st_size)
            return tarfile.data_filter(member, folder)

        with open_input(path, SHIPPED) as file, _open_tar(file) as packed:
            packed.extractall(target, filter=limit)


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    """Open a tar archive by what it begins with. tarfile would try every compression, and unpack LZMA with all the memory that a file asks for."""
    head = file.read(len(MAGIC))
    file.seek(0)
    if head == MAGIC:
        return tarfile.open(fileobj=open_xz(file), mode="r|")
    if head.startswith(b"\x1f\x8b"):
        return tarfile.open(fileobj=file, mode="r:gz")
    return tarfile.open(fileobj=file, mode="r:bz2" if head.startswith(b"BZh") else "r:")
