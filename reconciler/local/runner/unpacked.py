"""
Archives unpacked once for all functions of a run that bring the same.

What a function finds is a folder of its own, with links in it: to each folder that holds code, as packages do, and to each file
of code beside them. (One that goes through folders itself, or has `get_cache_archive` do so, finds folders.) What they lead to can
only be read, by root too (a worker has no capabilities, see `base.barrier`), so that no function meets what another one changed, unless
that took itself the right to. Everything else is a copy, for a function may write to its own data.

Python compiles a module where no compiled one lies beside it, which is half of what an import of SciPy takes. What one function has
imported is compiled for those that follow: by the names that its process said, and from the sources that all share.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.barrier import start
from reconciler.local.runner.layout import extract, is_extension, remove
from reconciler.local.runner.process import environment, isolation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.local.interpreters import Interpreter
    from reconciler.local.runner.layout import Limits

_SECONDS = 60

# In the syntax that 2.7 and 3.x share.
_COMPILE = """
import json, os, py_compile, sys
question = json.load(sys.stdin)
done = []
for number, source in enumerate(question["sources"]):
    folder, name = os.path.split(source)
    tag = getattr(getattr(sys, "implementation", None), "cache_tag", None)
    goal = os.path.join(folder, "__pycache__", "%s.%s.pyc" % (name[:-3], tag)) if tag else source + "c"
    draft = os.path.join(question["folder"], "%d.pyc" % number)
    try:
        py_compile.compile(source, draft, doraise=True)
    except Exception:
        continue
    done.append([draft, goal])
json.dump(done, sys.stdout)
"""


@dataclass(frozen=True)
class _Folder:
    """What an archive holds, unpacked."""

    names: tuple[str, ...]
    """Of files and links."""
    linked: tuple[Path, ...]
    """Folders and files at the top with code in them: links in each function's folder."""
    copied: tuple[Path, ...]
    """What else is at the top."""


class UnpackedArchives:
    """Archives of one run; `lay` may be asked by several threads. What it keeps goes with it."""

    def __init__(self) -> None:
        self._folder = ""
        self._unpacked: dict[tuple[Path, str], _Folder] = {}
        self._busy: dict[tuple[Path, str], threading.Lock] = {}
        self._guard = threading.Lock()
        self._compiling = threading.Lock()
        self._imported: set[str] = set()
        self._compiled: set[tuple[Path, str]] = set()

    def lay(self, archive: Path, target: Path, *, name: str, limits: Limits | None = None) -> tuple[str, ...]:
        """Fill the new directory `target` as `extract` does, and return the same; raises what it raises."""
        unpacked = self._unpack(archive, name, limits)
        _lay(unpacked, target)
        return unpacked.names

    def lay_without_links(
        self, archive: Path, target: Path, *, name: str, limits: Limits | None = None
    ) -> tuple[str, ...]:
        """Do the same with folders where `lay` has links, for a function that would see them; it takes as long as the import of a package."""
        unpacked = self._unpack(archive, name, limits)
        _lay_without_links(unpacked, target)
        return unpacked.names

    def _unpack(self, archive: Path, name: str, limits: Limits | None) -> _Folder:
        key = archive, name
        with self._guard:
            busy = self._busy.setdefault(key, threading.Lock())
            if not self._folder:
                self._folder = tempfile.mkdtemp(prefix="udfs-")
                weakref.finalize(self, remove, Path(self._folder))
        with busy:
            if key not in self._unpacked:
                # A folder of its own for each try: what a failed one left half done is in nobody's way.
                folder = Path(tempfile.mkdtemp(dir=self._folder), "content")
                self._unpacked[key] = _unpack(archive, folder, name, limits)
        return self._unpacked[key]

    def note_imported(self, cwd: Path, files: Iterable[str]) -> None:
        """Remember the sources that a function has imported, by names that it can have made up."""
        root = self._folder + os.sep
        paths = {os.path.realpath(cwd / name) for name in files if name.endswith((".py", ".pyc")) and "\0" not in name}
        sources = {path.removesuffix("c") for path in paths if self._folder and path.startswith(root)}
        with self._guard:
            self._imported |= sources

    def compile_imported(self, interpreter: Interpreter) -> None:
        """Compile, for an interpreter, what was imported by others and is not compiled yet; not twice at a time, and not where it fails."""
        if not self._compiling.acquire(blocking=False):
            return
        try:
            with self._guard:
                sources = sorted(path for path in self._imported if (interpreter.path, path) not in self._compiled)
            if sources:
                self._compiled |= {(interpreter.path, path) for path in sources}
                with suppress(OSError):  # a full disk, or what a function did there: whoever imports it compiles it
                    _compile(interpreter, sources, Path(self._folder))
        finally:
            self._compiling.release()


def _compile(interpreter: Interpreter, sources: list[str], root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        question = json.dumps({"sources": sources, "folder": folder}).encode()
        with start(
            [str(interpreter.path), *isolation(interpreter.version), "-c", _COMPILE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(Path(folder), Path(folder)),
        ) as process:
            try:
                answer, _ = process.communicate(question, _SECONDS)
                compiled = json.loads(answer)
            except (ValueError, subprocess.SubprocessError):
                return
            finally:
                process.kill()
        for draft, goal in compiled:
            _put(Path(draft), Path(goal))


def _put(draft: Path, goal: Path) -> None:
    """Move a compiled module to where the import looks for it."""
    folder = goal.parent.parent if goal.parent.name == "__pycache__" else goal.parent
    folder.chmod(0o755)
    if goal.parent != folder:
        goal.parent.mkdir(exist_ok=True)
        goal.parent.chmod(0o755)
    draft.chmod(0o444)
    draft.replace(goal)
    for changed in {goal.parent, folder}:
        changed.chmod(0o555)


def _unpack(archive: Path, folder: Path, name: str, limits: Limits | None) -> _Folder:
    names = extract(archive, folder, name=name, limits=limits)
    with_code = {member.partition("/")[0] for member in names if _is_code(member)}
    tops = list(folder.iterdir())
    linked = tuple(top for top in tops if top.name in with_code and not top.is_symlink())
    for top in linked:
        _protect(top)
    return _Folder(names, linked, tuple(top for top in tops if top not in linked))


_CODE = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp", ".f", ".f90")


def _is_code(member: str) -> bool:
    return member.endswith(_CODE) or is_extension(member)


def _protect(top: Path) -> None:
    """Take away the right to write to it, and to all in it."""
    inside = [Path(parent, name) for parent, folders, files in os.walk(top) for name in (*folders, *files)]
    for path in (*inside, top):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)


_LOOKS = re.compile(
    rb"\b(?:get_cache_archive|f?walk|scandir|[ir]?glob|iterdir|lstat|islink|is_symlink|readlink|realpath|resolve|pathlib)\b"
)


def may_see_links(sources: Iterable[bytes]) -> bool:
    """Say whether a function may look at folders so that it tells a link from a folder: by words in its own sources."""
    return any(_LOOKS.search(source) for source in sources)


def _lay_without_links(unpacked: _Folder, target: Path) -> None:
    target.mkdir(parents=True)
    for top in unpacked.linked:
        if top.is_dir():
            shutil.copytree(top, target / top.name, symlinks=True, copy_function=_link)
        else:
            _link(top, target / top.name)
    _copy(unpacked.copied, target)


def _link(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links, or with too many to this file
        shutil.copy(source, target)


def _lay(unpacked: _Folder, target: Path) -> None:
    target.mkdir(parents=True)
    for top in unpacked.linked:
        (target / top.name).symlink_to(top)
    _copy(unpacked.copied, target)


def _copy(tops: Iterable[Path], target: Path) -> None:
    for top in tops:
        if top.is_dir() and not top.is_symlink():
            shutil.copytree(top, target / top.name, symlinks=True)
        else:
            shutil.copy(top, target / top.name, follow_symlinks=False)
