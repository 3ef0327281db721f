"""
Archives: what is uploaded of each package, its wheels as they are or packed here.

A wheel goes up byte for byte unless its package wants less of it, or several in one, or an installer would do more than copy it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem
from reconciler.base.names import SINGLE, bundle_archive, repacked_archive, versioned_name
from reconciler.packages.artifacts import Archive, pairs
from reconciler.packages.content import why_too_large
from reconciler.packages.inspect.contents import inspect_once, inspect_packed
from reconciler.packages.inspect.members import packed_path
from reconciler.packages.inspect.site import joined_packages, open_packages
from reconciler.packages.judged import Judged, judge
from reconciler.packages.pack.archives import PackedArchive, Shape, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Manifest
    from reconciler.packages.artifacts import Wheel
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.site import SiteFacts
    from reconciler.packages.pack.archives import PackedArchive
    from reconciler.packages.wheels import WheelRequest


def find_archives(
    loaded: Loaded, wheels: Iterable[tuple[WheelRequest, Wheel]], cache: Cache
) -> Judged[dict[tuple[str, str], tuple[Archive, ...]]]:
    """Return what is uploaded of each package for each runtime that uses it, by package and tag."""
    by_pair: dict[tuple[str, str], list[Wheel]] = {(package, runtime.tag): [] for package, runtime in pairs(loaded)}
    for request, wheel in wheels:
        by_pair[request.package, request.runtime.tag].append(wheel)
    joined = _joined_by_tag(loaded, by_pair)
    judged = judge(
        {pair: partial(_archives, loaded.manifest, *pair, joined[pair[1]], of, cache) for pair, of in by_pair.items()},
        lambda pair: loaded.at("packages", pair[0]),
        lambda pair, archives: _archive_problems(archives, pair[0], loaded),
    )
    archives = {pair: tuple(archive for archive, _ in packed) for pair, packed in judged.value.items()}
    return Judged(archives, judged.problems)


def _joined_by_tag(loaded: Loaded, wheels: Mapping[tuple[str, str], Sequence[Wheel]]) -> dict[str, frozenset[str]]:
    """Return the packages of which every folder needs an ``__init__``, by tag: a function may ship what several packages bring."""
    sites: dict[str, list[SiteFacts]] = {tag: [] for _, tag in wheels}
    for (_, tag), of in wheels.items():
        sites[tag] += (wheel.facts.site for wheel in of)
    return {tag: joined_packages(of, loaded.runtimes[tag].python_version) for tag, of in sites.items()}


def _archives(
    manifest: Manifest, name: str, tag: str, joined: frozenset[str], wheels: Sequence[Wheel], cache: Cache
) -> list[tuple[Archive, PackedArchive | None]]:
    package = manifest.packages[name]
    shape = Shape(package.slim, tuple(package.exclude), package.byte_compile)
    is_versioned = manifest.rollout == "versioned"
    if package.bundle and wheels:
        bundle = bundle_archive(name, package.bundle, tag, manifest.python)
        opened = {name for wheel in wheels for name in open_packages(wheel.facts.site, joined)}
        packed = pack(bundle, [wheel.content for wheel in wheels], shape, cache, sorted(opened))
        resource = (
            versioned_name(bundle, packed.content.sha256) if is_versioned and package.bundle == SINGLE else bundle
        )
        return [_pack_archive(resource, packed, wheels, cache)]
    return [
        _archive(
            *(
                wheel,
                shape,
                open_packages(wheel.facts.site, joined),
                manifest.service.wheel_archive(wheel.filename),
                cache,
            ),
            is_versioned=is_versioned,
        )
        for wheel in wheels
    ]


def _archive(
    wheel: Wheel, shape: Shape, opened: Sequence[str], plain_name: str, cache: Cache, *, is_versioned: bool
) -> tuple[Archive, PackedArchive | None]:
    # With modules in `.data`, or packages that only an installer's folder makes, nothing would find them.
    if opened or wheel.facts.site.is_misplaced or not shape.is_plain:
        packed = pack(plain_name, [wheel.content], shape, cache, opened)
        return _pack_archive(repacked_archive(wheel.filename, packed.content.sha256), packed, [wheel], cache)
    # Of one version, an index has one file of a name for good; what is built here may be built from anything.
    rebuilt = wheel.is_built and is_versioned
    name = repacked_archive(wheel.filename, wheel.content.sha256) if rebuilt else plain_name
    return Archive(name, wheel.content, (wheel,), wheel.facts), None


def _pack_archive(
    name: str, packed: PackedArchive, wheels: Sequence[Wheel], cache: Cache
) -> tuple[Archive, PackedArchive]:
    natives = [replace(native, path=packed_path(native.path)) for wheel in wheels for native in wheel.facts.natives]
    facts = inspect_once(
        packed.content.path, packed.content.sha256, cache.inspections, lambda file, _: inspect_packed(file, natives)
    )
    return Archive(name, packed.content, tuple(wheels), facts, packed.left_out, is_packed=True), packed


def _archive_problems(
    archives: Sequence[tuple[Archive, PackedArchive | None]], package: str, loaded: Loaded
) -> Iterator[Problem]:
    for archive, packed in archives:
        if packed is not None and (reason := why_too_large(archive.content.size, loaded.manifest.service)):
            yield Problem("E405", f"'{archive.name}' is too large: {reason}", loaded.at("packages", package))
    patterns = loaded.manifest.packages[package].exclude
    yield from idle_patterns(
        [packed for _, packed in archives if packed is not None], patterns, ("packages", package), loaded
    )


def idle_patterns(
    packed: Sequence[PackedArchive], patterns: Sequence[str], section: tuple[str, str], loaded: Loaded
) -> Iterator[Problem]:
    """Yield the patterns that leave out nothing anywhere."""
    for number, pattern in enumerate(patterns):
        if packed and all(pattern in archive.idle for archive in packed):
            message = f"the pattern '{pattern}' leaves nothing out"
            yield Problem("E425", message, loaded.at(*section, "exclude", number), severity="warning")
