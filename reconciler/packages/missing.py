"""
Import check of what packages leave out, in the runtime's own CPython.

What can be imported from the package with everything in it must be importable from what is left. Only that is asked, name by
name at the top level; what somebody imports deeper inside, or opens as a file, is not tried. What cannot be imported in
either case (because another package has what it needs, or this machine's Python is not quite the service's) tells
nothing, and is said to be unjudged.

The answer is kept by the hashes of what was asked about, so that a second plan runs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import Problem
from reconciler.base.hints import Command
from reconciler.manifest.runtimes import Runtime
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.inspect.site import open_packages
from reconciler.packages.pack.archives import Shape, join_packages, lay_out
from reconciler.packages.pack.zips import write_zip, zip_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Archive, Artifacts
    from reconciler.packages.fetch.cache import Cache

Importer: TypeAlias = Callable[[Runtime, Sequence[tuple[str, Path]], Sequence[str]], Mapping[str, str] | None]
"""
Takes a runtime, archives by the names of their resources, and modules; returns which of these cannot be imported, and why.

None if there is nothing here that could tell.
"""

VERSION = 1
_BY_CHOICE = frozenset({"slim", "exclude", "byte_compile"})


@dataclass(frozen=True)
class LostImports:
    """What became of the top-level modules of a package."""

    lost: Mapping[str, str]
    """Those that could be imported with everything and cannot now, and why."""

    unjudged: Mapping[str, str]
    """Those that could not be imported anyway."""


def importer_of(env: Mapping[str, str], on_step: Callable[[str], None]) -> Importer:
    """Return an importer that asks the CPythons of this machine."""
    announced: set[str] = set()

    def not_importable(
        runtime: Runtime, archives: Sequence[tuple[str, Path]], names: Sequence[str]
    ) -> Mapping[str, str] | None:
        from reconciler.local.runner import InterpreterNotFound, RunnerError, failures, locate

        try:
            interpreter = locate(runtime.tag, env)
            if runtime.name not in announced:  # a package is asked about twice: whole, and as it is
                announced.add(runtime.name)
                on_step(f"importing packages that lack something, in {runtime.name}")
            return failures(interpreter, archives, names)
        except (InterpreterNotFound, RunnerError):
            return None

    return not_importable


def lost_import_problems(loaded: Loaded, artifacts: Artifacts, importer: Importer, cache: Cache) -> Iterator[Problem]:
    """Yield what can no longer be imported from packages that lack something, or that nobody here can tell."""
    for (package, tag), archives in artifacts.archives.items():
        if not lacks_something(archives):
            continue
        position, result = loaded.at("packages", package), find_lost(loaded.runtimes[tag], archives, importer, cache)
        if result is None:
            message = f"whether '{package}' can be imported without what is left out was not checked"
            how = (Command("doctor"), "` tells how to get one")
            hint = (f"that takes a CPython for {tag}, which is not on this machine: `", *how)
            yield Problem("E428", message, position, hint, severity="warning")
            continue
        if result.lost:
            message = f"without what is left out, '{package}' cannot be imported in {tag}: {', '.join(result.lost)}"
            less = "leave `slim` out, or less with `exclude:`"
            yield Problem(
                "E427", message, position, less, detail=tuple(f"{n}: {why}" for n, why in result.lost.items())
            )
        if result.unjudged:
            names = ", ".join(result.unjudged)
            message = (
                f"'{package}' cannot be imported in {tag} even with everything in it, so nobody tried more: {names}"
            )
            other = "another package may bring what it needs; a wheel that needs it can be in the same package"
            detail = tuple(f"{name}: {why}" for name, why in result.unjudged.items())
            yield Problem("E428", message, position, other, severity="warning", detail=detail)


def lacks_something(archives: Sequence[Archive]) -> bool:
    """Say whether something was left out of a package because the manifest says so."""
    return any(omission.why in _BY_CHOICE for archive in archives for omission in archive.left_out)


def find_lost(runtime: Runtime, archives: Sequence[Archive], importer: Importer, cache: Cache) -> LostImports | None:
    """Return what is missed of a package; None if there is no CPython here that could tell."""
    wheels = sorted(wheel.content.sha256 for archive in archives for wheel in archive.wheels)
    question = [VERSION, runtime.tag, wheels, sorted(archive.content.sha256 for archive in archives)]
    key = hashlib.sha256(json.dumps(question).encode()).hexdigest()
    path = record_path(cache.root, "imports", key)
    if (answer := load_record(path, LostImports)) is not None:
        return answer
    lost = _ask(runtime, archives, importer, cache)
    if lost is not None:
        save_record(path, lost)
    return lost


def _ask(runtime: Runtime, archives: Sequence[Archive], importer: Importer, cache: Cache) -> LostImports | None:
    with cache.workspace() as folder:
        whole = [(archive.name, _whole(archive, folder)) for archive in archives]
        # A module that is left out as a whole is not among them: that is what somebody wanted.
        names = sorted({name for archive in archives for name in archive.facts.modules})
        before = importer(runtime, whole, names)
    if before is None:
        return None
    judged = [name for name in names if name not in before]
    after = (
        importer(runtime, [(narrowed.name, narrowed.content.path) for narrowed in archives], judged) if judged else {}
    )
    return LostImports(dict(after), dict(before)) if after is not None else None


def _whole(archive: Archive, folder: Path) -> Path:
    """Return an archive of the same wheels with everything in it."""
    if not lacks_something([archive]):
        return archive.content.path
    path = folder / archive.name
    merged = lay_out([(wheel.filename, tuple(zip_entries(wheel.content.path))) for wheel in archive.wheels], Shape())
    joined = frozenset(portion.name for portion in archive.facts.site.portions if portion.sharing == "extends")
    opened = [name for wheel in archive.wheels for name in open_packages(wheel.facts.site, joined)]
    with path.open("xb") as out:
        write_zip(out, [*merged.members, *join_packages(merged.members, opened)])
    return path
