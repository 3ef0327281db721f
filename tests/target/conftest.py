"""A service of its own for each test, and the contents that the states of ``tests/unit/core/states.py`` speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server, Settings
from tests.unit.core.states import digests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "store", Settings(control=True)) as running:
        yield running


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for content in ("one", "two"):
        (tmp_path / content).write_text(content)
        found[digests(content)[0]] = tmp_path / content
    return found
