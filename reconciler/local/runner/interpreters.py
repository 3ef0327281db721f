"""
Search for the CPython that a function of a MaxCompute runtime needs.

MaxCompute runs Python UDFs on CPython 2.7, 3.7 and 3.11 (documentation: "Python 2 UDFs", "Python 3 UDFs", "Built-in
images"). Where they are looked for, `local.interpreters` says; in the first place that has one of the service's ABI the highest patch
release wins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.interpreters import Attempt, Interpreter, NotUsable, find_interpreters, probe, variable
from reconciler.local.runner.errors import InterpreterNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUNTIMES: Mapping[str, tuple[int, int]] = {"cp27": (2, 7), "cp37": (3, 7), "cp311": (3, 11)}

SERVICE_ABI: Mapping[str, str] = {"cp27": "cp27m", "cp37": "cp37m", "cp311": "cp311"}
"""
The ABI of the interpreter on the service's workers, which native extensions must have.

cp27m and cp37m are in PyODPS's table of platforms (pyodps-pack page); cp311 is what `pyodps-pack` builds for 3.11.
"""


def locate(
    runtime: str, env: Mapping[str, str], explicit: Path | None = None, substitute: Path | None = None
) -> Interpreter:
    """
    Return the interpreter for `runtime`, or raise `InterpreterNotFound` with every place looked at.

    `env` is the environment as a mapping; nothing is read behind the caller's back. `substitute` is an interpreter that may stand in when the
    machine has none of the runtime: pass it only for a job without native files, and tell the user when the answer has `stands_in_for`.
    A Python 2 job is never given to a Python 3.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"unknown runtime {runtime!r}, known are {', '.join(RUNTIMES)}")
    looked_at: list[Attempt] = []
    fallback: Interpreter | None = None
    for matching in find_interpreters(RUNTIMES[runtime], env, explicit, looked_at):
        best = max(matching, key=lambda interpreter: (_has_service_abi(interpreter), interpreter.version))
        if _has_service_abi(best):
            return best
        fallback = fallback or best
    if fallback is not None:
        return fallback
    is_named_by_user = explicit is not None or bool(env.get(variable(runtime)))
    if substitute is not None and runtime != "cp27" and not is_named_by_user:
        try:
            interpreter = probe(substitute, "stand-in")
            if interpreter.version[0] != 3:
                raise NotUsable(f"is CPython {interpreter.release}, which cannot stand in")
            return replace(interpreter, stands_in_for=runtime)
        except NotUsable as reason:
            looked_at.append(Attempt(str(substitute), str(reason)))
    raise InterpreterNotFound(runtime, tuple(looked_at), hint=how_to_get(runtime))


def _has_service_abi(interpreter: Interpreter) -> bool:
    return SERVICE_ABI.get(interpreter.runtime) == interpreter.abi


def how_to_get(runtime: str) -> str:
    """Tell how to get an interpreter of `runtime` that has the service's ABI, a way a line."""
    release = {"cp27": "2.7.18", "cp37": "3.7.17", "cp311": "3.11"}[runtime]
    ways = [f"pyenv install {release}"]
    if runtime == "cp27":
        # Left to itself, pyenv builds 2.7 with wide Unicode, which loads no compiled package of the service's.
        ways = [f"PYTHON_CONFIGURE_OPTS=--enable-unicode=ucs2 {ways[0]}"]
    if runtime == "cp311":
        ways.insert(0, "uv python install 3.11")
    major, minor = RUNTIMES[runtime]
    return "\n".join([*ways, f"or name one you have: {variable(runtime)}=/path/to/python{major}.{minor}"])
