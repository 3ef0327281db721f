"""
Requirements in the manifest and in requirements files.

What is taken is PEP 508 without addresses, and paths that begin with ``./``. An address names a machine, and a lock names
none, so that it holds for every mirror; what is behind one can be downloaded into the folder and named by its path.

Of a requirements file, pip's own format, everything is read that says *what* is wanted: requirements, hashes, ``-r``,
``-c``, ``-e`` of a path, ``--pre``, ``--prefer-binary``. Options that say where it comes from are refused with the key
or the setting that says it here: silently dropped, they would change what is installed. [pip, req_file.py]
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.words import quote
from reconciler.manifest.model import UNPRINTABLE
from reconciler.manifest.paths import Refusal, why_not_a_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRAS = re.compile(r"(?P<path>.*?)(?P<extras>\[[\w\s,.-]*\])?\Z", re.DOTALL)
_HASH = re.compile(r"\s--hash[=\s]\s*(?P<kind>\w+):(?P<value>\S*)")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}\Z")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_OPTION = re.compile(r"(?P<name>-[A-Za-z]|--[A-Za-z][A-Za-z-]*(?=[=\s]|\Z))[=\s]*(?P<value>.*)\Z", re.DOTALL)
_LATER_OPTION = re.compile(r"\s(--[a-z][a-z-]*)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(git|hg|svn|bzr)\+|file:", re.IGNORECASE)
_UNSEEN = re.compile(f"[{UNPRINTABLE}\\r\\n]")
_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".zip")
_NEARLY = re.compile(r"([\w.-]+(?:\[[\w.,-]+\])?)\s*(?:=|\s(?=[0-9])|(\^)(?=[1-9]))\s*([0-9]+)([\w.*]*)")
"""``six=1.16`` as Conda has it, ``six 1.16``, and ``six ^1.16`` as Poetry has it."""

_MAX_LENGTH = 4_000
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
_KEYS = {
    **dict.fromkeys(("-r", "--requirement"), "requirements_file: {}"),
    **dict.fromkeys(("-c", "--constraint"), "constraints_file: {}"),
    "--pre": "pre_release: true",
    "--prefer-binary": "prefer_binary: true",
}
"""What the manifest has for options that say what is wanted."""


@dataclass(frozen=True)
class PackageRequirement:
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


def parse_requirement(text: str) -> PackageRequirement | Refusal:
    """Read one requirement."""
    text = text.strip()
    # A reviewer would approve another name than the one that is installed.
    if _UNSEEN.search(text):
        return Refusal("E470", f"{quote(text)} holds a character that nobody sees")
    plain = _HASH.sub("", text).strip()
    if _ADDRESS.match(plain):
        return _address("a requirement")
    hash_options = [(match["kind"], match["value"].lower()) for match in _HASH.finditer(text)]
    for kind, value in hash_options:
        if kind == "sha256" and not _SHA256.match(value):
            return Refusal("E472", f"{quote(value)} is no sha256", "64 hexadecimal digits")
    hashes = tuple(value for kind, value in hash_options if kind == "sha256")
    if hash_options and not hashes:
        return Refusal("E472", f"{quote(plain)} has no hash that is a sha256", "'pip hash FILE' prints it")
    if plain.startswith((".", "/", "~")):
        return _path(plain, hashes)
    if plain.startswith("-"):
        return Refusal("E472", f"{quote(plain)} is an option, not a requirement", _instead_of_option(plain))
    if option := _LATER_OPTION.search(plain):
        return Refusal("E472", f"the option '{option[1]}' is not allowed here", _SOURCES.get(option[1]))
    return _distribution(plain, hashes)


def _instead_of_option(text: str) -> str | None:
    """Return what the manifest has for a line of a requirements file."""
    option = _OPTION.match(text)
    name, value = (option["name"], option["value"].strip()) if option else (text, "")
    if name in ("-e", "--editable"):
        return f"write {quote(value if value.startswith('.') else './' + value)}, the project's folder"
    key = _KEYS.get(name)
    return f"write {key.format(value)} beside requirements:" if key else _SOURCES.get(name)


def _distribution(text: str, hashes: tuple[str, ...]) -> PackageRequirement | Refusal:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    # The parser of requirements is recursive; what is longer than any real one is not given to it.
    if len(text) > _MAX_LENGTH:
        return Refusal("E470", f"{quote(text)} is longer than any requirement")
    try:
        read = Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        is_path = "/" in text or text.endswith(_ARCHIVES)
        # packaging counts them from 26.4 on; before that, Python did.
        is_deep = isinstance(error, RecursionError) or "nested more than" in str(error)
        reason = "too many parentheses" if is_deep else str(error).partition("\n")[0]
        hint = "a path begins with './'" if is_path else f"as in 'numpy==1.21.6': {reason}"
        if nearly := _NEARLY.fullmatch(text):
            name, caret, major, rest = nearly.groups()
            hint = f"write {name}>={major}{rest},<{int(major) + 1}" if caret else f"write {name}=={major}{rest}"
        return Refusal("E470", f"{quote(text)} is not a requirement", hint)
    if read.url:
        return _address(f"the requirement of '{read.name}'")
    if text.endswith(_ARCHIVES):  # it could be a name, and nobody means that
        return Refusal("E470", f"{quote(text)} is not a requirement", "a path begins with './'")
    name = canonicalize_name(read.name)
    read.name = name
    return PackageRequirement(str(read), name, None, tuple(sorted(read.extras)), hashes)


def _address(whose: str) -> Refusal:
    """Refuse an address without repeating it: it may hold a password."""
    hint = "download it into the manifest's folder and name its path: './dist/name-1.0-py3-none-any.whl'"
    return Refusal("E471", f"{whose} names an address, and a lock names none", hint)


def _path(text: str, hashes: tuple[str, ...]) -> PackageRequirement | Refusal:
    if refusal := _why_not_here(text):
        return refusal
    match = _EXTRAS.match(text)
    assert match is not None  # every part of the pattern may be empty
    path = join_folder("", match["path"])
    if "[" in path or "]" in path:
        return Refusal(
            "E470", f"{quote(text)} has brackets in its path", "they can only mean extras: './project[extra]'"
        )
    extras = tuple(sorted({extra.strip() for extra in (match["extras"] or "[]")[1:-1].split(",") if extra.strip()}))
    return path_requirement(path, extras, hashes)


def _why_not_here(path: str) -> Refusal | None:
    """Refuse what begins elsewhere than the file that names it; whether the rest leads out is known when it is joined."""
    return why_not_a_path(path) if path.startswith(("/", "~")) else None


def path_requirement(path: str, extras: tuple[str, ...] = (), hashes: tuple[str, ...] = ()) -> PackageRequirement:
    """Return the requirement of what lies at a path."""
    shown = "." if path == "." else f"./{path}"
    return PackageRequirement(f"{shown}[{','.join(extras)}]" if extras else shown, None, path, extras, hashes)


def join_folder(folder: str, path: str) -> str:
    """Join as text and take out ``..``, so that a path of a file in a folder can be named from the manifest's."""
    parts: list[str] = []
    for part in map(str.strip, f"{folder}/{path}".split("/")):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


def why_not_a_constraint(requirement: PackageRequirement) -> Refusal | None:
    """Say why a requirement says nothing about the versions of something that others need."""
    if requirement.path is not None:
        return Refusal("E470", f"{quote(requirement.text)} constrains nothing", "as in 'numpy<1.20'")
    if requirement.extras:
        return Refusal(
            "E470", f"{quote(requirement.text)} has extras, and a constraint asks for nothing", "as in 'numpy<1.20'"
        )
    return None


@dataclass(frozen=True)
class RequirementLine:
    """Something that a requirements file says."""

    number: int
    """Counted from 1; of the first of several lines joined by a backslash."""

    what: PackageRequirement | Include | Switch | Refusal


@dataclass(frozen=True)
class Include:
    """``-r`` or ``-c`` and a path relative to the file."""

    path: str
    constrains: bool


@dataclass(frozen=True)
class Switch:
    """``--pre`` or ``--prefer-binary``."""

    name: str


def read_requirement_lines(text: str) -> Iterator[RequirementLine]:
    """Read a requirements file."""
    for number, line in _join_lines(text):
        if line:
            yield RequirementLine(number, _read(line))


def _join_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join what ends in a backslash to the next line, as pip does: a comment ends it, too."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first if pending else number
        is_comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not is_comment:
            pending += raw[:-1]
            continue
        yield first, _COMMENT.sub("", f"{pending} {raw}" if is_comment else pending + raw).strip()
        pending = ""
    yield first, _COMMENT.sub("", pending).strip()


def _read(line: str) -> PackageRequirement | Include | Switch | Refusal:
    if "${" in line:
        hint = "requirements files are read without the environment, so that the same commit means the same packages"
        return Refusal("E472", "a variable is not allowed here", hint)
    option = _OPTION.match(line)
    return _option(option["name"], option["value"]) if option else parse_requirement(line)


def _option(name: str, value: str) -> PackageRequirement | Include | Switch | Refusal:
    if name in ("--pre", "--prefer-binary"):
        return Refusal("E472", f"'{name}' stands on a line of its own") if value else Switch(name)
    if name not in ("-r", "--requirement", "-c", "--constraint", "-e", "--editable"):
        return Refusal("E472", f"the option '{name}' is not allowed here", _SOURCES.get(name))
    if _ADDRESS.match(value):
        return _address(f"the option '{name}'")
    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    if len(words) != 1:
        return Refusal("E472", f"the option '{name}' takes one path, and stands on a line of its own")
    if name in ("-e", "--editable"):
        return parse_requirement(words[0] if words[0].startswith((".", "/", "~")) else f"./{words[0]}")
    return _why_not_here(words[0]) or Include(words[0], constrains=name in ("-c", "--constraint"))
