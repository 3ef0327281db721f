"""Whether a road into a sandbox leads anywhere on this machine, and why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reconciler.local.sandbox import Road, Sandbox, start_in_sandbox
from reconciler.local.sandbox.process import find_bubblewrap

PYTHON = "/usr/bin/python3"


def why_not(road: Road) -> str | None:
    if sys.platform != "linux":
        return "only Linux has namespaces"
    if not Path(PYTHON).exists():
        return f"needs a {PYTHON}"
    if road is Road.BUBBLEWRAP and find_bubblewrap() is None:
        return "bubblewrap is not installed"
    try:
        running = start_in_sandbox([PYTHON, "-c", ""], Sandbox(), road=road, stderr=subprocess.DEVNULL)
    except OSError as error:
        return str(error)
    try:
        return None if running.process.wait(30) == 0 else f"this machine does not allow {road.value}"
    finally:
        running.close()
