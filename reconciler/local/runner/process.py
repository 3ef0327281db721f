"""
Worker process: started, sent frames, and ended with all that it started.

The process gets a session of its own, so that what it starts ends with it, a pipe on which nothing is ever written, whose
end ends it (see `frames.end_with_parent`), and an environment made here, so that no credential of the user's reaches the
code being run; nor can it look for one in other processes (`base.barrier`).
"""

from __future__ import annotations

import os
import struct
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.barrier import start
from reconciler.local.conversation import Conversation, Pipes
from reconciler.local.strays import end_strays, kill_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORKER = Path(__file__).parent / "worker" / "__main__.py"
_PATIENCE = 2.0
"""Seconds in which a keeper ends what is left; then the group is killed."""


def environment(cwd: Path, tmp: Path) -> dict[str, str]:
    """Return everything the worker's environment holds."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": str(cwd),
        "TMPDIR": str(tmp),
    }


def start_talking(command: Sequence[str], pipes: Pipes, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that leads a session of its own and has its ends of the pipes, which are then closed here."""
    try:
        return start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipes.their_output,
            stderr=pipes.their_output,
            cwd=cwd,
            env=env,
            pass_fds=pipes.their_numbers,
            start_new_session=True,
        )
    except BaseException:
        pipes.close_ours()
        raise
    finally:
        pipes.close_theirs()


def isolation(version: Sequence[int]) -> list[str]:
    """
    Return the options that hide this machine's packages from the interpreter.

    -S leaves out site-packages, -I (2.7: -E -s) the user's settings and directories. Output is not buffered, -u, so
    that a crash loses none of it.
    """
    return ["-E", "-s", "-S", "-B", "-u"] if version[0] == 2 else ["-I", "-S", "-B", "-u"]


class Worker(Conversation):
    """A running worker."""

    def __init__(self, command: Sequence[str], cwd: Path, tmp: Path, progress: Path) -> None:
        self.cwd = cwd
        self._progress = progress
        progress.write_bytes(bytes(16))
        pipes = Pipes()
        arguments = [*command, str(WORKER), *map(str, (*pipes.their_numbers, progress))]
        process = start_talking(arguments, pipes, cwd, environment(cwd, tmp))
        super().__init__(process, pipes, partial(_end, process, pipes, cwd))

    def where(self) -> tuple[int, int]:
        """Return (row, stage) as the worker last noted them; right also after its death, and -1 where they are gone."""
        try:
            noted = _read_note(self._progress)
        except OSError:
            noted = b""
        row, stage = struct.unpack("=qq", noted[:16].ljust(16, b"\xff"))
        return row, stage


def _read_note(path: Path) -> bytes:
    """Read the sixteen bytes of the worker's note; what a function put in their place is not waited for, nor followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 16)
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes], pipes: Pipes, home: Path) -> None:
    """End the process, the group it leads and what has left that: by its keeper (`worker.keeper`), or as far as they are found."""
    if process.returncode is None:
        pipes.cut_lifeline()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    if process.returncode is None:
        kill_group(process.pid)
        process.wait()
    end_strays(process.pid, f"HOME={home}")
