"""A name that two indexes have: the first gives it, the lock says which that was, and nobody overlooks it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from reconciler.base.errors import PackageError, UdfsError
from reconciler.base.hints import spell
from reconciler.packages.build.environment import unpack_pip
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.lock import use
from reconciler.packages.lock.file import Lock, parse_lock
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.make import Upgrade, make_lock
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests.builders import wheel
from tests.canary import PASSWORD
from tests.packages.lock.index import serving
from tests.packages.lock.project import Project, files, names, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.base.errors import Problem
    from tests.packages.lock.index import Index

PYTHONS = ("cp27", "cp37", "cp311")
"""pex resolves for the first, uv for the others."""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Index]:
    wheel(tmp_path / "private", "corp", tag="py2.py3-none-any", requires=("helper",))
    with serving(tmp_path / "private", password=PASSWORD) as index:
        yield index


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Index]:
    wheel(tmp_path / "public", "corp", "99.0", tag="py2.py3-none-any")
    wheel(tmp_path / "public", "helper", "2.0", tag="py2.py3-none-any")
    with serving(tmp_path / "public") as index:
        yield index


@pytest.fixture
def asking(project: Project, private: Index, public: Index) -> Project:
    """A project that has the private index by a variable, and the public one by pip's setting."""
    del project.env["PIP_NO_INDEX"]
    quick = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "2", "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "2"}
    project.env |= {"PIP_INDEX_URL": public.url, "CORP": private.url, **quick}
    return project


def warnings_of(project: Project, package: str, *pythons: str) -> tuple[Lock, list[Problem]]:
    warnings: list[Problem] = []
    loaded = project.load(package, *pythons, links=False)
    lock = make_lock(
        loaded,
        Lock(),
        Upgrade(),
        cache=project.cache,
        env=project.env,
        on_step=lambda step: None,
        on_warning=warnings.append,
    )
    use.write_lock(loaded, lock)
    return lock, warnings


@pytest.mark.parametrize("python", PYTHONS)
def test_a_higher_version_on_a_public_index_does_not_win(asking: Project, python: str) -> None:
    lock, warnings = warnings_of(asking, "requirements: [corp], extra_index: [CORP]", python)
    assert names(lock, python) == ["corp 1.0", "helper 2.0"]
    assert [wheel.index for wheel in files(lock, python)] == ["CORP", "default"]
    (warning,) = warnings
    assert (warning.code, warning.severity) == ("E485", "warning")
    assert warning.message.startswith("'corp' is on several indexes, which have no file in common: taken from CORP, ")
    assert warning.message.endswith("and on default too")
    assert "`index: {corp: CORP}`" in spell(warning.hint)
    text = (asking.folder / "udfs.lock").read_text()
    assert "127.0.0.1" not in text
    assert "packages.invalid" not in text
    assert PASSWORD not in text
    assert len(asking.plan(asking.load("requirements: [corp], extra_index: [CORP]", python, links=False)).archives) == 1


def test_a_copy_is_no_other_distribution(asking: Project, private: Index, public: Index) -> None:
    shutil.copy(next(private.folder.glob("corp-1*")), public.folder)
    lock, warnings = warnings_of(asking, "requirements: [corp], extra_index: [CORP]")
    assert names(lock) == ["corp 1.0", "helper 2.0"]
    assert not warnings


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("setting", "chosen"),
    [("PIP_EXTRA_INDEX_URL", "extra-1"), ("UV_INDEX", "team"), ("UV_EXTRA_INDEX_URL", "extra-1")],
)
def test_a_further_index_of_the_machine_comes_before_the_main_one(
    asking: Project, private: Index, public: Index, python: str, setting: str, chosen: str
) -> None:
    address = asking.env.pop("CORP")
    asking.env[setting] = f"{'team=' if chosen == 'team' else ''}{address}"
    if setting.startswith("UV_"):
        for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE"):
            del asking.env[name]
        asking.env["UV_DEFAULT_INDEX"] = public.url
    lock = asking.make(asking.load("requirements: [corp]", python, links=False))
    assert names(lock, python) == ["corp 1.0", "helper 2.0"]
    assert [wheel.index for wheel in files(lock, python)] == [chosen, "default"]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_manifest_says_which_index_is_meant(asking: Project, python: str) -> None:
    package = "requirements: [corp], extra_index: [CORP], index: {Corp: default, helper: default}"
    lock, warnings = warnings_of(asking, package, python)
    assert names(lock, python) == ["corp 99.0"]
    assert not warnings
    lock, warnings = warnings_of(asking, "requirements: [corp], index: {corp: CORP}", python)
    assert names(lock, python) == ["corp 1.0", "helper 2.0"]
    assert not warnings
    loaded = asking.load("requirements: [corp], index: {corp: CORP}", python, links=False)
    assert not use.find_stale(loaded, use.read_lock(loaded), read_requests(loaded))
    assert len(asking.plan(loaded).archives) == 1


def test_an_index_that_nobody_set_is_told_at_its_line(asking: Project) -> None:
    with pytest.raises(UdfsError) as error:
        asking.make(asking.load("requirements: [corp], index: {corp: NOWHERE}", links=False))
    assert "udfs.yaml:3:" in told(error.value)
    assert "E481 the environment variable NOWHERE of `index:` is not set" in told(error.value)


@pytest.mark.parametrize("python", ["cp27", "cp37"])
@pytest.mark.parametrize("fault", ["all 500", "refused", "down"])
def test_an_index_that_fails_is_not_passed_over(asking: Project, private: Index, fault: str, python: str) -> None:
    if fault == "down":
        asking.env["CORP"] = f"http://ann:{PASSWORD}@127.0.0.1:1/simple/"
    elif fault == "refused":
        private.password = "changed"
    else:
        private.fault = fault
    with pytest.raises(PackageError) as error:
        asking.make(asking.load("requirements: [corp], extra_index: [CORP]", python, links=False))
    assert {problem.code for problem in error.value.problems} == {"E475"}, told(error.value)
    assert "index 'CORP'" in told(error.value)
    assert PASSWORD not in told(error.value)


def test_a_lock_without_indexes_is_read_and_holds(asking: Project) -> None:
    package = "requirements: [corp], extra_index: [CORP]"
    loaded = asking.load(package, "cp37", links=False)
    new = asking.make(loaded)
    text = (asking.folder / "udfs.lock").read_text()
    assert "index: CORP" in text
    old = parse_lock(text.encode()).packages["p"]["cp37"]
    before = Lock(packages={"p": {"cp37": replace(old, files=[replace(wheel, index=None) for wheel in old.files])}})
    use.write_lock(loaded, before)
    assert "index: CORP" not in (asking.folder / "udfs.lock").read_text()
    assert not use.find_stale(loaded, use.read_lock(loaded), read_requests(loaded))
    assert asking.plan(loaded).archives
    assert asking.make(loaded, before) == new


def test_what_is_built_comes_from_the_first_index_too(asking: Project, private: Index, public: Index) -> None:
    """A requirement of a build is resolved by pip, which would take the best of all indexes."""
    unpack_pip(
        RUNTIMES["cp37"], PipIndex(dict(os.environ)), asking.cache, asking.folder.parent / "pip"
    )  # now in the cache
    wheel(private.folder, "corp-build", files={"corp_build.py": "VERSION = '1.0'"}, tag="py3-none-any")
    wheel(public.folder, "corp-build", "99.0", files={"corp_build.py": "VERSION = '99.0'"}, tag="py3-none-any")
    project = asking.folder / "own"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["corp-build"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (project / "backend.py").write_text(BACKEND)
    loaded = asking.load("requirements: [./own], extra_index: [CORP]", "cp37", links=False)
    lock = asking.make(loaded)
    assert names(lock) == ["own 1.0"]
    (built,) = files(lock)
    assert built.source is not None
    assert built.source.requires == ["corp-build==1.0"]


BACKEND = """
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = "own-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, "own-1.0-py3-none-any.whl"), "w") as archive:
        archive.writestr("own.py", "")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "")
    return "own-1.0-py3-none-any.whl"
"""
