"""
Sections of the one comment: what each command has to say stands between two marks of its own.

A later command replaces its own section and keeps those of the others; a plan is followed by what became of it. Who is behind
never writes over who is ahead: a section says which run wrote it. No text of others can hold a mark (`comment`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.workflow.ci.index import CiCommand

_MARKER = "<!-- udfs:ci -->"
"""What our comment begins with."""

_SECTION = re.compile(
    r"^<!-- udfs:(?P<command>check|plan|apply) run=(?P<run>\d+)\.(?P<attempt>\d+) -->\n(?P<text>.*?)\n<!-- udfs:end -->$",
    re.MULTILINE | re.DOTALL,
)

_ORDER = ("apply", "plan", "check")

ROOM = {"apply": 8_000, "plan": 46_000, "check": 5_000, "drift": 46_000}
"""Characters of a section. All of them and their marks stay under 60,000; GitHub takes 65,536, Codeup 65,535."""


class RunNumber(NamedTuple):
    """Which run it is: later ones have greater numbers. (0, 0) for one that has none."""

    run: int = 0
    attempt: int = 0


class _Section(NamedTuple):
    command: str
    number: RunNumber
    text: str


def is_marked(body: str) -> bool:
    """Say whether a comment begins as ours does. Whose it is, its author says."""
    return body.startswith(_MARKER)


def without_marks(text: str) -> str:
    """Return text that is no mark, and ends no section: those written here are the only ones."""
    return text.replace("<!--", "<!\u200b--")


def place_section(body: str, command: CiCommand, number: RunNumber, text: str) -> str | None:
    """Return a comment with the section of a command; None where a later run has written it already."""
    sections = {section.command: section for section in _sections(body)}
    if number.run and any(_is_ahead(section, command, number) for section in sections.values()):
        return None
    if command != "apply":
        # What an earlier push came to, nobody needs any more.
        sections = {name: section for name, section in sections.items() if section.number.run == number.run}
        sections.pop("apply", None)
    sections[command] = _Section(command, number, text)
    return "\n\n".join([_MARKER, *(_write(sections[name]) for name in _ORDER if name in sections)])


def _is_ahead(section: _Section, command: CiCommand, number: RunNumber) -> bool:
    """Say whether a section is of a later run than what is to be written, which would replace it."""
    if section.command == command:
        return section.number > number
    return "apply" not in {section.command, command} and section.number.run > number.run


def _sections(body: str) -> Iterator[_Section]:
    for match in _SECTION.finditer(body.replace("\r\n", "\n")):
        number = RunNumber(int(match["run"]), int(match["attempt"]))
        yield _Section(match["command"], number, match["text"])


def _write(section: _Section) -> str:
    run, attempt = section.number
    return f"<!-- udfs:{section.command} run={run}.{attempt} -->\n{section.text}\n<!-- udfs:end -->"
