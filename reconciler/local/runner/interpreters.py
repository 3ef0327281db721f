"""
Search for the CPython that a function of a MaxCompute runtime needs.

MaxCompute runs Python UDFs on CPython 2.7, 3.7 and 3.11 (documentation: "Python 2 UDFs", "Python 3 UDFs", "Built-in
images"). A machine may hold them in several places; the first place of this list that has a fitting one wins, and in
it the highest patch release:

1. the path the caller gives;
2. the environment variable `UDFS_PYTHON_<RUNTIME>`, for example `UDFS_PYTHON_CP37`;
3. pyenv's versions directory (not its shims: a shim fails unless its version is activated);
4. the directory where uv keeps the Pythons it manages;
5. `PATH`.

A name proves nothing, so every candidate is run once and says itself what it is. PyPy, a wrong version or a broken
build is passed over with its reason, and the reasons travel in the error when nothing fits. A path the user named
(1, 2) is never silently replaced by another.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local.runner.errors import Attempt, InterpreterNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNTIMES: Mapping[str, tuple[int, int]] = {"cp27": (2, 7), "cp37": (3, 7), "cp311": (3, 11)}

SERVICE_ABI: Mapping[str, str] = {"cp27": "cp27m", "cp37": "cp37m", "cp311": "cp311"}
"""
The ABI of the interpreter on the service's workers, which native extensions must have.

cp27m and cp37m are in PyODPS's table of platforms (pyodps-pack page); cp311 is what `pyodps-pack` builds for 3.11.
"""

PROBE_SECONDS = 10.0

# Runs in 2.7 and 3.x. The first entry of sys.path is the current directory here: it goes before anything is imported.
_QUESTION = """
import sys
del sys.path[0]
import os, json, sysconfig
json.dump({
    "implementation": getattr(getattr(sys, "implementation", None), "name", None) or
        ("pypy" if hasattr(sys, "pypy_version_info") else "cpython"),
    "version": list(sys.version_info[:3]),
    "maxunicode": sys.maxunicode,
    "soabi": sysconfig.get_config_var("SOABI"),
    "pymalloc": bool(sysconfig.get_config_var("WITH_PYMALLOC")),
    "machine": os.uname()[4],
    "site": [
        os.path.join(os.path.dirname(os.path.dirname(sys.executable)), "lib", "python%d.%d" % sys.version_info[:2], "site-packages"),
        sysconfig.get_path("platlib"),
        sysconfig.get_path("purelib"),
    ],
}, sys.stdout)
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython that was run and said what it is."""

    path: Path
    version: tuple[int, int, int]
    abi: str
    """As in wheel tags: `cp27m`, `cp27mu`, `cp37m`, `cp311`. `cp27mu` has wide unicode and is not the service's."""
    source: str
    """Where it was found, in words: `--python`, `pyenv`, `uv`, `PATH`, ..."""
    machine: str = ""
    site_packages: tuple[Path, ...] = ()
    """Where it has what is installed for it, those of a virtual environment first. Workers do not see it."""
    stands_in_for: str | None = None
    """The runtime it replaces for a pure-Python job; None when it is of that runtime itself."""

    @property
    def release(self) -> str:
        """Its version as text."""
        return ".".join(map(str, self.version))

    @property
    def runtime(self) -> str:
        """The runtime of its version, `cp37` for a 3.7.16; also for versions that the service does not have."""
        return f"cp{self.version[0]}{self.version[1]}"


@dataclass(frozen=True)
class _Place:
    source: str
    words: str
    candidates: tuple[Path, ...]


class _NotUsable(Exception):
    """Why one candidate is passed over."""


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
    for group in _places(runtime, env, explicit):
        matching = list(_usable(runtime, group, looked_at))
        if not matching:
            continue
        best = max(matching, key=lambda interpreter: (_has_service_abi(interpreter), interpreter.version))
        if _has_service_abi(best):
            return best
        fallback = fallback or best
    if fallback is not None:
        return fallback
    is_named_by_user = explicit is not None or bool(env.get(variable(runtime)))
    if substitute is not None and runtime != "cp27" and not is_named_by_user:
        try:
            interpreter = _probe(substitute, "stand-in")
            if interpreter.version[0] != 3:
                raise _NotUsable(f"is CPython {interpreter.release}, which cannot stand in")
            return replace(interpreter, stands_in_for=runtime)
        except _NotUsable as reason:
            looked_at.append(Attempt(str(substitute), str(reason)))
    raise InterpreterNotFound(runtime, tuple(looked_at), hint=how_to_get(runtime))


def variable(runtime: str) -> str:
    """Return the name of the environment variable that names the interpreter of `runtime`."""
    return f"UDFS_PYTHON_{runtime.upper()}"


def _places(runtime: str, env: Mapping[str, str], explicit: Path | None) -> Iterator[_Place]:
    """Yield the places to look at, in order; only the one the user named when there is such a one."""
    named = env.get(variable(runtime))
    if explicit is not None:
        yield _Place("the path given", str(explicit), (explicit,))
    elif named:
        yield _Place(variable(runtime), f"{variable(runtime)}={named}", (Path(named),))
    else:
        yield from _usual_places("python{}.{}".format(*RUNTIMES[runtime]), env)


def _usual_places(name: str, env: Mapping[str, str]) -> Iterator[_Place]:
    home = env.get("HOME")
    pyenv = env.get("PYENV_ROOT") or (home and f"{home}/.pyenv")
    # uv's documentation, "Storage": UV_PYTHON_INSTALL_DIR, else `uv/python` in the user's data directory.
    data = env.get("XDG_DATA_HOME") or (home and f"{home}/.local/share")
    uv = env.get("UV_PYTHON_INSTALL_DIR") or (data and f"{data}/uv/python")
    for source, root, pattern in (("pyenv", pyenv, f"versions/*/bin/{name}"), ("uv", uv, f"*/bin/{name}")):
        if root:
            yield _Place(source, f"{Path(root)}/{pattern}", _matches(Path(root), pattern))
    on_path = (entry / name for entry in _search_path(env.get("PATH", ""), pyenv))
    yield _Place("PATH", f"{name} on PATH", tuple(path for path in on_path if os.access(path, os.F_OK)))


def _matches(root: Path, pattern: str) -> tuple[Path, ...]:
    try:
        return tuple(sorted(root.glob(pattern)))
    except OSError:  # a folder on the way that may not be read, or a name longer than any: nothing to be had there
        return ()


def _search_path(path: str, pyenv: str | None) -> list[Path]:
    # Absolute entries alone: a relative one would make the answer depend on the directory. A shim of pyenv proves nothing.
    entries = dict.fromkeys(Path(entry) for entry in path.split(":") if entry.startswith("/"))
    return [entry for entry in entries if not (pyenv and entry.name == "shims" and entry.is_relative_to(pyenv))]


def _usable(runtime: str, group: _Place, looked_at: list[Attempt]) -> Iterator[Interpreter]:
    """Run the candidates of a place; what does not fit is noted in `looked_at`."""
    if not group.candidates:
        looked_at.append(Attempt(group.words, "nothing there"))
    for path in group.candidates:
        try:
            interpreter = _probe(path, group.source)
            if interpreter.version[:2] != RUNTIMES[runtime]:
                raise _NotUsable(f"is CPython {interpreter.release}")
            yield interpreter
        except _NotUsable as reason:
            looked_at.append(Attempt(str(path), str(reason)))


def _probe(path: Path, source: str) -> Interpreter:
    """Run the file at `path` and return what it says it is; raises when it is not a CPython."""
    try:
        answer = subprocess.run(
            [str(path), "-E", "-s", "-S", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            cwd="/",
            env={"LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _NotUsable(f"did not answer in {PROBE_SECONDS:g} s") from None
    except OSError as error:
        raise _NotUsable(f"cannot be run: {error.strerror}") from None
    if answer.returncode != 0:
        lines = answer.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _NotUsable(f"fails with exit code {answer.returncode}" + (f": {lines[-1].strip()}" if lines else ""))
    try:
        facts = json.loads(answer.stdout)
        major, minor, patch = (int(part) for part in facts["version"])
        implementation = str(facts["implementation"])
        abi = _abi(major, minor, facts["soabi"], wide=facts["maxunicode"] > 0xFFFF, pymalloc=facts["pymalloc"])
        machine = str(facts["machine"])
        site = tuple(map(Path, dict.fromkeys(facts["site"])))
    except (ValueError, KeyError, TypeError):
        raise _NotUsable("does not answer like a Python") from None
    if implementation != "cpython":
        raise _NotUsable(f"is {implementation}, not CPython")
    return Interpreter(path, (major, minor, patch), abi, source, machine, site)


def _abi(major: int, minor: int, soabi: str | None, *, wide: bool, pymalloc: bool) -> str:
    """Return the ABI tag. CPython 2.7 does not name it; 3.x does in SOABI: `cpython-37m-x86_64-linux-gnu`."""
    if major == 2:
        return f"cp{major}{minor}" + ("m" if pymalloc else "") + ("u" if wide else "")
    parts = (soabi or "").split("-")
    return "cp" + parts[1] if len(parts) > 1 and parts[0] == "cpython" else f"cp{major}{minor}"


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
