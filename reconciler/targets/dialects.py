"""Dialects of ``udfs.yaml`` by the kinds of target; that of a manifest that names no kind comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from reconciler.manifest.dialect import Dialect


def _fc() -> Dialect[Any]:
    from reconciler.targets.fc.dialect import FUNCTION_COMPUTE

    return FUNCTION_COMPUTE


def _flink() -> Dialect[Any]:
    from reconciler.targets.flink.dialect import FLINK

    return FLINK


def _maxcompute() -> Dialect[Any]:
    from reconciler.targets.maxcompute.dialect import MAXCOMPUTE

    return MAXCOMPUTE


DIALECTS: dict[str, Callable[[], Dialect[Any]]] = {"maxcompute": _maxcompute, "fc": _fc, "flink": _flink}
"""Each is imported for a manifest of its kind alone."""
