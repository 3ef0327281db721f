"""
Requirements as people write them: in the manifest, and in the requirements files that they already have.

What is taken is PEP 508 without addresses, and paths that begin with ``./``. An address names a machine, and a lock names
none, so that it holds for every mirror; what is behind one can be downloaded into the folder and named by its path.

Of a requirements file, pip's own format, everything is read that says *what* is wanted: requirements, hashes, ``-r``,
``-c``, ``-e`` of a path, ``--pre``, ``--prefer-binary``. Options that say where it comes from are refused with the key
or the setting that says it here: silently dropped, they would change what is installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.manifest.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRAS = re.compile(r"(?P<path>.*?)(?P<extras>\[[\w\s,.-]*\])?\Z", re.DOTALL)
_HASH = re.compile(r"\s+--hash[=\s](?P<name>\w+):(?P<value>[0-9A-Fa-f]+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--?[A-Za-z][A-Za-z-]*)(?:[=\s]\s*(?P<value>.*))?\Z", re.DOTALL)
_SOURCES = {
    **dict.fromkeys(
        ("-i", "--index-url", "--extra-index-url", "--trusted-host", "--no-index"),
        "indexes are a matter of the machine (pip's settings), or of `extra_index:`",
    ),
    **dict.fromkeys(("-f", "--find-links"), "name the folder under the package's `find_links:`"),
    "--no-binary": "which file is taken is decided for the runtime: wheels first, then what can be built",
    "--only-binary": "`prefer_binary: true` rather takes an older version that has a wheel",
    "--require-hashes": "leave it out: every file of the lock is held to its hash anyway",
}


@dataclass(frozen=True)
class Wanted:
    """One requirement."""

    text: str
    """In one spelling: two texts that mean the same are equal."""

    name: str | None
    """The distribution, normalised; None for a path, whose metadata knows it."""

    path: str | None = None
    """A wheel, a source archive or a project's folder, relative to the file that names it."""

    extras: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    """The sha256 that are allowed; empty if the file does not say."""


@dataclass(frozen=True)
class Refused:
    """Why a line is not taken."""

    code: str
    message: str
    hint: str | None = None


def wanted(text: str) -> Wanted | Refused:
    """Read one requirement."""
    text = text.strip()
    hashes = tuple(found["value"].lower() for found in _HASH.finditer(text) if found["name"] == "sha256")
    plain = _HASH.sub("", text).strip()
    if plain.startswith(("./", "../", "/", "~")) or plain == ".":
        return _path(plain, hashes)
    if plain.startswith("-"):
        return Refused("E472", f"{quoted(plain)} is an option, not a requirement")
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        read = Requirement(plain)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        looks_like_path = "/" in plain or plain.endswith((".whl", ".tar.gz", ".zip"))
        hint = "a path begins with './'" if looks_like_path else f"as in 'numpy==1.21.6': {reason}"
        return Refused("E470", f"{quoted(plain)} is not a requirement", hint)
    if read.url:
        hint = "download it into the manifest's folder and name its path: './dist/name-1.0-py3-none-any.whl'"
        return Refused("E471", f"the requirement of '{read.name}' names an address, and a lock names none", hint)
    name = canonicalize_name(read.name)
    read.name = name
    return Wanted(str(read), name, None, tuple(sorted(read.extras)), hashes)


def _path(text: str, hashes: tuple[str, ...]) -> Wanted | Refused:
    found = _EXTRAS.match(text)
    assert found is not None  # every part of the pattern may be empty
    path = found["path"].strip().removeprefix("./").rstrip("/") or "."
    extras = tuple(sorted(one.strip() for one in (found["extras"] or "[]")[1:-1].split(",") if one.strip()))
    shown = f"./{path}" if path != "." else "."
    return Wanted(f"{shown}[{','.join(extras)}]" if extras else shown, None, path, extras, hashes)


@dataclass(frozen=True)
class Line:
    """Something that a requirements file says."""

    number: int
    """Counted from 1; of the first of several lines joined by a backslash."""

    what: Wanted | Include | Switch | Refused


@dataclass(frozen=True)
class Include:
    """``-r`` or ``-c`` and a path relative to the file."""

    path: str
    constrains: bool


@dataclass(frozen=True)
class Switch:
    """``--pre`` or ``--prefer-binary``."""

    name: str


def lines(text: str) -> Iterator[Line]:
    """Read a requirements file."""
    for number, line in _joined(text):
        if line:
            yield Line(number, _read(line))


def _joined(text: str) -> Iterator[tuple[int, str]]:
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first if pending else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            pending += raw[:-1] + " "
            continue
        yield first, _COMMENT.sub("", pending + raw).strip()
        pending = ""
    if pending:
        yield first, _COMMENT.sub("", pending).strip()


def _read(line: str) -> Wanted | Include | Switch | Refused:
    if "${" in line:
        hint = "requirements files are read without the environment, so that the same commit means the same packages"
        return Refused("E472", "a variable is not taken here", hint)
    option = _OPTION.match(line)
    if option is None:
        return wanted(line)
    name, value = _spelled(option["name"], option["value"])
    if name in ("-r", "--requirement", "-c", "--constraint") and value:
        return Include(value, name in ("-c", "--constraint"))
    if name in ("-e", "--editable") and value:
        return wanted(value if value.startswith((".", "/", "~")) or "/" not in value else f"./{value}")
    if name in ("--pre", "--prefer-binary") and not value:
        return Switch(name)
    return Refused("E472", f"the option '{name}' is not taken here", _SOURCES.get(name))


def _spelled(name: str, value: str | None) -> tuple[str, str]:
    """Split ``-rbase.txt`` as pip does."""
    glued = re.match(r"-([rce])(?=[^-])(.+)", name + (f" {value}" if value else ""))
    if glued and not name.startswith("--") and len(name) > 2:
        return f"-{glued[1]}", glued[2].strip()
    return name, (value or "").strip()
