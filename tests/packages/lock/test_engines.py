"""uv and pex, the real ones, over wheels in a folder: answers are for the runtime, never for the Python that asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from reconciler.base.errors import InvalidManifest, PackageError, UdfsError
from reconciler.packages.build.environment import unpack_pip
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.lock import use
from reconciler.packages.lock.file import BuiltFrom
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.make import _way_out, parse_upgrade
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests.builders import sdist, sha256, wheel
from tests.packages.lock.project import files, names, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages.lock.project import Project

PURE = "py2.py3-none-any"
PLATFORMS = "runtimes: {{cp37: {{platform: {}}}}}\n"


def test_markers_are_the_runtimes(project: Project) -> None:
    dist = project.folder / "dist"
    for name in ("older", "newer", "linux2", "elsewhere"):
        wheel(dist, name, tag=PURE)
    wheel(
        dist,
        "tool",
        tag=PURE,
        requires=(
            'older; python_version < "3.8"',
            'newer; python_version >= "3.8"',
            'linux2; sys_platform == "linux2"',
            'elsewhere; platform_machine == "aarch64"',
        ),
    )
    lock = project.lock("requirements: [tool]", "cp27", "cp37", "cp311")
    assert names(lock, "cp27") == ["linux2 1.0", "older 1.0", "tool 1.0"]
    assert names(lock, "cp37") == ["older 1.0", "tool 1.0"]
    assert names(lock, "cp311") == ["newer 1.0", "tool 1.0"]
    for runtime in ("cp27", "cp37"):
        older, tool = files(lock, runtime)[-2:]
        assert (older.requirements, older.needed_by) == ([], ["tool"])
        assert (tool.requirements, tool.needed_by) == (["tool"], [])
    arm = project.lock("requirements: [tool]", "cp37", more=PLATFORMS.format("aarch64"))
    assert names(arm) == ["elsewhere 1.0", "older 1.0", "tool 1.0"]


def test_requires_python_is_held_against_the_full_version(project: Project) -> None:
    dist = project.folder / "dist"
    wheel(dist, "a", "1.0")
    wheel(dist, "a", "2.0", requires_python=">=3.7.1")
    wheel(dist, "b", "1.0")
    wheel(dist, "b", "2.0", requires_python=">=3.11.4")
    lock = project.lock("requirements: [a, b]", "cp37", "cp311")
    assert names(lock) == ["a 2.0", "b 1.0"]
    assert names(lock, "cp311") == ["a 2.0", "b 1.0"]
    lock = project.lock("requirements: [a, b]", "cp311", more="runtimes: {cp311: {python: 3.11.9}}\n")
    assert names(lock, "cp311") == ["a 2.0", "b 2.0"]


@pytest.mark.parametrize(
    ("python", "platform", "taken"),
    [
        ("cp37", "rhel7", "n-2.0-cp37-cp37m-manylinux_2_17_x86_64.whl"),
        ("cp37", "rhel5", "n-1.0-cp37-cp37m-manylinux1_x86_64.whl"),
        ("cp37", "aarch64", "n-1.0-cp37-cp37m-manylinux2014_aarch64.whl"),
        ("cp27", "rhel7", "n-1.0-cp27-cp27m-manylinux1_x86_64.whl"),
        ("cp311", "rhel7", "n-1.0-cp36-abi3-manylinux2014_x86_64.whl"),
    ],
)
def test_a_wheel_that_does_not_load_is_never_taken(project: Project, python: str, platform: str, taken: str) -> None:
    for version, tag in (
        ("1.0", "cp37-cp37m-manylinux1_x86_64"),
        ("1.0", "cp37-cp37m-manylinux2014_aarch64"),
        ("1.0", "cp27-cp27m-manylinux1_x86_64"),
        ("1.0", "cp27-cp27mu-manylinux1_x86_64"),
        ("1.0", "cp36-abi3-manylinux2014_x86_64"),
        ("2.0", "cp37-cp37m-manylinux_2_17_x86_64"),
        ("2.0", "cp37-cp37m-manylinux_2_28_x86_64"),
        ("2.0", "cp27-cp27mu-manylinux1_x86_64"),
        ("3.0", "cp37-cp37m-manylinux_2_28_x86_64"),
        ("3.0", "cp311-cp311-manylinux_2_28_x86_64"),
        ("3.0", "cp37-cp37m-musllinux_1_1_x86_64"),
        ("3.0", "cp37-cp37m-macosx_10_9_x86_64"),
        ("3.0", "cp38-cp38-manylinux1_x86_64"),
    ):
        wheel(project.folder / "dist", "n", version, tag=tag)
    lock = project.lock("requirements: [n]", python, more=PLATFORMS.replace("cp37", python).format(platform))
    assert [one.file for one in files(lock, python)] == [taken]


def test_what_a_package_says_about_its_resolution_counts(project: Project) -> None:
    dist = project.folder / "dist"
    for name in ("base", "extra", "heavy"):
        wheel(dist, name, "1.0", tag=PURE)
        wheel(dist, name, "2.0", tag=PURE)
        wheel(dist, name, "3.0rc1", tag=PURE)
    wheel(dist, "a", tag=PURE, requires=("base", "heavy", 'extra; extra == "x"'))

    def locked(package: str) -> list[str]:
        return names(project.lock(package))

    assert locked("requirements: [a]") == ["a 1.0", "base 2.0", "heavy 2.0"]
    assert locked("requirements: ['a[x]'], constraints: [base<2]") == ["a 1.0", "base 1.0", "extra 2.0", "heavy 2.0"]
    assert locked("requirements: [a], without: [Heavy]") == ["a 1.0", "base 2.0"]
    assert locked("requirements: [a], no_deps: true") == ["a 1.0"]
    assert locked("requirements: [base], pre_release: true") == ["base 3.0rc1"]


def test_what_has_no_wheel_is_built_and_of_the_rest_an_older_wheel_is_taken(project: Project) -> None:
    dist = project.folder / "dist"
    wheel(dist, "heavy", "0.9", tag=PURE)
    for name in ("heavy", "only"):
        sdist(dist, name)
    assert names(project.lock("requirements: [heavy, only], prefer_binary: true")) == ["heavy 0.9", "only 1.0"]
    assert names(project.lock("requirements: [heavy, only]")) == ["heavy 1.0", "only 1.0"]


def test_metadata_is_made_with_what_a_project_forgot_to_name(project: Project, tmp_path: Path) -> None:
    dist = project.folder / "dist"
    unpack_pip(
        RUNTIMES["cp37"], PipIndex(dict(os.environ)), project.cache, tmp_path / "pip"
    )  # what builds with more need
    wheel(dist, "helper", tag=PURE)
    sdist(dist, "own", first="import helper")
    with pytest.raises(UdfsError) as error:
        project.lock("requirements: [own]")
    (problem,) = error.value.problems
    assert problem.code == "E475"
    assert problem.hint == "write build: {requires: ['helper']} in the package, and it is built with that"
    assert names(project.lock("requirements: [own], build: {requires: [helper]}")) == ["own 1.0"]


def test_versions_stay_until_they_are_let_go(project: Project) -> None:
    dist = project.folder / "dist"
    for name in ("a", "b"):
        wheel(dist, name, "1.0", tag=PURE)
    loaded = project.load("requirements: [a, b]")
    first = project.make(loaded)
    for name in ("a", "b"):
        wheel(dist, name, "2.0", tag=PURE)
    assert project.make(loaded, first) == first
    assert names(project.make(loaded, first, parse_upgrade(["A"], first))) == ["a 2.0", "b 1.0"]
    assert names(project.make(loaded, first, parse_upgrade([], first))) == ["a 2.0", "b 2.0"]
    wished = project.load("requirements: [a, b>=2]")
    assert names(project.make(wished, first)) == ["a 1.0", "b 2.0"]
    with pytest.raises(PackageError, match="the lock has no distribution 'c'"):
        parse_upgrade(["c"], first)


@pytest.mark.parametrize("python", ["cp37", "cp27"])
def test_requirements_that_contradict_are_told_with_their_places(project: Project, python: str) -> None:
    dist = project.folder / "dist"
    for version in ("1.0", "2.0"):
        wheel(dist, "base", version, tag=PURE)
    wheel(dist, "other", tag=PURE)
    wheel(dist, "a", tag=PURE, requires=("base>=2",))
    (project.folder / "more").mkdir()
    (project.folder / "more" / "limits.txt").write_text("# why\n\nbase<2\n")
    loaded = project.load("requirements: [other, a], constraints_file: more/limits.txt", python)
    with pytest.raises(UdfsError) as error:
        project.make(loaded)
    [problem] = error.value.problems
    assert (problem.code, str(problem.at)) == ("E473", "udfs.yaml:3:29")
    assert problem.detail[:2] == ("udfs.yaml:3:29: a", "more/limits.txt:3:1: base<2")
    assert not any(line.endswith(": other") for line in problem.detail)
    assert not (project.folder / "udfs.lock").exists()


def test_what_is_nowhere_is_named(project: Project) -> None:
    with pytest.raises(UdfsError) as error:
        project.lock("requirements: [nowhere]")
    [problem] = error.value.problems
    assert problem.code == "E473"
    assert problem.detail[0] == "udfs.yaml:3:22: nowhere"
    assert problem.hint == "see how 'nowhere' is written; an index of your own is named by `extra_index:`"


@pytest.mark.parametrize(
    ("reasoning", "least"),
    [
        ("Because base requires Python >=3.9.", "3.9"),
        ("Because base==1 depends on Python>=3.10 and base==2 depends on Python>=3.8.", "3.8"),
        ("Because base==1 depends on Python>=3.8.*, we can conclude that it cannot be used", "3.8"),
        ("Because base requires Python >=...3, we can conclude nothing", None),
    ],
)
def test_a_version_of_python_is_read_wherever_it_stands_in_a_sentence(reasoning: str, least: str | None) -> None:
    hint = _way_out(reasoning, {"base"})
    assert hint.startswith(f"every version of base that fits needs Python {least} or newer" if least else "loosen")


@pytest.mark.parametrize("python", ["cp37", "cp27"])
def test_a_module_that_is_required_is_answered_by_the_project_that_has_it(project: Project, python: str) -> None:
    with pytest.raises(UdfsError) as error:
        project.lock("requirements: [yaml]", python)
    assert error.value.problems[0].hint == "'yaml' is imported from PyYAML: write PyYAML"


def test_versions_that_all_need_a_newer_python_are_told_as_such(project: Project) -> None:
    for version, python in (("2.0", ">=3.8"), ("3.0", ">=3.11")):
        wheel(project.folder / "dist", "base", version, tag=PURE, requires_python=python)
    with pytest.raises(UdfsError) as error:
        project.lock("requirements: [base>=2]")
    assert error.value.problems[0].hint == (
        "every version of base that fits needs Python 3.8 or newer: allow older ones, or take a runtime of that Python"
    )


@pytest.mark.parametrize("python", ["cp37", "cp27"])
def test_a_wheel_of_the_folder_is_locked_by_its_path(project: Project, python: str) -> None:
    own = wheel(project.folder / "own", "own", "1.5", tag=PURE, requires=("base",))
    wheel(project.folder / "dist", "base", tag=PURE)
    lock = project.lock("requirements: [./own/own-1.5-py2.py3-none-any.whl]", python)
    base, mine = files(lock, python)
    assert (mine.path, mine.sha256, mine.version) == ("own/own-1.5-py2.py3-none-any.whl", sha256(own), "1.5")
    assert mine.requirements == ["./own/own-1.5-py2.py3-none-any.whl"]
    assert base.needed_by == ["own"]
    loaded = project.load("requirements: [./own/own-1.5-py2.py3-none-any.whl]", python)
    assert [len(archives) for archives in project.plan(loaded).archives.values()] == [2]
    own.write_bytes(own.read_bytes() + b"\0")
    with pytest.raises(InvalidManifest) as error:
        project.plan(loaded)
    assert "local: 'own/own-1.5-py2.py3-none-any.whl' has changed" in told(error.value)


def test_hashes_of_a_requirements_file_are_kept_to(project: Project) -> None:
    good = sha256(wheel(project.folder / "dist", "a", tag=PURE))
    wanted = project.folder / "requirements.txt"
    wanted.write_text(f"a==1.0 \\\n  --hash=sha256:{'0' * 64} \\\n  --hash=sha256:{good}\n")
    assert names(project.lock("requirements_file: requirements.txt")) == ["a 1.0"]
    wanted.write_text(f"\na==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PackageError) as error:
        project.lock("requirements_file: requirements.txt")
    [problem] = error.value.problems
    assert (problem.code, str(problem.at)) == ("E482", "requirements.txt:2:1")


FORGED = {
    "a path out of the folder": ({"path": "../own-1.0-py3-none-any.whl"}, "lies at '../own-1.0-py3-none-any.whl', which no requirement"),
    "another version's file": ({"file": "a-2.0-py2.py3-none-any.whl"}, "which is of a 2.0"),
    "a path for a name": ({"file": "../a-1.0-py2.py3-none-any.whl"}, "which is not the name of a wheel"),
    "a source that nobody named": (
        {"source": BuiltFrom(file="../setup.tar.gz", sha256="1" * 64, built_with="sh")},
        "was built from '../setup.tar.gz', which no requirement names",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("forged", "words"), FORGED.values(), ids=FORGED)
def test_a_lock_that_names_what_the_manifest_does_not_is_refused_however_well_it_is_made(
    project: Project, forged: dict[str, Any], words: str
) -> None:
    """Whoever can edit a lock can compute its digests again."""
    wheel(project.folder / "dist", "a", tag=PURE)
    loaded = project.load("requirements: [a]")
    lock = project.make(loaded)
    group = lock.packages["p"]["cp37"]
    group.files[0] = structs.replace(group.files[0], **forged)
    use.write_lock(loaded, lock)
    with pytest.raises(InvalidManifest) as error:
        project.plan(loaded)
    [problem] = error.value.problems
    assert problem.code == "E478"
    assert words in problem.message
    line = (project.folder / "udfs.lock").read_text().splitlines()[problem.at.line - 1 if problem.at else 0]
    assert line.strip() == "- name: a"
    assert list(use.find_edited(loaded, use.read_lock(loaded), read_requests(loaded))) == [problem]
