"""
Unpacked code: ZIP files of functions and layers as folders, each once for its content.

Hostile archives are refused as those of MaxCompute are (`local.runner.layout`); which the service refuses is not documented.
"""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, BinaryIO

from reconciler.local.fc.refusals import invalid_argument
from reconciler.local.runner.errors import RunnerError
from reconciler.local.runner.layout import extract

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class UnpackedCode:
    """The ``unpacked`` folder of a store."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "unpacked"
        self._folder.mkdir(parents=True, exist_ok=True)

    def sweep(self, named: Iterable[str]) -> None:
        """Remove what no blob is left of."""
        blobs = set(named)
        for entry in self._folder.iterdir():
            if entry.name not in blobs and not entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)

    def folder_of(self, sha256: str, file: BinaryIO) -> Path:
        """Return the folder with the content of a ZIP file, which is unpacked if nobody has done it yet; 400 for a hostile one."""
        folder = self._folder / sha256
        if folder.is_dir():
            return folder
        draft = self._folder / f".{uuid.uuid4().hex}"
        draft.mkdir()
        try:
            # A copy: what lies in the store under that name was opened with care, and by its name it would be opened again.
            with (draft / "code.zip").open("wb") as copy:
                shutil.copyfileobj(file, copy)
            extract(draft / "code.zip", draft / "content", name="code.zip")
            try:
                (draft / "content").rename(folder)
            except OSError:  # another was faster
                if not folder.is_dir():
                    raise
        except RunnerError as problem:
            raise invalid_argument(f"code cannot be unpacked: {problem}") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder
