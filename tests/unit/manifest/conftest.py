"""What the manifest's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.manifest.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder for a manifest and its files, with room outside."""
    inside = tmp_path / "repository"
    inside.mkdir()
    return Folder(inside)
