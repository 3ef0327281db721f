"""What an ELF file says of itself, and that nothing worse than `Damaged` comes of bytes that only look like one."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.packages.inspect import elf as module
from reconciler.packages.inspect.elf import Damaged, Elf, read_elf, version_key
from reconciler.packages.inspect.files import MAGIC, is_elf
from tests.natives import AARCH64, I386, compiled, elf

if TYPE_CHECKING:
    from pathlib import Path

FULL = elf(
    soname="liba.so.1",
    needed=("libb.so.2", "libc.so.6"),
    runpath="$ORIGIN/../lib:/opt/lib:",
    versions={"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.14"), "libb.so.2": ("B_1",)},
    names=("PyUnicodeUCS4_FromString", "PyUnicodeUCS4_FromString", "PyUnicodeUCS9_x", "PyList_New"),
)


def facts(content: bytes) -> Elf:
    return read_elf(io.BytesIO(content))


def test_everything_that_the_dynamic_linker_acts_on_is_read_without_sections() -> None:
    assert facts(FULL) == Elf(
        bits=64,
        machine="x86_64",
        kind="dyn",
        soname="liba.so.1",
        needed=("libb.so.2", "libc.so.6"),
        rpath=("$ORIGIN/../lib", "/opt/lib"),
        versions=(("libc.so.6", ("GLIBC_2.14", "GLIBC_2.2.5")), ("libb.so.2", ("B_1",))),
        unicode=("PyUnicodeUCS4_FromString",),
    )


def test_runpath_wins_over_rpath_as_with_the_linker() -> None:
    assert facts(elf(rpath="/a:/b")).rpath == ("/a", "/b")
    assert facts(elf(rpath="/a", runpath="/b")).rpath == ("/b",)


@pytest.mark.parametrize(
    ("machine", "bits", "name"),
    [(AARCH64, 64, "aarch64"), (I386, 32, "i386"), (0xFEED, 64, str(0xFEED))],
)
def test_class_and_machine_are_named_as_people_know_them(machine: int, bits: int, name: str) -> None:
    found = facts(elf(machine=machine, bits=bits, needed=("libc.so.6",)))
    assert (found.machine, found.bits, found.needed) == (name, bits, ("libc.so.6",))


def test_a_compiled_library_is_read_as_the_compiler_was_told(tmp_path: Path) -> None:
    compiled(tmp_path, "libinner.so", "int inner(void) { return 1; }", "-Wl,-soname,libinner.so.7")
    source = "#include <stdlib.h>\nint inner(void); int outer(const char *t) { return inner() + atoi(t); }"
    flags = ("-Wl,-soname,libouter.so.3", "-Wl,-rpath,$ORIGIN/x", "libinner.so")
    path = compiled(tmp_path, "libouter.so", source, *(str(tmp_path / f) if f.endswith("r.so") else f for f in flags))
    with path.open("rb") as stream:
        found = read_elf(stream)
    assert (found.soname, found.needed) == ("libouter.so.3", ("libinner.so.7", "libc.so.6"))
    assert found.rpath == ("$ORIGIN/x",)
    assert any(version.startswith("GLIBC_2.") for version in dict(found.versions)["libc.so.6"])


def test_an_object_without_a_dynamic_table_needs_nothing() -> None:
    header = bytearray(elf())
    struct.pack_into("<H", header, 56, 0)  # e_phnum
    assert facts(bytes(header)).needed == ()


def test_a_table_of_strings_that_cannot_be_found_is_damage() -> None:
    content = elf(needed=("libc.so.6",))
    with pytest.raises(Damaged):
        facts(content.replace(struct.pack("<QQ", 5, 0x10000 + 176), struct.pack("<QQ", 5, 0x90000)))


def test_only_the_magic_makes_an_elf_file() -> None:
    assert is_elf(b"\x7fELF\x02\x01")
    assert not is_elf(b"GROUP ( libc.so.6 )")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GLIBC_2.2.5", ("GLIBC", (2, 2, 5))),
        ("GLIBCXX_3.4", ("GLIBCXX", (3, 4))),
        ("CXXABI_TM_1", ("CXXABI", None)),
        ("GLIBC_PRIVATE", ("GLIBC", None)),
        ("libtiff", ("libtiff", None)),
    ],
)
def test_symbol_versions_are_a_family_and_numbers(name: str, expected: tuple[str, object]) -> None:
    assert version_key(name) == expected


@pytest.mark.parametrize("length", [4, 16, 63, 64, 120, 200, len(FULL) - 1])
def test_a_file_that_was_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(Damaged, match=r"its headers|a name in it"):
        facts(FULL[:length])


def test_claims_beyond_any_real_file_are_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_STRINGS", 10)
    with pytest.raises(Damaged, match="its table of strings claims"):
        facts(FULL)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_MAX_VERSIONS", 4)
    with pytest.raises(Damaged, match="more than 4 versions"):
        facts(FULL)


def test_reading_ends_when_the_allowance_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 200)
    with pytest.raises(Damaged, match="its headers"):
        facts(FULL)


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    loop = FULL.replace(struct.pack("<HHI", 1, 2, 0)[:4], struct.pack("<HH", 1, 60_000))
    with pytest.raises(Damaged):
        facts(loop)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(FULL) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_bytes_changed_anywhere_give_facts_or_damage_and_nothing_else(changes: list[tuple[int, int]]) -> None:
    content = bytearray(FULL)
    for at, value in changes:
        content[at] = value
    with contextlib.suppress(Damaged):
        facts(bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_anything_behind_the_magic_gives_facts_or_damage(content: bytes) -> None:
    with contextlib.suppress(Damaged):
        facts(MAGIC + content)
