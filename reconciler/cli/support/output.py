"""
Where lines go: results to stdout, progress and errors to stderr; colour only on a terminal that wants it.

`NO_COLOR` and `CI` are respected; rich is imported only when there is something to colour.
"""

from __future__ import annotations

import linecache
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from reconciler.base.words import safe
from reconciler.render import text
from reconciler.render.text import Line, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic import BaseModel
    from rich.console import Console

    from reconciler.base.errors import Problem, UdfsError
    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan


_HANGING = 6
_GONE = (OSError, ValueError)
"""What printing to a stream raises that is closed, full, or whose terminal went away."""


def is_lively(stream: TextIO) -> bool:
    """Say whether a stream is a terminal that may be coloured and redrawn; `unasked` is whether a person can be asked."""
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def print_lines(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines, in colour where that is wanted."""
    out = stream or sys.stdout
    if not is_lively(out) or os.environ.get("NO_COLOR"):
        out.write(plain(lines))
        return
    from rich.console import Console

    _print_styled(lines, Console(file=out, highlight=False))


def _print_styled(lines: Iterable[Line], console: Console) -> None:
    from rich.text import Text

    for line in lines:
        pieces = Text.assemble(*((piece, text.STYLES[style]) for style, piece in line))
        if pieces.cell_len <= console.width:
            console.print(pieces, soft_wrap=True)
            continue
        # A sentence too long for the terminal goes on below itself, broken between words.
        for number, part in enumerate(pieces.wrap(console, max(20, console.width - _HANGING))):
            console.print(Text(" " * _HANGING if number else "") + part, soft_wrap=True)


def print_document(document: BaseModel) -> None:
    """Print one JSON document to stdout."""
    from reconciler.engine.plan_file import to_json

    sys.stdout.write(to_json(document))


def write_foreign(content: str, stream: TextIO) -> None:
    """Write what a function returned or printed: as it is into a file, and so that a terminal does not obey it."""
    if stream.isatty():
        kept = ("".join(one if one == "\t" else safe(one) for one in line) for line in content.split("\n"))
        content = "\n".join(kept)
    stream.write(content)


def print_bytes(content: bytes) -> None:
    """Print a file as it is, whatever its encoding."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a stream of text only
        sys.stdout.write(content.decode("utf-8", "backslashreplace"))
        return
    sys.stdout.flush()
    binary.write(content)


def print_error(error: UdfsError, *, as_json: bool) -> None:
    """Print every problem of an error: to stderr for people, as one JSON document to stdout for programs."""
    if as_json:
        from reconciler.render import documents as document

        print_document(document.problems(error.problems))
    else:
        print_lines(text.problems(quoted(error.problems)), sys.stderr)


def quoted(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield problems with the line of their file, for those that were found where the file was no longer at hand."""
    for problem in problems:
        if problem.at is not None and problem.source is None:
            from reconciler.manifest.reader import MAX_SHOWN_LINE, presentable

            # linecache reads a file once unless it has changed, and takes one that is gone or not text for empty.
            linecache.checkcache(problem.at.file)
            line = linecache.getline(problem.at.file, problem.at.line).rstrip("\r\n")
            yield replace(problem, source=presentable(line) or None if len(line) <= MAX_SHOWN_LINE else None)
        else:
            yield problem


def note(message: str) -> None:
    """Print a line of progress to stderr."""
    print_lines([(("quiet", safe(message)),)], sys.stderr)


STOPPING = (
    "stopping: what is being sent is finished and written down; once more ends at once, and nobody knows what was done"
)


class Lines:
    """
    Progress off a terminal: a line an object, when it is done.

    Progress that cannot be shown must not end an apply: what is shown is less than what is done.
    """

    over = ""
    """What clears a line that is not at its end."""

    def started(self, change: Change) -> None:
        """Show nothing: the plan was shown already."""

    def sent(self, change: Change, size: int) -> None:
        """Show nothing."""

    def finished(self, change: Change) -> None:
        with suppress(*_GONE):
            print_lines([text.finished(change)], sys.stderr)

    def stopping(self) -> None:
        """Tell that a signal was heard; from its handler, so past the stream, which may be in the middle of a line."""
        with suppress(*_GONE):
            os.write(sys.stderr.fileno(), f"{self.over}{STOPPING}\n".encode())


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
    shown = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    total = shown.add_task("uploading", total=plan.upload_bytes or None)

    class Bar(Lines):
        over = "\r\x1b[2K"

        def started(self, change: Change) -> None:
            with suppress(*_GONE):
                shown.update(total, description=safe(f"{change.action.value} {change.key}")[:48])

        def sent(self, change: Change, size: int) -> None:
            with suppress(*_GONE):
                shown.advance(total, size)

        def finished(self, change: Change) -> None:
            with suppress(*_GONE):
                _print_styled([text.finished(change)], shown.console)

    with suppress(*_GONE):
        shown.start()
    try:
        yield Bar()
    finally:
        with suppress(*_GONE):
            shown.stop()


@contextmanager
def counting(wanted: bool) -> Iterator[Callable[[int], None]]:
    """Count rows on a terminal, with their speed; elsewhere count in silence."""
    if not wanted or not is_lively(sys.stderr):
        yield lambda number: None
        return
    from rich import console as terminal
    from rich.progress import Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} results"), TaskProgressColumn(show_speed=True)
    shown = Progress(*columns, TimeElapsedColumn(), console=terminal.Console(file=sys.stderr), transient=True)
    task = shown.add_task("", total=None)
    with shown:
        yield lambda number: shown.advance(task, number)


def unasked() -> str | None:
    """Return why nobody can be asked, None if somebody can: whoever types at a terminal and sees the question on one."""
    if os.environ.get("CI"):
        # Some CI systems give their jobs a terminal; a question there would wait for an answer until the job is killed.
        return "the environment variable CI is set"
    if _asked_on() is None:
        return "there is no terminal to ask on"
    return None if sys.stdin.isatty() else "standard input is no terminal"


def _asked_on() -> TextIO | None:
    """Return the stream that a question is seen on: results and errors may each have been led into a file."""
    return next((one for one in (sys.stderr, sys.stdout) if one.isatty()), None)


def confirmed(question: str, *, answer: Callable[[str], bool]) -> bool:
    """Ask on the terminal; `answer` judges what was typed."""
    out = _asked_on() or sys.stderr
    out.write(f"{safe(question)} ")
    out.flush()
    return answer(sys.stdin.readline().strip())
