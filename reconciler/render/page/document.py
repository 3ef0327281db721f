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

from reconciler.base.redaction import redact

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
        style = read_asset("page.css")
        return fill_template("page.html", style, title=self.title, page_parts=self.parts, style_hash=hash_style(style))


def merge_pages(pages: Iterable[HtmlPage]) -> HtmlPage:
    """Return one page with the parts of all; the title is that of the first."""
    every = [*pages]
    title = every[0].title if every else "udfs"
    return HtmlPage(title, tuple(part for page in every for part in page.parts))


def fill_template(name: str, style: str, **values: object) -> str:
    """Return a template filled with values: escaped, and without the secrets of this process."""
    # What is in the style is ours, and its hash is that of the very characters.
    return f"{_environment().get_template(name).render(style=Markup(style), **values)}\n"


def hash_style(style: str) -> str:
    """Return a style's hash as a policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(read_asset),
        finalize=_redact_value,
    )


def _redact_value(value: object) -> object:
    # Before it is escaped: what has an ampersand in it would no longer be known by its characters.
    return redact(value) if type(value) is str else value


@cache
def read_asset(name: str) -> str:
    """Return a template or a style of this package."""
    return (resources.files("reconciler.render.page") / name).read_text(encoding="utf-8")
