"""What the tests of locking share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packages.lock.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A manifest's folder, and no index."""
    return Project(tmp_path / "repository")
