"""
Packages that open a file of their own as they are imported, in functions that may open none.

They are imported from archives that lie on the worker's disk, and whatever opens files there is in the sandbox.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem
from reconciler.checks.python.wheel_imports import loading_facts
from reconciler.packages.artifacts import Archive

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.checks.python.rules import RuleSet
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts, Shipment, Wheel


def opened_files(loaded: Loaded, artifacts: Artifacts, rules: RuleSet, cache: Path) -> tuple[Problem, ...]:
    """Return a warning for each wheel whose import opens a file, where functions have it that may open none."""
    users: dict[str, list[str]] = defaultdict(list)
    wheels: dict[str, tuple[Wheel, str]] = {}
    for shipment in artifacts.shipments.values():
        runtime = loaded.code[shipment.function].runtime.tag
        if runtime not in rules.without_files or _may_open_files(loaded, shipment):
            continue
        for wheel in _wheels_of(shipment):
            users[wheel.filename].append(shipment.function)
            wheels[wheel.filename] = wheel, runtime
    problems = []
    for filename, (wheel, runtime) in wheels.items():
        for opened in loading_facts(wheel.content, runtime, cache).opened[:1]:
            message = (
                f"'{filename}' opens a file as it is imported ({opened.file}:{opened.line}), which the sandbox forbids"
            )
            where = f"in {', '.join(users[filename])}"
            hint = rules.without_files[runtime]
            at = loaded.at(*wheel.keys)
            problems.append(Problem("E756", message, at, hint, severity="warning", detail=(where,)))
    return tuple(problems)


def _wheels_of(shipment: Shipment) -> list[Wheel]:
    archives = (item.made_of for item in shipment.items)
    return [wheel for archive in archives if isinstance(archive, Archive) for wheel in archive.wheels]


def _may_open_files(loaded: Loaded, shipment: Shipment) -> bool:
    """Say whether a function has a container: it says so, or brings compiled code."""
    archives = (item.made_of for item in shipment.items)
    is_native = any(isinstance(archive, Archive) and archive.native for archive in archives)
    return loaded.manifest.functions[shipment.function].is_contained or is_native or bool(shipment.of("library"))
