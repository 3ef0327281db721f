"""Debian packages of a manifest: locked by what they are, fetched from any mirror, and laid into layers."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from msgspec import structs

from reconciler.base.errors import InvalidManifest, PackageError, Problem
from reconciler.manifest.load import load_manifest
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.lock import use
from reconciler.packages.lock.make import Upgrade
from reconciler.targets.dialects import DIALECTS
from reconciler.workflow.preparation import look_into_lock
from tests.natives import elf
from tests.packages.layers.mirror import LIBRARY_FOLDER, SmallMirror

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.packages.layers.workbench import Bench

MANIFEST = """\
packages: {{p: {{debian: [{names}]{more}}}}}
layers: {{l: {{packages: [p], runtimes: [custom.debian12]}}}}
functions: {{}}
"""


def manifest(names: str = "libleaf1", more: str = "") -> str:
    return MANIFEST.format(names=names, more=more)


@pytest.fixture
def forest(debian: SmallMirror) -> SmallMirror:
    """Return a mirror with a library, one that it needs, and a program."""
    leaf = elf(soname="libleaf.so.1", needed=("libroot.so.2", "libc.so.6", "libz.so.1"))
    debian.add("libleaf1", {f"{LIBRARY_FOLDER}/libleaf.so.1.4": leaf}, Depends="libroot2 (>= 1), libc6")
    debian.add("libroot2", {f"{LIBRARY_FOLDER}/libroot.so.2.0": elf(soname="libroot.so.2")}, Depends="libc6")
    debian.add(
        "leaf",
        {"usr/bin/leaf": b"#!/bin/sh\n", "usr/share/leaf/data": b"d", "usr/share/man/man1/leaf.1.gz": b"m"},
        links={"usr/bin/leaves": "leaf"},
        Depends="libleaf1",
        postinst="update-alternatives --install x\nadduser leaf\n",
    )
    return debian


def refusal(action: Callable[[], object]) -> Problem:
    with pytest.raises((PackageError, InvalidManifest)) as raised:
        action()
    return raised.value.problems[0]


def members(path: Path) -> dict[str, int]:
    with ZipFile(path) as archive:
        return {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}


def test_the_lock_says_what_each_package_is_and_who_needs_it_and_no_address(
    debian_bench: Bench, forest: SmallMirror
) -> None:
    debian_bench.write(manifest())
    debian_bench.lock(allow_unsigned=True)
    text = (debian_bench.folder / "udfs.lock").read_text()
    assert 'suite: bookworm\n          date: "2026-07-11T10:00:00+00:00"' in text
    assert "signed: false" in text
    assert "file: pool/main/l/libroot2/libroot2_1.0-1_amd64.deb" in text
    assert "because: libleaf1" in text
    assert "provided: [libc.so.6, libz.so.1]" in text
    assert str(forest.folder) not in text
    assert [warning.code for warning in debian_bench.warnings] == ["E466"]


def test_a_lock_that_nothing_touches_asks_no_mirror_and_an_upgrade_takes_what_is_new(
    debian_bench: Bench, forest: SmallMirror
) -> None:
    debian_bench.write(manifest())
    first = debian_bench.lock(allow_unsigned=True)
    forest.add("libroot2", {f"{LIBRARY_FOLDER}/libroot.so.2.1": elf(soname="libroot.so.2")}, version="1.0-2")
    (forest.folder / "dists").rename(forest.folder / "away")
    assert debian_bench.lock() == first
    (forest.folder / "away").rename(forest.folder / "dists")
    second = debian_bench.lock(Upgrade(names=frozenset({"libroot2"})), allow_unsigned=True)
    group = second.group("p", "custom.debian12")
    assert group is not None
    assert {deb.name: deb.version for deb in group.debs} == {"libleaf1": "1.0-1", "libroot2": "1.0-2"}
    assert len(debian_bench.collect().layers) == 1


def test_a_lock_for_other_packages_is_stale(debian_bench: Bench, forest: SmallMirror) -> None:
    debian_bench.write(manifest())
    debian_bench.lock(allow_unsigned=True)
    debian_bench.write(manifest("libleaf1, leaf", ", recommends: true"))
    problem = refusal(debian_bench.collect)
    assert (problem.code, problem.detail) == ("E477", ("debian: 'leaf' was added", "recommends was false and is true"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pool/main/l/libroot2/libroot2_1.0-1", "pool/main/l/libroot2/libroot3_1.0-1", "is not that of version"),
        ("pool/main/l/libroot2/", "pool/../../", "is not that of version"),
    ],
)
def test_a_lock_that_was_edited_is_refused(
    debian_bench: Bench, forest: SmallMirror, old: str, new: str, words: str
) -> None:
    """With its checksum made anew: a path may still not be what no lock has."""
    debian_bench.write(manifest())
    lock = debian_bench.lock(allow_unsigned=True)
    group = lock.packages["p"]["custom.debian12"]
    group.debs[:] = [structs.replace(deb, file=deb.file.replace(old, new)) for deb in group.debs]
    use.write_lock(debian_bench.load(), lock)
    problem = refusal(debian_bench.collect)
    assert (problem.code, words in problem.message) == ("E478", True), problem.message


def test_a_security_update_is_taken_from_the_mirror_of_its_suite(
    debian_bench: Bench, forest: SmallMirror, tmp_path: Path
) -> None:
    updates = SmallMirror(tmp_path / "updates", "bookworm-security")
    updates.add("libroot2", {f"{LIBRARY_FOLDER}/libroot.so.2.9": elf(soname="libroot.so.2")}, version="1.0-1+deb12u1")
    updates.add("libleaf1", version="0.9-9")
    debian_bench.env = {**debian_bench.env, "UDFS_DEBIAN_SECURITY_MIRROR": updates.address}
    debian_bench.write(manifest())
    group = debian_bench.lock(allow_unsigned=True).group("p", "custom.debian12")
    assert group is not None
    assert [(deb.name, deb.version, deb.suite) for deb in group.debs] == [
        ("libleaf1", "1.0-1", None),
        ("libroot2", "1.0-1+deb12u1", "bookworm-security"),
    ]
    assert [release.suite for release in group.releases] == ["bookworm", "bookworm-security"]
    assert not debian_bench.warnings
    assert "lib/libroot.so.2" in members(debian_bench.collect().layers["l", "custom.debian12"].content.path)


def test_a_package_that_is_gone_from_the_mirror_is_named_at_its_place(
    debian_bench: Bench, forest: SmallMirror, tmp_path: Path
) -> None:
    debian_bench.write(manifest())
    debian_bench.lock(allow_unsigned=True)
    (forest.folder / "pool/main/l/libroot2/libroot2_1.0-1_amd64.deb").unlink()
    problem = refusal(debian_bench.collect)
    assert (problem.code, problem.message) == ("E454", "the mirror does not have the package 'libroot2'")
    assert problem.at is not None
    assert problem.at.line == 3
    assert "snapshots" in str(problem.hint)


def test_programs_libraries_and_data_lie_where_a_function_finds_them_and_nothing_is_a_link(
    debian_bench: Bench, forest: SmallMirror
) -> None:
    debian_bench.write(manifest("leaf", ", slim: true"))
    debian_bench.lock(allow_unsigned=True)
    assert members(debian_bench.collect().layers["l", "custom.debian12"].content.path) == {
        "bin/leaf": 0o755,
        "bin/leaves": 0o755,
        "lib/libleaf.so.1": 0o644,
        "lib/libroot.so.2": 0o644,
        "share/doc/leaf/copyright": 0o644,
        "share/doc/libleaf1/copyright": 0o644,
        "share/doc/libroot2/copyright": 0o644,
        "share/leaf/data": 0o644,
    }


def test_what_the_base_has_is_not_shipped(debian_bench: Bench, forest: SmallMirror) -> None:
    debian_bench.write(manifest("leaf", ", base: [libleaf1]"))
    group = debian_bench.lock(allow_unsigned=True).group("p", "custom.debian12")
    assert group is not None
    assert [deb.name for deb in group.debs] == ["leaf"]
    assert group.provided == ["libleaf.so.1"]


def test_two_mirrors_and_two_caches_give_the_same_bytes(
    debian_bench: Bench, forest: SmallMirror, tmp_path: Path
) -> None:
    debian_bench.write(manifest("leaf"))
    debian_bench.lock(allow_unsigned=True)
    first = debian_bench.collect().layers["l", "custom.debian12"].content
    forest.folder.rename(tmp_path / "elsewhere")
    env = {**debian_bench.env, "UDFS_DEBIAN_MIRROR": (tmp_path / "elsewhere").as_uri()}
    again = replace(debian_bench, env=env, cache=Cache(tmp_path / "another"))
    assert again.collect().layers["l", "custom.debian12"].content.sha256 == first.sha256


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (
            "debian: [libgdal32]",
            "E457",
            "no suite of Debian fits: the oldest is built with glibc 2.24, and MaxCompute's",
        ),
        ("requirements: [x], suite: bookworm", "E204", "'suite' goes with `debian:` only"),
        ("requirements: [x], find_library: patch", "E204", "is for services whose functions have layers"),
        ("debian: [Lib_X]", "E452", "'Lib_X' names no Debian package"),
        ("debian: ['a (>= 2)', 'a (>> )']", "E452", "'a (>> )' names no Debian package"),
        ("debian: [a, a]", "E313", "'a' is listed twice"),
    ],
)
def test_the_manifest_says_at_its_place_what_cannot_be(tmp_path: Path, more: str, code: str, words: str) -> None:
    (tmp_path / "f.py").write_text("class F: pass\n")
    path = tmp_path / "udfs.yaml"
    path.write_text(
        f"stack: s\npackages:\n  p: {{{more}}}\nfunctions:\n  f: {{source: f.py, class: F, python: cp37, packages: [p]}}\n"
    )
    with pytest.raises(InvalidManifest) as raised:
        load_manifest(path, DIALECTS, env={})
    problem = next(problem for problem in raised.value.problems if problem.code == code)
    assert words in problem.message
    assert problem.at is not None
    assert problem.at.line == 3


def test_what_scripts_would_have_done_is_told_when_it_is_locked(debian_bench: Bench, forest: SmallMirror) -> None:
    loaded = debian_bench.write(manifest("leaf"))
    debian_bench.lock(allow_unsigned=True)
    (warning,) = look_into_lock(
        loaded, cache=debian_bench.cache, env=debian_bench.env, on_step=debian_bench.steps.append
    )
    assert (warning.code, warning.detail) == ("E488", ("leaf: update-alternatives, a user of the system",))
