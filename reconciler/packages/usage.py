"""
Usage of packages: which of them functions use, and in which runtimes.

What no function uses is neither fetched nor shipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime


def pairs(loaded: Loaded) -> list[tuple[str, Runtime]]:
    """Return each package with each runtime that uses it."""
    functions = loaded.manifest.functions.items()
    return list(dict.fromkeys((package, loaded.code[name].runtime) for name, f in functions for package in f.packages))


def used_packages(loaded: Loaded) -> list[str]:
    """Return the packages that functions use."""
    return list(dict.fromkeys(package for package, _ in pairs(loaded)))
