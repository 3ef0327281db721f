"""
Search for a CPython of a version on this machine.

A machine may hold it in several places; the first place of this list that has a fitting one wins:

1. the path the caller gives;
2. the environment variable of its runtime, for example `UDFS_PYTHON_CP37`;
3. pyenv's versions directory (not its shims: a shim fails unless its version is activated);
4. the directory where uv keeps the Pythons it manages;
5. `PATH`.

A name proves nothing, so every candidate is run and says itself what it is: once, as long as its file stays the same. PyPy, a wrong version or a broken
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROBE_SECONDS = 10.0
_PYENV = "pyenv"

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
    "prefix": getattr(sys, "base_prefix", sys.prefix),
    "program": os.path.realpath(sys.executable),
    "site": [
        os.path.join(os.path.dirname(os.path.dirname(sys.executable)), "lib", "python%d.%d" % sys.version_info[:2], "site-packages"),
        sysconfig.get_path("platlib"),
        sysconfig.get_path("purelib"),
    ],
}, sys.stdout)
"""


@dataclass(frozen=True)
class Attempt:
    """One place where an interpreter was looked for, and what was there."""

    place: str
    verdict: str


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
    prefix: Path = Path("/usr")
    """Where its standard library and its program lie; for a virtual environment those of the Python that made it."""
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


class NotUsable(Exception):
    """Why one candidate is passed over."""


def variable(runtime: str) -> str:
    """Return the name of the environment variable that names the interpreter of `runtime`."""
    return f"UDFS_PYTHON_{runtime.upper()}"


def find_interpreters(
    version: tuple[int, int], env: Mapping[str, str], explicit: Path | None, looked_at: list[Attempt]
) -> Iterator[list[Interpreter]]:
    """Yield the CPythons of a version, place by place, in order; what does not fit is noted in `looked_at`."""
    for group in _places(version, env, explicit):
        if interpreters := list(_usable(version, group, looked_at)):
            yield interpreters


def _places(version: tuple[int, int], env: Mapping[str, str], explicit: Path | None) -> Iterator[_Place]:
    """Yield the places to look at, in order; only the one the user named when there is such a one."""
    name = variable("cp{}{}".format(*version))
    path = env.get(name)
    if explicit is not None:
        yield _Place("the path given", str(explicit), (explicit,))
    elif path:
        yield _Place(name, f"{name}={path}", (Path(path),))
    else:
        yield from _usual_places("python{}.{}".format(*version), env)


def _usual_places(name: str, env: Mapping[str, str]) -> Iterator[_Place]:
    home = env.get("HOME")
    pyenv = env.get("PYENV_ROOT") or (home and f"{home}/.{_PYENV}")
    # uv's documentation, "Storage": UV_PYTHON_INSTALL_DIR, else `uv/python` in the user's data directory.
    data = env.get("XDG_DATA_HOME") or (home and f"{home}/.local/share")
    uv = env.get("UV_PYTHON_INSTALL_DIR") or (data and f"{data}/uv/python")
    for source, root, pattern in ((_PYENV, pyenv, f"versions/*/bin/{name}"), ("uv", uv, f"*/bin/{name}")):
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


def _usable(version: tuple[int, int], group: _Place, looked_at: list[Attempt]) -> Iterator[Interpreter]:
    """Run the candidates of a place."""
    if not group.candidates:
        looked_at.append(Attempt(group.words, "nothing there"))
    for path in group.candidates:
        try:
            interpreter = probe(path, group.source)
            if interpreter.version[:2] != version:
                raise NotUsable(f"is CPython {interpreter.release}")
            yield interpreter
        except NotUsable as reason:
            looked_at.append(Attempt(str(path), str(reason)))


_answers: dict[Path, tuple[tuple[int, ...], Interpreter]] = {}
"""What programs said they are, and by what it shows that they are still the same."""


def probe(path: Path, source: str) -> Interpreter:
    """
    Return what the file at `path` says it is; raises when it is not a CPython.

    It is run, but where it was before and has not changed since; a script that starts another program is run each time.
    """
    identity = _identify(path)
    earlier, interpreter = _answers.get(path, ((), None))
    if interpreter is None or earlier != identity:
        interpreter, program = _ask(path)
        if program == os.path.realpath(path) and identity:
            _answers[path] = identity, interpreter
    return replace(interpreter, source=source)


def _identify(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _ask(path: Path) -> tuple[Interpreter, str]:
    """Run the file; return what it says it is, and the program that it says so of."""
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
        raise NotUsable(f"did not answer in {PROBE_SECONDS:g} s") from None
    except OSError as error:
        raise NotUsable(f"cannot be run: {error.strerror}") from None
    if answer.returncode != 0:
        lines = answer.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NotUsable(f"fails with exit code {answer.returncode}" + (f": {lines[-1].strip()}" if lines else ""))
    try:
        facts = json.loads(answer.stdout)
        major, minor, patch = (int(part) for part in facts["version"])
        implementation = str(facts["implementation"])
        abi = _abi(major, minor, facts["soabi"], wide=facts["maxunicode"] > 0xFFFF, pymalloc=facts["pymalloc"])
        machine = str(facts["machine"])
        site = tuple(map(Path, dict.fromkeys(facts["site"])))
        prefix, program = Path(facts["prefix"]), str(facts["program"])
    except (ValueError, KeyError, TypeError):
        raise NotUsable("does not answer like a Python") from None
    if implementation != "cpython":
        raise NotUsable(f"is {implementation}, not CPython")
    return Interpreter(path, (major, minor, patch), abi, "", machine, site, prefix), program


def _abi(major: int, minor: int, soabi: str | None, *, wide: bool, pymalloc: bool) -> str:
    """Return the ABI tag. CPython 2.7 does not name it; 3.x does in SOABI: `cpython-37m-x86_64-linux-gnu`."""
    if major == 2:
        return f"cp{major}{minor}" + ("m" if pymalloc else "") + ("u" if wide else "")
    parts = (soabi or "").split("-")
    return "cp" + parts[1] if len(parts) > 1 and parts[0] == "cpython" else f"cp{major}{minor}"
