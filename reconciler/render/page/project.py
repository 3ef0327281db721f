"""
Pages of `udfs ui`: sections with parts, sizes, forms, and what a command said.

As those of `--format html` they hold values alone: no script, nothing that is fetched, and every text escaped. What a form
asks for, the server does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.words import moment, safe, size
from reconciler.core.picture import entry_picture
from reconciler.render.actions import ACTIONS
from reconciler.render.differences import difference_texts
from reconciler.render.page.columns import STYLES, place_nodes
from reconciler.render.page.document import fill_template, hash_style, read_asset
from reconciler.render.page.parts import ROOM, PageItem, PagePart, PageProblem, fit_part, page_problems, run_part
from reconciler.render.records import outcomes_text, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconciler.base.errors import Problem
    from reconciler.core.diff import Change
    from reconciler.core.record import Entry
    from reconciler.core.report import SourceChange
    from reconciler.core.sizes import ContentSize, Sizes
    from reconciler.render.page.columns import Drawing

MOST_SIZES = 12
"""Rows of a table of sizes; what is smaller is told as one."""

MOST_ROWS = 200
"""Of a result; nobody reads more on a page."""


class SizeRow(NamedTuple):
    """A size, and how it stands beside the largest of its table."""

    name: str
    kind: str
    size: str
    share: int
    """Of a hundred."""

    users: str


class SizeTable(NamedTuple):
    """Sizes of what is alike, the largest first."""

    caption: str
    rows: tuple[SizeRow, ...]
    others: str


class FormField(NamedTuple):
    """What a form asks for."""

    name: str
    label: str
    value: str
    lines: int = 1
    choices: tuple[str, ...] = ()
    hint: str = ""


class PageForm(NamedTuple):
    """A form, and where its fields go."""

    action: str
    button: str
    fields: tuple[FormField, ...]
    note: str = ""


class ResultTable(NamedTuple):
    """Rows of a result."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class PageAnswer(NamedTuple):
    """What a command said."""

    command: str
    """As it would be typed."""

    headline: str
    is_good: bool
    results: str = ""
    messages: str = ""
    table: ResultTable | None = None


@dataclass(frozen=True)
class PageSection:
    """A section: what there is of it is shown, in this order."""

    name: str
    heading: str
    words: str = ""
    problems: tuple[PageProblem, ...] = ()
    picture: Drawing | None = None
    sizes: tuple[SizeTable, ...] = ()
    part: PagePart | None = None
    folded: bool = False
    """Whether the part is shown when somebody asks for it."""

    form: PageForm | None = None
    answer: PageAnswer | None = None


@dataclass(frozen=True)
class ProjectPage:
    """A page of a project."""

    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[PageSection, ...]
    home: str = ""
    """The address of the first page, as this one names it; empty for the first page itself."""

    def text(self) -> str:
        """Return the page as HTML."""
        return fill_template("project.html", _style(), page=self)


def page_policy() -> str:
    """Return what a browser may do with a page: show it, with its own style, and send its own forms to where it came from."""
    allowed = f"style-src '{hash_style(_style())}'; img-src data:; form-action 'self'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; frame-ancestors 'none'"


def _style() -> str:
    return read_asset("page.css") + read_asset("project.css")


def picture_section(picture: Drawing | None) -> PageSection:
    """Return the picture of a stack."""
    words = "" if picture else "There is nothing to draw."
    return PageSection("picture", "Functions, packages, libraries", words, picture=picture)


def size_section(sizes: Sizes) -> PageSection:
    """Return how large everything is."""
    tables = (
        _size_table("What each function brings along", [each._replace(kind="") for each in sizes.functions]),
        _size_table("What is uploaded, each once", sizes.objects),
    )
    words = f"{size(sizes.total)} in {count(len(sizes.objects), 'object')}" if sizes.objects else "Nothing is uploaded."
    return PageSection("sizes", "Sizes", words, sizes=tuple(table for table in tables if table.rows))


def _size_table(caption: str, sizes: Sequence[ContentSize]) -> SizeTable:
    largest = max((each.bytes for each in sizes), default=0) or 1
    rows = tuple(
        SizeRow(
            safe(each.name),
            safe(each.kind),
            size(each.bytes),
            round(100 * each.bytes / largest),
            count(each.users, "function") if each.users else "",
        )
        for each in sizes[:MOST_SIZES]
    )
    rest = sizes[MOST_SIZES:]
    others = f"and {len(rest):,} smaller, {size(sum(each.bytes for each in rest))} in all" if rest else ""
    return SizeTable(caption, rows, others)


def part_section(name: str, heading: str, part: PagePart, *, folded: bool = False) -> PageSection:
    """Return a drift, a plan or a history; its picture is another section's, and its facts stand at the top."""
    return PageSection(name, heading, part.headline, part=replace(part, picture=None, facts=()), folded=folded)


def problem_section(problems: Iterable[Problem], name: str = "problems", heading: str = "") -> PageSection:
    """Return what is in the way, or may go wrong."""
    return PageSection(name, heading or "What stands in the way, or may go wrong", problems=page_problems(problems))


def run_page(
    entry: Entry, changes: Iterable[Change], sources: Sequence[SourceChange], now: datetime, before: Entry | None
) -> ProjectPage:
    """Return one apply: what it changed since the one `before`, line by line where both versions are still there."""
    items = tuple(map(_changed_item, changes))
    headline = f"Epoch {entry.epoch} of stack {safe(entry.stack)}: {standing(entry, now)}"
    facts = (
        ("by", safe(str(entry.holder))),
        ("from", f"{moment(entry.started)} to {moment(entry.expires)}"),
        ("steps", outcomes_text(entry)),
        *((("digest", f"sha256:{entry.digest}"),) if entry.digest else ()),
        *((("goal", f"back to epoch {entry.back_to}"),) if entry.back_to else ()),
    )
    since = f"Since epoch {before.epoch}" if before else "Since the first apply that the ledger still has"
    intended = "" if entry.outcome == "committed" else "; what was meant, which may not have come about"
    words = f"{since}: {count(len(items), 'object')} changed{intended}" if items else f"{since} nothing changed"
    part = fit_part(PagePart("", "", (), items_heading="Objects", items=items), sources, ROOM)
    sections = (
        PageSection("changes", "What it changed", words, part=part),
        part_section("steps", "Steps", run_part(entry, now), folded=len(entry.steps) > 3),
        PageSection("picture", "What it left", picture=place_nodes(entry_picture(entry))),
    )
    return ProjectPage(f"Epoch {entry.epoch} of {safe(entry.stack)}", headline, facts, sections, home="../")


def _changed_item(change: Change) -> PageItem:
    words = ACTIONS[change.action]
    fields = tuple(difference_texts(change.differences))
    return PageItem(STYLES[change.action], words.sign, words.past, change.key.kind, safe(change.key.name), "", fields)
