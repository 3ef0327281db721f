"""
Targets: one folder a service, with what it has, how it is read and how it is written.

A target may know everything below it, and decides nothing: plans are made by the core and carried out by the engine, which
know it by `core.kind` and `core.target` alone. Begin with `Adapter`, then with ``maxcompute/objects.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.core.kind import Catalog
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Adapter


def _maxcompute() -> Adapter:
    from reconciler.targets.maxcompute.adapter import MaxComputeAdapter

    return MaxComputeAdapter()


TARGETS: dict[str, Callable[[], Adapter]] = {"maxcompute": _maxcompute}
"""The kinds of target by the names that a manifest gives them."""


def adapter_of(loaded: Loaded) -> Adapter:
    """Return the kind of target that a manifest is for."""
    return TARGETS[loaded.manifest.target.kind]()


def catalogs() -> tuple[Catalog, ...]:
    """Return the catalogs of all kinds of target."""
    return tuple(adapter().catalog for adapter in TARGETS.values())
