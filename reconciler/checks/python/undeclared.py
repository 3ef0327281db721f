"""
Dependencies that wheels do not declare: what they import for certain, and nothing of a function brings.

Resolvers go by metadata. A wheel that leaves out what every site-packages used to have (setuptools, six) is locked, applied, and
fails in its first row.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem
from reconciler.base.names import module_name
from reconciler.checks.python.pythons import library_history, python_version
from reconciler.checks.python.wheel_imports import loading_facts
from reconciler.packages.artifacts import Archive, Shipment
from reconciler.packages.projects import requirement_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.checks.python.wheel_imports import OutsideImport
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts, Wheel
    from reconciler.packages.wheels import WheelRequest


@dataclass(frozen=True)
class Provision:
    """What one function has for its wheels to import."""

    function: str
    wheels: tuple[Wheel, ...]
    modules: frozenset[str]
    """Names at the top, whoever brings them."""


def undeclared_imports(loaded: Loaded, artifacts: Artifacts, cache: Path) -> tuple[Problem, ...]:
    """Return a warning for each import of a wheel that nothing of the functions that ship it brings."""
    return tuple(
        _problems(loaded, (_provision_of(loaded, shipment) for shipment in artifacts.shipments.values()), cache)
    )


def undeclared_in_lock(
    loaded: Loaded, wheels: Sequence[tuple[WheelRequest, Wheel]], cache: Path
) -> tuple[Problem, ...]:
    """Return the same of wheels before anything else of the functions was read."""
    by_pair: dict[tuple[str, str], list[Wheel]] = defaultdict(list)
    for request, wheel in wheels:
        by_pair[request.package, request.runtime.tag].append(wheel)
    provisions = []
    for name, function in loaded.manifest.functions.items():
        tag = loaded.code[name].runtime.tag
        shipped = tuple(wheel for package in function.packages for wheel in by_pair[package, tag])
        beside = [module_name(path) for path in (*function.modules, *function.resources)]
        provisions.append(Provision(name, shipped, _modules(loaded, name, shipped, beside)))
    return tuple(_problems(loaded, provisions, cache))


def _provision_of(loaded: Loaded, shipment: Shipment) -> Provision:
    archives = (item.made_of for item in shipment.items)
    wheels = tuple(wheel for archive in archives if isinstance(archive, Archive) for wheel in archive.wheels)
    beside = [module_name(item.file or item.label) for item in shipment.items if item.package is None]
    inside = [name for item in shipment.items if item.facts for name in (*item.facts.modules, *item.facts.stems)]
    return Provision(shipment.function, wheels, _modules(loaded, shipment.function, wheels, [*beside, *inside]))


def _modules(loaded: Loaded, name: str, wheels: Iterable[Wheel], beside: Iterable[str]) -> frozenset[str]:
    installed = loaded.manifest.installed_modules(loaded.manifest.functions[name])
    packed = {portion.name for wheel in wheels for portion in wheel.facts.site.portions}
    return frozenset([*beside, *installed, *packed, *(name for wheel in wheels for name in wheel.facts.modules)])


def _problems(loaded: Loaded, provisions: Iterable[Provision], cache: Path) -> Iterator[Problem]:
    lacking: dict[tuple[str, OutsideImport, tuple[str | int, ...], str], list[str]] = defaultdict(list)
    users: dict[tuple[str, tuple[str | int, ...]], list[str]] = defaultdict(list)
    for provision in provisions:
        function, runtime = loaded.manifest.functions[provision.function], loaded.code[provision.function].runtime
        # What an image or another project's resource has is not known here, nor what a Python brings that nobody looked at.
        if function.image or runtime.python_version not in library_history():
            continue
        if any(loaded.target.resolve(written)[1] for written in function.resources):
            continue
        for wheel in provision.wheels:
            users[wheel.filename, wheel.keys].append(provision.function)
            for outside in loading_facts(wheel.content, runtime.tag, cache).outside:
                if outside.name not in provision.modules:
                    lacking[wheel.filename, outside, wheel.keys, runtime.tag].append(provision.function)
    for (filename, outside, keys, tag), functions in lacking.items():
        message = f"'{filename}' imports '{outside.name}' ({outside.file}:{outside.line}), declares no such dependency, and nothing here brings it"
        partly = (f"in {', '.join(functions)}",) if functions != users[filename, keys] else ()
        yield Problem(
            "E429", message, loaded.at(*keys), _hint(outside.name, tag, keys), severity="warning", detail=partly
        )


def _hint(module: str, tag: str, keys: tuple[str | int, ...]) -> str:
    requirement = requirement_of(module, python_version(tag))
    where = f"of '{keys[1]}'" if len(keys) > 1 else "of the package"
    if requirement is None:
        return f"which distribution has '{module}' is not known here; add it to the requirements {where}"
    return f"add '{requirement}' to the requirements {where}"
