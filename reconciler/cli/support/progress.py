"""
Progress of an apply and of a call: a bar on a terminal, a line an object elsewhere.

Progress that cannot be shown never ends an apply: what is shown is less than what is done.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.base.words import safe
from reconciler.cli.support.output import is_lively, print_lines, print_styled
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan

_CLOSED = (OSError, ValueError)
"""What printing to a stream raises that is closed, full, or whose terminal went away."""

STOPPING = (
    "stopping: what is being sent is finished and written down; once more ends at once, and nobody knows what was done"
)


class Lines:
    """A line an object, when it is done."""

    clear = ""
    """What clears a line that is not at its end."""

    def started(self, change: Change) -> None:
        """Show nothing: the plan was shown already."""

    def sent(self, change: Change, size: int) -> None:
        """Show nothing."""

    def finished(self, change: Change) -> None:
        with suppress(*_CLOSED):
            print_lines([text.finished_line(change)], sys.stderr)

    def stopping(self) -> None:
        """Say that a signal was heard; from its handler, so past the stream, which may be in the middle of a line."""
        with suppress(*_CLOSED):
            os.write(sys.stderr.fileno(), f"{self.clear}{STOPPING}\n".encode())


@contextmanager
def progress(plan: Plan) -> Iterator[Lines]:
    """Show an apply as it goes: a bar with bytes on a terminal, lines elsewhere."""
    if not is_lively(sys.stderr):
        yield Lines()
        return
    with _bar(plan) as bar:
        yield bar


@contextmanager
def _bar(plan: Plan) -> Iterator[Lines]:
    from rich import console as terminal
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = terminal.Console(file=sys.stderr, highlight=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    total = bars.add_task("uploading", total=plan.upload_bytes or None)

    class Bar(Lines):
        clear = "\r\x1b[2K"

        def started(self, change: Change) -> None:
            with suppress(*_CLOSED):
                bars.update(total, description=safe(f"{change.action.value} {change.key}")[:48])

        def sent(self, change: Change, size: int) -> None:
            with suppress(*_CLOSED):
                bars.advance(total, size)

        def finished(self, change: Change) -> None:
            with suppress(*_CLOSED):
                print_styled([text.finished_line(change)], bars.console)

    with suppress(*_CLOSED):
        bars.start()
    try:
        yield Bar()
    finally:
        with suppress(*_CLOSED):
            bars.stop()


@contextmanager
def counting(has_many: bool) -> Iterator[Callable[[int], None]]:
    """Count rows on a terminal, with their speed; elsewhere, and for a single row, count in silence."""
    if not has_many or not is_lively(sys.stderr):
        yield lambda number: None
        return
    from rich import console as terminal
    from rich.progress import Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} results"), TaskProgressColumn(show_speed=True)
    bars = Progress(*columns, TimeElapsedColumn(), console=terminal.Console(file=sys.stderr), transient=True)
    task = bars.add_task("", total=None)
    with bars:
        yield lambda number: bars.advance(task, number)
