"""What texts call by its name is there: scripts that tests and benchmarks start, docstrings, and the pages for contributors."""

from __future__ import annotations

import ast
import importlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"
CODE = [*sorted(PACKAGE.rglob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]
PAGES = [ROOT / "README.md", ROOT / ".github/CONTRIBUTING.md", ROOT / ".github/DECISIONS.md", ROOT / ".ci/run"]
PAGES += [ROOT / "pyproject.toml", *sorted((ROOT / ".github/workflows").glob("*"))]


def scripts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a file that are scripts which import from the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if re.search(r"^\s*(from|import) reconciler\b", node.value, re.MULTILINE):
            yield node.lineno, node.value


@pytest.mark.parametrize(
    "path", [path for path in CODE if any(scripts(path))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_scripts_in_strings_import_what_there_is(path: Path) -> None:
    for line, script in scripts(path):
        for module, names in re.findall(r"^\s*from (reconciler[\w.]*) import ([\w, ]+)", script, re.MULTILINE):
            for name in re.split(r"\s*,\s*", names.strip()):
                stem = name.split(" as ")[0]
                is_there = hasattr(importlib.import_module(module), stem) or find_spec(f"{module}.{stem}")
                assert is_there, f"line {line}: {module} has no {stem}"
        for module in re.findall(r"^\s*import (reconciler[\w.]*)", script, re.MULTILINE):
            assert find_spec(module), f"line {line}: there is no {module}"


def unknown(name: str) -> bool:
    """Say whether a dotted name leads nowhere: to no folder, no module and nothing that a module mentions."""
    place = PACKAGE
    for part in name.split(".")[1:]:
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if place.is_dir() and ((place / part).is_dir() or (place / f"{part}.py").exists()):
            place /= part
        else:
            return not (module.exists() and re.search(rf"\b{part}\b", module.read_text(encoding="utf-8")))
    return False


def test_modules_that_a_text_names_are_there() -> None:
    named = {
        (str(path.relative_to(ROOT)), name)
        for path in [*CODE, *PAGES]
        for name in re.findall(r"(?<![\w.@/])reconciler(?:\.[A-Za-z_]\w*)+", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 1_000
    assert not sorted((path, name) for path, name in named if unknown(name))


def stands_in(name: str, folder: Path) -> bool:
    """Say whether a package has a name: as a module below it or beside it, or as what one of its own modules defines."""
    *path, last = name.removesuffix(".py").replace("/", ".").split(".")
    for base in (folder, *(parent for parent in folder.parents if parent.is_relative_to(PACKAGE))):
        place = base.joinpath(*path)
        modules = [place.with_suffix(".py")] if path else [*base.glob("*.py")]
        defines = re.compile(rf"^(?:class|def) {last}\b", re.MULTILINE)
        if (place / last).is_dir() or (place / f"{last}.py").exists():
            return True
        if any(module.exists() and defines.search(module.read_text(encoding="utf-8")) for module in modules):
            return True
    return False


def test_each_room_says_where_to_begin_and_that_is_there() -> None:
    beginnings: dict[str, list[str]] = {}
    for page in sorted(PACKAGE.rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(page.read_text(encoding="utf-8"))) or ""
        if match := re.search(r"Begin\s+with\s.*?(?=\n\n|\Z)", text, re.DOTALL):
            names = re.findall(r"`+([A-Za-z_][\w./]*)`+", re.split(r"\.\s", match[0])[0])
            beginnings[str(page.parent.relative_to(PACKAGE))] = [n for n in names if not stands_in(n, page.parent)]
    rooms = {page.parent.name for page in PACKAGE.glob("*/__init__.py")}
    assert rooms <= beginnings.keys()
    assert {room: names for room, names in beginnings.items() if names} == {}
