"""CONTRIBUTING names files and functions: each is where it says, so that the walk can be walked."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".github" / "CONTRIBUTING.md"
FILE = re.compile(r"[\w./-]*\w\.(?:py|md|yaml|yml|txt|toml|json|lock)|(?:[\w.-]+/)+")
NAME = re.compile(r"([A-Za-z_][\w.]*)\(\)|([A-Z][a-z]\w+|[A-Z][A-Z_]{3,})")
BLOCK = re.compile(r"\n\s*\n|\n(?=\d+\. |- )")
NO_FILES = {"udfs.yaml", "udfs.lock"}
NO_NAMES = {"POST", "PUT"}


def find_file(name: str) -> Path | None:
    """Return the file or folder of a name that counts from the repository or from `reconciler/`."""
    return next((base / name for base in (ROOT, ROOT / "reconciler") if (base / name).exists()), None)


def definitions(path: Path) -> Iterator[str]:
    """Yield the dotted names of the functions and classes of a file, and the names that it assigns at its top."""
    if path.suffix == ".py":
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from _definitions(tree, "")
        for statement in tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _definitions(node: ast.AST, prefix: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name
            yield from _definitions(child, f"{prefix}{child.name}.")


def wrong_names(text: str) -> Iterator[str]:
    """Yield what a text has in backticks that is not there: a file, or a name that no file of its paragraph defines."""
    for block in BLOCK.split(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        tokens = re.findall(r"`([^`\n]+)`", block)
        names = [token for token in tokens if FILE.fullmatch(token) and token not in NO_FILES]
        files = {name: find_file(name) for name in names}
        yield from (name for name, path in files.items() if path is None)
        there = {name for path in files.values() if path for name in definitions(path)}
        for token in tokens:
            match = None if token in files or token in NO_NAMES else NAME.fullmatch(token)
            if match and (match[1] or match[2]) not in there:
                yield token


def test_every_file_and_function_that_contributing_names_is_there() -> None:
    assert not list(wrong_names(PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`tests/house.py` `count_words()` and `Manifest`", ["Manifest"]),
        ("`tests/hose.py` `main()`", ["tests/hose.py", "main()"]),
        ("`tests/house.py` holds `House.repeated()`, `udfs plan`, `udfs.yaml`, `tests/` and `--yes`", []),
        ("```\n`nothing.py`\n```\n", []),
        ("`tests/house.py`\n\n`count_words()`", ["count_words()"]),
        ("1. `tests/house.py`\n2. `WORDS`", ["WORDS"]),
        ("`House`", ["House"]),
    ],
)
def test_a_wrong_name_is_seen(text: str, wrong: list[str]) -> None:
    assert list(wrong_names(text)) == wrong
