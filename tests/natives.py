"""Native files for tests: compiled by the machine's compiler, or made by hand where a test must not depend on one."""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

X86_64, AARCH64, I386 = 62, 183, 3
_BASE = 0x10000


def compiled(folder: Path, name: str, source: str, *flags: str) -> Path:
    """Compile C to a shared library with the machine's gcc; skip the test where there is none."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler: gcc")
    folder.mkdir(parents=True, exist_ok=True)
    text, path = folder / f"{name}.c", folder / name
    text.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", str(text), "-o", str(path), *flags], check=True, capture_output=True)
    text.unlink()
    return path


def elf(
    *,
    soname: str | None = None,
    needed: tuple[str, ...] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    versions: Mapping[str, tuple[str, ...]] | None = None,
    names: tuple[str, ...] = (),
    machine: int = X86_64,
    bits: int = 64,
) -> bytes:
    """
    Write a shared library that holds nothing but what the dynamic linker reads: no section, no code.

    `names` are put into its table of strings, where the names of its symbols would be.
    """
    strings = _Strings()
    tags = [(1, strings.add(name)) for name in needed]
    tags += [(tag, strings.add(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text is not None]
    needs = b""
    for number, (library, found) in enumerate((versions or {}).items()):
        is_last = number == len(versions or {}) - 1
        auxiliary = b"".join(
            struct.pack("<IHHII", 0, 0, 2, strings.add(version), 0 if at == len(found) - 1 else 16)
            for at, version in enumerate(found)
        )
        follows = 0 if is_last else 16 + len(auxiliary)
        needs += struct.pack("<HHIII", 1, len(found), strings.add(library), 16, follows) + auxiliary
    for name in names:
        strings.add(name)
    word, header, segment = ("<QQ", 64, 56) if bits == 64 else ("<II", 52, 32)
    start = header + 2 * segment
    tags += [(5, _BASE + start), (10, len(strings.table))]
    if versions:
        tags += [(0x6FFFFFFE, _BASE + start + len(strings.table)), (0x6FFFFFFF, len(versions))]
    dynamic = b"".join(struct.pack(word, tag, value) for tag, value in (*tags, (0, 0)))
    body = bytes(strings.table) + needs
    at, size = start + len(body), start + len(body) + len(dynamic)
    return _header(machine, bits, header) + _segments(bits, at, size, len(dynamic)) + body + dynamic


class _Strings:
    def __init__(self) -> None:
        self.table = bytearray(b"\0")

    def add(self, text: str) -> int:
        at = len(self.table)
        self.table += text.encode() + b"\0"
        return at


def _header(machine: int, bits: int, size: int) -> bytes:
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    form = "<HHIQQQIHHHHHH" if bits == 64 else "<HHIIIIIHHHHHH"
    return ident + struct.pack(form, 3, machine, 1, 0, size, 0, 0, size, 56 if bits == 64 else 32, 2, 0, 0, 0)


def _segments(bits: int, dynamic: int, size: int, length: int) -> bytes:
    if bits == 64:
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
        return load + struct.pack("<IIQQQQQQ", 2, 6, dynamic, _BASE + dynamic, _BASE + dynamic, length, length, 8)
    load = struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 5, 0x1000)
    return load + struct.pack("<IIIIIIII", 2, dynamic, _BASE + dynamic, _BASE + dynamic, length, length, 6, 4)
