"""Would it load? One file against a runtime, and what one function ships together."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.runtimes import DESKTOP, FAMILIES, LEVELS, level_name
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts, Native
from reconciler.packages.inspect.elf import read_elf
from reconciler.packages.inspect.gate import Part, Where, find_needs, order_libraries
from reconciler.targets.maxcompute.runtimes import BASE, PLATFORMS, RUNTIMES, SERVICE
from tests.natives import AARCH64, I386, elf

if TYPE_CHECKING:
    from reconciler.packages.inspect.files import FileFinding

CP37, CP27, CP311 = RUNTIMES["cp37"], RUNTIMES["cp27"], RUNTIMES["cp311"]


def native(path: str = "a/x.so", **given: Any) -> Native:
    return Native(path, read_elf(io.BytesIO(elf(**given))))


def facts(*natives: Native) -> FileFacts:
    return FileFacts("wheel", natives=natives)


def findings(*natives: Native, runtime: str = "cp37") -> list[FileFinding]:
    return list(gate.misfits(facts(*natives), RUNTIMES[runtime]))


def finding(*natives: Native, runtime: str = "cp37") -> FileFinding:
    (found,) = findings(*natives, runtime=runtime)
    return found


# --- One file -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "version", "fits"),
    [
        ("libc.so.6", "GLIBC_2.17", True),
        ("libc.so.6", "GLIBC_2.18", False),
        ("libc.so.6", "GLIBC_2.2.5", True),
        ("libc.so.6", "GLIBC_PRIVATE", False),
        ("libc.so.6", "GLIBC_ABI_DT_RELR", False),
        ("libstdc++.so.6", "GLIBCXX_3.4.19", True),
        ("libstdc++.so.6", "GLIBCXX_3.4.20", False),
        ("libstdc++.so.6", "CXXABI_1.3.7", True),
        ("libstdc++.so.6", "CXXABI_1.3.8", False),
        ("libstdc++.so.6", "CXXABI_TM_1", True),
        ("libstdc++.so.6", "CXXABI_FLOAT128", False),
        ("libgcc_s.so.1", "GCC_4.8.0", True),
        ("libgcc_s.so.1", "GCC_7.0.0", False),
        ("libcrypto.so.3", "OPENSSL_3.0.0", True),
    ],
)
def test_the_newest_symbol_versions_are_those_of_centos_7(library: str, version: str, fits: bool) -> None:
    found = findings(native(versions={library: (version,)}))
    assert [one.code for one in found] == ([] if fits else ["E412"])


def test_a_version_beyond_the_clusters_is_named_with_file_library_and_ceiling() -> None:
    x = native("a/x.so", versions={"libc.so.6": ("GLIBC_2.14", "GLIBC_2.34", "GLIBC_2.28")})
    found = finding(x, native("a/y.so", versions={"libstdc++.so.6": ("GLIBCXX_3.4.30",)}))
    assert found.message == (
        "needs a newer system than cp37 has: a/y.so takes GLIBCXX_3.4.30 from libstdc++.so.6, and the newest there is "
        "GLIBCXX_3.4.19"
    )
    assert found.detail == (
        "a/y.so: GLIBCXX_3.4.30 from libstdc++.so.6",
        "a/x.so: GLIBC_2.34 from libc.so.6",
        "a/x.so: GLIBC_2.28 from libc.so.6",
    )
    assert "manylinux_2_17" in (found.hint or "")


def test_a_library_that_is_shipped_along_is_not_the_systems() -> None:
    own = native("a.libs/libstdc++.so.6", soname="libstdc++.so.6")
    assert findings(native(versions={"libstdc++.so.6": ("GLIBCXX_3.4.30",)}), own) == []


def test_a_cluster_with_an_older_glibc_takes_less() -> None:
    old = replace(CP37, platform=PLATFORMS["rhel5"])
    (found,) = gate.misfits(facts(native(versions={"libc.so.6": ("GLIBC_2.14",)})), old)
    assert found.message == (
        "needs a newer system than cp37 on rhel5 has: a/x.so takes GLIBC_2.14 from libc.so.6, and the newest there is "
        "GLIBC_2.5"
    )
    assert "in a manylinux1 container" in (found.hint or "")


def test_an_arm64_cluster_takes_what_was_built_for_it() -> None:
    arm64 = replace(CP37, platform=PLATFORMS["aarch64"])
    mine = native(machine=AARCH64, versions={"libgcc_s.so.1": ("GCC_4.7.0",)}, needed=("ld-linux-aarch64.so.1",))
    assert list(gate.misfits(facts(mine), arm64)) == []
    assert [code for code, _ in gate.missing_libraries(Part("a.zip", facts(mine)), [], arm64)] == []
    assert arm64.has_library("ld-linux-x86-64.so.2") is False
    (found,) = gate.misfits(facts(native()), arm64)
    assert "a/x.so is for x86_64 with 64 bits, and MaxCompute has aarch64 with 64" in found.message
    (found,) = gate.misfits(facts(native(machine=AARCH64, versions={"libgcc_s.so.1": ("GCC_4.8.0",)})), arm64)
    assert "the newest there is GCC_4.7.0" in found.message


@pytest.mark.parametrize(
    ("machine", "bits", "what"),
    [(AARCH64, 64, "aarch64 with 64 bits"), (I386, 32, "i386 with 32 bits"), (62, 32, "x86_64 with 32")],
)
def test_another_machine_or_class_is_refused(machine: int, bits: int, what: str) -> None:
    found = finding(native(machine=machine, bits=bits))
    assert (found.code, found.severity) == ("E410", "error")
    assert f"a/x.so is for {what}" in found.message


def test_several_files_for_another_machine_are_one_finding() -> None:
    found = finding(*(native(f"a/{n}.so", machine=AARCH64) for n in range(12)))
    assert (found.detail[0], found.detail[-1]) == ("a/0.so: aarch64, 64 bits", "and 2 more")


@pytest.mark.parametrize("library", ["libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"])
def test_musl_is_refused_by_what_it_needs(library: str) -> None:
    found = finding(native(needed=(library,)))
    assert (found.code, library in found.message) == ("E413", True)


@pytest.mark.parametrize(
    ("name", "runtime", "fits"),
    [
        ("PyUnicodeUCS2_FromString", "cp27", True),
        ("PyUnicodeUCS4_FromString", "cp27", False),
        ("PyUnicodeUCS2_FromString", "cp37", False),
        ("PyUnicode_FromString", "cp37", True),
    ],
)
def test_python_2s_unicode_must_be_the_narrow_one(name: str, runtime: str, fits: bool) -> None:
    found = findings(native(names=(name,)), runtime=runtime)
    assert [one.code for one in found] == ([] if fits else ["E414"])
    assert fits or f"takes {name}" in found[0].message


def test_libpython_itself_may_define_what_extensions_must_not_take() -> None:
    libpython = native("libpython2.7.so.1.0", soname="libpython2.7.so.1.0", names=("PyUnicodeUCS4_FromString",))
    assert findings(libpython, runtime="cp27") == []


def test_what_is_never_loaded_is_a_warning() -> None:
    assert finding(native("tests/data/sample.bin", machine=AARCH64)).severity == "warning"


@pytest.mark.parametrize(
    ("versions", "level"),
    [
        ({"libc.so.6": ("GLIBC_2.5",)}, 5),
        ({"libc.so.6": ("GLIBC_2.6",)}, 12),
        ({"libc.so.6": ("GLIBC_2.17",)}, 17),
        ({"libc.so.6": ("GLIBC_2.2.5",), "libstdc++.so.6": ("GLIBCXX_3.4.22",)}, 24),
        ({"libc.so.6": ("GLIBC_2.99",)}, None),
        ({}, 5),
    ],
)
def test_the_level_is_the_oldest_system_with_every_version(
    versions: dict[str, tuple[str, ...]], level: int | None
) -> None:
    assert gate.glibc_level(facts(native(versions=versions))) == level


def test_each_machine_has_levels_of_its_own() -> None:
    assert gate.glibc_level(facts(native(machine=AARCH64))) == 17
    assert gate.glibc_level(facts(native(machine=AARCH64, versions={"libgcc_s.so.1": ("GCC_4.8.0",)}))) == 26


def test_musl_and_other_and_mixed_machines_have_no_level() -> None:
    assert gate.glibc_level(facts(native(machine=I386, bits=32))) is None
    assert gate.glibc_level(facts(native(machine=AARCH64), native())) is None
    assert gate.glibc_level(facts(native(needed=("libc.musl-x86_64.so.1",)))) is None


@given(st.sampled_from([("x86_64", 62), ("aarch64", AARCH64)]), st.sampled_from(sorted(FAMILIES)), st.data())
def test_what_fits_a_level_fits_every_newer_one(machine: tuple[str, int], family: str, data: st.DataObject) -> None:
    name, number = machine
    levels = LEVELS[name]
    older, newer = sorted(data.draw(st.tuples(*[st.sampled_from(sorted(levels))] * 2)))
    assert levels[older][family] <= levels[newer][family]
    version = f"{family}_{'.'.join(map(str, levels[older][family]))}"
    found = gate.glibc_level(facts(native(machine=number, versions={"libx.so": (version,)})))
    assert found is not None
    assert found <= older


def test_levels_are_called_as_people_call_them() -> None:
    assert (level_name(17), level_name(28)) == ("manylinux_2_17 (manylinux2014)", "manylinux_2_28")


def test_the_newest_version_of_each_family_is_what_decides() -> None:
    versions = {"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.14", "GLIBC_PRIVATE"), "libstdc++.so.6": ("GLIBCXX_3.4.9", "X_1")}
    assert gate.newest_versions([native(versions=versions), native(versions={"libm.so.6": ("GLIBC_2.3",)})]) == (
        "GLIBC_2.14",
        "GLIBCXX_3.4.9",
    )


# --- Where libraries come from --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BASE))
def test_the_base_system_is_there(name: str) -> None:
    assert CP37.has_library(name) is True


@pytest.mark.parametrize("name", [*sorted(DESKTOP), "libpython3.7m.so.1.0"])
def test_what_a_server_may_be_without_is_not_known(name: str) -> None:
    assert CP37.has_library(name) is None


@pytest.mark.parametrize("name", ["libgdal.so.26", "libpython3.8.so.1.0", "libpython2.7.so.1.0", "libstdc++.so.5"])
def test_everything_else_is_not_there(name: str) -> None:
    assert CP37.has_library(name) is False


def places(part: Part, *others: Part) -> dict[str, tuple[Where, str | None]]:
    (_, found), *_ = find_needs(part, [part, *others], CP37)
    return {need.library: (need.where, need.holder) for need in found}


def test_each_library_is_found_where_the_linker_would_find_it() -> None:
    x = native(
        "a/x.so", needed=("libown.so.1", "libc.so.6", "libcarried.so.2", "libfar.so.3", "libGL.so.1", "libno.so")
    )
    part = Part("a.zip", facts(x, native("a.libs/libown.so.1", soname="libown.so.1")))
    carried = Part(
        "libcarried.so.2", FileFacts("library", natives=(native("libcarried.so", soname="libcarried.so.2"),)), "library"
    )
    other = Part("b.zip", facts(native("b.libs/libfar.so.3"), native("b.libs/libcarried.so.2")))
    assert places(part, other, carried) == {
        "libown.so.1": (Where.SAME, "a.libs/libown.so.1"),
        "libc.so.6": (Where.BASE, None),
        "libcarried.so.2": (Where.LIBRARY, "libcarried.so.2"),
        "libfar.so.3": (Where.OTHER, "b.zip"),
        "libGL.so.1": (Where.UNKNOWN, None),
        "libno.so": (Where.MISSING, None),
    }


@pytest.mark.parametrize(
    ("rpath", "found"),
    [
        ("$ORIGIN/../new", "new/libz.so"),
        ("${ORIGIN}/../old:$ORIGIN/../new", "old/libz.so"),
        ("/nowhere", "old/libz.so"),
    ],
)
def test_of_two_libraries_of_one_name_the_one_on_the_rpath_is_found(rpath: str, found: str) -> None:
    x = native("a/x.so", needed=("libz.so",), runpath=rpath)
    part = Part("a.zip", facts(x, native("old/libz.so"), native("new/libz.so")))
    assert places(part) == {"libz.so": (Where.SAME, found)}


def test_an_extension_at_the_top_of_a_wheel_finds_its_neighbour() -> None:
    part = Part(
        "a.zip", facts(native("x.so", needed=("libz.so",), runpath="$ORIGIN"), native("b/libz.so"), native("libz.so"))
    )
    assert places(part) == {"libz.so": (Where.SAME, "libz.so")}


def library(name: str, *needed: str) -> Part:
    return Part(name, FileFacts("library", natives=(native(name, soname=name, needed=needed),)), "library")


def test_libraries_come_after_those_they_need() -> None:
    given = [library("a", "b", "c"), library("b", "d"), library("c"), library("d")]
    assert [one.name for one in order_libraries(given)] == ["d", "b", "c", "a"]


def test_libraries_that_need_each_other_stay_as_they_come() -> None:
    assert [one.name for one in order_libraries([library("a", "b"), library("b", "a"), library("c")])] == [
        "b",
        "a",
        "c",
    ]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_any_order_has_each_library_once_and_needs_first_where_there_is_no_circle(edges: list[tuple[int, int]]) -> None:
    downward = [(a, b) for a, b in edges if a > b]
    given = [library(f"l{n}", *(f"l{b}" for a, b in downward if a == n)) for n in reversed(range(8))]
    names = [one.name for one in order_libraries(given)]
    assert sorted(names) == [f"l{n}" for n in range(8)]
    assert all(names.index(f"l{b}") < names.index(f"l{a}") for a, b in downward)


# --- What one function ships together -------------------------------------------------------------------------------------


def absent(part: Part, *others: Part, is_complete: bool = True) -> list[FileFinding]:
    return [found for _, found in gate.missing_libraries(part, [part, *others], CP37, is_complete=is_complete)]


def test_a_missing_library_is_told_once_with_all_who_need_it() -> None:
    part = Part(
        "a.zip", facts(native("a/x.so", needed=("libgdal.so.26",)), native("a/y.so", needed=("libgdal.so.26",)))
    )
    (found,) = absent(part)
    assert (found.code, found.severity, found.detail) == ("E415", "error", ("a/x.so", "a/y.so"))
    assert found.message == "needs 'libgdal.so.26', which is not shipped and not in the base system (a/x.so and 1 more)"
    assert "libraries:" in (found.hint or "")


def test_a_library_that_may_be_missing_is_a_warning() -> None:
    part = Part("a.zip", facts(native(needed=("libGL.so.1", "libfar.so"))))
    found = absent(part, Part("b.zip", facts(native("libfar.so"))))
    assert [(one.code, one.severity) for one in found] == [("E416", "warning")] * 2


def test_what_another_projects_resource_may_bring_is_a_warning() -> None:
    (found,) = absent(Part("a.zip", facts(native(needed=("libno.so",)))), is_complete=False)
    assert (found.code, found.severity) == ("E416", "warning")


def test_what_is_never_loaded_and_musl_which_is_told_already_miss_nothing() -> None:
    assert absent(Part("a.zip", facts(native("bin/tool", needed=("libno.so",))))) == []
    assert absent(Part("a.zip", facts(native(needed=("libc.musl-x86_64.so.1",))))) == []


def test_more_than_a_job_may_load_is_told_with_what_is_large() -> None:
    (found,) = gate.excess({"a": 1 << 30, "b": 2 << 30}, 0, SERVICE)
    assert found.message == "has 3,072.0 MB of resources, and MaxCompute takes at most 2,048 MB for one job"
    assert found.detail == ("2,048.0 MB  b", "1,024.0 MB  a")
    assert list(gate.excess({"a": 1 << 30, "b": 1 << 30}, 0, SERVICE)) == []


def test_more_than_256_resources_are_a_warning_because_sql_may_take_them() -> None:
    assert list(gate.excess({str(n): 1 for n in range(200)}, 56, SERVICE)) == []
    (found,) = gate.excess({str(n): 1 for n in range(200)}, 57, SERVICE)
    assert (found.code, found.severity) == ("E431", "warning")


def test_one_import_name_from_two_distributions_is_a_warning() -> None:
    found = list(
        gate.duplicates({"a.zip": ["x", "tests"], "b.zip": ["tests"]}, [("a.zip", "a", "1"), ("b.zip", "b", "1")])
    )
    assert [(one.code, one.severity, one.detail) for one in found] == [("E432", "warning", ("a.zip", "b.zip"))]


def test_two_versions_of_one_distribution_are_an_error_and_told_once() -> None:
    found = list(gate.duplicates({"a1.zip": ["a"], "a2.zip": ["a"]}, [("a1.zip", "a", "1"), ("a2.zip", "a", "2")]))
    assert [(one.code, one.severity) for one in found] == [("E433", "error")]
    assert found[0].message == "gets 'a' in more than one version: 1 and 2"
