"""Libraries of a package: paths like any other, each listed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.base.hints import spell
from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: s
packages: {{geo: {{wheels: [n-1-py3-none-any.whl], libraries: [{libraries}]}}}}
functions: {{f: {{source: f.py, class: F, packages: [geo]}}}}
"""


WRONG = {
    "{library: libgomp.so.1, from: 'scikit learn=1'}": ("E470", "as in 'numpy==1.21.6'"),
    "{library: libgomp.so.1, from: scikit-learn==1.0.2, of: it}": ("E214", "keys allowed here: library, from"),
    "[x]": ("E202", "a library is a path, or {library: libgomp.so.1, from: scikit-learn==1.0.2}"),
}


def written(folder: Path, libraries: str) -> Path:
    for name in ("f.py", "n-1-py3-none-any.whl", "libgeo.so"):
        (folder / name).touch()
    (folder / "udfs.yaml").write_text(MANIFEST.format(libraries=libraries))
    return folder / "udfs.yaml"


def test_a_library_is_a_file_of_the_manifests_folder(tmp_path: Path) -> None:
    assert load_manifest(written(tmp_path, "libgeo.so"), DIALECTS, env={}).manifest.packages["geo"].libraries == [
        "libgeo.so"
    ]


@pytest.mark.parametrize(
    ("libraries", "code"), [("libgeo.so, libgeo.so", "E313"), ("../libgeo.so", "E304"), ("libproj.so", "E305")]
)
def test_a_library_that_cannot_be_meant_is_refused_at_its_place(libraries: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest) as refused:
        load_manifest(written(tmp_path, libraries), DIALECTS, env={})
    [problem] = refused.value.problems
    assert problem.code == code
    assert problem.at is not None
    assert problem.at.line == 2


def test_functions_of_one_class_load_the_same_libraries(tmp_path: Path) -> None:
    """The class loads them when its first object is made, whichever of its functions that is for."""
    manifest = written(tmp_path, "libgeo.so")
    text = manifest.read_text().replace("packages: [geo]}}", "packages: [geo]}, g: {source: f.py, class: F}}")
    manifest.write_text(text)
    with pytest.raises(InvalidManifest, match="'f' and 'g' share a class") as refused:
        load_manifest(manifest, DIALECTS, env={})
    assert [problem.code for problem in refused.value.problems] == ["E371"]
    manifest.write_text(text.replace("class: F", "class: F, wire: false"))
    assert load_manifest(manifest, DIALECTS, env={}).manifest.functions.keys() == {"f", "g"}


@pytest.mark.parametrize("item", WRONG)
def test_a_library_of_a_wheel_is_named_with_the_requirement_that_has_it(item: str, tmp_path: Path) -> None:
    load_manifest(written(tmp_path, "{library: libgomp.so.1, from: scikit-learn==1.0.2}"), DIALECTS, env={})
    with pytest.raises(InvalidManifest) as refused:
        load_manifest(written(tmp_path, item), DIALECTS, env={})
    [problem] = refused.value.problems
    code, hint = WRONG[item]
    assert problem.code == code
    assert hint in spell(problem.hint)
