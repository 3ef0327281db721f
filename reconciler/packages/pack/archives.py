"""
Packed archives: where the files of wheels lie in what is uploaded, which are left out, and each archive made once.

A wheel is unpacked as it is, except for its ``NAME-VERSION.data`` folder, whose parts an installer puts elsewhere
[packaging.python.org, "Binary distribution format"]: ``purelib``, ``platlib`` and ``data`` go to the top here, as ``pip
install --target`` does it; ``headers`` are for compilers and ``scripts`` for shells, and a worker runs neither. Beyond that a
package may ask for less (`Shape`). What is in ``*.dist-info`` always stays: metadata and entry points are read at run time, and
licences belong to what they license. RECORD is written anew where it would no longer be true.

What an archive is made of (the wheels by their hashes, the package's wishes) is its recipe. What came of a recipe is kept
in the cache, so a second plan packs nothing and reads no wheel: it finds under the recipe's hash the hash of the archive,
and under that the archive. A kept answer that cannot be read is worked out again.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from zipfile import BadZipFile

from reconciler.base.errors import PackageError
from reconciler.base.files import has_no_room
from reconciler.base.patterns import matcher
from reconciler.packages.fetch.cache import cache_full, load_record, record_path, save_record
from reconciler.packages.inspect.members import DATA_PARTS, data_part, packed_path
from reconciler.packages.inspect.site import JOINING
from reconciler.packages.pack.zips import Packed, make_entry, write_zip, zip_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.packages.content import Content
from reconciler.packages.fetch.cache import Cache

ByteCompile: TypeAlias = Literal["keep", "drop"]
Reason: TypeAlias = Literal["slim", "exclude", "byte_compile", "scripts", "headers"]

SLIM = (
    "tests/",
    *("*.h", "*.hh", "*.hpp", "*.hxx", "*.cuh", "*.inl"),
    *("*.pyi", "py.typed"),
    *("*.pyx", "*.pxd", "*.pxi"),
    *("*.c", "*.cc", "*.cpp", "*.cxx", "*.cu", "*.f", "*.f90", "*.a"),
)
"""
What `slim` leaves out: tests, and what only compilers and type checkers read.

Folders called ``test`` stay, because some are what people import (``django.test``).
"""

_METADATA = re.compile(r"[^/]+\.dist-info/")
_LICENCE = re.compile(r"(?:.*/)?(?:licen[cs]e|copying|notice|authors)[^/]*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Shape:
    """What a package wants of the archives that are made of it."""

    slim: bool = False
    exclude: tuple[str, ...] = ()
    """Patterns as in ``.gitignore``, over paths in the archive."""

    byte_compile: ByteCompile = "keep"
    """Whether ``.pyc`` files that a wheel brings are uploaded."""

    @property
    def is_plain(self) -> bool:
        """Whether everything is wanted."""
        return self == Shape()


@dataclass(frozen=True)
class Omission:
    """What an archive lacks by one reason."""

    why: Reason
    files: int
    size: int
    """Bytes: what the upload saves, as far as they are compressed already."""


@dataclass(frozen=True)
class PathClash:
    """A path for which wheels bring different files."""

    path: str
    wheels: tuple[str, ...]


@dataclass(frozen=True)
class ArchiveLayout:
    """The members of an archive, and what it lacks."""

    members: tuple[Packed, ...]
    left_out: tuple[Omission, ...]
    clashes: tuple[PathClash, ...] = ()
    idle: tuple[str, ...] = ()
    """Patterns of `exclude` that leave out nothing."""


@dataclass(frozen=True)
class _Placed:
    wheel: str
    member: Packed


def lay_out(wheels: Sequence[tuple[str, Sequence[Packed]]], shape: Shape) -> ArchiveLayout:
    """
    Put wheels, each with its members, into one archive.

    Several may bring a file of one path if it is the same one, or if it does nothing but declare a namespace package.
    The order of the wheels makes no difference.
    """
    chooser = Chooser(shape)
    arranged = [
        (wheel, list(_arrange(sorted(members, key=lambda entry: entry.name), chooser)))
        for wheel, members in sorted(wheels, key=lambda entry: entry[0])
    ]
    kept, clashes = combine(arranged)
    return ArchiveLayout(kept, chooser.left_out(), clashes, chooser.idle())


def combine(sources: Iterable[tuple[str, Iterable[Packed]]]) -> tuple[tuple[Packed, ...], tuple[PathClash, ...]]:
    """Return the members of several sources as those of one archive, and the paths for which they bring different files."""
    placed: dict[str, list[_Placed]] = defaultdict(list)  # by the path that systems without case would see
    for source, members in sources:
        for member in members:
            placed[member.name.lower()].append(_Placed(source, member))
    clashes = (*_twins(placed), *_find_nested(placed))
    return tuple(candidates[0].member for _, candidates in sorted(placed.items())), clashes


class Chooser:
    """Says of each file whether it is wanted, and remembers what was left out."""

    def __init__(self, shape: Shape, *, keeps_metadata: bool = True) -> None:
        self._keeps_metadata = keeps_metadata
        self._is_slimmed = matcher(SLIM) if shape.slim else lambda path: False
        self._excluding = {pattern: matcher([pattern]) for pattern in shape.exclude if not pattern.startswith("!")}
        self._is_excluded = matcher(shape.exclude)
        self._drops = shape.byte_compile == "drop"
        self._out: dict[Reason, tuple[int, int]] = {}
        self._used: set[str] = set()

    def takes(self, path: str, size: int, part: str | None = None) -> bool:
        """Say whether a file is wanted; `part` is the one of a ``.data`` folder that it comes from."""
        reason = self._why_not(path, part)
        if reason is not None:
            files, total = self._out.get(reason, (0, 0))
            self._out[reason] = files + 1, total + size
        return reason is None

    def left_out(self) -> tuple[Omission, ...]:
        return tuple(Omission(why, *amount) for why, amount in sorted(self._out.items()))

    def idle(self) -> tuple[str, ...]:
        return tuple(pattern for pattern in self._excluding if pattern not in self._used)

    def _why_not(self, path: str, part: str | None) -> Reason | None:
        if part is not None and (reason := DATA_PARTS[part]) is not None:
            return reason
        if self._keeps_metadata and _METADATA.match(path):
            return None
        if self._is_excluded(path):
            self._used |= {pattern for pattern, matches in self._excluding.items() if matches(path)}
            return "exclude"
        if self._drops and path.endswith((".pyc", ".pyo")):
            return "byte_compile"
        return "slim" if self._is_slimmed(path) and not _LICENCE.match(path) else None


def _arrange(members: Sequence[Packed], chooser: Chooser) -> Iterator[Packed]:
    """Yield the members of one wheel that are wanted, each where it belongs."""
    moved: dict[str, str | None] = {}
    record = None
    for member in members:
        if member.name.endswith(".dist-info/RECORD") and member.name.count("/") == 1:
            record = member
            continue
        part, path = data_part(member.name), packed_path(member.name)
        arranged = replace(member, name=path) if path != member.name else member
        is_kept = chooser.takes(path, member.packed, part)
        moved[member.name] = path if is_kept else None
        if is_kept:
            yield arranged
    if record is None:
        return
    if all(path == name for name, path in moved.items()):
        yield record
    else:
        yield make_entry(record.name, _rewrite_record(record.read(), moved))


def _rewrite_record(record: bytes, moved: Mapping[str, str | None]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for row in csv.reader(io.StringIO(record.decode("utf-8"), newline="")):
        if row and (path := moved.get(row[0], row[0])) is not None:
            writer.writerow([path, *row[1:]])
    return text.getvalue().encode()


def _twins(placed: Mapping[str, list[_Placed]]) -> Iterator[PathClash]:
    for _, (first, *others) in sorted(placed.items()):
        different = [other for other in others if not _may_share(first.member, other.member)]
        if different:
            wheels = dict.fromkeys(placed_file.wheel for placed_file in (first, *different))
            yield PathClash(first.member.name, tuple(wheels))


def _may_share(first: Packed, other: Packed) -> bool:
    if first.name != other.name:
        return False
    return first.holds_the_same_as(other) or (
        first.name.endswith("/__init__.py") and all(_is_namespace(member) for member in (first, other))
    )


def _find_nested(placed: Mapping[str, list[_Placed]]) -> Iterator[PathClash]:
    """Yield what is a file by one wheel and a folder by another."""
    for path, (first, *_) in sorted(placed.items()):
        parts = path.split("/")
        for end in range(1, len(parts)):
            if other := placed.get("/".join(parts[:end])):
                yield PathClash(other[0].member.name, (other[0].wheel, first.wheel))


def _is_namespace(member: Packed) -> bool:
    """
    Say whether an ``__init__.py`` only says that others may add to its package.

    Wheels of one namespace package each bring their own, with the same effect in slightly different words.
    """
    if member.size > 10_000:
        return False
    try:
        nodes = list(ast.walk(ast.parse(member.read())))
    except (SyntaxError, ValueError):
        return False
    statements = [node for node in nodes if isinstance(node, ast.stmt)]
    named = {getattr(node, "attr", getattr(node, "id", None)) for node in nodes}
    return all(map(_changes_nothing_else, statements)) and not named.isdisjoint({"extend_path", "declare_namespace"})


def _changes_nothing_else(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) and target.id == "__path__" for target in statement.targets)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Try | ast.Expr)


VERSION = 1
"""Of what packing makes of a recipe. With another number everything is packed again."""

_SHOWN = 10
_Done: TypeAlias = tuple[Path, tuple[Omission, ...], tuple[str, ...]]


@dataclass(frozen=True)
class PackedArchive:
    """An archive, and what packing it told."""

    content: Content
    left_out: tuple[Omission, ...] = ()
    idle: tuple[str, ...] = ()
    """Patterns of `exclude` that leave out nothing."""


@dataclass(frozen=True)
class _PackedRecord:
    sha256: str
    left_out: tuple[Omission, ...]
    idle: tuple[str, ...]


def pack(name: str, wheels: Sequence[Content], shape: Shape, cache: Cache, joined: Sequence[str] = ()) -> PackedArchive:
    """
    Return one archive of these wheels, from the cache or made now; `name` is how its file is called there.

    The packages `joined`, dotted, get an ``__init__`` that joins them with other archives' where they have none; of what a wheel's
    RECORD lists it is nothing.
    """
    made_of = sorted((wheel.path.name, wheel.sha256) for wheel in wheels)
    recipe = ["wheels", made_of, asdict(shape), SLIM if shape.slim else (), *([[*joined]] if joined else [])]
    return pack_once(recipe, cache, lambda folder: _pack(folder / name, wheels, shape, joined))


def _pack(file: Path, wheels: Sequence[Content], shape: Shape, joined: Sequence[str]) -> _Done:
    try:
        merged = lay_out([(wheel.path.name, tuple(zip_entries(wheel.path))) for wheel in wheels], shape)
        if merged.clashes:
            raise clash_error("the wheels", merged.clashes, hint=_APART)
        with file.open("xb") as out:
            write_zip(out, [*merged.members, *join_packages(merged.members, joined)])
    except BadZipFile as error:
        raise PackageError(
            "E406", f"'{file.name}' cannot be packed: {error}", hint="download the wheels again"
        ) from error
    return file, merged.left_out, merged.idle


def join_packages(members: Sequence[Packed], packages: Sequence[str]) -> Iterator[Packed]:
    """Yield an ``__init__`` for each of these packages, dotted, that these members have without."""
    names = {member.name for member in members}
    for folder in (package.replace(".", "/") for package in packages):
        init = f"{folder}/__init__.py"
        if init not in names and any(name.startswith(f"{folder}/") for name in names):
            yield make_entry(init, JOINING)


_APART = "leave out `bundle`, or leave the file out with `exclude:` if nobody imports it"


def clash_error(what: str, clashes: Sequence[PathClash], hint: str) -> PackageError:
    """Return the error of sources that bring different files for one path."""
    first, more = clashes[0], clashes[_SHOWN:]
    lines = [f"{clash.path}: {' and '.join(clash.wheels)}" for clash in clashes[:_SHOWN]]
    return PackageError(
        "E424",
        f"{what} cannot be one archive: '{first.path}' is in {' and in '.join(first.wheels)}, with different content",
        hint=hint,
        detail=(*lines, *([f"and {len(more)} more"] if more else [])) if len(clashes) > 1 else (),
    )


def pack_once(recipe: object, cache: Cache, make: Callable[[Path], _Done]) -> PackedArchive:
    """Return what came of a recipe, which is all that the bytes depend on; `make` does the work in a folder it is given."""
    key = hashlib.sha256(json.dumps([VERSION, recipe]).encode()).hexdigest()
    path = record_path(cache.root, "packed", key)
    record = load_record(path, _PackedRecord)
    if record is not None and (content := cache.get(record.sha256)) is not None:
        return PackedArchive(content, record.left_out, record.idle)
    with cache.workspace() as folder:
        try:
            file, left_out, idle = make(folder)
        except OSError as error:
            if has_no_room(error):
                raise cache_full(cache.root, error) from error
            raise
        archive = PackedArchive(cache.put(file), left_out, idle)
    save_record(path, _PackedRecord(archive.content.sha256, left_out, idle))
    return archive
