"""
ELF headers: what a native file asks of the system that loads it.

The dynamic linker looks at one table, PT_DYNAMIC: the file's own name (SONAME), the libraries it needs (NEEDED), the
folders in which it looks for them first (RPATH, RUNPATH), and the version of each symbol it takes from which library
(VERNEED) [System V ABI, gABI chapter 5; LSB, "Symbol Versioning"]. `read_elf` returns that and nothing else; it judges
nothing. Sections, which the linker ignores and ``strip`` removes, are not looked at.

Parsers of whole ELF files build an object for each structure: pyelftools takes 68 times as long for the same facts, a third of
a first plan (DECISIONS 45). Six structures of a few numbers are all that is needed here.

The bytes may be damaged or hostile: every read is bounded, and so is every loop. Whatever goes wrong is `Damaged`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from reconciler.packages.inspect.files import is_elf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_BYTES = 96 << 20
_MAX_STRINGS = 64 << 20
_MAX_TAGS = 4_096
_MAX_VERSIONS = 4_096
_MAX_TEXT = 4_096
_MAX_SYMBOLS = 1_000_000
_UNICODE = re.compile(rb"\0(PyUnicodeUCS[24]_\w{1,64})(?=\0)")

_KINDS = {0: "none", 1: "rel", 2: "exec", 3: "dyn", 4: "core"}
_MACHINES = {
    3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch"
}  # fmt: skip
_PT_LOAD, _PT_DYNAMIC = 1, 2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 4, 5, 6, 10, 14, 15, 29
_GNU_HASH, _VERSYM, _VERNEED, _VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF


class Damaged(ValueError):
    """The bytes begin like an ELF file and are none."""


@dataclass(frozen=True)
class Elf:
    """What one ELF file says of itself."""

    bits: int
    """Its class: 32 or 64."""

    machine: str
    """``x86_64``, ``aarch64``, ``i386``…, or a number that has no name."""

    kind: str
    """``dyn`` for a shared library, ``exec``, ``rel``, ``core``."""

    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    """The folders of RUNPATH or, without one, of RPATH. ``$ORIGIN`` is the file's own."""

    versions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Library → the versions that symbols taken from it must have: ``("libc.so.6", ("GLIBC_2.14", …))``."""

    takes: tuple[tuple[str, str, str], ...] = ()
    """
    Library, version, and one symbol that is taken with it: ``("libc.so.6", "GLIBC_2.14", "memcpy")``. For people: a version
    is looked up with nothing but a symbol's, and a file may name one that no symbol has.
    """

    unicode: tuple[str, ...] = ()
    """
    The functions of Python 2's Unicode it names, ``PyUnicodeUCS2_…`` or ``PyUnicodeUCS4_…``: which of the two is how a
    narrow build (cp27m) differs from a wide one (cp27mu). Only libpython defines them, so to name one is to import it.
    """


def read_elf(stream: BinaryIO) -> Elf:
    """Read the facts of an ELF file from a seekable stream; raises `Damaged`."""
    elf = _File(stream)
    dynamic = _dynamic(elf)
    facts = _facts(elf, dynamic) if dynamic.tags else {}
    machine = _MACHINES.get(elf.machine, str(elf.machine))
    return Elf(elf.bits, machine, _KINDS.get(elf.kind, str(elf.kind)), **facts)  # type: ignore[arg-type]


@dataclass(frozen=True)
class SearchPath:
    """The text of RUNPATH or RPATH, where it lies in a file."""

    offset: int
    text: str
    is_shared: bool
    """Whether another name may lie within it, as linkers fold names that end alike."""


def find_search_path(stream: BinaryIO) -> SearchPath | None:
    """
    Return the one search path of an ELF file; None where it has none, or several; raises `Damaged`.

    Names of symbols are looked at up to the table of strings, before which GNU ld, gold, lld and patchelf put them.
    """
    elf = _File(stream)
    dynamic = _dynamic(elf)
    values = [value for tag, value in dynamic.tags if tag in (_RPATH, _RUNPATH)]
    start, size = dynamic.place(_STRTAB), dict(dynamic.tags).get(_STRSZ, 0)
    if len(values) != 1 or start is None or size > _MAX_STRINGS:
        return None
    first, text = values[0], _Strings(elf.bytes(start, size)).text(values[0])
    within = range(first, first + len(text.encode()) + 1)
    names = _symbol_names(elf, dynamic, start)
    names += [value for tag, value in dynamic.tags if tag in (_NEEDED, _SONAME)]
    return SearchPath(start + first, text, any(name in within for name in names))


def _symbol_names(elf: _File, dynamic: _Dynamic, strings: int) -> list[int]:
    """Return where in the table of strings, which begins at `strings`, the names of symbols begin."""
    symtab = dynamic.place(_SYMTAB)
    if symtab is None:
        return []
    form = "I20x" if elf.bits == 64 else "I12x"
    count = (strings - symtab) // struct.calcsize(f"<{form}")
    if not 0 < count <= _MAX_SYMBOLS:
        raise Damaged("its table of symbols does not lie before its table of strings")
    return [name for (name,) in elf.table(symtab, form, count)]


def version_key(name: str) -> tuple[str, tuple[int, ...] | None]:
    """Split a symbol version: ``GLIBC_2.14`` is ``("GLIBC", (2, 14))``; ``GLIBC_PRIVATE`` has no number."""
    family, _, number = name.partition("_")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,7}", number):
        return family, None
    return family, tuple(int(part) for part in number.split("."))


class _File:
    """A file of which so much may be read in all, and its first header."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, _MAX_BYTES
        start = self.bytes(0, 16)
        if not is_elf(start) or start[4] not in (1, 2) or start[5] not in (1, 2):
            raise Damaged("its first header is none")
        self.bits = 64 if start[4] == 2 else 32
        self._order = "<" if start[5] == 1 else ">"
        number = self.wide = "Q" if self.bits == 64 else "I"
        self.kind, self.machine, _, _, headers, _, _, _, size, count, *_ = self.numbers(16, f"HHI{number * 3}I6H")
        self.headers = headers, size, count

    def bytes(self, offset: int, size: int) -> bytes:
        """Return so many bytes from there."""
        self._left -= size
        if self._left < 0 or offset < 0:
            raise Damaged("its headers lead to more reading than any real file's")
        try:
            self._stream.seek(offset)
            data = self._stream.read(size)
        except (OSError, ValueError, OverflowError) as error:  # a place that no file has
            raise Damaged("its headers lead beyond its end") from error
        if len(data) != size:
            raise Damaged("its headers lead beyond its end")
        return data

    def numbers(self, offset: int, form: str) -> tuple[int, ...]:
        """Return the numbers of one structure."""
        layout = struct.Struct(self._order + form)
        return layout.unpack(self.bytes(offset, layout.size))

    def table(self, offset: int, form: str, count: int) -> Iterator[tuple[int, ...]]:
        """Yield the structures of a table, which is read at once."""
        layout = struct.Struct(self._order + form)
        return layout.iter_unpack(self.bytes(offset, layout.size * count))


@dataclass(frozen=True)
class _Dynamic:
    """The table that the linker looks at, and where in the file lies what it points to."""

    tags: tuple[tuple[int, int], ...] = ()
    loads: tuple[tuple[int, int, int], ...] = ()
    """Address in memory, bytes, and place in the file of each PT_LOAD."""

    def place(self, tag: int) -> int | None:
        """Return the place in the file of the table that a tag points to."""
        address = dict(self.tags).get(tag)
        if address is None:
            return None
        return next(
            (offset + address - start for start, size, offset in self.loads if 0 <= address - start < size), None
        )


def _dynamic(elf: _File) -> _Dynamic:
    form = "I4xQQ8xQ16x" if elf.bits == 64 else "IIIII12x"
    start, size, count = elf.headers
    if count and size != struct.calcsize(f"<{form}"):
        raise Damaged("its program headers have a size that none have")
    headers: list[tuple[int, int, int, int]] = []
    for kind, *rest in elf.table(start, form, count):
        offset, address, length = rest if elf.bits == 64 else (rest[0], rest[1], rest[3])
        headers.append((kind, address, length, offset))
    loads = tuple((address, length, offset) for kind, address, length, offset in headers if kind == _PT_LOAD)
    table = next(((offset, length) for kind, _, length, offset in headers if kind == _PT_DYNAMIC), None)
    if table is None:
        return _Dynamic((), loads)
    form = "qQ" if elf.bits == 64 else "iI"
    tags: list[tuple[int, int]] = []
    for tag, value in elf.table(table[0], form, min(_MAX_TAGS, table[1] // struct.calcsize(f"<{form}"))):
        tags.append((tag, value))
        if tag == 0:
            break
    return _Dynamic(tuple(tags), loads)


def _facts(elf: _File, dynamic: _Dynamic) -> dict[str, object]:
    last = dict(dynamic.tags)
    start, size = dynamic.place(_STRTAB), last.get(_STRSZ, 0)
    if start is None or size > _MAX_STRINGS:
        raise Damaged(f"its table of strings claims {size:,} bytes")
    strings = _Strings(elf.bytes(start, size))
    names = {
        tag: tuple(strings.text(value) for kind, value in dynamic.tags if kind == tag)
        for tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH)
    }
    folders = names[_RUNPATH] or names[_RPATH]
    needs = list(_versions(elf, dynamic, last.get(_VERNEEDNUM, 0), strings))
    return {
        "soname": next(iter(names[_SONAME]), None),
        "needed": names[_NEEDED],
        "rpath": tuple(folder for text in folders for folder in text.split(":") if folder),
        "versions": tuple((library, tuple(sorted({name for _, name in kind}))) for library, kind in needs),
        "takes": tuple(sorted(_takes(elf, dynamic, needs, strings))),
        "unicode": strings.unicode(),
    }


def _versions(
    elf: _File, dynamic: _Dynamic, count: int, strings: _Strings
) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """
    Walk VERNEED: a chain of libraries, each with a chain of versions, linked by distances in bytes.

    Yields each library with its versions, each with the number by which symbols refer to it.
    """
    offset = dynamic.place(_VERNEED)
    budget = _MAX_VERSIONS
    for _ in range(count if offset is not None else 0):
        assert offset is not None
        _, versions, file, first, following = elf.numbers(offset, "HHIII")
        budget -= 1 + versions
        if budget < 0:
            raise Damaged(f"it claims to need more than {_MAX_VERSIONS:,} versions of symbols")
        position, names = offset + first, []
        for _ in range(versions):
            _, _, number, name, distance = elf.numbers(position, "IHHII")
            names.append((number, strings.text(name)))
            position += distance
        yield strings.text(file), names
        offset += following


def _takes(
    elf: _File, dynamic: _Dynamic, needs: Iterable[tuple[str, Iterable[tuple[int, str]]]], strings: _Strings
) -> Iterator[tuple[str, str, str]]:
    """
    Yield each version with the first symbol that is taken with it.

    VERSYM has the number of a version for each symbol of SYMTAB. How many symbols there are, only the hash tables tell: DT_HASH
    counts all, DT_GNU_HASH those before the first that can be looked up, and what is taken from elsewhere cannot.
    """
    table, symtab, versym = (
        dynamic.place(_HASH) or dynamic.place(_GNU_HASH),
        dynamic.place(_SYMTAB),
        dynamic.place(_VERSYM),
    )
    if table is None or not (symtab and versym):
        return
    (count,) = elf.numbers(table + 4, "I")
    count = min(count, _MAX_SYMBOLS)
    symbols = elf.table(symtab, "I20x" if elf.bits == 64 else "I12x", count)
    numbers = elf.table(versym, "H", count)
    pending = {number: (library, version) for library, versions in needs for number, version in versions}
    for (name,), (number,) in zip(symbols, numbers, strict=True):
        if source := pending.pop(number & 0x7FFF, None):
            yield *source, strings.text(name)
            if not pending:
                return


@dataclass(frozen=True)
class _Strings:
    """The table of strings into which everything else points."""

    table: bytes

    def text(self, offset: int) -> str:
        end = self.table.find(b"\0", offset, offset + _MAX_TEXT)
        if end < 0:
            raise Damaged("a name in it lies outside its table of strings, or does not end")
        return self.table[offset:end].decode("utf-8", "backslashreplace")

    def unicode(self) -> tuple[str, ...]:
        return tuple(sorted({name.decode() for name in _UNICODE.findall(self.table)}))
