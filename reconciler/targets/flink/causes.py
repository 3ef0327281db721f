"""
Causes of failures, out of what Flink says of a job: the end of a chain of exceptions, and the traceback of Python in it, not its beginning.

The beginning is the same for everything (*Recovery is suppressed by NoRestartBackoffTimeStrategy*, *The TaskExecutor is shutting down*). Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.targets.flink.head import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r"\s*(at [\w$.<>/@]+\(.*\)|\.\.\. \d+ more)\s*\Z")
_CAUSE = re.compile(r"\s*Caused by: (.*)")
_CLUSTER = re.compile(
    r"TaskExecutor is shutting down|[Hh]eartbeat of TaskManager|closed by remote task manager|minimum required resources"
    r"|Connection refused|no longer reachable|TaskManager .* was (?:lost|released)"
)
_ENDED = "the TaskManager of the job ended: a worker in Python that hung was ended with it, or memory ran out; its log says which"
_EXCEPTION = re.compile(r"(?:[a-z_]\w*\.)+([A-Z]\w*(?:\$\w+)?)(?::\s*|\Z)")
_FILE = '  File "'
_OF_WORKER = re.compile(r'File "(?:[^"]*/)?(?:apache_beam/|pyflink/fn_execution/)|File "<string>", line 1, in <lambda>')
"""Frames of apache-beam and PyFlink below which a function is called; the last is PyFlink's own, generated."""


def find_cause(text: str) -> tuple[str, ...]:
    """Return the lines of a stack of exceptions that say why: the last traceback of Python, or the last exception."""
    lines = [line for line in text.splitlines() if not line.startswith(SIGNATURE)]
    starts = [number for number, line in enumerate(lines) if _TRACEBACK in line]
    if starts:
        return _traceback(lines[starts[-1] :])
    causes = [match[1] for line in lines if (match := _CAUSE.match(line))]
    last = causes[-1] if causes else next((line for line in lines if line.strip()), "")
    return (_EXCEPTION.sub(r"\1: ", last).strip().removesuffix(":"),) if last else ()


def choose_cause(texts: Iterable[str]) -> tuple[str, ...]:
    """
    Return the cause of the first stack that is the job's own: what a cluster says of itself comes last, and never alone.

    A worker that hangs, for one, is ended with its TaskManager, of which Flink says no more than that it shuts down.
    """
    causes = [cause for text in texts if (cause := find_cause(text))]
    own = next((cause for cause in causes if not _CLUSTER.search(cause[-1])), None)
    if own is not None or not causes:
        return own or ()
    return (*causes[0], _ENDED)


def _traceback(lines: list[str]) -> tuple[str, ...]:
    kept = [lines[0][lines[0].index(_TRACEBACK) :]]
    for line in lines[1:]:
        if _FRAME.match(line) or _CAUSE.match(line):
            break
        kept.append(line.rstrip())
    while kept and not kept[-1]:
        kept.pop()
    return tuple(_own_frames(kept))


def _own_frames(lines: list[str]) -> list[str]:
    """Leave out the frames of what calls functions in a worker, unless there are no others."""
    frames: list[str] = []
    is_own = True
    for line in lines:
        if line.startswith(_FILE):
            is_own = not _OF_WORKER.search(line)
        elif not line.startswith("    "):
            is_own = True
        if is_own:
            frames.append(line)
    return frames if any(line.startswith(_FILE) for line in frames) else lines
