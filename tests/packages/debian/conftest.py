"""A real suite of Debian, fetched once a run from the mirror that this machine is set up with."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.mirror import Mirror, find_mirror
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.downloads import Downloads
from reconciler.packages.fetch.indexes import pip_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.packages.debian.index import PackageIndex

NOW = datetime(2026, 11, 30, tzinfo=timezone.utc)
"""Before any release of Debian that a test meets expires; the suites here have no date of that kind."""


@pytest.fixture(scope="session")
def open_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Mirror]]:
    """Return mirrors, with one cache for all unless a test wants its own."""
    shared = tmp_path_factory.mktemp("cache")
    downloads = Downloads(pip_settings(os.environ, Path(sys.prefix)))

    def open_at(address: str, cache: Path | None = None, **options: bool) -> Mirror:
        return Mirror(address, downloads, Cache(cache or shared), os.environ, **options)

    with downloads:
        yield open_at


@pytest.fixture(scope="session")
def mirror(open_mirror: Callable[..., Mirror]) -> Mirror:
    """Return the machine's mirror."""
    try:
        return open_mirror(find_mirror(os.environ))
    except PackageError as error:
        pytest.skip(f"needs a mirror of Debian: {error}")


@pytest.fixture(scope="session")
def bookworm(mirror: Mirror) -> PackageIndex:
    """Return the packages of Debian 12."""
    return mirror.read_suite("bookworm", now=NOW)[1]
