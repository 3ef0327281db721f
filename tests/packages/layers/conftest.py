"""What the tests of layers share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.packages.fetch.cache import Cache
from tests.natives import elf
from tests.packages.layers.mirror import LIBRARY_FOLDER, SmallMirror
from tests.packages.layers.workbench import Bench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repository", Cache(tmp_path / "cache"), os.environ)


@pytest.fixture
def debian(tmp_path: Path) -> SmallMirror:
    """Return a mirror with a base system of one library."""
    mirror = SmallMirror(tmp_path / "mirror")
    mirror.add(
        "libc6",
        {
            f"{LIBRARY_FOLDER}/libc.so.6": elf(soname="libc.so.6"),
            f"{LIBRARY_FOLDER}/libz.so.1": elf(soname="libz.so.1"),
        },
        Essential="yes",
    )
    return mirror


@pytest.fixture
def debian_bench(debian: SmallMirror, tmp_path: Path) -> Bench:
    """Return a folder of a manifest whose Debian packages come from that mirror."""
    env = {
        "PATH": os.environ["PATH"],
        "UDFS_DEBIAN_MIRROR": debian.address,
        "UDFS_DEBIAN_KEYRING": str(tmp_path / "none"),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    return Bench(tmp_path / "repository", Cache(tmp_path / "cache"), env)
