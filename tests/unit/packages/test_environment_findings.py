"""Why a worker would not start from an environment, read off the archive: a small one for each mistake, and a sound one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.runtimes import Platform, Runtime, Service
from reconciler.packages.environment.bundles import find_depth_faults, find_twins
from reconciler.packages.environment.contents import BrokenLink, EnvironmentArchive, EnvironmentMember
from reconciler.packages.environment.findings import (
    WorkerSpec,
    find_environment_faults,
    find_pandas_faults,
    find_size_note,
)
from reconciler.packages.inspect.jars import find_jar_faults
from tests.environments import FILE, LINK, PROGRAM, SITE, SOUND, look_into, write_archive
from tests.natives import elf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.packages.inspect.files import FileFinding

SYSTEM = Platform("flink", "x86_64", (2, 17), frozenset({"cp311"}), frozenset({"libc.so.6"}), is_assumed=True)
WORKER = WorkerSpec("flink-1.20", (1, 20), Runtime("cp311", (3, 11), "3.11.7", "cp311", SYSTEM, Service("Flink")))

WITH_LIBPYTHON = elf(needed=("libpython3.11.so.1.0",), runpath="/opt/python/lib")
CASES: Mapping[str, tuple[Mapping[str, tuple[int | None, bytes] | None], str, str]] = {
    "no such program": ({"venv/bin/python": None}, "E640", "no program 'venv/bin/python'"),
    "a link that leads nowhere": ({"venv/bin/python": (LINK, b"python3")}, "E640", "which leads to venv/bin/python3"),
    "no x bit": ({"venv/bin/python3.11": (FILE, elf())}, "E641", "venv/bin/python3.11 has the mode 0644"),
    "no modes at all": ({"venv/bin/python": (None, elf())}, "E641", "the archive knows nothing of Unix"),
    "an absolute link": ({"venv/bin/python": (LINK, b"/usr/bin/python3")}, "E642", "leads to /usr/bin/python3"),
    "a link upwards": ({"venv/bin/python": (LINK, b"../../../python3")}, "E642", "leads out of the archive"),
    "a link in a circle": ({"venv/lib64": (LINK, b"lib64")}, "E642", "leads in circles"),
    "a link stored as text": ({"venv/bin/python": (PROGRAM, b"python3.11")}, "E643", "a link was stored as text"),
    "a venv": ({"venv/pyvenv.cfg": (FILE, b"home = /usr/local/bin\n")}, "E644", "in /usr/local/bin, which no worker has"),
    "no standard library": ({"venv/lib/python3.11/os.py": None}, "E645", "no venv/lib/python3.N/os.py"),
    "libpython far away": ({"venv/bin/python3.11": (PROGRAM, WITH_LIBPYTHON)}, "E646", "libpython3.11.so.1.0 in /opt/python/lib"),
    "too new a system": (
        {"venv/bin/python3.11": (PROGRAM, elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.34",)}))},
        "E412",
        "the newest there is GLIBC_2.17",
    ),
    "too new a package": (
        {f"{SITE}/a.so": (FILE, elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.28",)}))},
        "E412",
        "the newest there is GLIBC_2.17",
    ),
    "a module for another Python": (
        {f"{SITE}/a.cpython-310-x86_64-linux-gnu.so": (FILE, elf())},
        "E647",
        "compiled for another Python than its own, 3.11",
    ),
    "no PyFlink": ({f"{SITE}/pyflink/__init__.py": None}, "E648", "has no PyFlink"),
    "another PyFlink": (
        {f"{SITE}/apache_flink-1.20.5.dist-info/METADATA": None, f"{SITE}/apache_flink-1.19.1.dist-info/METADATA": (FILE, b"")},
        "E649",
        "PyFlink 1.19.1, and flink-1.20 talks to that of 1.20 alone",
    ),
    "Beam without pkg_resources": ({f"{SITE}/apache_beam-2.48.0.dist-info/METADATA": (FILE, b"")}, "E650", "setuptools is not there"),
    "Beam with a setuptools that is too new": (
        {
            f"{SITE}/apache_beam-2.48.0.dist-info/METADATA": (FILE, b""),
            f"{SITE}/setuptools-82.0.1.dist-info/METADATA": (FILE, b""),
        },
        "E650",
        "setuptools 82.0.1 has it no more",
    ),
    "a member that climbs out": ({"../x": (FILE, b"")}, "E421", "must not be unpacked"),
    "a member below a link": ({"venv/out": (LINK, b"../../.."), "venv/out/x": (FILE, b"")}, "E421", "lies below a link, 'venv/out'"),
    "a device": ({"venv/null": (0o020666, b"")}, "E421", "must not be unpacked"),
}  # fmt: skip


def findings(path: Path, worker: WorkerSpec = WORKER, program: str = "venv/bin/python") -> list[FileFinding]:
    return list(find_environment_faults(look_into(path), program, worker))


def test_an_environment_that_starts_has_no_findings(tmp_path: Path) -> None:
    assert findings(write_archive(tmp_path / "venv.zip", SOUND)) == []


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_place_and_a_way_out(tmp_path: Path, case: str) -> None:
    changes, code, text = CASES[case]
    members = {name: member for name, member in {**SOUND, **changes}.items() if member is not None}
    [finding] = findings(write_archive(tmp_path / "venv.zip", members))
    assert (finding.code, finding.severity) == (code, "error")
    assert text in " ".join((finding.message, *finding.detail))
    assert finding.hint


def test_the_python_of_an_archive_is_the_one_that_the_manifest_names(tmp_path: Path) -> None:
    worker = WorkerSpec("flink-1.20", (1, 20), Runtime("cp310", (3, 10), "3.10.13", "cp310", SYSTEM, Service("Flink")))
    [finding] = findings(write_archive(tmp_path / "venv.zip", SOUND), worker)
    assert (finding.code, finding.message) == ("E647", "has Python 3.11, and cp310 is 3.10")


def test_a_program_may_be_a_script_and_lie_anywhere_in_the_archive(tmp_path: Path) -> None:
    members = {name.removeprefix("venv/"): member for name, member in SOUND.items()}
    members["bin/start"] = (PROGRAM, b"#!/bin/sh\n")
    assert findings(write_archive(tmp_path / "env.zip", members), program="bin/start") == []


def test_libpython_beside_the_program_is_found_over_a_relative_path(tmp_path: Path) -> None:
    for runpath in ("$ORIGIN/../lib", "${ORIGIN}/../lib"):
        program = elf(needed=("libpython3.11.so.1.0",), runpath=runpath)
        members = {**SOUND, "venv/bin/python3.11": (PROGRAM, program), "venv/lib/libpython3.11.so.1.0": (FILE, elf())}
        assert findings(write_archive(tmp_path / "venv.zip", members)) == []


def test_functions_over_pandas_need_pandas_and_pyarrow(tmp_path: Path) -> None:
    members = {**SOUND, f"{SITE}/pandas/__init__.py": (FILE, b"")}
    archive = look_into(write_archive(tmp_path / "venv.zip", members))
    assert list(find_pandas_faults(archive, ())) == []
    [finding] = find_pandas_faults(archive, ("near", "far"))
    assert (finding.code, finding.message) == ("E651", "has no pyarrow, and 'far' and 1 more take pandas")


def test_what_is_no_archive_is_told_and_never_raised(tmp_path: Path) -> None:
    path = tmp_path / "venv.zip"
    path.write_bytes(b"PK\3\4 and no more")
    assert [finding.code for finding in findings(path)] == ["E423"]


def test_a_large_archive_is_told_of_and_not_refused() -> None:
    assert list(find_size_note(200_000_000)) == []
    [finding] = find_size_note(200_000_001)
    assert (finding.code, finding.severity) == ("E659", "warning")


NAMES = st.sampled_from(("a", "b", "c", "..", ".", "/", "a/b", "../c", "/etc"))


@given(
    st.dictionaries(st.sampled_from(("a", "b", "a/b", "c/a", "c/b/c")), NAMES), st.lists(NAMES, min_size=1, max_size=4)
)
def test_no_path_leads_out_of_an_archive_or_for_ever_in_it(links: dict[str, str], steps: list[str]) -> None:
    archive = EnvironmentArchive({name: EnvironmentMember(0o777, target) for name, target in links.items()})
    try:
        place = archive.follow("/".join(steps))
    except BrokenLink:
        return
    assert not place.startswith("/")
    assert ".." not in place.split("/")
    parts = place.split("/")
    assert not any(archive.members.get("/".join(parts[:end])) for end in range(1, len(parts) + 1)), (
        "it is over all links"
    )


# --- What lies beside an environment --------------------------------------------------------------------------------------


def test_packages_one_folder_too_deep_are_told_with_the_command_that_mends_it() -> None:
    [finding] = find_depth_faults(["__pypackages__/numpy/__init__.py", "__pypackages__/numpy-1.0.dist-info/METADATA"])
    assert (finding.code, finding.hint) == (
        "E652",
        "zip what lies in the folder: cd __pypackages__ && zip -r ../deps.zip .",
    )
    assert "`import numpy`" in finding.message
    [finding] = find_depth_faults(["my-packages/fuzzy.py"])
    assert "'my-packages/'" in finding.message


@pytest.mark.parametrize(
    "members",
    [
        ["numpy/__init__.py", "numpy-1.0.dist-info/METADATA"],
        ["mydata/a.txt", "mydata/b.txt"],
        ["google/protobuf/__init__.py"],
        ["fuzzy/__init__.py", "fuzzy/a.py"],
        ["six.py"],
        [],
    ],
)
def test_what_is_imported_from_the_top_is_no_mistake(members: list[str]) -> None:
    assert list(find_depth_faults(members)) == []


def test_two_files_of_one_name_are_told_at_the_second() -> None:
    assert list(find_twins({"jars 0": "a/up.jar", "jars 1": "b/down.jar"})) == []
    [(place, finding)] = find_twins({"jars 0": "a/up.jar", "files 0": "up.jar"})
    assert (place, finding.code, finding.detail) == ("files 0", "E655", ("jars 0",))


def class_file(java: int) -> bytes:
    return b"\xca\xfe\xba\xbe\0\0" + (44 + java).to_bytes(2, "big") + b"\0\n"


def test_a_jar_for_a_newer_java_and_one_with_the_engines_classes_are_told(tmp_path: Path) -> None:
    members = {
        "a/B.class": (FILE, class_file(11)),
        "META-INF/versions/17/a/B.class": (FILE, class_file(17)),
        "module-info.txt": (FILE, b""),
    }
    assert list(find_jar_faults(write_archive(tmp_path / "a.jar", members), 11, ["org/apache/flink/"])) == []
    members |= {"a/C.class": (FILE, class_file(17)), "org/apache/flink/X.class": (FILE, class_file(8))}
    newer, own = find_jar_faults(write_archive(tmp_path / "b.jar", members), 11, ["org/apache/flink/"])
    assert (newer.code, newer.message) == ("E653", "is for Java 17, and the engine has 11: a/C.class")
    assert (own.code, own.severity) == ("E654", "warning")


def test_what_is_no_jar_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_text("not found")
    [finding] = find_jar_faults(tmp_path / "a.jar", 11, [])
    assert (finding.code, bool(re.match("is not a jar: ", finding.message))) == ("E423", True)
