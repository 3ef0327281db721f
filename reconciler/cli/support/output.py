"""
Printer: results to stdout, progress and errors to stderr, colour only on a terminal that wants it.

`NO_COLOR`, `FORCE_COLOR` and `CI` are respected; rich is imported only when there is something to colour.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, TypeAlias, runtime_checkable

from reconciler.base.environments import says_yes
from reconciler.base.redaction import redact
from reconciler.base.words import safe
from reconciler.cli.support.status import STATUS
from reconciler.render import styled
from reconciler.render.styled import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from rich.console import Console

    from reconciler.base.errors import Problem, UdfsError
    from reconciler.render.styled import Line


@runtime_checkable
class Writable(Protocol):
    """A document with a text of its own, of which those of several targets can be one."""

    def text(self) -> str: ...


class Listener(Protocol):
    """Something that answers until it is closed."""

    def serve_forever(self) -> None: ...

    def close(self) -> None: ...


Output: TypeAlias = "BaseModel | Writable | str | bytes | tuple[Line, ...] | Iterator[Line]"
"""A document, text or bytes as they are, or styled lines."""


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    output: Output = ()
    """What goes to stdout, in the format that was asked for."""

    code: int = 0
    """The exit code."""

    summary: str = ""
    """The outcome in one line, for a report on several targets."""

    problems: tuple[Problem, ...] = ()
    """What goes to stderr behind the output, each with its line of source."""

    notes: tuple[str, ...] = ()
    """Lines for stderr at the very end."""


_HANGING = 6

_LABEL = re.compile(r" {2,}\S+ {2,}")
"""What stands before a value in columns."""


def is_lively(stream: TextIO) -> bool:
    """Say whether a stream is a terminal that may be coloured and redrawn."""
    return stream.isatty() and not says_yes(os.environ, "CI") and os.environ.get("TERM") != "dumb"


def print_result(result: Result) -> int:
    """Print what a command came to, and return its exit code."""
    print_output(result.output)
    if result.problems or result.notes:
        # A terminal shows both streams: errors belong behind what they are about.
        with suppress(OSError):
            sys.stdout.flush()
    print_problems(result.problems)
    for line in result.notes:
        note(line)
    return result.code


def print_output(output: Output) -> None:
    """Print to stdout: text and bytes as they are, a document as JSON, lines in colour where that is wanted."""
    with STATUS.hidden():
        _print_output(output)


def _print_output(output: Output) -> None:
    if isinstance(output, bytes):
        _print_bytes(output)
    elif isinstance(output, tuple | Iterator):
        print_lines(output)
    else:
        sys.stdout.write(output_text(output))


def output_text(output: Output) -> str:
    """Return an output as the text that a file gets."""
    if isinstance(output, str):
        return output
    if isinstance(output, bytes):
        return output.decode("utf-8", "backslashreplace")
    if isinstance(output, tuple | Iterator):
        return plain_text(output)
    if isinstance(output, Writable):
        return output.text()
    from reconciler.engine.plan_file import to_json

    return to_json(output)


def print_lines(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines, fitted to a terminal, and in colour where that is wanted."""
    out = stream or sys.stdout
    with STATUS.hidden():
        is_plain = bool(os.environ.get("NO_COLOR"))
        if not is_lively(out) and (is_plain or not os.environ.get("FORCE_COLOR")):
            out.write(plain_text(lines))
            return
        from rich.console import Console

        print_styled(lines, Console(file=out, highlight=False, color_system=None if is_plain else "auto"))


def print_styled(lines: Iterable[Line], console: Console) -> None:
    """Print lines in colour."""
    from rich.text import Text

    # Before a long one is broken: no stream knows a secret by its halves.
    redacted = (tuple((style, redact(piece)) for style, piece in line) for line in lines)
    for line in styled.fit_sources(redacted, console.width):
        pieces = Text.assemble(*((piece, styled.STYLES[style]) for style, piece in line))
        if pieces.cell_len <= console.width:
            console.print(pieces, soft_wrap=True)
            continue
        # A sentence too long for the terminal goes on below itself, broken between words; a value below where it begins.
        label = _LABEL.match(pieces.plain)
        hanging = label.end() if label and label.end() <= console.width // 2 else _HANGING
        for number, part in enumerate(pieces.wrap(console, max(20, console.width - hanging))):
            console.print(Text(" " * hanging if number else "") + part, soft_wrap=True)


def serve_until_ended(server: Listener, address: str) -> None:
    """Print where a server listens, and let it answer until Ctrl-C or SIGTERM."""
    try:
        # Whoever reads this line may send a signal at once.
        print(address, flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()


def write_foreign(content: str, stream: TextIO) -> None:
    """Write what a function returned or printed: as it is into a file or a pipe."""
    if stream.isatty():
        # A terminal would obey what it is shown.
        lines = ("".join(char if char == "\t" else safe(char) for char in line) for line in content.split("\n"))
        content = "\n".join(lines)
    with STATUS.hidden():
        stream.write(content)


def _print_bytes(content: bytes) -> None:
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a stream of text only
        sys.stdout.write(content.decode("utf-8", "backslashreplace"))
        return
    sys.stdout.flush()
    binary.write(content)


def print_error(error: UdfsError, *, as_json: bool) -> None:
    """Print every problem of an error: to stderr for people, as one JSON document to stdout for programs."""
    if as_json:
        from reconciler.render.documents.problems import problems_document

        print_output(problems_document(error.problems))
    else:
        print_problems(error.problems)


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stderr, each with its line of source."""
    if lines := list(styled.problems_lines(with_source(problems))):
        print_lines(lines, sys.stderr)


def with_source(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield problems with the line of their file, for those that were found where the file was no longer at hand."""
    pages: dict[str, list[str]] = {}
    for problem in problems:
        if problem.at is None or problem.source is not None:
            yield problem
            continue
        from reconciler.manifest.reader import MAX_SHOWN_LINE, presentable

        if problem.at.file not in pages:
            pages[problem.at.file] = _lines_of(problem.at.file)
        line = "".join(pages[problem.at.file][problem.at.line - 1 : problem.at.line])
        yield replace(problem, source=presentable(line) or None if len(line) <= MAX_SHOWN_LINE else None)


def _lines_of(file: str) -> list[str]:
    """Return the lines of a file; none of one that is missing, not text, or not to be read."""
    from reconciler.base.inputs import SOURCE, read_named

    try:
        text = read_named(Path(file), SOURCE).decode("utf-8-sig")
    except (OSError, ValueError):
        return []
    # Not `splitlines`, to which a form feed ends a line.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def note(message: str) -> None:
    """Print a line of progress to stderr."""
    print_lines([(("quiet", safe(message)),)], sys.stderr)


def from_top(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield problems with their lines, and their places from the top of the repository: wherever a step ran, that is where it counts from."""
    tops: dict[Path, str] = {}
    for problem in with_source(problems):
        if problem.at is None:
            yield problem
            continue
        folder = Path(problem.at.file).parent
        if folder not in tops:
            tops[folder] = _below_top(folder)
        file = f"{tops[folder]}{Path(problem.at.file).name}"
        yield replace(problem, at=replace(problem.at, file=file))


def _below_top(folder: Path) -> str:
    """Return how files of a folder begin, from the top of its repository; from the working directory where there is none."""
    from reconciler.base.inputs import repository_of

    try:
        real = folder.resolve()
        top = repository_of(real)
    except OSError:
        real, top = folder, None
    if top is not None:
        folder = real.relative_to(top)
    return "" if folder == Path() else f"{folder.as_posix().rstrip('/')}/"


def findings_output(problems: Iterable[Problem], form: str) -> Output:
    """Return problems in the format that was asked for, which is not text; those of collectors have places from the repository's top."""
    problems = problems if form == "json" else from_top(problems)
    if form == "sarif":
        from reconciler.render.findings import SarifLog

        return SarifLog(tuple(problems))
    if form == "github":
        from reconciler.render.findings import workflow_commands

        return workflow_commands(problems)
    from reconciler.render.documents.problems import problems_document

    return problems_document(problems)
