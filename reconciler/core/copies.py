"""
Copies of managed objects that another tool keeps: what to warn of before its next deployment overwrites them.

Such a tool compares nothing. What it deploys replaces what is there, and is found as drift the night after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem
from reconciler.base.words import moment, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.core.kind import Key
    from reconciler.core.state import DesiredState


@dataclass(frozen=True)
class Copy:
    """One object as another tool has it."""

    key: Key
    owner: str = ""
    modified: datetime | None = None


@dataclass(frozen=True)
class Copies:
    """What another tool keeps of the kinds of object that a target has."""

    tool: str
    objects: tuple[Copy, ...] = ()
    failure: str = ""
    """Why it is not known, or not to the end; empty if it is."""

    deploys_as: str = ""
    """Who the service says has changed an object that the tool deployed; empty if that is not known."""

    def warnings(self, desired: DesiredState) -> Iterator[Problem]:
        """Yield a warning for each wanted object that the tool has a copy of, and for what could not be asked."""
        for copy in sorted(self.objects, key=lambda copy: copy.key):
            if (wanted := desired.get(copy.key)) is None:
                continue
            owner = f", of {quote(copy.owner)}" if copy.owner else ""
            when = f", changed {moment(copy.modified)}" if copy.modified else ""
            yield Problem(
                "E747",
                f"{self.tool} keeps a copy of {wanted.object.key}{owner}{when}: its next deployment overwrites what is applied",
                wanted.origin,
                hint=f"delete the copy in {self.tool}, or take the entry out of the manifest: one of the two keeps it",
                severity="warning",
            )
        if self.failure:
            yield Problem(
                "E748",
                f"whether {self.tool} keeps copies is not known: {self.failure}",
                hint="the plan is complete without it",
                severity="warning",
            )
