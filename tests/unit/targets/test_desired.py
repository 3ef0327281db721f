"""From a manifest and its artifacts to the state that should be live."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.names import unversioned_name, versioned_name
from reconciler.core.kind import fingerprint
from reconciler.core.state import version_of
from reconciler.manifest.load import load_manifest
from reconciler.packages.artifacts import Archive, Artifacts, Library, ship
from reconciler.packages.content import Content, read_content
from reconciler.packages.inspect.contents import FileFacts
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute import desired
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import Function, Resource, function_key, resource_key

if TYPE_CHECKING:
    from reconciler.core.state import DesiredState

WHEEL = Archive("n-1-py3-none-any.zip", Content(Path("n.whl"), "5" * 64, "5" * 32, 7), (), FileFacts())


def state_of(folder: Path, text: str) -> DesiredState:
    for name in ("f.py", "g.py", "a.csv", "lib.jar", "n-1-py3-none-any.whl", "libgeo.so.26"):
        (folder / name).write_text(f"# {name}\n")
    (folder / "udfs.yaml").write_text(text)
    loaded = load_manifest(folder / "udfs.yaml", DIALECTS, env={}, shown="udfs.yaml")
    named = [function.source for function in loaded.manifest.functions.values() if function.source]
    named += [resource.file for resource in loaded.manifest.resources.values() if resource.file]
    files = {name: read_content(folder / name) for name in named}
    wheels: dict[tuple[str, str], tuple[Archive, ...]] = {
        (package, code.runtime.tag): (WHEEL,)
        for name, code in loaded.code.items()
        for package in loaded.manifest.functions[name].packages
    }
    named_libraries = {
        package: tuple(
            Library(path.removesuffix(".26"), path, number, Content(folder / path, "6" * 64, "6" * 32, 9), FileFacts())
            for number, path in enumerate(declared.library_files)
        )
        for package, declared in loaded.manifest.packages.items()
    }
    artifacts = Artifacts(files, wheels, named_libraries)
    return desired.state(loaded, replace(artifacts, shipments=ship(loaded, artifacts)))


F_PY = versioned_name("f.py", hashlib.sha256(b"# f.py\n").hexdigest())
"""What f.py is uploaded as."""


def test_a_source_becomes_its_module_named_by_its_content_and_the_function(tmp_path: Path) -> None:
    state = state_of(tmp_path, "stack: s\nfunctions:\n  Psi: {source: f.py, class: F}\n")
    function, module = state[function_key("psi")], state[resource_key(F_PY)]
    assert function.object == Function("Psi", f"{F_PY[:-3]}.F", (Reference(F_PY),))
    assert str(function.origin) == "udfs.yaml:3:3"
    assert (module.object.name, str(module.origin)) == (F_PY, "udfs.yaml:3:17")
    assert module.mark is not None
    assert module.mark.names == {fingerprint("psi")}
    assert version_of(module) == "f.py"


@pytest.mark.parametrize(
    "text",
    [
        "stack: s\nrollout: in_place\nfunctions:\n  f: {source: f.py, class: F}\n",
        "stack: s\nresources: {f.py: {file: f.py}}\nfunctions:\n  f: {source: f.py, class: F}\n",
    ],
    ids=["all names stay", "a name declared under resources stays"],
)
def test_a_source_keeps_its_name_where_the_manifest_says_so(text: str, tmp_path: Path) -> None:
    state = state_of(tmp_path, text)
    assert {key.name for key in state} == {"f", "f.py"}
    assert state[function_key("f")].object == Function("f", "f.F", (Reference("f.py"),))
    assert version_of(state[resource_key("f.py")]) is None


@given(st.sampled_from(["f.py", "a__b.py", "x.tar.gz", "x-1.2.zip", "plain", "a__00000000.py"]), st.binary(max_size=2))
def test_a_version_is_known_by_its_name_and_its_content_together(name: str, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    made = versioned_name(name, sha256)
    assert made != name
    assert made.startswith(name.split(".")[0])
    if "." in name:
        assert unversioned_name(made, sha256) == name
        assert unversioned_name(made, hashlib.sha256(content + b"!").hexdigest()) is None
    assert unversioned_name(name, sha256) is None


def test_functions_of_one_source_share_its_module(tmp_path: Path) -> None:
    state = state_of(tmp_path, "stack: s\nfunctions:\n  f: {source: f.py, class: F}\n  g: {source: f.py, class: G}\n")
    assert len(state) == 3
    module = state[resource_key(F_PY)].mark
    assert module is not None
    assert module.names == {fingerprint("f"), fingerprint("g")}


def test_a_list_is_module_then_resources_then_archives_each_once(tmp_path: Path) -> None:
    text = """\
stack: s
packages: {a: {wheels: [n-1-py3-none-any.whl]}, b: {wheels: [n-1-py3-none-any.whl]}}
resources: {A.csv: {file: a.csv}, t: {table: iris, partition: "pt='1'"}}
functions:
  f: {source: f.py, class: F, packages: [a, b], resources: [A.csv, t, other/resources/x.csv, demo/resources/y.csv]}
"""
    state = state_of(tmp_path, text)
    function = state[function_key("f")].object
    assert isinstance(function, Function)
    assert [str(ref) for ref in function.resources] == [
        F_PY, "A.csv", "t", "other/resources/x.csv", "y.csv", "n-1-py3-none-any.zip"
    ]  # fmt: skip
    archive = state[resource_key("n-1-py3-none-any.zip")]
    assert archive.object == Resource("n-1-py3-none-any.zip", "archive", "5" * 32, 7)
    assert archive.origin.line == 2
    assert state[resource_key("t")].object == Resource("t", "table", table="demo.iris partition(pt='1')")


def test_a_table_is_completed_by_where_the_function_goes(tmp_path: Path) -> None:
    text = """\
stack: s
targets: {local: {project: p, schema: q}}
resources: {a: {table: iris}, b: {table: x.iris}, c: {table: x.y.iris}}
functions: {f: {source: f.py, class: F}}
"""
    state = state_of(tmp_path, text)
    tables = [state[resource_key(name)].object for name in "abc"]
    assert [table.table for table in tables if isinstance(table, Resource)] == ["p.q.iris", "x.iris", "x.y.iris"]


def test_an_existing_class_is_carried_by_the_resource_that_holds_it(tmp_path: Path) -> None:
    text = """\
stack: s
resources: {a.csv: {file: a.csv}, g.py: {file: g.py}, lib.jar: {file: lib.jar}}
functions:
  g: {class: g.G, resources: [a.csv, g.py]}
  j: {class: com.example.J, resources: [lib.jar]}
"""
    state = state_of(tmp_path, text)
    marks = {key.name: entry.mark.names for key, entry in state.items() if entry.mark}
    assert marks == {"a.csv": frozenset(), "g.py": {fingerprint("g")}, "lib.jar": {fingerprint("j")}}


def test_a_library_travels_as_a_file_under_its_soname_behind_the_archives(tmp_path: Path) -> None:
    text = """\
stack: s
packages: {geo: {wheels: [n-1-py3-none-any.whl], libraries: [libgeo.so.26]}}
functions: {f: {source: f.py, class: F, packages: [geo]}}
"""
    state = state_of(tmp_path, text)
    assert state[resource_key("libgeo.so")].object == Resource("libgeo.so", "file", "6" * 32, 9)
    assert state[resource_key("libgeo.so")].origin.line == 2
    function = state[function_key("f")].object
    assert isinstance(function, Function)
    assert [ref.name for ref in function.resources] == [F_PY, "n-1-py3-none-any.zip", "libgeo.so"]
