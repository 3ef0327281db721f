"""Parts of layers and code: what the packages of a manifest bring, found and judged, before it is laid out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.packages.artifacts import Library, Wheel
    from reconciler.packages.content import Content
    from reconciler.packages.debian_files import DebianFiles


@dataclass(frozen=True)
class Parts:
    """What the packages of a manifest bring, found and judged."""

    files: Mapping[str, Content] = field(default_factory=dict)
    """Sources and libraries, by the path that the manifest gives."""

    wheels: Mapping[tuple[str, str], Sequence[Wheel]] = field(default_factory=dict)
    """By package and runtime tag."""

    libraries: Mapping[str, Sequence[Library]] = field(default_factory=dict)
    """By package."""

    debian: Mapping[tuple[str, str], DebianFiles] = field(default_factory=dict)
    """By package and runtime tag."""
