"""
Strays: processes that a worker started and put into sessions of their own, so that ending its group does not reach them.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

_ROUNDS = 100


def kill_group(leader: int) -> None:
    """Kill a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_strays(worker: int, mark: str) -> None:
    """
    Kill what a function started and put into a session of its own: by a variable of its environment, which only this worker has.

    Until there are none, for they may start others. It looks at processes of higher numbers than the worker's, which is all that came
    after it until the kernel counts from the beginning, needs /proc, and does not reach what has another environment.
    """
    variable = os.fsencode(mark)
    for _ in range(_ROUNDS):
        strays = []
        with suppress(FileNotFoundError):
            later = [
                entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal() and int(entry.name) > worker
            ]
            for name in later:
                with suppress(OSError):
                    if variable in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                        strays.append(int(name))
        for stray in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        if not strays:
            return
