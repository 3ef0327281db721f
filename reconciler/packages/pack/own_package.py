"""
A package of the user's own, packed: the value, apart from what packs it.

Whoever asks what a function ships looks for one; the archive formats are imported by `folders` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.packages.content import Content


@dataclass(frozen=True)
class OwnPackage:
    """A package of the user's own, packed."""

    name: str
    """Of the resource."""

    content: Content
    sources: Mapping[str, Content]
    """The Python files in it, by their paths in it: ``common/text.py``."""
