"""
Status line: the last line of a terminal, which is taken away before anything else is printed and drawn again after it.

Whoever prints holds the line down meanwhile, so that no result and no question is drawn over.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLEAR = "\r\x1b[2K"
"""What clears a line that is not at its end."""


class StatusLine:
    """The one of this process; on stderr."""

    def __init__(self) -> None:
        self._lock, self._is_drawn = RLock(), False

    def draw(self, text: str) -> None:
        """Show a text, which must fit into the terminal, in place of the last."""
        with self._lock:
            self._is_drawn = True
            sys.stderr.write(f"{CLEAR}{text}")
            sys.stderr.flush()

    def erase(self) -> None:
        """Take the line away, if it is there."""
        with self._lock:
            if self._is_drawn:
                self._is_drawn = False
                sys.stderr.write(CLEAR)
                sys.stderr.flush()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Keep the line away for as long as the context lasts."""
        with self._lock:
            with suppress(OSError, ValueError):
                self.erase()
            yield


STATUS = StatusLine()
