"""
Contents of the files that are shipped: read once, kept by the hash of the bytes.

`inspect_file` opens a wheel, an archive or a library and returns its `FileFacts`: the native files with what they ask of a system,
the names it can be imported by, and what is wrong with it whatever the runtime (an unsafe member, bytes that are not the
RECORD's). Whether that suits a runtime is for `gate` to say; facts know of none, so they stay true as long as the bytes do
and can be kept: `inspect_once` finds them again under the sha256.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import re
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, cast

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.base.names import ARCHIVE_SUFFIXES
from reconciler.packages.fetch.cache import load_record, save_record
from reconciler.packages.inspect.elf import Damaged, Elf, read_elf
from reconciler.packages.inspect.files import (
    FileFinding,
    FileKind,
    file_kind,
    is_elf,
    is_library_name,
    shorten,
    stems_of,
)
from reconciler.packages.inspect.members import UNREADABLE, Member, TooMuch, tar_members, zip_members
from reconciler.packages.inspect.site import SiteFacts, SiteNotes, is_of_interest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

VERSION = 5
"""Of what `inspect_file` finds out. Facts of another version are found out again."""

_MODULE = re.compile(r"(?P<name>[A-Za-z_]\w*)(\.py|(\.[\w-]+)?\.so)\Z", re.ASCII)
_IMPORTABLE = (
    re.compile(r"([^\W\d]\w*)(?:\.py|\.pyc|(?:\.[\w-]+)?\.so)\Z"),
    re.compile(r"([^\W\d]\w*)/.*(?:\.py|\.pyc|\.so)\Z", re.DOTALL),
)
"""A module, and anything in a folder: one without ``__init__.py`` counts, for namespace packages have none (PEP 420)."""

_BLOCK = 1 << 20
_IN_MEMORY = 8 << 20
_MAX_RECORD = 64 << 20
_MAX_NATIVES = 5_000
_HASHES = ("sha256", "sha384", "sha512")


@dataclass(frozen=True)
class Native:
    """One ELF file in what is shipped."""

    path: str
    """Inside the archive; of a library its file's name."""

    elf: Elf

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def is_loaded(self) -> bool:
        """Whether Python or the linker loads it. Other ELF files are programs, objects or data, and may never run."""
        return is_library_name(self.name)

    @property
    def answers_to(self) -> frozenset[str]:
        """The names by which the linker finds it: the file's, and its SONAME once it is loaded."""
        return frozenset({self.name, self.elf.soname or self.name})


@dataclass(frozen=True)
class FileFacts:
    """What one file holds."""

    kind: FileKind = "file"
    faults: tuple[FileFinding, ...] = ()
    natives: tuple[Native, ...] = ()
    imports: tuple[str, ...] = ()
    """Top-level names that it alone should give; namespace packages are made to be shared and are not among them."""

    modules: tuple[str, ...] = ()
    """Every top-level name that ``import`` finds in it, once it is unpacked on ``sys.path``."""

    stems: tuple[str, ...] = ()
    """Of a plain archive: what every file and folder in it is called, without endings; a module can have no other name."""

    holds_archives: bool = False
    unpacked: int = 0
    """Bytes."""

    has_compiled_code: bool = False
    """An ELF file is in it, or a file named like one."""

    site: SiteFacts = field(default_factory=SiteFacts)
    """What it relies on that only site-packages have."""


def inspect_file(path: Path, kind: FileKind) -> FileFacts:
    """Find out what a file holds. Whatever is wrong with it is among the facts."""
    if kind == "file":
        return FileFacts()
    if kind == "library":
        try:
            with open_input(path, SHIPPED) as stream:
                natives = (Native(path.name, read_elf(stream)),)
        except Damaged as error:
            return FileFacts("library", (_damage(path.name, error),), has_compiled_code=True)
        return FileFacts("library", natives=natives, has_compiled_code=True)
    inside = _Inside()
    try:
        _walk(path, kind, inside)
    except TooMuch as error:
        hint = "an archive like this fills a worker's disk; pack it anew"
        return FileFacts(kind, (FileFinding("E422", f"expands too far: {error}", hint),))
    except (*UNREADABLE, csv.Error) as error:
        return FileFacts(kind, (_why_unreadable(kind, str(error) or type(error).__name__),))
    if kind == "wheel" and not inside.is_wheel and not inside.unsafe:
        return FileFacts(kind, (_why_unreadable(kind, "it has no .dist-info/WHEEL"),))
    return inside.facts(kind)


def inspect_packed(path: Path, natives: Iterable[Native]) -> FileFacts:
    """Return the facts of a zip archive made of members of wheels that were inspected, with their native files as they lie now."""
    inside, by_path = _Inside(), {native.path: native for native in natives}
    for member in zip_members(path, inside.unsafe):
        inside.add(member)
        if member.name in by_path:
            inside.natives.append(by_path[member.name])
        if is_of_interest(member.name):
            with member.open() as stream:
                inside.site.note(member.name, stream.read(_BLOCK))
    return inside.facts("zip")


def inspect_once(
    path: Path, sha256: str, folder: Path | None, look: Callable[[Path, FileKind], FileFacts] | None = None
) -> FileFacts:
    """
    Return the facts of the file, which has this hash, from `folder` if they are there and put them there if not.

    `look` finds them out where `inspect_file` need not.
    """
    kind, look = file_kind(path), look or inspect_file
    if folder is None or kind == "file":
        return look(path, kind)
    record = folder / f"v{VERSION}" / sha256[:2] / f"{sha256}-{kind}.json"
    facts = load_record(record, FileFacts)
    if facts is None:
        facts = look(path, kind)
        save_record(record, facts)
    return facts


def _damage(path: str, error: Damaged) -> FileFinding:
    severity: Literal["error", "warning"] = "error" if is_library_name(path) else "warning"
    hint = "it was cut off or changed after it was built; build or download it again"
    return FileFinding("E411", f"has a native file that cannot be read: {path}: {error}", hint, severity=severity)


def _why_unreadable(kind: FileKind, reason: str) -> FileFinding:
    if kind == "wheel":
        return FileFinding("E406", f"is not a wheel: {reason}", "build or download it again")
    what = "a zip archive" if kind == "zip" else "a tar archive"
    return FileFinding("E423", f"is not {what}: {reason}", "how it is unpacked goes by the end of its name")


# --- What is inside an archive --------------------------------------------------------------------------------------------


@dataclass
class _Inside:
    """What is known of an archive so far."""

    unsafe: list[str] = field(default_factory=list)
    natives: list[Native] = field(default_factory=list)
    damaged: list[FileFinding] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    site: SiteNotes = field(default_factory=SiteNotes)
    unpacked: int = 0
    record: _Record | None = None

    def add(self, member: Member) -> None:
        self.names.append(member.name)
        self.unpacked += member.size

    @property
    def is_wheel(self) -> bool:
        return any(name.endswith(".dist-info/WHEEL") for name in self.names)

    def facts(self, kind: FileKind) -> FileFacts:
        faults = list(self.damaged)
        if self.unsafe:
            hint = "pack it anew, without what is named"
            faults.append(FileFinding("E421", "holds what must not be unpacked", hint, shorten(self.unsafe)))
        if kind == "wheel" and not self.unsafe and (finding := _record_finding(self.record, self.names)):
            faults.append(finding)
        compiled = bool(self.natives) or any(is_library_name(name) for name in self.names)
        site = self.site.facts(self.names)
        shared = {portion.name for portion in site.portions if portion.sharing != "closed"}
        return FileFacts(
            kind,
            tuple(faults),
            tuple(self.natives),
            imports=tuple(sorted(_import_names(self.names) - shared)),
            modules=tuple(sorted(top_level([*self.names, *site.members_by_path(self.names)]))),
            stems=tuple(sorted(stems_of(self.names))) if kind in {"zip", "tar"} else (),
            holds_archives=any(name.lower().endswith((*ARCHIVE_SUFFIXES, ".whl", ".egg")) for name in self.names),
            unpacked=self.unpacked,
            has_compiled_code=compiled,
            site=site,
        )


def _walk(path: Path, kind: FileKind, inside: _Inside) -> None:
    if kind == "wheel":
        inside.record = _read_record(path)
    members = tar_members if kind == "tar" else zip_members
    for member in members(path, inside.unsafe):
        inside.add(member)
        with member.open() as stream:
            _look_at(member, stream, inside)


def _look_at(member: Member, stream: IO[bytes], inside: _Inside) -> None:
    first = stream.read(_BLOCK)
    inside.site.note(member.name, first)
    native = is_elf(first)
    # The hash needs every byte and so do the headers, which may lie anywhere; other files of plain archives need none.
    if inside.record is None and not native:
        return
    hashed = inside.record.hash_of(member.name) if inside.record else None
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        block = first
        while block:
            if hashed:
                hashed.update(block)
            if native:
                copy.write(block)
            block = stream.read(_BLOCK)
        if hashed and inside.record:
            inside.record.compare(member.name, hashed.digest())
        if native:
            _look_at_native(member.name, cast("BinaryIO", copy), inside)


def _look_at_native(name: str, copy: BinaryIO, inside: _Inside) -> None:
    if len(inside.natives) >= _MAX_NATIVES:
        raise TooMuch(f"it holds more than {_MAX_NATIVES:,} native files")
    copy.seek(0)
    try:
        inside.natives.append(Native(name, read_elf(copy)))
    except Damaged as error:
        inside.damaged.append(_damage(name, error))


def _import_names(names: list[str]) -> set[str]:
    """Return what ``import`` finds at the top of an archive: modules, and folders with an ``__init__``."""
    imports = set()
    for name in names:
        first, _, rest = name.partition("/")
        module = _MODULE.match(rest or first)
        if module and not rest and module["name"] != "__init__":
            imports.add(module["name"])
        elif module and module["name"] == "__init__" and "/" not in rest and first.isidentifier():
            imports.add(first)
    return imports


def top_level(members: Iterable[str]) -> frozenset[str]:
    """Return the names that ``import`` finds when these members lie in a folder of ``sys.path``."""
    module, package = _IMPORTABLE
    return frozenset(match[1] for name in members if (match := module.match(name) or package.match(name)))


# --- RECORD ---------------------------------------------------------------------------------------------------------------


@dataclass
class _Record:
    """
    The list in a wheel of what is in it, with hashes [packaging.python.org, "Binary distribution format"], and where they part.

    pip does not check it; a wheel that was edited by hand, cut off and zipped again or built by a broken tool shows here.
    """

    name: str
    hashes: dict[str, tuple[str, bytes]]
    """Member → the name of the hash and its value; empty where the list gives none."""

    wrong: list[str] = field(default_factory=list)

    def hash_of(self, member: str) -> hashlib._Hash | None:
        algorithm, _ = self.hashes.get(member, ("", b""))
        return hashlib.new(algorithm, usedforsecurity=True) if algorithm in _HASHES else None

    def compare(self, member: str, digest: bytes) -> None:
        if self.hashes[member][1] != digest:
            self.wrong.append(member)

    def stands_apart(self, member: str) -> bool:
        """RECORD cannot hold its own hash, and signatures of it are made later."""
        return member in (self.name, f"{self.name}.jws", f"{self.name}.p7s")


def _read_record(path: Path) -> _Record | None:
    unsafe: list[str] = []
    for member in zip_members(path, unsafe):
        folder, _, name = member.name.partition("/")
        if name == "RECORD" and folder.endswith(".dist-info"):
            if member.size > _MAX_RECORD:
                raise TooMuch("its RECORD is larger than any real one")
            with member.open() as stream:
                text = stream.read().decode("utf-8")
            hashes: dict[str, tuple[str, bytes]] = {}
            for row in filter(None, csv.reader(io.StringIO(text, newline=""))):
                algorithm, _, encoded = (row[1] if len(row) > 1 else "").partition("=")
                hashes[row[0]] = algorithm, base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            return _Record(member.name, hashes)
    return None


def _record_finding(record: _Record | None, names: list[str]) -> FileFinding | None:
    hint = "the wheel was changed after it was built; build or download it again"
    if record is None:
        return FileFinding("E420", "has no RECORD of what is in it", hint)
    members = set(names)
    differences = [
        *(f"{name}: other bytes than RECORD says" for name in record.wrong),
        *(f"{name}: in RECORD and not in the wheel" for name in record.hashes if name not in members),
        *(
            f"{name}: in the wheel and not in RECORD"
            for name in names
            if name not in record.hashes and not record.stands_apart(name)
        ),
        *(
            f"{name}: RECORD has no hash that proves it"
            for name in names
            if name in record.hashes and record.hashes[name][0] not in _HASHES and not record.stands_apart(name)
        ),
    ]
    return (
        FileFinding("E420", "does not hold what its RECORD says", hint, shorten(differences)) if differences else None
    )
