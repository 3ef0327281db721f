"""
Progress of every command: one line on a terminal, redrawn and gone when all is done; elsewhere a line every few seconds.

Only stderr is written to, and nothing within the first second. Progress that cannot be shown never ends a command: what is
shown is less than what is done. ``UDFS_PROGRESS=off`` shows none, and neither does a program's format off a terminal.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.base.activity import watching
from reconciler.cli.support.output import is_lively, print_lines
from reconciler.cli.support.status import CLEAR, STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.base.activity import Watch
    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan

_CLOSED = (OSError, ValueError)
"""What printing to a stream raises that is closed, full, or whose terminal went away."""

STOPPING = (
    "stopping: what is being sent is finished and written down\nonce more ends at once, and nobody knows what was done"
)

_FIRST = 1.0
"""Seconds that are no long time."""

_REDRAWN = 0.25
_EVERY = 5.0
"""Seconds between two lines where nothing can be redrawn; the first comes sooner."""
_SOON = 3.0

MANY = 40
"""Changes of an apply that has no line for each of them: what it is at is told, and then what it came to."""


@contextmanager
def showing(*, for_people: bool) -> Iterator[None]:
    """Show what goes on for as long as the context lasts; a program's output off a terminal stays free of it."""
    lively = is_lively(sys.stderr)
    if os.environ.get("UDFS_PROGRESS") == "off" or not (lively or for_people):
        yield
        return
    over = threading.Event()
    with watching(time.monotonic) as watch:
        show = _redraw if lively else _tell
        # Nothing is waited for: a thread that sleeps costs a quick command nothing.
        thread = threading.Thread(target=show, args=(watch, over), name="udfs-progress", daemon=True)
        with suppress(RuntimeError):  # a machine that has no thread left
            thread.start()
        try:
            yield
        finally:
            over.set()
            if thread.ident is not None:
                thread.join(1)
            with suppress(*_CLOSED):
                STATUS.erase()


def _redraw(watch: Watch, over: threading.Event) -> None:
    """Keep the last line of a terminal."""
    from reconciler.render.progress import fit, progress_text

    busy_since: float | None = None
    while not over.wait(_REDRAWN if busy_since is not None else _FIRST / 2):
        text = progress_text(watch.standings())
        busy_since = None if not text else watch.clock() if busy_since is None else busy_since
        with suppress(*_CLOSED):
            if busy_since is None:
                STATUS.erase()
            elif watch.clock() - busy_since >= _FIRST / 2:
                STATUS.draw(fit(text, _columns() - 1))


def _tell(watch: Watch, over: threading.Event) -> None:
    """Print a line every few seconds."""
    from reconciler.render.progress import progress_text

    wait = _SOON
    while not over.wait(wait):
        if text := progress_text(watch.standings()):
            with suppress(*_CLOSED):
                print_lines([(("quiet", text),)], sys.stderr)
            wait = _EVERY


def _columns() -> int:
    """Return how wide the terminal is that is drawn on, which stdout need not lead to."""
    with suppress(*_CLOSED):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


class Lines:
    """A line an object, when it is done; none where there are too many to be read."""

    def __init__(self, plan: Plan) -> None:
        self._each = len(plan.changes) <= MANY

    def started(self, change: Change) -> None:
        """Show nothing: what goes on is shown by itself."""

    def sent(self, change: Change, size: int) -> None:
        """Show nothing."""

    def finished(self, change: Change) -> None:
        from reconciler.render import text

        if self._each:
            with suppress(*_CLOSED):
                print_lines([text.finished_line(change)], sys.stderr)

    def stopping(self) -> None:
        """Say that a signal was heard; from its handler, so past the stream, which may be in the middle of a line."""
        with suppress(*_CLOSED):
            clear = CLEAR if is_lively(sys.stderr) else ""
            os.write(sys.stderr.fileno(), f"{clear}{STOPPING}\n".encode())
