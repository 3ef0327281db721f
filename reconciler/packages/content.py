"""
Content of a file: its path, two hashes and its size.

sha256 says which bytes they are; md5 is what the service reports of a resource (``Content-MD5`` of ``?meta``) and thus
what can be compared without downloading. Neither is read twice: one pass gives both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.manifest.runtimes import Service

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Content:
    """A file and what was in it when it was read."""

    path: Path
    sha256: str
    md5: str
    """Hex."""

    size: int
    """Bytes."""


def read_content(path: Path) -> Content:
    """Read a file once, in blocks, whatever its size."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return Content(path, sha256.hexdigest(), md5.hexdigest(), size)


def why_too_large(size: int, service: Service) -> str | None:
    """Return why the service would not take a resource of `size` bytes, or None."""
    if size <= service.max_resource:
        return None
    return f"it has {size / (1 << 20):,.1f} MB, and {service.name} takes resources of at most {service.max_resource >> 20:,} MB"
