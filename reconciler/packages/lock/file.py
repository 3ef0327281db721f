"""
Lock file, ``udfs.lock``: the files of each package group, for each runtime that uses it.

The format is YAML of a small, fixed shape, so that a pull request shows a changed version as a changed line. A file is
named by its sha256, its name and its size, never by an address: the same lock holds for PyPI, for a mirror and for a
warm cache without a network. Beside the files stand the *inputs* they were found for; a lock whose inputs are not the
manifest's any more is stale, and `Inputs.differences` says in which respect.

Everything here is pure: text in, values out, and back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from reconciler.base.errors import PackageError, Position
from reconciler.base.hints import Command
from reconciler.base.words import quote
from reconciler.manifest.model import Flag, Label, RuntimeTag, Sha256, Text
from reconciler.manifest.reader import Document, TooManyProblems, read_document
from reconciler.manifest.section import Mismatches, Section, as_written, keys_of, read_section

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "udfs.lock"
FORMAT: Literal["udfs.lock/1"] = "udfs.lock/1"
_HEAD = "# Written by `udfs lock`. Commit it; to change it, change udfs.yaml and run `udfs lock` again.\n"
_PLAIN = re.compile(r"[A-Za-z0-9./][A-Za-z0-9_./+@<>=!~;()-]*(?: [A-Za-z0-9_./+@<>=!~;()-]+)*\Z")
_NUMERIC = re.compile(r"[-+.0-9][-+.0-9_eE]*\Z|0[xXoObB]\w+\Z|\.(inf|nan)\Z", re.IGNORECASE)
"""What some reader of YAML, 1.1 or 1.2, takes for a number or a date."""

_CONFLICT = re.compile(rb"^(<{7}|={7}|>{7})", re.MULTILINE)
_MARK = re.compile(rb"^<{7}(?: .*)?\r?\n", re.MULTILINE)
_OTHER_SIDE = re.compile(rb"^(?:\|{7}|={7}).*?^>{7}(?: [^\n]*)?(?:\n|\Z)", re.MULTILINE | re.DOTALL)
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))

Size = Annotated[int, Meta(ge=0)]


class Inputs(Section, frozen=True, kw_only=True):
    """What a group was resolved for: a lock holds as long as the manifest still says the same."""

    python: Text
    """The runtime's full version."""

    platform: Text
    """The newest platform tag that loads there."""

    requirements: list[Text] = field(default_factory=list)
    """Of the manifest and of the requirements file, in one spelling, sorted."""

    constraints: list[Text] = field(default_factory=list)
    without: list[Text] = field(default_factory=list)
    extra_index: list[Text] = field(default_factory=list)
    """Names of environment variables."""

    index: dict[Text, Text] = field(default_factory=dict)
    """Distribution → the index that the manifest names for it."""

    find_links: list[Text] = field(default_factory=list)
    carried: dict[Text, Text] = field(default_factory=dict)
    """Library → the requirement whose wheel carries it."""

    local: dict[Text, Sha256] = field(default_factory=dict)
    """Path of a wheel, source archive or project in the manifest's folder → its sha256, for a project that of its tree."""

    build: dict[Text, Text] = field(default_factory=dict)
    """How what has no wheel is built, where the manifest says something about it."""

    prefer_binary: Flag = False
    pre_release: Flag = False
    no_deps: Flag = False
    debian: list[Text] = field(default_factory=list)
    """Debian packages of the manifest."""

    suite: Text | None = None
    """Of Debian, by its code name; only where there are packages of it."""

    base: list[Text] = field(default_factory=list)
    """Debian packages that the system has."""

    recommends: Flag = False

    def differences(self, now: Inputs) -> Iterator[str]:
        """Say what has changed since, a sentence each."""
        for key in keys_of(type(self)):
            before, after = getattr(self, key), getattr(now, key)
            if before == after:
                continue
            if isinstance(before, (list, dict)):
                yield from (f"{key}: '{item}' was added" for item in after if item not in before)
                yield from (f"{key}: '{item}' is gone" for item in before if item not in after)
            if isinstance(before, dict):
                yield from (
                    f"{key}: '{item}' has changed" for item in before if item in after and before[item] != after[item]
                )
            elif isinstance(before, list):
                if sorted(before) == sorted(after):
                    yield f"{key} are in another order"
            else:
                yield f"{key} was {_quote(before)} and is {_quote(after)}"


class BuiltFrom(Section, frozen=True, kw_only=True):
    """From what a wheel was built, because the index has none that loads."""

    file: Text
    """The source archive's name, or the path of an archive or project in the manifest's folder."""

    sha256: Sha256
    """Of the archive, or of the project's tree."""

    size: Size | None = None
    """Bytes of an archive."""

    index: Text | None = None
    """Where the archive came from, as for a wheel."""

    built_with: Text
    """The builder and the tools whose versions decide the bytes."""

    requires: list[Text] = field(default_factory=list)
    """What the build environment held; the same again gives the same bytes."""


class Locked(Section, frozen=True, kw_only=True):
    """One wheel of a group."""

    name: Text
    """The distribution, normalised."""

    version: Text
    """Its version."""

    file: Text
    """The wheel's file name."""

    tag: Text
    """By which of its tags it loads."""

    sha256: Sha256
    """Of the wheel; what is fetched is held to it."""

    size: Size | None = None
    """Bytes; absent if the index did not say."""

    index: Text | None = None
    """By the name that it has on the machine that locked: of a variable, ``default``, ``extra-1``…; what is fetched is held to its sha256."""

    path: Text | None = None
    """Of a wheel in the manifest's folder."""

    source: BuiltFrom | None = None
    """Of a wheel that was built here."""

    carries: Text | None = None
    """The one library that is taken out of it, of a wheel that is not shipped itself."""

    requirements: list[Text] = field(default_factory=list)
    """What in the manifest, or its requirements files, asks for it."""

    needed_by: list[Text] = field(default_factory=list)
    """The distributions of the group that ask for it."""

    @property
    def title(self) -> str:
        """What it is in its group."""
        return self.name if self.carries is None else f"{self.carries} of {self.name}"

    @property
    def reason(self) -> str:
        """Where it comes from, and who wants it, for people; nothing where that is not known."""
        built = [f"built from {self.source.file}"] if self.source else []
        users = [f"required: {', '.join(self.requirements)}"] if self.requirements else []
        users = users or ([f"needed by {', '.join(self.needed_by)}"] if self.needed_by else [])
        return ", ".join(built + users)


class LockedRelease(Section, frozen=True, kw_only=True):
    """A release of a Debian suite, as it was when the lock was made."""

    suite: Text
    """Its code name: bookworm, or bookworm-security for its security updates."""

    date: Text
    """In UTC, as ISO 8601 writes it."""

    sha256: Sha256
    """Of its InRelease."""

    signed: Flag = True
    """false: nobody checked the signature (`--allow-unsigned`)."""


class LockedDeb(Section, frozen=True, kw_only=True):
    """One Debian package of a group."""

    name: Text
    """Of the binary package."""

    version: Text
    """As Debian writes it, epoch and revision included."""

    architecture: Text
    """amd64, or all for what is the same on every machine."""

    file: Text
    """Its path below a mirror's address."""

    sha256: Sha256
    """Of the .deb, as the suite's index states it; what is fetched is held to it."""

    size: Size
    """Bytes of the .deb."""

    suite: Text | None = None
    """The suite that has it, where that is not the group's: bookworm-security."""

    because: Text | None = None
    """The package that needs it; absent of one that the manifest asks for."""

    @property
    def title(self) -> str:
        """What it is in its group."""
        return f"{self.name} (Debian)"

    @property
    def reason(self) -> str:
        """Who wants it, for people."""
        return f"needed by {self.because}" if self.because else "named in the manifest"


class Group(Section, frozen=True, kw_only=True):
    """A package of the manifest for one runtime."""

    checksum: Text | None = None
    """Of the group's text, in the file: what a merge put together, or a hand changed, is no lock that was made."""

    inputs: Inputs
    """What it was resolved for."""

    files: list[Locked]
    """The wheels, sorted by name."""

    releases: list[LockedRelease] = field(default_factory=list)
    """Of the suites that Debian packages were chosen from."""

    debs: list[LockedDeb] = field(default_factory=list)
    """The Debian packages that the manifest names, and what those need."""

    provided: list[Text] = field(default_factory=list)
    """SONAMEs of the libraries in the Debian packages that `base` names, and in what those need."""

    @property
    def entries(self) -> list[Locked | LockedDeb]:
        """Everything that is locked of it."""
        return [*self.files, *self.debs]


class Lock(Section, frozen=True, kw_only=True):
    """The whole file."""

    format: Literal["udfs.lock/1"] = FORMAT
    """An older udfs refuses what it does not know."""

    packages: dict[Label, dict[RuntimeTag, Group]] = field(default_factory=dict)
    """Package of the manifest → runtime → what it comes to."""

    def group(self, package: str, runtime: str) -> Group | None:
        return self.packages.get(package, {}).get(runtime)


def parse_lock(content: bytes, shown: str = NAME) -> Lock:
    """Read a lock, or raise E478 with the place of the first thing that is wrong."""
    if conflict := _CONFLICT.search(content):
        line = content.count(b"\n", 0, conflict.start()) + 1
        hint = ("settle udfs.yaml, and ", *_SETTLE)
        raise PackageError("E478", "the lock has marks of a merge in conflict", at=Position(shown, line, 1), hint=hint)
    lock, document = _read(content, shown)
    for package, groups in lock.packages.items():
        for runtime, group in groups.items():
            if group.checksum != checksum(group):
                message = f"'{package}' for {runtime} is not as `udfs lock` wrote it: a merge or a hand changed it"
                position = document.position(document.find("packages", package, runtime)[0])
                raise PackageError("E478", message, at=position, hint=_SETTLE)
    return _map_groups(lock, lambda group: replace(group, checksum=None))


def salvage_lock(content: bytes, shown: str = NAME) -> Lock:
    """
    Return what can be learnt from a lock that is to be written anew: versions to keep, and nothing that must be true.

    Of two sides in conflict the first counts. Raises E478 where nothing can be read, or a newer udfs wrote it.
    """
    lock, _ = _read(_OTHER_SIDE.sub(b"", _MARK.sub(b"", content)).removeprefix(b"\xef\xbb\xbf"), shown)
    return _map_groups(
        lock,
        lambda group: replace(
            group, checksum=None, files=[replace(wheel, size=None) for wheel in group.files], debs=[], provided=[]
        ),
    )


class NewerFormat(PackageError):
    """Another udfs wrote the lock, in a format that this one does not know."""


def checksum(group: Group) -> str:
    """Return the checksum of a group's text; it tells accidents, and is no signature."""
    return hashlib.sha256("".join(_body(group)).encode()).hexdigest()[:16]


def _read(content: bytes, shown: str) -> tuple[Lock, Document]:
    document = Document(shown)
    with suppress(TooManyProblems):
        read_document(content, document)
    if document.problems:
        first = document.problems[0]
        what = "it is empty" if not content.strip() else first.message
        raise PackageError("E478", f"the lock cannot be read: {what}", at=first.at, hint=_AGAIN)
    stated = document.value("format")
    if stated != FORMAT:
        message = (
            f"its format is {quote(str(stated))}, and this udfs reads {FORMAT}" if stated else "it names no format"
        )
        error = NewerFormat if stated else PackageError
        hint = "a newer udfs wrote it, perhaps: update udfs" if stated else _AGAIN
        raise error("E478", message, at=document.position(document.find("format")[0]), hint=hint)
    try:
        return read_section(Lock, document.root), document
    except Mismatches as error:
        kind, path, _ = error.mismatches[0]
        mark, _ = document.find(*path)
        key = f"'{path[-1]}'" if path else "it"
        message = f"the lock cannot be read: {_MISMATCHES.get(kind, '{} is not what `udfs lock` writes').format(key)}"
        raise PackageError("E478", message, at=document.position(mark), hint=_AGAIN) from error


def _map_groups(lock: Lock, change: Callable[[Group], Group]) -> Lock:
    packages = {name: {tag: change(group) for tag, group in groups.items()} for name, groups in lock.packages.items()}
    return replace(lock, packages=packages)


_MISMATCHES = {"missing": "the key {} is missing", "unknown": "unknown key {}"}
_SETTLE = ("run `", Command("lock"), "`: it settles the lock, and keeps what still fits")
_AGAIN = ("run `", Command("lock"), "`: it writes the lock anew, and keeps the versions that it can still read")


def locate_file(content: bytes, shown: str, package: str, runtime: str, index: int, section: str = "files") -> Position:
    """Return where a lock that was read has its `index`-th file of a group, or the `index`-th entry of another section."""
    document = Document(shown)
    with suppress(TooManyProblems):
        read_document(content, document)
    return document.position(document.find("packages", package, runtime, section, index)[0])


def dump_lock(lock: Lock) -> str:
    """Return the text of a lock: the same lock gives the same text."""
    lines = [_HEAD, f"format: {lock.format}\n", "packages:\n" if lock.packages else "packages: {}\n"]
    for package in sorted(lock.packages):
        groups = sorted(lock.packages[package].items())
        lines.append(f"  {_scalar(package)}:\n" if groups else f"  {_scalar(package)}: {{}}\n")
        for runtime, group in groups:
            lines.append(f"    {runtime}:\n      checksum: {_scalar(checksum(group))}\n")
            lines += _body(group)
    return "".join(lines)


def _body(group: Group) -> Iterator[str]:
    yield "      inputs:\n"
    yield from _entries(as_written(group.inputs), "        ")
    yield "      files:\n" if group.files else "      files: []\n"
    for wheel in sorted(group.files, key=lambda locked: (locked.name, locked.file)):
        yield from _list_entry(wheel)
    for key, values in (("releases", group.releases), ("debs", group.debs)):
        yield f"      {key}:\n" if values else ""
        for entry in values:
            yield from _list_entry(entry)
    yield from _entries({"provided": group.provided} if group.provided else {}, "      ")


def _list_entry(section: Section) -> Iterator[str]:
    text = "".join(_entries(as_written(section), " " * 10))
    yield f"        - {text.lstrip()}"


def _entries(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{_scalar(key)}:\n"
            yield from _entries(value if key == "source" else dict(sorted(value.items())), indent + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            items = [_scalar(item) for item in value]
            yield (
                f"{indent}{_scalar(key)}: [{', '.join(items)}]\n"
                if len(", ".join(items)) < 90
                else (f"{indent}{_scalar(key)}:\n" + "".join(f"{indent}  - {item}\n" for item in items))
            )
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(value)}\n"


def _scalar(value: object) -> str:
    """Write a value such that YAML reads back the same; quoted as JSON wherever there could be a doubt."""
    if isinstance(value, str):
        is_plain = _PLAIN.match(value) and not _NUMERIC.match(value) and value.lower() not in _WORDS
        return value if is_plain else json.dumps(value, ensure_ascii=False)  # YAML has no surrogate pairs
    return json.dumps(value)


def _quote(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"


@dataclass(frozen=True)
class LockChange:
    """One distribution of one package group and runtime."""

    package: str
    runtime: str
    before: Locked | LockedDeb | None
    after: Locked | LockedDeb | None

    @property
    def name(self) -> str:
        entry = self.after or self.before
        assert entry is not None
        return entry.title


def compare_locks(old: Lock, new: Lock) -> tuple[LockChange, ...]:
    """Return what was added, removed, or is another file now; in the order of the lock."""
    pairs = {
        (package, runtime) for lock in (old, new) for package, groups in lock.packages.items() for runtime in groups
    }
    changes: list[LockChange] = []
    for pair in sorted(pairs):
        before, after = (
            {entry.title: entry for entry in group.entries} if (group := lock.group(*pair)) else {}
            for lock in (old, new)
        )
        for name in sorted({*before, *after}):
            was, now = before.get(name), after.get(name)
            if was is None or now is None or (was.file, was.sha256) != (now.file, now.sha256):
                changes.append(LockChange(*pair, was, now))
    return tuple(changes)
