"""The manifests that have to be applied before one, each with its place; and every file that a manifest names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.effective import read_outline
from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("stack: s\nafter: [a/udfs.yaml, ../b/udfs.yaml]\n", [("a/udfs.yaml", 2, 9), ("../b/udfs.yaml", 2, 22)]),
        ("stack: s\nafter:\n  - a/udfs.yaml\n  - {b: c}\n", [("a/udfs.yaml", 3, 5)]),
        ("stack: s\nafter: a/udfs.yaml\n", []),
        ("stack: s\n", []),
    ],
)
def test_each_name_has_its_place_and_what_is_no_name_is_none(
    tmp_path: Path, text: str, places: list[tuple[str, int, int]]
) -> None:
    (tmp_path / "udfs.yaml").write_text(text)
    names = read_outline(tmp_path / "udfs.yaml").after
    assert [(name, problem.at and (problem.at.line, problem.at.column)) for name, problem in names] == [
        (name, (line, column)) for name, line, column in places
    ]
    assert {problem.code for _, problem in names} <= {"E569"}


def test_every_file_that_is_named_is_listed_as_it_is_written(tmp_path: Path) -> None:
    text = "stack: s\npython: cp37\nresources: {r.txt: {file: data/r.txt}}\nfunctions: {f: {source: f.py, class: F}}\n"
    for name in ("udfs.yaml", "f.py", "data/r.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text if name == "udfs.yaml" else "")
    loaded = load_manifest(tmp_path / "udfs.yaml", DIALECTS, env={})
    assert {written: str(path) for written, path in loaded.files.items()} == {
        written: str((tmp_path / written).resolve()) for written in ("data/r.txt", "f.py")
    }
