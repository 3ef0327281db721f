"""What each target of a manifest comes to, without a service and without reading more than the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.effective import effective_targets
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    (folder / "udfs.yaml").write_text(text)
    return folder / "udfs.yaml"


def test_without_targets_there_is_the_local_one(tmp_path: Path) -> None:
    found = effective_targets(written(tmp_path, "stack: s\nfunctions: {}\n"), DIALECTS, {})
    assert {name: [(one.key, one.text) for one in values] for name, values in found.items()} == {
        "local": [("endpoint", "local"), ("project", "demo")]
    }


def test_what_cannot_be_read_is_told_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest) as refused:
        effective_targets(written(tmp_path, "stack: [\n"), DIALECTS, {})
    assert all(problem.at is not None for problem in refused.value.problems)


def test_a_value_of_a_target_comes_before_that_of_all(tmp_path: Path) -> None:
    text = (
        "stack: s\nvariables: {who: all, only: above}\ntargets:\n"
        '  a: {endpoint: local, project: "p_${var:who}"}\n'
        "  b: {project: q, variables: {who: mine}}\nfunctions: {}\n"
    )
    found = effective_targets(written(tmp_path, text), DIALECTS, {})
    assert {one.key: one.text for one in found["a"]} == {
        "endpoint": "local",
        "project": "p_all",
        "who": "all",
        "only": "above",
    }
    assert {one.key: one.text for one in found["b"]}["who"] == "mine"
