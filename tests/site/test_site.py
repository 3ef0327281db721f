"""The site is built without a warning, loads nothing from elsewhere, and every page is in its menu."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.site.console import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org|mirrors\.aliyun\.com", re.IGNORECASE
)


def test_every_page_is_built(site: Path) -> None:
    pages = [page.relative_to(DOCS).with_suffix("") for page in PAGES]
    folders = [page.parent if page.name == "index" else page for page in pages]
    assert not [str(folder) for folder in folders if not (site / folder / "index.html").exists()]


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(
            r'<(?:script|img|iframe)[^>]+src="https?:[^"]*"|<link[^>]+stylesheet[^>]+href="https?:', text
        ), page


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    assert menu == {page.relative_to(DOCS).as_posix() for page in PAGES}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_host_of_a_package_index(page: Path) -> None:
    assert not REGISTRIES.search(page.read_text(encoding="utf-8"))
