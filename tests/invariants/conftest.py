"""What the proof counts while it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TALLY = "UDFS_PROOF_TALLY"
"""A file that takes a line for everything that was tried, for ``python -m tests.proof``."""

# Read before the tests' own environment takes it away.
_FILE = os.environ.get(TALLY)


@pytest.fixture
def tally() -> Callable[[str, int], None]:
    """Count what was tried."""

    def count(what: str, number: int) -> None:
        if _FILE:
            with Path(_FILE).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"what": what, "number": number}) + "\n")

    return count
