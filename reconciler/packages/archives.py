"""What is uploaded of each package: the wheels as they are, or packed here, and what is missed of what was left out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError, Problem
from reconciler.base.hints import Command
from reconciler.base.names import SINGLE, bundle_archive, repacked_archive, versioned, wheel_archive
from reconciler.base.tasks import gather
from reconciler.manifest.runtimes import runtimes_of
from reconciler.packages import Archive, Artifacts, Wheel
from reconciler.packages.content import why_too_large
from reconciler.packages.inspect.contents import inspected, repacked
from reconciler.packages.inspect.missing import lacks_something, missed
from reconciler.packages.inspect.problems import Places, placed
from reconciler.packages.pack.archives import Made, pack
from reconciler.packages.pack.layout import Shape, place_of
from reconciler.packages.wheels import Wanted, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.manifest.model import Manifest
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.missing import Importer


def find_archives(
    manifest: Manifest, wheels: Sequence[tuple[Wanted, Wheel]], cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[tuple[str, str], tuple[Archive, ...]]]:
    """Yield what is uploaded of each package for each runtime that uses it."""
    of = {pair: [w for one, w in wheels if (one.package, one.runtime.tag) == pair] for pair in pairs(manifest)}
    outcomes = gather({pair: partial(_archives, manifest, *pair, found, cache) for pair, found in of.items()})
    for (package, tag), outcome in outcomes.items():
        if isinstance(outcome, PackageError):
            problems += placed(outcome, at("packages", package))
            yield (package, tag), ()
        else:
            yield (package, tag), tuple(archive for archive, _ in outcome)
            problems += _archive_problems(outcome, package, manifest.packages[package].exclude, at)


def _archives(
    manifest: Manifest, name: str, tag: str, wheels: Sequence[Wheel], cache: Cache
) -> list[tuple[Archive, Made | None]]:
    package = manifest.packages[name]
    shape = Shape(package.slim, tuple(package.exclude), package.byte_compile)
    is_versioned = manifest.rollout == "versioned"
    if package.bundle and wheels:
        bundle = bundle_archive(name, package.bundle, tag, manifest.python)
        made = pack(bundle, wheels, shape, cache)
        called = versioned(bundle, made.content.sha256) if is_versioned and package.bundle == SINGLE else bundle
        return [_packed(called, made, wheels, cache)]
    return [_archive(wheel, shape, cache, is_versioned=is_versioned) for wheel in wheels]


def _archive(wheel: Wheel, shape: Shape, cache: Cache, *, is_versioned: bool) -> tuple[Archive, Made | None]:
    if _needs_packing(wheel, shape):
        made = pack(wheel_archive(wheel.filename), [wheel], shape, cache)
        return _packed(repacked_archive(wheel.filename, made.content.sha256), made, [wheel], cache)
    # Of one version, an index has one file of a name for good; what is built here may be built from anything.
    rebuilt = wheel.is_built and is_versioned
    name = repacked_archive(wheel.filename, wheel.content.sha256) if rebuilt else wheel_archive(wheel.filename)
    return Archive(name, wheel.content, (wheel,), wheel.facts), None


def _needs_packing(wheel: Wheel, shape: Shape) -> bool:
    """Say whether a wheel cannot be uploaded as it is: with modules in ``.data``, nothing would find them."""
    return not shape.is_plain or not {"purelib", "platlib"}.isdisjoint(wheel.facts.data_parts)


def _packed(name: str, made: Made, wheels: Sequence[Wheel], cache: Cache) -> tuple[Archive, Made]:
    natives = [replace(one, path=place_of(one.path)) for wheel in wheels for one in wheel.facts.natives]
    facts = inspected(
        made.content.path, made.content.sha256, cache.inspections, lambda file, _: repacked(file, natives)
    )
    return Archive(name, made.content, tuple(wheels), facts, made.left_out, is_packed=True), made


def _archive_problems(
    found: Sequence[tuple[Archive, Made | None]], package: str, patterns: Sequence[str], at: Places
) -> Iterator[Problem]:
    for archive, made in found:
        if made is not None and (reason := why_too_large(archive.content.size)):
            yield Problem("E405", f"'{archive.name}' is too large: {reason}", at("packages", package))
    yield from idle([made for _, made in found if made is not None], patterns, ("packages", package), at)


def missed_problems(
    manifest: Manifest, found: Artifacts, importer: Importer, cache: Cache, at: Places
) -> Iterator[Problem]:
    """Yield what can no longer be imported from packages that lack something, or that nobody here can tell."""
    runtimes = runtimes_of(manifest)
    for (package, tag), archives in found.archives.items():
        if not lacks_something(archives):
            continue
        place, result = at("packages", package), missed(runtimes[tag], archives, importer, cache)
        if result is None:
            message = f"whether '{package}' can be imported without what is left out was not checked"
            hint = (
                f"that takes a CPython for {tag}, which is not on this machine: `",
                Command("doctor"),
                "` tells how to get one",
            )
            yield Problem("E428", message, place, hint, severity="warning")
            continue
        if result.lost:
            message = f"without what is left out, '{package}' cannot be imported in {tag}: {', '.join(result.lost)}"
            less = "leave `slim` out, or less with `exclude:`"
            yield Problem("E427", message, place, less, detail=tuple(f"{n}: {why}" for n, why in result.lost.items()))
        if result.unjudged:
            names = ", ".join(result.unjudged)
            message = (
                f"'{package}' cannot be imported in {tag} even with everything in it, so nobody tried more: {names}"
            )
            other = "another package may bring what it needs; a wheel that needs it can be in the same package"
            detail = tuple(f"{name}: {why}" for name, why in result.unjudged.items())
            yield Problem("E428", message, place, other, severity="warning", detail=detail)


def idle(packed: Sequence[Made], patterns: Sequence[str], here: tuple[str, str], at: Places) -> Iterator[Problem]:
    """Tell of patterns that leave out nothing anywhere."""
    for number, pattern in enumerate(patterns):
        if packed and all(pattern in made.idle for made in packed):
            message = f"the pattern '{pattern}' leaves nothing out"
            yield Problem("E425", message, at(*here, "exclude", number), severity="warning")
