"""
Memory limit of a sandbox: a control group, where this process may make one; else RLIMIT_DATA of each of its processes.

[cgroup] is Linux's documentation of both versions. In version 2 a group with processes in it can have no groups with limits below it, so
ours stands beside the one that this process is in. A group counts all processes together, and files in memory; when it has no more, the
kernel kills. RLIMIT_DATA counts for each process what it asks for, used or not; when it has no more, allocating fails.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_NUMBERS = count()
_ROUNDS, _PAUSE = 50, 0.01


@dataclass(frozen=True)
class MemoryGroup:
    """A control group with a limit."""

    folder: Path
    is_unified: bool
    """Whether it is of version 2."""

    @property
    def entrance(self) -> Path:
        """
        The file through which a process with one thread enters, by writing 0.

        Version 1 moves a thread that moves itself at once. Before it moves a process, the kernel waits until no processor is busy with an
        older state of the groups: 5 to 15 milliseconds, as long as a Python starts.
        """
        return self.folder / ("cgroup.procs" if self.is_unified else "tasks")

    def peak(self) -> int:
        """Return the most bytes it has had, 0 where the kernel does not say."""
        return _number(self.folder / ("memory.peak" if self.is_unified else "memory.max_usage_in_bytes"))

    def was_exhausted(self) -> bool:
        """Say whether the kernel has killed for want of memory."""
        try:
            text = (self.folder / ("memory.events" if self.is_unified else "memory.oom_control")).read_text("ascii")
        except OSError:
            return False
        words = dict(line.split() for line in text.splitlines())
        return int(words.get("oom_kill", "0")) > 0

    def remove(self) -> None:
        """Remove it, as soon as the kernel has buried its last process."""
        for _ in range(_ROUNDS):
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_PAUSE)
            else:
                return


def make_group(limit: int) -> MemoryGroup | None:
    """Return a new group with a limit in bytes; None where this process may make none."""
    for parent, is_unified in _parents():
        folder = parent / f"udfs-{os.getpid()}-{next(_NUMBERS)}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            _set_limit(folder, limit, is_unified)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        return MemoryGroup(folder, is_unified)
    return None


def _set_limit(folder: Path, limit: int, is_unified: bool) -> None:
    names = (
        ("memory.max", "memory.swap.max") if is_unified else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    )
    (folder / names[0]).write_text(str(limit), "ascii")
    with contextlib.suppress(OSError):  # a system without swap does not count it
        (folder / names[1]).write_text("0" if is_unified else str(limit), "ascii")


def _parents() -> list[tuple[Path, bool]]:
    """Return the folders in which a group could be made, and whether they are of version 2."""
    try:
        lines = Path("/proc/self/cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    parents = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            # Inside a container its own group is the root of what it sees.
            parents += [(_CGROUPS / "memory" / path.lstrip("/"), False), (_CGROUPS / "memory", False)]
        elif not controllers:
            parents.append(((_CGROUPS / path.lstrip("/")).parent if path != "/" else _CGROUPS, True))
    return [(parent, is_unified) for parent, is_unified in parents if parent.is_relative_to(_CGROUPS)]


def _number(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0
