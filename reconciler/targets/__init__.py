"""
Targets: one folder a service, with what it has, how it is read and how it is written.

A target may know everything below it, and decides nothing: plans are made by the core and carried out by the engine, which
know it by `core.kind` and `core.target` alone. Begin with `Adapter`, then with ``maxcompute/objects.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reconciler.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.base.hints import Command
    from reconciler.core.kind import Catalog
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Adapter

P = TypeVar("P")


def _maxcompute() -> Adapter:
    from reconciler.targets.maxcompute.adapter import MaxComputeAdapter

    return MaxComputeAdapter()


def _fc() -> Adapter:
    from reconciler.targets.fc.adapter import FunctionComputeAdapter

    return FunctionComputeAdapter()


def _flink() -> Adapter:
    from reconciler.targets.flink.adapter import FlinkAdapter

    return FlinkAdapter()


TARGETS: dict[str, Callable[[], Adapter]] = {"maxcompute": _maxcompute, "fc": _fc, "flink": _flink}
"""The kinds of target by the names that a manifest gives them."""


def adapter_of(loaded: Loaded) -> Adapter:
    """Return the kind of target that a manifest is for."""
    return TARGETS[loaded.manifest.target.kind]()


def catalogs() -> tuple[Catalog, ...]:
    """Return the catalogs of all kinds of target."""
    return tuple(adapter().catalog for adapter in TARGETS.values())


def kinds_with(power: Callable[[Adapter], P | None]) -> dict[str, P]:
    """Return the kinds of target that have a power, each with it; that of a manifest that names no kind comes first."""
    return {kind: value for kind, adapter in TARGETS.items() if (value := power(adapter())) is not None}


def require_power(
    loaded: Loaded, power: Callable[[Adapter], P | None], name: str, instead: tuple[str | Command, ...] = ()
) -> P:
    """
    Return a power of the kind of target that a manifest is for, called by its name in messages; E566 if it has none.

    `instead` is what those do who have another kind.
    """
    if (value := power(adapter_of(loaded))) is None:
        kinds = f"kinds of target that have it: {', '.join(kinds_with(power)) or 'none'}"
        hint = (f"{kinds}; ", *instead) if instead else kinds
        raise UsageError("E566", f"there is no {name} for targets of kind '{loaded.manifest.target.kind}'", hint=hint)
    return value
