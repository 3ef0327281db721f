"""A local Function Compute for each test, and a stack on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.local.fc import FcServer, FcSettings
from tests.target.fc.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FcServer]:
    with FcServer(tmp_path / "fc", FcSettings(control=True)) as running:
        yield running


@pytest.fixture
def world(server: FcServer, tmp_path: Path) -> World:
    (tmp_path / "files").mkdir()
    return World(server.url, tmp_path / "files")
