"""Real CPythons of the machine, as oracles."""

from __future__ import annotations

import json
import os
import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import InterpreterNotFound, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ENVIRONMENT = dict(os.environ)


@lru_cache
def _path(runtime: str) -> str | None:
    try:
        return str(locate(runtime, ENVIRONMENT).path)
    except InterpreterNotFound:
        return None


@pytest.fixture
def ask() -> Callable[[str, str, Sequence[str]], list[object]]:
    """Run a script in the CPython of a runtime; it gets a list as JSON on stdin and prints one."""

    def run(runtime: str, script: str, given: Sequence[str]) -> list[object]:
        path = _path(runtime)
        if path is None:
            pytest.skip(f"no CPython for {runtime} on this machine")
        done = subprocess.run(
            [path, "-W", "ignore", "-c", script], input=json.dumps(given), capture_output=True, text=True, check=True
        )
        answer: list[object] = json.loads(done.stdout)
        return answer

    return run
