"""
Translations of pages: which page each is of, and whether that has changed since.

The first line of a translation names its source and what the source said then, as a hash of its prose; what stands in fences is not translated, and has to be
the same. ``python -m tests.site.translations docs/zh/start.md`` says that a translation is up to date.
"""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```[^\n]*\n.*?^```$", re.MULTILINE | re.DOTALL)
_HEAD = re.compile(r"\A<!-- of (?P<source>[\w/.-]+) as of (?P<prose>[0-9a-f]{12}|never) -->\n")


@dataclass(frozen=True)
class Translation:
    """A page in another language."""

    page: Path
    source: Path
    prose: str
    """The hash of the source's prose when the page was last looked through."""

    @property
    def is_behind(self) -> bool:
        return self.prose != hash_prose(self.source.read_text(encoding="utf-8"))


def read_translation(page: Path) -> Translation:
    """Read the first line of a translation."""
    head = _HEAD.match(page.read_text(encoding="utf-8"))
    assert head, f"{page} begins with <!-- of PAGE as of HASH -->"
    return Translation(page, DOCS / head["source"], head["prose"])


def hash_prose(text: str) -> str:
    """Return a hash of what a page says outside of its fences."""
    return hashlib.sha256(FENCE.sub("", text).encode()).hexdigest()[:12]


def translations() -> list[Translation]:
    """Return all translations there are."""
    return [read_translation(page) for page in sorted((DOCS / "zh").rglob("*.md"))]


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        translation = read_translation(page.resolve())
        now = hash_prose(translation.source.read_text(encoding="utf-8"))
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(f"as of {translation.prose} -->", f"as of {now} -->", 1), encoding="utf-8")
