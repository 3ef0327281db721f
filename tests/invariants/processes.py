"""
Commands in real processes, many of them.

Starting Python and importing PyODPS takes longer than most commands. So one process does that, and each command is a fork
of it: a process of its own all the same, with its own signals, limits and death.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.canary import require_absent
from tests.invariants.world import Said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CAPABILITIES = 0x20080522
"""The version of what `capset` takes (linux/capability.h)."""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([
    "tests.invariants.processes", "reconciler.cli.plan", "reconciler.cli.rollback", "reconciler.cli.adopt",
    "reconciler.cli.show", "reconciler.cli.apply", "reconciler.targets.maxcompute", "reconciler.render.documents.applies",
])  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What a process may not do."""

    part_bytes: int | None = None
    """Files above this are sent in parts."""

    file_bytes: int | None = None
    """No file grows beyond this: what a full disk does to a write."""

    memory_bytes: int | None = None
    """Of address space."""

    powerless: bool = False
    """What is read-only is so for it, even if it is root's."""


class Process:
    """A command that runs."""

    def __init__(self, folder: Path, out: Path, arguments: tuple[str, ...], limits: Limits | None = None) -> None:
        self._out = out
        given = (str(folder), str(out), arguments, dict(os.environ), limits or Limits())
        self._process = _forks.Process(target=_command, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def end(self) -> Said:
        """Wait for its end; its exit code is negative when a signal ended it."""
        self._process.join(120)
        assert self._process.exitcode is not None, "it does not end"
        code = self._process.exitcode
        self._process.close()
        said = Said(code, self._out.with_suffix(".out").read_text(), self._out.with_suffix(".err").read_text())
        require_absent("a process's output", said.out + said.err)
        return said


def run(folder: Path, out: Path, *arguments: str, limits: Limits | None = None) -> Said:
    """Run a command to its end."""
    return Process(folder, out, arguments, limits).end()


def _command(folder: str, out: str, arguments: tuple[str, ...], env: Mapping[str, str], limits: Limits) -> None:
    from reconciler.cli.entry import main
    from reconciler.targets.maxcompute import write

    for number, end in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{out}.{end}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    if limits.part_bytes:
        write.PART_BYTES = limits.part_bytes
        write._PARTS_AT_ONCE = 1  # one after the other, so that requests can be counted
    if limits.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    if limits.powerless and os.geteuid() == 0:
        _lay_down_powers()
    if limits.file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        # CPython 3.11 takes what it could write of a compiled module for the whole, and everybody would import that.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    main(arguments)


def _lay_down_powers() -> None:
    """Be root by name only: without capabilities, the bits of files count for root too."""
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")
