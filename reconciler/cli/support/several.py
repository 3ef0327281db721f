"""One command over several targets: one after the other in the order given, each for itself, told together."""

from __future__ import annotations

import functools
import io
import json
import sys
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import MachineError, UdfsError, UsageError, count
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, formats, with_options
from reconciler.cli.support.output import note, print_document, print_error, print_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.render.text import Line

SEVERITY = (0, 2, 9, 7, 6, 5, 3, 4, 1, 8, 130)
"""Exit codes, the worst last: of several targets the worst counts. Partly applied is worse than not begun."""


@dataclass(frozen=True)
class Result:
    """What came of one target."""

    target: str
    code: int | None
    """None: it was not begun, because one before it failed."""

    told: str
    output: str = ""
    """What went to stdout, for formats that are one document."""


def report_options(command: Callable[..., int]) -> Callable[..., int]:
    """As `manifest_options`, with the formats of those who collect findings, and for each of several targets."""
    return with_options(for_each(command), formats("text", "json", "sarif", "github"), several=True)


def plan_options(command: Callable[..., int]) -> Callable[..., int]:
    """As `manifest_options`, with the format of comments on a pull request, and for each of several targets."""
    return with_options(for_each(command), formats("text", "json", "markdown"), several=True)


def drift_options(command: Callable[..., int]) -> Callable[..., int]:
    """As `manifest_options`, with every format there is, and for each of several targets."""
    every = formats("text", "json", "markdown", "sarif", "github")
    return with_options(for_each(command), every, several=True)


def for_each(command: Callable[..., int]) -> Callable[..., int]:
    """Let a command about one target be called for several; what comes of each is told together."""

    @functools.wraps(command)
    def wrapper(options: Options, **given: Any) -> int:
        if not options.targets:
            return command(options, **given)
        for name in ("out", "against"):
            if given.get(name) is not None:
                message = f"--{name} is about one target, and {len(options.targets)} were named"
                raise UsageError("E564", message, hint=f"once for each: --target {options.targets[0]}")
        return tell(run(options, lambda one: command(one, **given)), options)

    return wrapper


def run(
    options: Options, command: Callable[[Options], int], *, stop: bool = False, named: bool = False
) -> list[Result]:
    """
    Call a command for each target; with `stop`, what comes after a failure is not begun.

    With `named`, stderr tells which target is at work, and not only which one failed.
    """
    results: list[Result] = []
    for name in options.targets:
        if stop and any(one.code for one in results):
            results.append(Result(name, None, "not begun, because a target before it failed"))
            continue
        one = replace(options, target=name, targets=(), among=len(options.targets), told=[])
        results.append(_one(one, command, named=named))
    return results


def _one(options: Options, command: Callable[[Options], int], *, named: bool) -> Result:
    assert options.target is not None
    if named:
        note(f"target {options.target}:")
    out = io.StringIO()
    with ExitStack() as undo:
        if options.format in {"json", "sarif", "markdown"}:
            undo.enter_context(redirect_stdout(out))
        try:
            with options.completing():
                code = command(options)
            told = "; ".join(options.told)
            if options.format == "text":
                print_lines([()])
        except (UdfsError, OSError) as error:
            failure = (
                error if isinstance(error, UdfsError) else MachineError("E904", f"{error.filename}: {error.strerror}")
            )
            sys.stdout.flush()
            if not named:
                note(f"target {options.target}:")
            out.truncate(out.seek(0))
            print_error(failure, as_json=options.as_json)
            first, rest = failure.problems[0], len(failure.problems) - 1
            code, told = failure.exit_code, f"{first.code}: {first.message}{f' and {rest} more' if rest else ''}"
    return Result(options.target, code, told, out.getvalue())


def worst(results: Iterable[Result]) -> int:
    """Return the exit code for all."""
    return max((one.code for one in results if one.code is not None), key=SEVERITY.index, default=0)


def tell(results: Sequence[Result], options: Options) -> int:
    """Print the combined report, and return the exit code."""
    code = worst(results)
    if options.format == "json":
        from reconciler.render import documents as document

        print_document(
            document.targets(code, ((one.target, one.code, one.told, _parsed(one.output)) for one in results))
        )
    elif options.format == "sarif":
        from reconciler.render import sarif

        sys.stdout.write(sarif.merged(json.loads(one.output) for one in results if one.output))
    elif options.format == "markdown":
        from reconciler.render import markdown

        sys.stdout.write(markdown.targets([(one.target, one.output, one.told) for one in results]))
    elif options.format == "text":
        print_lines(_summary(results))
    return code


def _parsed(output: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(output) if output else None
    return found


def _summary(results: Sequence[Result]) -> Iterator[Line]:
    """Yield a line a target: what became of it, and its exit code where that is not 0."""
    width = max(len(safe(one.target)) for one in results)
    yield (("name", f"{count(len(results), 'target')}:"),)
    for one in results:
        style = "quiet" if one.code is None else "error" if one.code not in {0, 2} else ""
        end = f"  [exit {one.code}]" if one.code else ""
        yield ("name", f"  {safe(one.target):{width}}  "), (style, f"{safe(one.told)}{end}")
