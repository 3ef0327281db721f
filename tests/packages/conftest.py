"""Wheels of the package index that is configured on this machine, fetched once a run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def fetch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str, str], Path]:
    """Fetch one wheel of the index for any Python and platform, once a run."""
    kept: dict[tuple[str, ...], Path] = {}

    def get(requirement: str, python: str, abi: str, platform: str) -> Path:
        wanted = (requirement, python, abi, platform)
        if wanted not in kept:
            folder = tmp_path_factory.mktemp("wheels")
            command = [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
                *("--implementation", "cp", "--python-version", python, "--abi", abi, "--platform", platform),
                *("--dest", str(folder), "--retries", "0", "--disable-pip-version-check", requirement),
            ]
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, cwd=folder, env=dict(os.environ)
            )
            if done.returncode != 0:
                pytest.skip(f"needs {requirement} for {platform} from a package index: {done.stderr.strip()[-200:]}")
            (kept[wanted],) = folder.glob("*.whl")
        return kept[wanted]

    return get
