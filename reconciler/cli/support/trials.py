"""
Tests of the manifest: which of them a command runs, and how it reports them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UsageError
from reconciler.base.words import did_you_mean, quote
from reconciler.cli.support.output import print_lines, with_source
from reconciler.render import styled
from reconciler.render import trials as rendered
from reconciler.testing.trials import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.cli.support.options import Options
    from reconciler.manifest.load import Loaded
    from reconciler.render.styled import Line
    from reconciler.testing.trials import Trial


def chosen_cases(manifest: Loaded, functions: tuple[str, ...]) -> list[tuple[Case, ...]]:
    """Return the tests to run, function by function: those of the named ones, or of all."""
    declared = manifest.manifest.functions
    spelled = {name.lower(): name for name in declared}
    if unknown := [name for name in functions if name.lower() not in spelled]:
        raise UsageError.of(_unknown_function(name, manifest) for name in unknown)
    names = [spelled[name.lower()] for name in functions] or list(declared)
    cases = [
        tuple(
            Case(name, number, test, manifest.at("functions", name, "tests", number - 1))
            for number, test in enumerate(declared[name].tests, 1)
        )
        for name in dict.fromkeys(names)
    ]
    return [group for group in cases if group]


def _unknown_function(name: str, manifest: Loaded) -> Problem:
    declared = manifest.manifest.functions
    hint = did_you_mean(name, declared) or f"it has: {', '.join(declared) or 'none'}"
    return Problem("E720", f"the manifest has no function {quote(name)}", hint=hint)


def show_trials(trials: Iterable[Trial]) -> None:
    """Print a line a test as it ends."""
    print_lines(map(rendered.trial_line, trials))
    # Whoever waits, perhaps behind a pipe, sees that it goes on.
    sys.stdout.flush()


def trial_report_lines(trials: Sequence[Trial], problems: Iterable[Problem], options: Options) -> Iterator[Line]:
    """Yield what went wrong, and the tally."""
    if not trials:
        yield (("", "There is no test. Next: add `tests:` to a function of the manifest"),)
        return
    if distinct := options.invocation.complete(dict.fromkeys(problems)):
        yield ()
        for problem in with_source(distinct):
            yield from styled.problem_lines(problem)
    yield ()
    yield rendered.tests_summary(trials)
