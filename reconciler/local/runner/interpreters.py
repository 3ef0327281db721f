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
    stands_in_for: str | None = None
    """The runtime it replaces for a pure-Python job; None when it is of that runtime itself."""

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
    runtime: str,
    env: Mapping[str, str],
    explicit: Path | None = None,
    substitute: Path | None = None,
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
    for candidate in _places(runtime, env, explicit):
        matching = list(_usable(runtime, candidate, looked_at))
        if not matching:
            continue
        best = max(matching, key=lambda interpreter: (_has_service_abi(interpreter), interpreter.version))
        if _has_service_abi(best):
            return best
        fallback = fallback or best
    if fallback is not None:
        return fallback
    if substitute is not None and runtime != "cp27" and not _is_named_by_user(runtime, env, explicit):
        stand_in = _stand_in(runtime, substitute, looked_at)
        if stand_in is not None:
            return stand_in
    raise InterpreterNotFound(runtime, tuple(looked_at), hint=how_to_get(runtime))


def available(env: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Return every usable interpreter of every runtime, each once, in the order `locate` would look at them."""
    interpreters: dict[Path, Interpreter] = {}
    for runtime in RUNTIMES:
        for candidate in _places(runtime, env):
            for interpreter in _usable(runtime, candidate, []):
                interpreters.setdefault(interpreter.path.resolve(), interpreter)
    return tuple(interpreters.values())


def variable(runtime: str) -> str:
    """Return the name of the environment variable that names the interpreter of `runtime`."""
    return f"UDFS_PYTHON_{runtime.upper()}"


def _is_named_by_user(runtime: str, env: Mapping[str, str], explicit: Path | None) -> bool:
    return explicit is not None or bool(env.get(variable(runtime)))


def _places(runtime: str, env: Mapping[str, str], explicit: Path | None = None) -> Iterator[_Place]:
    """Yield the places to look at, in order; only the one the user named when there is such a one."""
    if explicit is not None:
        yield _Place("the path given", str(explicit), (explicit,))
        return
    named = env.get(variable(runtime), "")
    if named:
        yield _Place(variable(runtime), f"{variable(runtime)}={named}", (Path(named),))
        return
    name = "python{}.{}".format(*RUNTIMES[runtime])
    pyenv = _pyenv_root(env)
    if pyenv is not None:
        yield _Place("pyenv", f"{pyenv}/versions/*/bin/{name}", tuple(sorted(pyenv.glob(f"versions/*/bin/{name}"))))
    uv = _uv_root(env)
    if uv is not None:
        yield _Place("uv", f"{uv}/*/bin/{name}", tuple(sorted(uv.glob(f"*/bin/{name}"))))
    on_path = (Path(entry) / name for entry in _search_path(env, pyenv))
    yield _Place("PATH", f"{name} on PATH", tuple(path for path in on_path if path.exists()))


def _pyenv_root(env: Mapping[str, str]) -> Path | None:
    if env.get("PYENV_ROOT"):
        return Path(env["PYENV_ROOT"])
    return Path(env["HOME"]) / ".pyenv" if env.get("HOME") else None


def _uv_root(env: Mapping[str, str]) -> Path | None:
    # uv's documentation, "Storage": UV_PYTHON_INSTALL_DIR, else `uv/python` in the user's data directory.
    if env.get("UV_PYTHON_INSTALL_DIR"):
        return Path(env["UV_PYTHON_INSTALL_DIR"])
    if env.get("XDG_DATA_HOME"):
        return Path(env["XDG_DATA_HOME"]) / "uv" / "python"
    return Path(env["HOME"]) / ".local" / "share" / "uv" / "python" if env.get("HOME") else None


def _search_path(env: Mapping[str, str], pyenv: Path | None) -> list[str]:
    """Return the absolute entries of PATH, each once: a relative one would make the answer depend on the directory."""
    entries = [entry for entry in env.get("PATH", "").split(":") if entry.startswith("/")]
    return [entry for entry in dict.fromkeys(entries) if not _is_shims(Path(entry), pyenv)]


def _is_shims(directory: Path, pyenv: Path | None) -> bool:
    return directory.name == "shims" and pyenv is not None and directory.is_relative_to(pyenv)


def _usable(runtime: str, candidate: _Place, looked_at: list[Attempt]) -> Iterator[Interpreter]:
    """Run the candidates of a place; what does not fit is noted in `looked_at`."""
    if not candidate.candidates:
        looked_at.append(Attempt(candidate.words, "nothing there"))
    for path in candidate.candidates:
        answer = _examine(runtime, path, candidate.source)
        if isinstance(answer, Interpreter):
            yield answer
        else:
            looked_at.append(answer)


def _examine(runtime: str, path: Path, source: str) -> Interpreter | Attempt:
    try:
        return _of_runtime(runtime, _probe(path, source))
    except _NotUsable as reason:
        return Attempt(str(path), str(reason))


def _of_runtime(runtime: str, interpreter: Interpreter) -> Interpreter:
    if interpreter.version[:2] != RUNTIMES[runtime]:
        raise _NotUsable(f"is CPython {_version_text(interpreter.version)}")
    return interpreter


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
    except (ValueError, KeyError, TypeError):
        raise _NotUsable("does not answer like a Python") from None
    if implementation != "cpython":
        raise _NotUsable(f"is {implementation}, not CPython")
    return Interpreter(path, (major, minor, patch), abi, source, machine)


def _abi(major: int, minor: int, soabi: str | None, *, wide: bool, pymalloc: bool) -> str:
    """Return the ABI tag. CPython 2.7 does not name it; 3.x does in SOABI: `cpython-37m-x86_64-linux-gnu`."""
    if major == 2:
        return f"cp{major}{minor}" + ("m" if pymalloc else "") + ("u" if wide else "")
    parts = (soabi or "").split("-")
    return "cp" + parts[1] if len(parts) > 1 and parts[0] == "cpython" else f"cp{major}{minor}"


def _has_service_abi(interpreter: Interpreter) -> bool:
    return SERVICE_ABI.get(interpreter.runtime) == interpreter.abi


def _stand_in(runtime: str, path: Path, looked_at: list[Attempt]) -> Interpreter | None:
    try:
        interpreter = _probe(path, "stand-in")
    except _NotUsable as reason:
        looked_at.append(Attempt(str(path), str(reason)))
        return None
    if interpreter.version[0] != 3:
        looked_at.append(Attempt(str(path), f"is CPython {_version_text(interpreter.version)}, which cannot stand in"))
        return None
    return replace(interpreter, stands_in_for=runtime)


def _version_text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


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
