"""Real wheels put into shape, and imported by the CPython that they are for."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.local.runner import InterpreterNotFound, failures, locate
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.files import file_kind
from reconciler.packages.wheels import Supply
from tests.builders import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.runner import Interpreter
    from reconciler.packages.artifacts import Archive

    Fetch = Callable[[str, str, str, str], Path]

ENVIRONMENT = dict(os.environ)


def _python(runtime: str) -> Interpreter:
    try:
        return locate(runtime, ENVIRONMENT)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))


def _archives(folder: Path, python: str, *wheels: Path, **options: Any) -> tuple[Archive, ...]:
    for wheel in wheels:
        shutil.copy(wheel, folder)
    manifest = {
        "stack": "real",
        "python": python,
        "packages": {"pack": {"wheels": [wheel.name for wheel in wheels], **options}},
        "functions": {"f": {"class": "m.F", "packages": ["pack"]}},
    }
    found = collect_from(
        unchecked(folder, manifest),
        Supply(
            cache=Cache(folder / "cache"),
            index=PipIndex({}),
        ),
    )
    for archive in found.archives["pack", python]:  # what is known of the wheels was not found out again
        assert inspect_file(archive.content.path, file_kind(archive.content.path)) == archive.facts
    return found.archives["pack", python]


def _cannot(python: str, archives: tuple[Archive, ...], *names: str) -> Mapping[str, str] | None:
    return failures(_python(python), [(one.name, one.content.path) for one in archives], names)


def test_a_namespace_package_of_several_wheels_is_whole_in_one_archive(fetch: Fetch, tmp_path: Path) -> None:
    """Three projects share `backports`, each with an __init__.py of its own wording."""
    wheels = [
        fetch(requirement, "27", "cp27m", "any")
        for requirement in (
            "backports.functools-lru-cache==1.6.4",
            "backports.shutil-get-terminal-size==1.0.0",
            "configparser==4.0.2",
        )
    ]
    found = _archives(tmp_path, "cp27", *wheels, bundle="single")
    assert [one.name for one in found] == [f"pack__{found[0].content.sha256[:8]}.zip"]
    parts = ("functools_lru_cache", "shutil_get_terminal_size", "configparser")
    assert _cannot("cp27", found, *(f"backports.{part}" for part in parts)) == {}


def test_the_parts_of_data_folders_go_where_they_belong(fetch: Fetch, tmp_path: Path) -> None:
    greenlet = fetch("greenlet==0.4.17", "37", "cp37m", "manylinux1_x86_64")  # headers
    docutils = fetch("docutils==0.17.1", "37", "cp37m", "any")  # scripts
    tbb = fetch("tbb==2021.4.0", "37", "cp37m", "manylinux1_x86_64")  # data
    # libtbbbind needs a library that no wheel brings.
    (one,) = _archives(tmp_path, "cp37", greenlet, docutils, tbb, bundle="single", exclude=["libtbbbind*"])
    with ZipFile(one.content.path) as opened:
        names = set(opened.namelist())
    assert not [name for name in names if ".data/" in name]
    assert {"lib/libtbb.so.12", "docutils/__init__.py"} <= names
    assert {part.why for part in one.left_out} == {"exclude", "headers", "scripts"}
    assert _cannot("cp37", (one,), "greenlet", "docutils") == {}
    alone = _archives(tmp_path, "cp37", greenlet, docutils)
    assert [archive.content.path.name for archive in alone] == [greenlet.name, docutils.name]


def test_numpy_is_imported_without_what_slim_leaves_out(fetch: Fetch, tmp_path: Path) -> None:
    numpy = fetch("numpy==1.19.2", "37", "cp37m", "manylinux1_x86_64")
    (slim,) = _archives(tmp_path, "cp37", numpy, slim=True)
    assert slim.name == f"numpy-1.19.2-0_{slim.content.sha256[:8]}-cp37-cp37m-manylinux1_x86_64.zip"
    (left_out,) = slim.left_out
    assert left_out.size == pytest.approx(numpy.stat().st_size - slim.content.size, rel=0.1)
    assert left_out.files > 200
    assert _cannot("cp37", (slim,), "numpy", "numpy.linalg", "numpy.f2py", "numpy.random") == {}
