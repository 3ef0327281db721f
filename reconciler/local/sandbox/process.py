"""
Process in a sandbox: started by one of the roads, and ended with all that it started.

What the sandbox cannot keep on a road is told in its `warnings`. The command and its environment go through a pipe and not through
the command line, which others can read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.barrier import start as start_behind_barrier
from reconciler.local.sandbox.launch import Launched, describe_group, pass_content
from reconciler.local.sandbox.layout import Sandbox, find_tree
from reconciler.local.sandbox.memory import make_group
from reconciler.local.strays import kill_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.local.sandbox.layout import Tree
    from reconciler.local.sandbox.memory import MemoryGroup

_ENTER_GROUP = 'echo 0 > "$0" && ulimit -c 0 && exec "$@"'
_SET_LIMIT = 'ulimit -d "$0" && ulimit -c 0 && exec "$@"'
_PATIENCE = 20.0
_SIGNAL_BASE = 128
"""What bubblewrap and shells add to the number of the signal that ended a command."""

_COVERED = ("/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""User 0 may write there without any capability; bubblewrap 0.8 covers them only where the folder itself says so."""

WITHOUT_WALLS = "no sandbox: this machine has neither bubblewrap nor the right to make namespaces; the function sees its files and its network"
LIMIT_OF_EACH = "memory is limited for each process by RLIMIT_DATA, for want of a control group"


class Road(Enum):
    """How a command gets into its sandbox."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    PLAIN = "none"


@cache
def find_bubblewrap() -> str | None:
    """Return the program, of the system's folders alone."""
    return shutil.which("bwrap", path=os.defpath)


@dataclass
class SandboxedProcess:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    road: Road
    group: MemoryGroup | None
    warnings: tuple[str, ...]
    """What is not kept, in words for people."""

    _last: tuple[int, bool] | None = None
    """Peak and exhaustion of the group, when it was removed."""

    def peak(self) -> int:
        """Return the most bytes of memory that it has had, 0 where only its processes know."""
        return self._last[0] if self._last else self.group.peak() if self.group else 0

    def was_out_of_memory(self) -> bool:
        """Say whether the kernel has ended one of its processes for that."""
        return self._last[1] if self._last else self.group is not None and self.group.was_exhausted()

    def exit_code(self, code: int) -> int:
        """Return the code of the command itself, negative for a signal, from that of what was started around it."""
        is_signal = self.road is Road.BUBBLEWRAP and _SIGNAL_BASE < code <= _SIGNAL_BASE + 64
        return _SIGNAL_BASE - code if is_signal else code

    def close(self) -> None:
        """End it, with all that it started. Harmless twice."""
        if self.process.returncode is None:
            if self.road is Road.PLAIN:
                kill_group(self.process.pid)
            with suppress(ProcessLookupError, PermissionError):
                self.process.kill()
            self.process.wait()
        if self.group is not None and self._last is None:
            self._last = self.group.peak(), self.group.was_exhausted()
            self.group.remove()


def start_in_sandbox(
    command: Sequence[str],
    sandbox: Sandbox,
    *,
    road: Road | None = None,
    stdin: Any = subprocess.DEVNULL,
    stdout: Any = None,
    stderr: Any = None,
    pass_fds: Sequence[int] = (),
) -> SandboxedProcess:
    """
    Start a command, an absolute path first, as the sandbox sees it; raises OSError where it cannot be started.

    On the road `PLAIN` nothing is bound: command and folder are those of the machine, and `sandbox.cwd` has to be one of them.
    """
    road = road or find_road()
    group = make_group(sandbox.memory) if sandbox.memory is not None and sys.platform == "linux" else None
    warnings = []
    if road is Road.PLAIN:
        warnings.append(WITHOUT_WALLS)
    if sandbox.memory is not None and group is None:
        warnings.append(LIMIT_OF_EACH)
    begin = {Road.BUBBLEWRAP: _start_bubblewrap, Road.NAMESPACES: _start_launcher, Road.PLAIN: _start_plain}[road]
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    try:
        process = begin(command, sandbox, group, streams, tuple(pass_fds))
    except BaseException:
        if group:
            group.remove()
        raise
    return SandboxedProcess(process, road, group, tuple(warnings))


@cache
def find_road() -> Road:
    """Return the first road that this machine has: each is tried once."""
    if sys.platform != "linux":
        return Road.PLAIN
    for road in (Road.BUBBLEWRAP, Road.NAMESPACES):
        if (road is not Road.BUBBLEWRAP or find_bubblewrap()) and _leads(road):
            return road
    return Road.PLAIN


def _leads(road: Road) -> bool:
    program = next((path for path in ("/usr/bin/true", "/bin/true") if Path(path).exists()), None)
    if program is None:
        return False
    try:
        running = start_in_sandbox(
            [program], Sandbox(), road=road, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    try:
        return running.process.wait(_PATIENCE) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        running.close()


def _start_launcher(
    command: Sequence[str],
    sandbox: Sandbox,
    group: MemoryGroup | None,
    streams: dict[str, Any],
    pass_fds: tuple[int, ...],
) -> subprocess.Popen[bytes]:
    tree = find_tree(sandbox)
    plan = {
        "is_root": os.geteuid() == 0,
        "is_cut_off": not sandbox.network,
        "base": "/tmp",
        "binds": [(str(bind.source), bind.target) for bind in (*tree.settings, *tree.binds)],
        "links": list(tree.links),
        "scratch": sandbox.scratch,
        "group": describe_group(group),
        "limit": sandbox.memory if group is None else None,
        "cwd": sandbox.cwd,
        "environment": dict(sandbox.environment),
    }
    return Launched(command, plan, None, pass_fds=pass_fds, **streams)


def _start_bubblewrap(
    command: Sequence[str],
    sandbox: Sandbox,
    group: MemoryGroup | None,
    streams: dict[str, Any],
    pass_fds: tuple[int, ...],
) -> subprocess.Popen[bytes]:
    program = find_bubblewrap()
    if program is None:
        raise FileNotFoundError("bwrap")
    plan = {
        "binds": None,
        "limit": sandbox.memory if group is None else None,
        "environment": {"PATH": os.defpath},
    }
    tree = find_tree(sandbox)
    with ExitStack() as opened:
        settings = {
            bind.target: opened.enter_context(bind.source.open("rb", buffering=0)).fileno() for bind in tree.settings
        }
        options = _options(sandbox, tree, settings)
        file = opened.enter_context(pass_content(b"\0".join(map(os.fsencode, options))))
        words = [program, "--args", str(file.fileno()), "--", *command]
        return Launched(words, plan, group, pass_fds=(*pass_fds, *settings.values(), file.fileno()), **streams)


def _options(sandbox: Sandbox, tree: Tree, settings: Mapping[str, int]) -> list[str]:
    """Return what bubblewrap is told of a sandbox; what it copies is open under these numbers."""
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    options += ["--share-net"] if sandbox.network else []
    for bind in tree.binds:
        options += ["--ro-bind", str(bind.source), bind.target]
    for link, target in tree.links:
        options += ["--symlink", target, link]
    for target, number in settings.items():
        # For each bind it reads all mounts there are.
        options += ["--file", str(number), target]
    options += ["--dev", "/dev", "--proc", "/proc"]
    for path in _COVERED:
        options += ["--ro-bind-try", path, path]
    options += ["--size", str(sandbox.scratch), "--tmpfs", "/tmp"]
    options += ["--remount-ro", "/", "--chdir", sandbox.cwd]
    for name, value in sandbox.environment.items():
        options += ["--setenv", name, value]
    return options


def _start_plain(
    command: Sequence[str],
    sandbox: Sandbox,
    group: MemoryGroup | None,
    streams: dict[str, Any],
    pass_fds: tuple[int, ...],
) -> subprocess.Popen[bytes]:
    return start_behind_barrier(
        _limit(command, sandbox, group),
        env=sandbox.environment,
        cwd=sandbox.cwd,
        pass_fds=pass_fds,
        start_new_session=True,
        **streams,
    )


def _limit(command: Sequence[str], sandbox: Sandbox, group: MemoryGroup | None) -> list[str]:
    """Return the command behind a shell that limits itself before it becomes the command."""
    if group is not None:
        return ["/bin/sh", "-c", _ENTER_GROUP, str(group.entrance), *command]
    if sandbox.memory is not None and sys.platform == "linux":
        return ["/bin/sh", "-c", _SET_LIMIT, str(sandbox.memory >> 10), *command]
    return [*command]
