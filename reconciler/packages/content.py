"""
Content of a file: its path, two hashes and its size.

sha256 says which bytes they are; md5 is what the service reports of a resource (``Content-MD5`` of ``?meta``) and thus
what can be compared without downloading. Neither is read twice: one pass gives both. A file that is written out for the user
appears under its name by one rename, whole and with the hash that was announced, or not at all.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, SOURCE, open_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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

    has_crlf: bool = False
    """Whether it holds line ends of two characters, be it a text or not."""


def read_content(path: Path) -> Content:
    """Read a file once, in blocks; raises OSError, also where it is none that is shipped."""
    with open_input(path, SHIPPED) as stream:
        return hash_blocks(path, iter(partial(stream.read, _BLOCK), b""))


def hash_blocks(path: Path, blocks: Iterable[bytes]) -> Content:
    """Return what a file is that has, or is to have, these bytes."""
    sha256, md5, size, has_crlf, last = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0, False, b""
    for block in blocks:
        sha256.update(block)
        md5.update(block)
        size += len(block)
        has_crlf = has_crlf or b"\r\n" in block or (last == b"\r" and block.startswith(b"\n"))
        last = block[-1:]
    return Content(path, sha256.hexdigest(), md5.hexdigest(), size, has_crlf)


def why_no_source(name: str, size: int) -> str | None:
    """Return why a file of this name would not be read as a source, or None."""
    if not name.endswith(".py") or size <= SOURCE.size:
        return None
    return f"it has {size / (1 << 20):,.1f} MB, and {SOURCE.noun} at most {SOURCE.size >> 20}; put data into a resource"


def why_too_large(size: int, service: Service) -> str | None:
    """Return why the service would not take a resource of `size` bytes, or None."""
    if size <= service.max_resource:
        return None
    return f"it has {size / (1 << 20):,.1f} MB, and {service.name} takes resources of at most {service.max_resource >> 20:,} MB"


@dataclass(frozen=True)
class OwnPackage:
    """A package of the user's own, packed."""

    name: str
    """Of the resource."""

    content: Content
    sources: Mapping[str, Content]
    """The Python files in it, by their paths in it: ``common/text.py``."""


def export_files(files: Iterable[tuple[str, Path, str]], folder: Path) -> None:
    """Copy files, each given by its name there, its path here and its sha256; OSError where that cannot be done."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".udfs-", ignore_cleanup_errors=True) as unfinished:
        for name, source, sha256 in files:
            copy, digest = Path(unfinished) / name, hashlib.sha256()
            with open_input(source, SHIPPED) as original, copy.open("xb") as out:
                while block := original.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != sha256:
                message = f"'{source}' is not the file that was checked: its sha256 is another"
                hint = "run the command again; if that file lies in the cache and stays so, delete it, and it is fetched anew"
                raise PackageError("E402", message, hint=hint)
            copy.replace(folder / name)
