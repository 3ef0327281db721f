"""
HtmlPage: parts filled into the template by Jinja2, which escapes whatever is put in.

The style stands in the page and is allowed by its own hash; nothing else is allowed at all.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.render.page.parts import PagePart


@dataclass(frozen=True)
class HtmlPage:
    """A page, not yet written, so that those of several targets can be one."""

    title: str
    parts: tuple[PagePart, ...]

    def text(self) -> str:
        """Return the page as HTML."""
        style = _read("page.css")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        # What is in the style is ours, and its hash is that of the very characters.
        written = _template().render(
            title=self.title, parts=self.parts, style=Markup(style), style_hash=f"sha256-{digest}"
        )
        return f"{written}\n"


def merge_pages(pages: Iterable[HtmlPage]) -> HtmlPage:
    """Return one page with the parts of all; the title is that of the first."""
    every = [*pages]
    title = every[0].title if every else "udfs"
    return HtmlPage(title, tuple(part for page in every for part in page.parts))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_read("page.html"))


@cache
def _read(name: str) -> str:
    return (resources.files("reconciler.render.page") / name).read_text(encoding="utf-8")
