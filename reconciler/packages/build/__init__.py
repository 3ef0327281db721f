"""
Building: a wheel is made where the index has none that fits.

A source (an sdist, or a folder with a project) becomes a wheel in steps that any PEP 517 frontend takes, and each is left to
a tool that is kept by others:

    sources      unpack the sdist, or copy the folder, into a workspace of its own
    environment  pip of the runtime's own CPython installs what the build needs, beside nothing else
    frontend     PyPA ``build`` calls the project's build backend, in that CPython
    zig          what it compiles, Zig's clang compiles against the glibc of the runtime, not of this machine
    container    instead of the two: the same calls, with the compilers of a manylinux image
    wheels       the tag is made honest, the archive the same for the same content
    build        the way in: asks the cache, goes through the steps, lets the gate judge what came out

Building runs the code of the source, as every installation from source does. It is given nothing but what it needs: an
environment made here, without the user's variables, and a home of its own. It is not a sandbox.

The same source, runtime, options and tools give the same bytes, in whatever folder, at whatever time. Which tools a build
backend asks for ("setuptools>=40") changes with the index; a wheel that was built says which it took (`BuiltWheel.requires`), and
`BuildOptions.constraints` takes them again.

Values live here. Effects are in every module but `compiler.translate_arguments`, each in its own workspace and the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.content import Content


@dataclass(frozen=True)
class BuildSource:
    """What a wheel is made of."""

    path: Path
    """An sdist (``.tar.gz``, ``.zip``…), or a folder with a ``pyproject.toml`` or a ``setup.py``."""

    label: str
    """What messages call it: ``ujson==1.35``, ``./lib``."""

    sha256: str
    """Of the sdist's bytes, or `sources.tree_digest` of the folder; checked before anything of it runs."""


@dataclass(frozen=True)
class BuildOptions:
    """How it is made. All of it is part of what the wheel is cached by."""

    builder: Literal["zig", "container"] = "zig"

    requires: tuple[str, ...] = ()
    """Build requirements that the project forgot to name."""

    constraints: tuple[str, ...] = ()
    """Versions for whatever the build needs, as in a constraints file: ``setuptools==68.0.0``."""

    environment: tuple[tuple[str, str], ...] = ()
    """Variables for the build backend: ``("SETUPTOOLS_SCM_PRETEND_VERSION", "1.2")``."""

    headers: tuple[Path, ...] = ()
    """Folders with headers of libraries that are compiled against."""

    programs: tuple[Path, ...] = ()
    """What the project asks where its libraries are, by the name it is called: ``pg_config``."""

    libraries: tuple[Path, ...] = ()
    """Shared libraries to link against. They stay outside the wheel, to travel as FILE resources."""

    grafted: tuple[Path, ...] = ()
    """Shared libraries to link against that are put into the wheel."""


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel that was made here and that the gate let through."""

    content: Content
    """The file in the cache; its name carries the audited platform."""

    how: str
    """With what, for people: ``zig 0.17.0, CPython 3.7.16``."""

    requires: tuple[str, ...]
    """What the build environment held, as pins."""

    log: Path
    """What the tools said, when it was built."""
