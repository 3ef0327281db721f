"""
Interpreter's prefix: which files of a CPython that is installed here a worker needs, and how they become relocatable.

CPython finds its standard library from where its own program lies [docs.python.org, "The initialization of the sys.path module search path"],
so its prefix can be moved as a whole; what cannot is the search path that its program may have for ``libpython``, which is replaced in place
by one that begins at the program. Bytecode is left out: it is stale as soon as an unpacker sets other dates.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SETTING, SHIPPED, read_input
from reconciler.base.patterns import matcher
from reconciler.packages.inspect.elf import Damaged, find_search_path, read_elf
from reconciler.packages.inspect.files import is_elf

if TYPE_CHECKING:
    from collections.abc import Iterator

RELATIVE = "$ORIGIN/../lib"

_PROGRAM = re.compile(r"python(\d)\.(\d+)\Z")
_LIBPYTHON = re.compile(r"libpython\d\.\d+[a-z]*\.so(\.\d+)+\Z")
"""By its SONAME; the name without a number is for compilers."""

_HOME = re.compile(r"^\s*home\s*=\s*(.*?)\s*$", re.MULTILINE)

LEFT_OUT = (
    *("site-packages/", "dist-packages/", "__pycache__/", "*.py[co]"),
    *("test/", "tests/", "idle_test/", "idlelib/", "tkinter/", "turtledemo/", "turtle.py", "ensurepip/", "pydoc_data/"),
    *(
        "config-*/",
        "*.a",
        "_tkinter.*.so",
        "_test*.so",
        "_ctypes_test.*.so",
        "xx*.so",
        "sitecustomize.py",
        "EXTERNALLY-MANAGED",
    ),
)
"""What of a standard library no function needs: tests, windows, installers, what embeds it, and what a system adds for itself."""


@dataclass(frozen=True)
class PrefixFile:
    """A file of an interpreter, and where it belongs below the prefix."""

    name: str
    path: Path
    is_executable: bool


@dataclass(frozen=True)
class Prefix:
    """A CPython that is installed here."""

    folder: Path
    program: Path
    """The executable itself, no link to it."""

    version: tuple[int, int]

    @property
    def library(self) -> str:
        """The folder of the standard library, below the prefix."""
        return "lib/python{}.{}".format(*self.version)

    @property
    def site(self) -> str:
        """The folder of installed packages, below the prefix."""
        return f"{self.library}/site-packages"

    @property
    def links(self) -> dict[str, str]:
        """The names by which the program is called, and where each leads."""
        name = "python{}.{}".format(*self.version)
        return {"bin/python": name, "bin/python3": name}


def find_prefix(path: Path) -> Prefix:
    """Return the CPython at a path, its folder or its program; raises E661 where there is none that can be packed."""
    program = path
    if path.is_dir():
        candidates = sorted(candidate for candidate in path.glob("bin/python*") if _PROGRAM.match(candidate.name))
        if not candidates:
            raise PackageError(
                "E661", f"there is no CPython in '{path}'", hint="name its prefix, or its program: bin/python3.11"
            )
        program = candidates[-1]
    elif not path.is_file():
        raise PackageError(
            "E661", f"there is no interpreter '{path}'", hint="name its prefix, or its program: bin/python3.11"
        )
    settings = program.parent.parent / "pyvenv.cfg"
    if settings.is_file():
        home = _HOME.search(read_input(settings, SETTING).decode("utf-8", "replace"))
        hint = f"name the interpreter that it is of: {home[1]}" if home else "name the interpreter that it is of"
        raise PackageError("E661", f"'{path}' is in a venv, which has no standard library of its own", hint=hint)
    program = program.resolve()
    match, folder = _PROGRAM.match(program.name), program.parent.parent
    version = (int(match[1]), int(match[2])) if match else None
    if version is None or not (folder / "lib" / f"python{version[0]}.{version[1]}" / "os.py").is_file():
        hint = "the program is to be PREFIX/bin/python3.N, and its library PREFIX/lib/python3.N"
        raise PackageError("E661", f"'{program}' is no CPython with its standard library beside it", hint=hint)
    return Prefix(folder, program, version)


def prefix_files(prefix: Prefix) -> Iterator[PrefixFile]:
    """Yield what a worker needs of an interpreter, sorted by name; what a link leads to stands in the link's search_path."""
    is_left_out = matcher(LEFT_OUT)
    yield PrefixFile("bin/python{}.{}".format(*prefix.version), prefix.program, is_executable=True)
    for path in sorted((prefix.folder / "lib").glob("libpython*")):
        if _LIBPYTHON.match(path.name) and path.is_file():
            yield PrefixFile(f"lib/{path.name}", path.resolve(), is_executable=True)
    top = prefix.folder / prefix.library
    for above, folders, files in os.walk(top, followlinks=False):
        here = Path(above).relative_to(top)
        folders[:] = sorted(name for name in folders if not is_left_out(f"{(here / name).as_posix()}/x"))
        for name in sorted(files):
            path = Path(above, name)
            if not is_left_out((here / name).as_posix()) and path.is_file():
                resolved = path.resolve()
                is_executable = bool(resolved.stat().st_mode & 0o100)
                yield PrefixFile(f"{prefix.library}/{(here / name).as_posix()}", resolved, is_executable)


def relocate_program(file: PrefixFile) -> bytes:
    """
    Return the bytes of a program, or library, that finds ``libpython`` beside itself.

    The new search path is written over the old one, which is longer as a rule: the same bytes wherever that is done, and no other tool's version
    in them. Raises E662 where it does not fit.
    """
    content = read_input(file.path, SHIPPED)
    if not is_elf(content):
        return content
    try:
        needed = read_elf(io.BytesIO(content)).needed
        search_path = find_search_path(io.BytesIO(content))
    except Damaged as error:
        raise PackageError("E661", f"'{file.path}' cannot be read: {error}") from error
    if search_path is None and not any(_LIBPYTHON.match(library) for library in needed):
        return content
    if search_path is not None and _begins_at_program(search_path.text):
        return content
    if search_path is None or search_path.is_shared or len(search_path.text.encode()) < len(RELATIVE):
        reason = "it has none" if search_path is None else f"there is no room for it in '{search_path.text}'"
        hint = f"in a copy of the interpreter: patchelf --set-rpath '{RELATIVE}' {posixpath.basename(file.name)}"
        raise PackageError(
            "E662", f"'{file.path}' cannot be given a search path that begins at itself: {reason}", hint=hint
        )
    new = RELATIVE.encode().ljust(len(search_path.text.encode()), b"\0")
    return content[: search_path.offset] + new + content[search_path.offset + len(new) :]


def _begins_at_program(text: str) -> bool:
    return all(folder.startswith(("$ORIGIN", "${ORIGIN}")) for folder in text.split(":") if folder)
