"""Real wheels from the package index that is configured on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.wheels import Supply
from tests.builders import unchecked

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.artifacts import Archive

NUMPY = "62139af94728d22350a571b7c82795b9d59be77fc162414ada6c8b6a10ef5d02"
NUMPY_27 = "d3c5377c6122de876e695937ef41ffee5d2831154c5e4856481b93406cdfeecb"
SIX = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"


def _wheel(cache: Path, folder: Path, python: str, requirement: str, sha256: str) -> Archive:
    manifest = {
        "stack": "real",
        "python": python,
        "packages": {"p": {"wheels": [{"requirement": requirement, "sha256": sha256}]}},
        "functions": {"f": {"class": "m.F", "packages": ["p"]}},
    }
    try:
        artifacts = collect_from(
            unchecked(folder, manifest),
            Supply(
                cache=Cache(cache),
                index=PipIndex(os.environ),
            ),
        )
    except PackageError as error:
        if "does not answer" in str(error):
            pytest.skip(f"needs a package index: {error}")
        raise
    return artifacts.archives["p", python][0]


@pytest.mark.parametrize(
    ("python", "requirement", "sha256", "archive", "native"),
    [
        ("cp37", "numpy==1.19.2", NUMPY, "numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.zip", True),
        ("cp27", "numpy==1.16.6", NUMPY_27, "numpy-1.16.6-cp27-cp27m-manylinux1_x86_64.zip", True),
        ("cp27", "six==1.16.0", SIX, "six-1.16.0-py2.py3-none-any.zip", False),
        ("cp311", "six==1.16.0", SIX, "six-1.16.0-py2.py3-none-any.zip", False),
    ],
)
def test_a_wheel_of_the_index_is_fetched_for_its_runtime(
    shared_cache: Path, tmp_path: Path, python: str, requirement: str, sha256: str, archive: str, native: bool
) -> None:
    found = _wheel(shared_cache, tmp_path, python, requirement, sha256)
    assert (found.name, found.content.sha256, found.native) == (archive, sha256, native)


def test_the_pin_of_another_pythons_wheel_is_answered_with_the_one_that_fits(tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught:
        _wheel(tmp_path / "cache", tmp_path, "cp27", "six==1.16.0", NUMPY)
    (problem,) = caught.value.problems
    assert problem.code == "E402"
    assert SIX in problem.message
