"""
Run the tools of a build, each in a process group of its own, with everything they say in one log.

A build starts compilers, which start others; ending one of them leaves the rest. What is ended here is the group: at the
end of the time allowed, at Ctrl-C, and by `Processes.stop` from another thread.

The log is kept, so no credentials may get into it: tools write into a file without a name, and what is copied from there is
masked.
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

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.pip import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_GRACE = 3.0
_MAX_READ = 64 << 20


@dataclass(frozen=True)
class Log:
    """What the tools of one build said."""

    path: Path

    def start(self) -> None:
        """Begin anew: in a new file, because another process may be writing into one of this name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.touch(mode=0o600)

    def add(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{without_secrets(line)}\n" for line in text.splitlines())

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


@dataclass
class Processes:
    """The processes of a builder. May be used from several threads."""

    timeout: float
    """Seconds for one command."""

    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        log: Log,
        label: str,
        on_abandon: Callable[[], None] = lambda: None,
    ) -> tuple[int, str]:
        """
        Return a command's exit code and what it said; raises E447 where it takes too long.

        `on_abandon` is called when the command was ended before it was done.
        """
        log.add(f"$ {' '.join(command)}")
        code: int | None = None
        with tempfile.TemporaryFile(dir=log.path.parent) as said:  # the working directory is the project's
            try:
                code = self._wait(command, cwd, environment, said.fileno(), label, log)
            finally:
                said.seek(0)
                text = said.read(_MAX_READ).decode("utf-8", "replace")
                log.add(text)
                if code is None:
                    on_abandon()
        return code, text

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _signal(process, signal.SIGKILL)

    def _wait(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], stream: int, label: str, log: Log
    ) -> int:
        with self._lock:
            if self._stopped:
                raise PackageError("E447", f"building {label} was stopped")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            code = process.wait(self.timeout)
        except subprocess.TimeoutExpired as error:
            raise PackageError(
                "E447",
                f"building {label} did not end within {self.timeout:g} seconds",
                hint=f"what it was doing is in {log.path}",
            ) from error
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise PackageError("E447", f"building {label} was stopped")
        return code


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the group, what a build left running in it too: kindly first, because a container's client passes that on."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
