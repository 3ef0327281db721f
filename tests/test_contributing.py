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
NAME = re.compile(r"([A-Za-z_][\w.]*)\(\)|([A-Z][a-z]\w+)")


def find_file(name: str) -> Path | None:
    """Return the file or folder of a name that counts from the repository or from `reconciler/`."""
    return next((base / name for base in (ROOT, ROOT / "reconciler") if (base / name).exists()), None)


def definitions(path: Path) -> Iterator[str]:
    """Yield the dotted names of the functions and classes of a file, and of the fields of its classes."""
    yield from _definitions(ast.parse(path.read_text(encoding="utf-8")), "")


def _definitions(node: ast.AST, prefix: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name
            yield from _definitions(child, f"{prefix}{child.name}.")


def wrong_names(text: str) -> Iterator[str]:
    """Yield what a text has in backticks that is not there: a file, or a name in the file that was named last."""
    last: Path | None = None
    for token in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if FILE.fullmatch(token) and token not in {"udfs.yaml", "udfs.lock"}:
            last = find_file(token)
            if last is None:
                yield token
        elif match := NAME.fullmatch(token):
            name = match[1] or match[2]
            if last is None or last.suffix != ".py" or name not in set(definitions(last)):
                yield f"{token} in {last.relative_to(ROOT) if last else 'no file'}"


def test_every_file_and_function_that_contributing_names_is_there() -> None:
    assert not list(wrong_names(PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`tests/house.py` `count_words()` and `Manifest`", ["Manifest in tests/house.py"]),
        ("`tests/hose.py` `main()`", ["tests/hose.py", "main() in no file"]),
        ("`tests/house.py` holds `House.repeated()`, `udfs plan`, `udfs.yaml`, `tests/` and `--yes`", []),
        ("```\n`nothing.py`\n```\n", []),
        ("`House`", ["House in no file"]),
    ],
)
def test_a_wrong_name_is_seen(text: str, wrong: list[str]) -> None:
    assert list(wrong_names(text)) == wrong
