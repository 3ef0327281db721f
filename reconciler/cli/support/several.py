"""
One command over several targets, one after the other in the order named, each for itself.

Each gives a `Result`; what people read is printed as it comes, and documents are merged into one.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UdfsError, count
from reconciler.base.files import machine_error
from reconciler.base.words import safe
from reconciler.cli.support.options import Format, Options, formats, one_target_only, with_options
from reconciler.cli.support.output import Result, note, print_lines, print_problems, print_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.render.page.document import HtmlPage
    from reconciler.render.styled import Line

SEVERITY = (0, 2, 9, 7, 6, 5, 3, 4, 1, 8, 130)
"""Exit codes, the worst last: of several targets the worst counts. Partly applied is worse than not begun."""


@dataclass(frozen=True)
class TargetResult:
    """What came of one target."""

    target: str
    result: Result | None
    """None: it was not begun, because one before it failed."""

    @property
    def code(self) -> int | None:
        return self.result.code if self.result else None

    @property
    def summary(self) -> str:
        return self.result.summary if self.result else "not begun, because a target before it failed"


def each_target(*names: Format) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return what adds the options of `manifest_options` with these formats, for a command that is run for each of several targets."""
    return lambda command: with_options(for_each(command), formats(*names), several=True)


def for_each(command: Callable[..., Result]) -> Callable[..., Result]:
    """Let a command about one target be called for several."""

    @functools.wraps(command)
    def wrapper(options: Options, **arguments: Any) -> Result:
        if not options.targets:
            return command(options, **arguments)
        for name in ("out", "against"):
            if arguments.get(name) is not None:
                raise one_target_only(f"--{name}", options.targets)
        return merge_results(call_each(options, lambda single: command(single, **arguments)), options)

    return wrapper


def call_each(
    options: Options, command: Callable[[Options], Result], *, stop: bool = False, announce: bool = False
) -> list[TargetResult]:
    """
    Call a command for each target; with `stop`, what comes after a failure is not begun.

    With `announce`, stderr tells which target is at work, and not only which one failed.
    """
    results: list[TargetResult] = []
    for name in options.targets:
        if stop and any(result.code for result in results):
            results.append(TargetResult(name, None))
            continue
        single = changed(options, target=name, targets=(), among=len(options.targets))
        if announce:
            note(f"target {name}:")
        results.append(TargetResult(name, _call(single, command, announce=announce)))
    return results


def _call(options: Options, command: Callable[[Options], Result], *, announce: bool) -> Result:
    """Call a command for one target; what people read is printed at once."""
    try:
        # Hints name this target, not all of them.
        with options.completing():
            result = command(options)
        if options.format == "text":
            print_result(result)
            print_lines([()])
        elif options.format == "github":
            print_result(result)
        else:
            print_problems(result.problems)
            for line in result.notes:
                note(line)
    except (UdfsError, OSError) as error:
        failure = error if isinstance(error, UdfsError) else machine_error(error)
        # A terminal shows both streams: the error belongs behind what was printed before it.
        sys.stdout.flush()
        if not announce:
            note(f"target {options.target}:")
        return _failure_result(failure, options)
    return result


def _failure_result(failure: UdfsError, options: Options) -> Result:
    first, others = failure.problems[0], len(failure.problems) - 1
    summary = f"{first.code}: {first.message}{f' and {others} more' if others else ''}"
    if options.as_json:
        from reconciler.render.documents.problems import problems_document

        return Result(problems_document(failure.problems), failure.exit_code, summary)
    print_problems(failure.problems)
    return Result((), failure.exit_code, summary)


def worst(codes: Iterable[int | None]) -> int:
    """Return the exit code for all."""
    return max((code for code in codes if code is not None), key=SEVERITY.index, default=0)


def merge_results(results: Sequence[TargetResult], options: Options) -> Result:
    """Merge the results of several targets into one."""
    code = worst(result.code for result in results)
    outputs = [result.result.output if result.result else () for result in results]
    match options.format:
        case "json":
            from reconciler.render.documents.problems import targets_document

            parts = (
                (target_result.target, target_result.code, target_result.summary, output)
                for target_result, output in zip(results, outputs, strict=True)
            )
            return Result(targets_document(code, parts), code)
        case "sarif":
            from reconciler.render.findings import SarifLog, merge_logs

            return Result(merge_logs(output for output in outputs if isinstance(output, SarifLog)), code)
        case "html":
            return Result(_merge_html(results), code)
        case "markdown":
            from reconciler.render import markdown

            texts = [
                (target_result.target, output if isinstance(output, str) else "", target_result.summary)
                for target_result, output in zip(results, outputs, strict=True)
            ]
            return Result(markdown.targets_markdown(texts), code)
        case "text":
            return Result(_summary_lines(results), code)
        case _:
            return Result((), code)


def _merge_html(results: Sequence[TargetResult]) -> HtmlPage:
    """Return one page; of a target that has none, what came of it."""
    from reconciler.render.page.document import HtmlPage, merge_pages
    from reconciler.render.page.parts import failed_part

    outputs = ((each, each.result.output if each.result else ()) for each in results)
    return merge_pages(
        output if isinstance(output, HtmlPage) else HtmlPage("udfs", (failed_part(each.target, each.summary),))
        for each, output in outputs
    )


def _summary_lines(results: Sequence[TargetResult]) -> Iterator[Line]:
    """Yield a line a target: what became of it, and its exit code where that is not 0."""
    # Names come from the manifest, and a terminal must not obey them.
    width = max(len(safe(result.target)) for result in results)
    yield (("name", f"{count(len(results), 'target')}:"),)
    for result in results:
        style = "quiet" if result.code is None else "error" if result.code not in {0, 2} else ""
        end = f"  [exit {result.code}]" if result.code else ""
        yield ("name", f"  {safe(result.target):{width}}  "), (style, f"{safe(result.summary)}{end}")
