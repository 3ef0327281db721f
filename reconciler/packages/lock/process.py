"""Start a resolver, wait for it, and leave nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """What became of a process."""

    code: int
    out: str
    err: str


_TAKEN = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|UV_\w+|PIP_\w+|PEX_\w+|RUST_LOG|NETRC|SSL_CERT_(FILE|DIR)|"
    r"REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|\w+_PROXY|\w+_proxy|SYSTEMROOT|LD_LIBRARY_PATH|SOURCE_DATE_EPOCH"
)
"""
What a resolver gets of the environment: what says where packages are and how to get there. It may run the build scripts of
source archives to learn what they need, and these have no business with the rest. An index's password stays visible to them.
"""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what of the environment a resolver gets."""
    kept = {name: value for name, value in given.items() if _TAKEN.fullmatch(name)}
    return {**kept, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


@dataclass
class Resolvers:
    """The resolvers that run. May be used from several threads."""

    _running: set[subprocess.Popen[str]] = field(default_factory=set, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)

    def run(self, command: Sequence[str], *, folder: Path, env: Mapping[str, str], seconds: float) -> Ended:
        """
        Run `command` in `folder`, a folder of our own: tools read settings of the project that they find themselves in.

        Whatever ends the waiting ends the process and all that it started.
        """
        process = self._start(command, folder, env)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            hint = "is the package index reachable? 'pip config list' shows which one is used"
            raise PackageError("E475", f"no answer from the resolver within {seconds:g} seconds", hint=hint) from error
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise PackageError("E475", "resolving was stopped")
        return Ended(process.returncode, out, err)

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _start(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise PackageError("E475", "resolving was stopped")
            try:
                process = subprocess.Popen(
                    [*command],
                    cwd=folder,
                    env=environment(env),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                raise PackageError("E475", f"'{command[0]}' cannot be started: {error.strerror or error}") from error
            self._running.add(process)
            return process


def _end(process: subprocess.Popen[str]) -> None:
    """End the group, also when its first process has ended: a build script may have left others behind."""
    _kill(process)
    process.communicate()


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
