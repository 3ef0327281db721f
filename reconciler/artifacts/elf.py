"""
What a native file asks of the system that loads it, read from its ELF headers.

The dynamic linker looks at one table, PT_DYNAMIC: the file's own name (SONAME), the libraries it needs (NEEDED), the
folders in which it looks for them first (RPATH, RUNPATH), and the version of each symbol it takes from which library
(VERNEED) [System V ABI, gABI chapter 5; LSB, "Symbol Versioning"]. `read` returns that and nothing else; it judges
nothing. pyelftools knows the structures; sections, which the linker ignores and ``strip`` removes, are not relied on.

The bytes may be damaged or hostile. Every loop of a parser reads, so there is one bound for all of them: `_Allowance`
counts reads and bytes, and ends the matter. Whatever goes wrong is `Damaged`.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"
_MAX_READS = 100_000
_MAX_BYTES = 96 << 20
_MAX_STRINGS = 64 << 20
_MAX_TAGS = 4_096
_MAX_VERSIONS = 4_096
_MAX_TEXT = 4_096
_MAX_SYMBOLS = 1_000_000
_UNICODE = re.compile(rb"\0(PyUnicodeUCS[24]_\w{1,64})(?=\0)")


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


def is_elf(start: bytes) -> bool:
    """Say whether a file that begins like this is, or claims to be, an ELF file."""
    return start.startswith(MAGIC)


def read(stream: BinaryIO) -> Elf:
    """Read the facts of an ELF file from a seekable stream; raises `Damaged`."""
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(cast("IO[bytes]", _Allowance(stream)))
        dynamic = _dynamic(elf)
        facts = _facts(elf, dynamic) if dynamic.tags else {}
        machine = str(elf["e_machine"]).removeprefix("EM_").lower()
        kind = str(elf["e_type"]).removeprefix("ET_").lower()
    except Damaged:
        raise
    except Exception as error:  # a parser that is fed garbage may raise anything, and all of it means the same
        raise Damaged(f"its headers cannot be read ({type(error).__name__})") from error
    return Elf(elf.elfclass, "i386" if machine == "386" else machine, kind, **facts)  # type: ignore[arg-type]


def version_key(name: str) -> tuple[str, tuple[int, ...] | None]:
    """Split a symbol version: ``GLIBC_2.14`` is ``("GLIBC", (2, 14))``; ``GLIBC_PRIVATE`` has no number."""
    family, _, number = name.partition("_")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,7}", number):
        return family, None
    return family, tuple(int(part) for part in number.split("."))


@dataclass(frozen=True)
class _Dynamic:
    """The table that the linker looks at, and where in the file lies what it points to."""

    tags: tuple[tuple[str, int], ...] = ()
    loads: tuple[tuple[int, int, int], ...] = ()
    """Address in memory, bytes, and place in the file of each PT_LOAD."""

    def place(self, tag: str) -> int | None:
        """Return the place in the file of the table that a tag points to."""
        address = dict(self.tags).get(tag)
        if address is None:
            return None
        return next((place + address - start for start, size, place in self.loads if 0 <= address - start < size), None)


def _dynamic(elf: ELFFile) -> _Dynamic:
    """Read PT_DYNAMIC. pyelftools' own segments read all sections as well, which takes several times as long."""
    from elftools.common.utils import struct_parse

    headers = [
        struct_parse(elf.structs.Elf_Phdr, elf.stream, elf["e_phoff"] + number * elf["e_phentsize"])
        for number in range(elf["e_phnum"])
    ]
    loads = tuple((one["p_vaddr"], one["p_filesz"], one["p_offset"]) for one in headers if one["p_type"] == "PT_LOAD")
    table = next((one for one in headers if one["p_type"] == "PT_DYNAMIC"), None)
    tags: list[tuple[str, int]] = []
    if table is not None:
        size = elf.structs.Elf_Dyn.sizeof()
        for number in range(min(_MAX_TAGS, table["p_filesz"] // size)):
            tag = struct_parse(elf.structs.Elf_Dyn, elf.stream, table["p_offset"] + number * size)
            tags.append((str(tag["d_tag"]), tag["d_val"]))
            if tag["d_tag"] == "DT_NULL":
                break
    return _Dynamic(tuple(tags), loads)


def _facts(elf: ELFFile, dynamic: _Dynamic) -> dict[str, object]:
    last = dict(dynamic.tags)
    strings = _strings(elf, dynamic, last.get("DT_STRSZ", 0))
    names = {tag: tuple(strings.text(value) for found, value in dynamic.tags if found == tag) for tag in _NAMING}
    folders = names["DT_RUNPATH"] or names["DT_RPATH"]
    needs = list(_versions(elf, dynamic, last.get("DT_VERNEEDNUM", 0), strings))
    return {
        "soname": next(iter(names["DT_SONAME"]), None),
        "needed": names["DT_NEEDED"],
        "rpath": tuple(folder for one in folders for folder in one.split(":") if folder),
        "versions": tuple((library, tuple(sorted({name for _, name in found}))) for library, found in needs),
        "takes": tuple(sorted(_takes(elf, dynamic, needs, strings))),
        "unicode": strings.unicode(),
    }


_NAMING = ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH")


def _strings(elf: ELFFile, dynamic: _Dynamic, size: int) -> _Strings:
    offset = dynamic.place("DT_STRTAB")
    if offset is None or size > _MAX_STRINGS:
        raise Damaged(f"its table of strings claims {size:,} bytes")
    elf.stream.seek(offset)
    return _Strings(elf.stream.read(size))


def _versions(
    elf: ELFFile, dynamic: _Dynamic, count: int, strings: _Strings
) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """
    Walk VERNEED: a chain of libraries, each with a chain of versions, linked by distances in bytes.

    Yields each library with its versions, each with the number by which symbols refer to it.
    """
    from elftools.common.utils import struct_parse

    place = dynamic.place("DT_VERNEED")
    left = _MAX_VERSIONS
    for _ in range(count if place is not None else 0):
        assert place is not None
        need = struct_parse(elf.structs.Elf_Verneed, elf.stream, place)
        left -= 1 + need["vn_cnt"]
        if left < 0:
            raise Damaged(f"it claims to need more than {_MAX_VERSIONS:,} versions of symbols")
        at, found = place + need["vn_aux"], []
        for _ in range(need["vn_cnt"]):
            version = struct_parse(elf.structs.Elf_Vernaux, elf.stream, at)
            found.append((version["vna_other"], strings.text(version["vna_name"])))
            at += version["vna_next"]
        yield strings.text(need["vn_file"]), found
        place += need["vn_next"]


def _takes(
    elf: ELFFile, dynamic: _Dynamic, needs: Iterable[tuple[str, Iterable[tuple[int, str]]]], strings: _Strings
) -> Iterator[tuple[str, str, str]]:
    """
    Yield each version with the first symbol that is taken with it.

    VERSYM has the number of a version for each symbol of SYMTAB. How many symbols there are, only the hash tables tell: DT_HASH
    counts all, DT_GNU_HASH those before the first that can be looked up, and what is taken from elsewhere cannot.
    """
    places = {tag: dynamic.place(tag) for tag in ("DT_SYMTAB", "DT_VERSYM", "DT_HASH", "DT_GNU_HASH")}
    table = places["DT_HASH"] or places["DT_GNU_HASH"]
    if table is None or not (places["DT_SYMTAB"] and places["DT_VERSYM"]):
        return
    order = "<" if elf.little_endian else ">"
    (count,) = struct.unpack(f"{order}I", _bytes(elf, table + 4, 4))
    count = min(count, _MAX_SYMBOLS)
    form = f"{order}I20x" if elf.elfclass == 64 else f"{order}I12x"
    symbols = struct.iter_unpack(form, _bytes(elf, places["DT_SYMTAB"], count * struct.calcsize(form)))
    numbers = struct.iter_unpack(f"{order}H", _bytes(elf, places["DT_VERSYM"], count * 2))
    wanted = {number: (library, version) for library, versions in needs for number, version in versions}
    for (name,), (number,) in zip(symbols, numbers, strict=True):
        if taken := wanted.pop(number & 0x7FFF, None):
            yield *taken, strings.text(name)


def _bytes(elf: ELFFile, place: int, size: int) -> bytes:
    elf.stream.seek(place)
    found: bytes = elf.stream.read(size)
    if len(found) != size:
        raise Damaged("its table of symbols leads beyond its end")
    return found


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


class _Allowance(io.RawIOBase):
    """A stream that may be read so many times and so much in all."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self._reads, self._bytes = stream, _MAX_READS, _MAX_BYTES

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        if self._reads < 0 or size < 0 or size > self._bytes:
            raise Damaged("its headers lead to more reading than any real file's")
        found = self._stream.read(size)
        self._bytes -= len(found)
        if size and not found:
            # pyelftools reads a text that has no end until there is nothing left, which is here.
            raise Damaged("its headers lead beyond its end")
        return found
