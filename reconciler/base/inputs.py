"""
Input files: all that a checkout or a command line names is opened here, and nowhere else (``tests/test_inputs.py``).

A file is read only if it is regular, has no more bytes than its kind may have, and is not reached by a link that leads out of the
checkout in which the link lies. Judged is what was opened, not what lay there before: nothing waits for a pipe's writer,
nothing reads a device, and nothing fills the memory.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, BinaryIO


class Limit(NamedTuple):
    """A kind of file, and how many bytes one may have."""

    noun: str
    size: int


MANIFEST = Limit("a manifest or policy", 8_000_000)
"""As the reader of YAML has it; 5,000 functions with all their keys are 2 MB."""

LOCK = Limit("a lock", 8_000_000)
REQUIREMENTS = Limit("a requirements file", 1 << 20)
SOURCE = Limit("a Python source", 16 << 20)
"""What is parsed takes some hundred times its size in memory. A model that was written out as code is the largest in use."""

PLAN = Limit("a saved plan or dump", 256 << 20)
"""A plan of 10,000 objects has 20 MB."""

INDEX = Limit("an index of Git", 1 << 30)
ATTRIBUTES = Limit("a .gitattributes", 1 << 20)
SETTING = Limit("a file of settings", 1 << 20)
"""A token, keys or a configuration of the machine's."""

EVENT = Limit("the event of a pipeline", 25_000_000)
"""GitHub sends none that is larger."""

RECORD = Limit("a record of the cache", 256 << 20)
REPORT = Limit("the report of a tool", 256 << 20)
"""What a resolver, a build or its log leaves in a folder of ours."""

SHIPPED = Limit("a file that is shipped", 4 << 30)
"""Twice what MaxCompute takes: a wheel is slimmed, a folder left out in part. It is read in blocks."""

ROWS = Limit("a file of rows", 64 << 30)
"""It is streamed."""

LONGEST_LINE = 64 << 20
"""Characters of a line of rows: a STRING has at most 8 MB, a row many of them."""

_NOUNS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_BLOCK, _COPIED = 1 << 16, 1 << 20
"""Bytes that are read at once."""

_NO_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)


class FileRefused(OSError):
    """A file that is not read, although the system would; `strerror` says why: *it is a named pipe*."""

    def __init__(self, number: int, reason: str, path: Path | str) -> None:
        super().__init__(number, reason, str(path))


class LeadsOut(FileRefused):
    """A file that is reached by a link out of the checkout in which the link lies."""


def why_unreadable(error: OSError, folder: Path) -> str:
    """Return why a file in a folder is not read, with its name from there."""
    reason = error.strerror or str(error)
    name = os.path.relpath(os.fsdecode(error.filename), folder) if error.filename is not None else ""
    return reason if name in {"", "."} or name.startswith("../") else f"{name}: {reason}"


def describe_mode(mode: int) -> str:
    """Return what a file is: *a directory*, *a named pipe*."""
    return _NOUNS.get(stat.S_IFMT(mode), "something else")


def open_input(path: Path, limit: Limit) -> BinaryIO:
    """
    Open a file of ours, or one whose path was judged already; raises OSError, `FileRefused` above all.

    More than the limit is never read, even of a file that grows meanwhile: then reading raises `FileRefused`.
    """
    # First by its name: to open a device can do something, such as rewinding a tape.
    _require_regular(path.stat(), path, limit)
    descriptor = os.open(path, _NO_WAITING)
    try:
        _require_regular(os.fstat(descriptor), path, limit)
        return io.BufferedReader(_LimitedFile(descriptor, path, limit), _BLOCK)
    except BaseException:
        os.close(descriptor)
        raise


def read_input(path: Path, limit: Limit) -> bytes:
    """As `open_input`, for all of a file."""
    with open_input(path, limit) as file:
        return file.read()


def copy_input(path: Path, target: Path, limit: Limit) -> None:
    """Copy a file as `open_input` opens it; where that fails, there may be a part of it."""
    with open_input(path, limit) as file, target.open("wb") as out:
        while block := file.read(_COPIED):
            out.write(block)


def open_named(path: Path, limit: Limit) -> BinaryIO:
    """As `open_input`, for a name that a person or a checkout gave: raises `LeadsOut` for a link out of its checkout."""
    # A link out is refused before anything else is said of what it leads to.
    real = follow_links(path)
    file = open_input(path, limit)
    try:
        if not os.path.samestat(os.fstat(file.fileno()), real.stat()):
            raise FileRefused(errno.ESTALE, "it was replaced while it was opened", path)
    except BaseException:
        file.close()
        raise
    return file


def read_named(path: Path, limit: Limit) -> bytes:
    """As `open_named`, for all of a file."""
    with open_named(path, limit) as file:
        return file.read()


def read_lines(file: IO[str], name: Path | str) -> Iterator[str]:
    """Yield the lines of a text, with their ends; raises `FileRefused` for one that has no end in sight."""
    for line in iter(partial(file.readline, LONGEST_LINE + 1), ""):
        if len(line) > LONGEST_LINE:
            raise FileRefused(errno.EFBIG, f"it has a line of more than {LONGEST_LINE:,} characters", name)
        yield line


def follow_links(path: Path) -> Path:
    """
    Return a path without links; raises `LeadsOut` where one leads out, and OSError where it leads to nothing.

    A link in a repository leads to a place in it, but for Git's own folder. A file that is a link and lies in no repository
    leads to a place in its folder or below. Folders on the way to it are then the user's business, as are ``..`` and the
    links of the system itself.
    """
    here = Path(path.anchor or ".").resolve()
    steps = path.parts[1:] if path.anchor else path.parts
    for number, name in enumerate(steps, 1):
        here = here.parent if name == ".." else _follow_link(here / name, is_last=number == len(steps))
    return here


def _follow_link(path: Path, *, is_last: bool) -> Path:
    """Return what an entry of a folder is; `is_last` is that of the file itself."""
    folder = path.parent
    if not path.is_symlink() or folder.is_relative_to("/dev") or folder.is_relative_to("/proc"):
        return path
    real = Path(os.path.realpath(path, strict=True))
    checkout = repository_of(folder) or (folder if is_last else None)
    if checkout is not None and not is_inside(real, checkout):
        raise LeadsOut(errno.EPERM, "it is a link that leads out of its checkout", path)
    return real


def is_inside(path: Path, folder: Path) -> bool:
    """Say whether a path lies in a folder or below, and not in Git's own folder; both absolute, without links."""
    return path.is_relative_to(folder) and ".git" not in (part.lower() for part in path.relative_to(folder).parts)


def repository_of(folder: Path) -> Path | None:
    """
    Return the top of the repository in which a folder lies; absolute, without links.

    As with Git, somebody else's ``.git`` above does not count. Nor does one that would make a whole home directory, where some
    keep their settings in Git, or the whole machine one checkout.
    """
    owner = folder.stat().st_uid
    for top in (folder, *folder.parents):
        try:
            is_ours = (top / ".git").lstat().st_uid == owner
        except OSError:
            continue
        return top if is_ours and top not in {_home(), Path(top.anchor)} else None
    return None


def _home() -> Path | None:
    try:
        import pwd

        return Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    except (ImportError, KeyError):
        return None


def _require_regular(status: os.stat_result, path: Path, limit: Limit) -> None:
    if not stat.S_ISREG(status.st_mode):
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise FileRefused(number, f"it is {describe_mode(status.st_mode)}, not a file", path)
    if status.st_size > limit.size:
        raise _too_large(path, limit)


def _too_large(path: Path | str, limit: Limit) -> FileRefused:
    return FileRefused(errno.EFBIG, f"{limit.noun} has at most {limit.size:,} bytes, and this has more", path)


class _LimitedFile(io.FileIO):
    """A file of which no byte beyond its limit is read."""

    def __init__(self, descriptor: int, path: Path, limit: Limit) -> None:
        super().__init__(descriptor, "rb")
        self._path, self._limit = path, limit

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        if count and self.tell() > self._limit.size:
            raise _too_large(self._path, self._limit)
        return count or 0

    def readall(self) -> bytes:
        # One byte more than there may be tells a file that grew.
        return b"".join(iter(partial(self.read, _COPIED), b""))

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self.readinto(buffer)])
