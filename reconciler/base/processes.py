"""
Tools in process groups of their own.

A tool starts others; ending one of them leaves the rest. What is ended here is the group: at the end of the time allowed,
at Ctrl-C, by `Tools.stop` from another thread, and when the tool itself has ended. The environment is the caller's to
choose (`environments`): a tool inherits nothing, and looks into no other process (`barrier`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base.barrier import start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_GRACE = 3.0
_MAX_READ = 64 << 20


class Output:
    """What a tool writes: a file without a name, for a pipe would stay open as long as anything that it started lives."""

    def __init__(self, folder: Path) -> None:
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Output:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    @property
    def size(self) -> int:
        """Bytes that were written so far."""
        return os.fstat(self.file.fileno()).st_size

    def text(self) -> str:
        """Return what was written so far."""
        return self.since(0).decode("utf-8", "replace")

    def since(self, position: int) -> bytes:
        """Return what was written behind a position; the tool goes on where it is."""
        return os.pread(self.file.fileno(), _MAX_READ, position)


class CutOff(Exception):
    """A tool was ended before it was done: by the clock, or by `Tools.stop`."""

    def __init__(self, *, stopped: bool) -> None:
        super().__init__()
        self.stopped = stopped


@dataclass
class Tools:
    """The tools that run for one purpose. May be used from several threads."""

    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        timeout: float,
        out: Output,
        err: Output | None = None,
        on_wait: Callable[[], None] | None = None,
        quiet: float = 0,
        trusted: bool = False,
    ) -> int:
        """
        Return a command's exit code; raises `CutOff`, and OSError where it cannot be started.

        Without `err` both streams are one. `on_wait` is called once if the tool is not done after `quiet` seconds. What is
        `trusted` runs nobody's code on this machine, and needs rights that a program behind the barrier has not.
        """
        process = self._start(subprocess.Popen if trusted else start, command, cwd, environment, out, err)
        try:
            _wait(process, timeout, on_wait, quiet)
        except subprocess.TimeoutExpired:
            raise CutOff(stopped=False) from None
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise CutOff(stopped=True)
        return process.returncode

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _signal(process, signal.SIGKILL)

    def _start(
        self,
        starter: Callable[..., subprocess.Popen[bytes]],
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        out: Output,
        err: Output | None,
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise CutOff(stopped=True)
            process = starter(
                [*command],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out.file,
                stderr=err.file if err is not None else subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            return process


def _wait(process: subprocess.Popen[bytes], timeout: float, on_wait: Callable[[], None] | None, quiet: float) -> None:
    if on_wait is not None and quiet < timeout:
        with suppress(subprocess.TimeoutExpired):
            process.wait(quiet)
            return
        on_wait()
        timeout -= quiet
    process.wait(timeout)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the group, what a tool left running in it too: kindly first, because a container's client passes that on."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
