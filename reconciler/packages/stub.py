"""
Stub: a library with nothing in it but the need of another, so that the other answers to the name of its file.

The linker knows a loaded library by its SONAME, and by the names under which something needed it [ld.so(8); glibc,
elf/dl-load.c, `_dl_map_object`]. ``dlopen`` of a path gives it no name of that kind. So a library without a SONAME, or
with another than its file's, is loaded by way of a stub that lies beside it and needs it by its file name.
"""

from __future__ import annotations

import struct

_MACHINES = {"x86_64": 62, "aarch64": 183}
_HEADER, _SEGMENT, _SYMBOL, _HASH = 64, 56, 24, 16
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_READ_WRITE = 6
_PAGE = 0x10000


def make_stub(file: str, machine: str) -> bytes:
    """Return a stub, 64 bits and little-endian, that needs `file`, which lies beside it; KeyError for another machine."""
    origin = "$ORIGIN"
    text = f"\0{file}\0{origin}\0".encode()
    text += bytes(-len(text) % 8)
    strings = _HEADER + 3 * _SEGMENT
    symbols = strings + len(text)
    hashes = symbols + _SYMBOL
    dynamic = hashes + _HASH
    # NEEDED, RUNPATH, HASH, STRTAB, SYMTAB, STRSZ, SYMENT: what the linker takes for granted is there, and empty.
    tags = (
        (1, 1),
        (29, 2 + len(file.encode())),
        (4, hashes),
        (5, strings),
        (6, symbols),
        (10, len(text)),
        (11, _SYMBOL),
    )
    entries = b"".join(struct.pack("<QQ", *tag) for tag in (*tags, (0, 0)))
    size = dynamic + len(entries)
    kind, version = 3, 1  # a shared object
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", kind, _MACHINES[machine], version, 0, _HEADER, 0, 0, _HEADER, _SEGMENT, 3, 0, 0, 0),
    )
    # Writable, because the linker notes addresses in the dynamic segment; without a stack that can be executed.
    segments = (
        (_LOAD, _READ_WRITE, 0, 0, 0, size, size, _PAGE),
        (_DYNAMIC, _READ_WRITE, dynamic, dynamic, dynamic, len(entries), len(entries), 8),
        (_STACK, _READ_WRITE, 0, 0, 0, 0, 0, 16),
    )
    empty = bytes(_SYMBOL) + struct.pack("<4I", 1, 1, 0, 0)
    return header + b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments) + text + empty + entries
