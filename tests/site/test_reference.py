"""The reference is made from the code as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.site.reference import FOLDER, ROOT, make_pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES = make_pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_of_the_reference_is_that_of_the_code(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "python -m tests.site.reference writes it anew"


def test_every_variable_that_is_read_is_told() -> None:
    told = (FOLDER / "environment.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "reconciler").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'"((?:UDFS|ODPS|ALIBABA_CLOUD)_[A-Z_]+[A-Z])"', text)}
    assert len(read) > 20
    assert not sorted(name for name in read if f"`{name}`" not in told)
    named = set(re.findall(r"`((?:UDFS|ODPS|ALIBABA_CLOUD)_[A-Z_]+[A-Z])`", told))
    assert not sorted(name for name in named if not any(name in text for text in sources))
