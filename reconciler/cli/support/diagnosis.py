"""Diagnosis: one thing that `udfs doctor` looked at, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.render.styled import Line


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    ok: bool | None
    """Good, bad or neither."""

    subject: str
    finding: str
    hint: str = ""
    """What to do."""

    warns: bool = False
    """Whether it is worth knowing before secrets are here."""

    def lines(self) -> Iterator[Line]:
        """Yield it as people read it: a line, and one for each of the hint."""
        sign, style = {True: ("ok", "create"), False: ("missing", "error"), None: ("-", "quiet")}[self.ok]
        if self.warns:
            sign = style = "warning"
        yield (style, f"{sign:<8}"), ("name", f"{self.subject:<16} "), ("", safe(self.finding))
        for line in self.hint.splitlines():
            yield ("", " " * 25), ("help", safe(line))
