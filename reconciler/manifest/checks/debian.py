"""Debian packages of a manifest: their names are some, a suite fits the runtime, and what goes with them stands with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.base.words import quote
from reconciler.manifest.checks.names import check_patterns, check_repeated
from reconciler.manifest.dialect import Flaw
from reconciler.manifest.suites import fitting_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.dialect import Draft, Keys
    from reconciler.manifest.model import Package
    from reconciler.manifest.runtimes import Runtime

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_CONDITION = re.compile(r"\s*\(\s*(<<|<=|=|>=|>>)\s*[0-9A-Za-z.+~:-]+\s*\)")
_WITH_DEBIAN = ("suite", "base", "recommends", "layout", "keep")
_HINT = "write the name of one package, libgdal32, or one with a condition: libgdal32 (>= 3.6)"


def check_debian(draft: Draft[Any], package: Package, here: Keys) -> Iterator[Flaw]:
    """Yield what is wrong with the Debian packages of a package."""
    if not package.debian:
        for key in sorted({*_WITH_DEBIAN} & draft.document.value(*here).keys()):
            yield Flaw("E204", f"{quote(key)} goes with `debian:` only", (*here, key), at_key=True)
    if package.find_library and not draft.dialect.service.layer_folder:
        message = f"{quote('find_library')} is for services whose functions have layers"
        yield Flaw("E204", message, (*here, "find_library"), "leave it out", at_key=True)
    for key, names in (("debian", package.debian), ("base", package.base)):
        yield from check_repeated(names, *here, key)
        for index, name in enumerate(names):
            match = _NAME.match(name)
            rest = name[match.end() :] if match else name
            if match is None or (rest and not (key == "debian" and _CONDITION.fullmatch(rest))):
                yield Flaw("E452", f"{quote(name)} names no Debian package", (*here, key, index), _HINT)
    yield from check_patterns(package.keep, *here, "keep")
    if package.debian:
        yield from _suites(draft, str(here[1]), here)


def _suites(draft: Draft[Any], name: str, here: Keys) -> Iterator[Flaw]:
    """Yield what is wrong where no suite fits a runtime, or nothing of Debian's can be shipped."""
    service, keys = draft.dialect.service, (*here, "debian")
    outdated = [runtime for runtime in _runtimes(draft, name) if fitting_suite(runtime.glibc) is None]
    build = "have the library built from source (`build:`), or put a .so that fits under `libraries:`"
    if outdated:
        runtime = outdated[0]
        has = f"{service.name}'s {runtime.tag} has {runtime.glibc[0]}.{runtime.glibc[1]}"
        message = f"no suite of Debian fits: the oldest is built with glibc 2.24, and {has}"
        yield Flaw("E457", message, keys, build)
    elif not service.layer_folder:
        yield Flaw("E457", f"{service.name} has no place for Debian's libraries, programs and data", keys, build)


def _runtimes(draft: Draft[Any], name: str) -> Iterator[Runtime]:
    """Yield the runtimes that use a package; that of functions that name none, where nothing uses it."""
    manifest = draft.manifest
    users = [manifest.runtime(function) for function in manifest.functions.values() if name in function.packages]
    tags = [tag for layer in manifest.layers.values() if name in layer.packages for tag in layer.runtimes]
    users += [manifest.usable_runtimes[tag] for tag in tags if tag in manifest.usable_runtimes]
    yield from users or [manifest.runtime()]
