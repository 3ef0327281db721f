"""Start a resolver, wait for it, and leave nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """What became of a process."""

    code: int
    out: str
    err: str


_SECRET = ("ALIBABA_CLOUD_", "ODPS_", "MC_")
"""What begins the names of the service's credentials."""


def _without_our_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """Resolving may run the build scripts of source archives, and these have no business with the service."""
    return {name: value for name, value in env.items() if not name.startswith(_SECRET)}


def run(command: Sequence[str], *, folder: Path, env: Mapping[str, str], seconds: float) -> Ended:
    """
    Run `command` in `folder`, a folder of our own: tools read settings of the project that they find themselves in.

    Whatever ends the waiting ends the process and all that it started.
    """
    try:
        process = subprocess.Popen(
            [*command],
            cwd=folder,
            env={**_without_our_secrets(env), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise PackageError("E475", f"'{command[0]}' cannot be started: {error.strerror or error}") from error
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        hint = "is the package index reachable? 'pip config list' shows which one is used"
        raise PackageError("E475", f"no answer from the resolver within {seconds:g} seconds", hint=hint) from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Ended(process.returncode, out, err)
