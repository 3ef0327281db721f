"""
Export of what would be uploaded, into a folder of the user's.

Each file appears under its name by one rename, whole and with the hash that was announced, or not at all. Nothing else in
the folder is touched.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 1 << 20


def export_files(files: Iterable[tuple[str, Path, str]], folder: Path) -> None:
    """Copy files, each given by its name there, its path here and its sha256; OSError where that cannot be done."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".udfs-", ignore_cleanup_errors=True) as unfinished:
        for name, source, sha256 in files:
            copy = Path(unfinished) / name
            if _copy(source, copy) != sha256:
                raise PackageError("E402", f"'{source}' changed while it was written out", hint="run the command again")
            copy.replace(folder / name)


def _copy(source: Path, copy: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as original, copy.open("xb") as out:
        while block := original.read(_BLOCK):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()
