"""What a kind of target gets without saying anything of its own, and rare mistakes in a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pytest
from msgspec import Meta

from reconciler.base.errors import InvalidManifest
from reconciler.manifest import model
from reconciler.manifest.editing import ManifestEntry, add_entries
from reconciler.manifest.effective import effective_targets
from reconciler.manifest.load import load_manifest
from reconciler.manifest.section import Mismatches, Section, read_section
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = ManifestEntry("new", {"class": "m.F"})


def test_a_service_that_says_nothing_has_no_runtimes_types_or_distributions_of_its_own() -> None:
    function, manifest = model.Function(), model.Manifest(stack="s", target=model.TargetKind(kind="shelf"))
    assert function.class_name == ""
    assert (manifest.usable_runtimes, manifest.resource_types) == ({}, {})
    assert (manifest.installed_distributions(function), manifest.installed_modules(function)) == ({}, ())
    assert (manifest.environments, manifest.packages, tuple(manifest.other_uses)) == ({}, {}, ())
    assert (manifest.engine, function.layers, function.environment) == (None, (), {})
    assert (function.tests, function.resources, function.modules, function.wire) == ((), (), (), False)
    assert (function.python, function.image, function.isolation) == (None, None, False)
    assert (model.Test(returns=1).input, model.Test(returns=1).is_single) == ([[]], True)
    assert model.Target().resolve("other/resources/a.py") == ("other/resources/a.py", None)


def test_a_kind_that_has_no_such_sections_has_nothing_in_them() -> None:
    bare = model.Manifest(stack="s", target=model.TargetKind(kind="shelf"))
    assert (bare.python, dict(bare.packages), dict(bare.resources), dict(bare.functions)) == ("", {}, {}, {})


def test_functions_that_name_no_python_run_on_that_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "udfs.yaml").write_text("stack: s\npython: cp37\nfunctions: {}\n")
    assert load_manifest(tmp_path / "udfs.yaml", DIALECTS, env={}).runtime.tag == "cp37"


def test_a_module_outside_of_the_folder_is_refused_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("class F(object):\n    def evaluate(self, a):\n        return a\n")
    (tmp_path / "udfs.yaml").write_text(
        "stack: s\npython: cp37\nfunctions:\n  f:\n    source: f.py\n    class: F\n    modules: [../outside.py]\n"
    )
    with pytest.raises(InvalidManifest) as refused:
        load_manifest(tmp_path / "udfs.yaml", DIALECTS, env={})
    [problem] = refused.value.problems
    assert problem.at is not None
    assert (problem.at.line, problem.at.column) == (7, 15)


def test_targets_of_an_unknown_kind_are_not_worked_out(tmp_path: Path) -> None:
    (tmp_path / "udfs.yaml").write_text("stack: s\ntarget: {kind: maxcompte}\nfunctions: {}\n")
    with pytest.raises(InvalidManifest, match="maxcompte"):
        effective_targets(tmp_path / "udfs.yaml", DIALECTS, {})


def test_entries_go_into_empty_braces_of_a_manifest_in_one_line() -> None:
    assert add_entries('{"stack": "s", "functions": {}}', "functions", [ENTRY]).count("new") == 1


def test_an_entry_goes_behind_the_comment_that_ends_a_section() -> None:
    text = "functions:\n  f: {class: m.F}\n  # f is the first\n\n# below\nstack: s\n"
    after = add_entries(text, "functions", [ENTRY])
    assert after.index("# f is the first") < after.index("new:") < after.index("# below")


def test_numbers_and_mappings_that_are_too_small_are_named_by_their_place() -> None:
    class Shelf(Section, frozen=True, kw_only=True):
        width: Annotated[int, Meta(ge=1)]
        books: Annotated[dict[str, str], Meta(min_length=1)]

    with pytest.raises(Mismatches) as refused:
        read_section(Shelf, {"width": True, "books": {}})
    found = {(mismatch.kind, mismatch.path) for mismatch in refused.value.mismatches}
    assert found == {("number", ("width",)), ("empty", ("books",))}
