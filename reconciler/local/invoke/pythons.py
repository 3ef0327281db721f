"""
CPython of a function's runtime on this machine.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler.local.interpreters import find_interpreters, variable
from reconciler.local.invoke.runtimes import RUNTIMES
from reconciler.local.runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.local.interpreters import Attempt, Interpreter


class NotInvocable(RunnerError):
    """There is nothing here that could run a function of Function Compute; the message says what is missing."""


def find_python(runtime: str, env: Mapping[str, str], explicit: Path | None = None) -> Interpreter:
    """Return the CPython of a runtime's version; raises `NotInvocable` with the places looked at."""
    version = RUNTIMES[runtime].python
    attempts: list[Attempt] = []
    for interpreters in find_interpreters(version, env, explicit, attempts):
        return max(interpreters, key=lambda interpreter: interpreter.version)
    number = "{}.{}".format(*version)
    name = variable("cp{}{}".format(*version))
    places = "\n".join(f"{attempt.place}: {attempt.verdict}" for attempt in attempts)
    raise NotInvocable(
        f"no CPython {number}, which runtime {runtime} has, was found on this machine",
        hint=f"uv python install {number}\nor name one you have: {name}=/path/to/python{number}\nlooked at:\n{places}",
    )


def find_glibc() -> tuple[int, int] | None:
    """Return the version of this machine's glibc; None where it has another library, or none."""
    with suppress(AttributeError, ValueError, OSError):  # confstr(3) has the name on glibc alone
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if name == "glibc":
            major, minor = version.split(".")[:2]
            return int(major), int(minor)
    return None
