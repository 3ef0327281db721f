"""
Roads into a sandbox: bubblewrap, namespaces made here, or none.
"""

from __future__ import annotations

import os
import shutil
from enum import Enum
from functools import cache


class Road(Enum):
    """How a command gets into its sandbox."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    PLAIN = "none"


@cache
def find_bubblewrap() -> str | None:
    """Return the program, of the system's folders alone."""
    return shutil.which("bwrap", path=os.defpath)
