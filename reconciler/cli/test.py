"""test: what the manifest promises of its functions, tried here."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InterpreterError, Problem, TestsFailed, UsageError
from reconciler.base.wording import did_you_mean, quoted
from reconciler.cli.dump import write_whole
from reconciler.cli.support.interpreter import explained, interpreter_for, is_pure
from reconciler.cli.support.options import Options, command, loaded, manifest_options, prepared
from reconciler.cli.support.output import print_document, print_lines
from reconciler.cli.support.output import quoted as as_quoted
from reconciler.local.runner import RunnerError
from reconciler.render import tests as tried
from reconciler.render import text
from reconciler.targets.maxcompute.objects import function_key
from reconciler.testing import jobs
from reconciler.testing.run_here import Bounds, LocalSubject, run_tests_here
from reconciler.testing.trials import Case, Trial, TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.local.runner import Interpreter
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared

SECONDS = 60.0


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="End a test that takes longer to load, or for a batch of rows.",
)
@click.option("--memory", type=click.IntRange(min=64), metavar="MB", help="End a test that takes more address space.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit's XML too.")
@manifest_options
def test(options: Options, functions: tuple[str, ...], timeout: float, memory: int | None, junit: Path | None) -> int:
    """Run the `tests:` of the manifest here: those of every FUNCTION, or of all.

    They run in the CPython of each function's runtime, over the very files that an apply would upload, laid out as
    MaxCompute lays them out. No service is asked. Exits with 9 if a test fails, and with 3 if one cannot be run.
    """
    manifest = loaded(options)
    cases = chosen(manifest, functions)
    ready = prepared(manifest, options)
    subjects = list(_subjects(ready, cases))
    trials: list[Trial] = []
    bounds = Bounds(timeout, memory * 1_000_000 if memory else None)
    for done in run_tests_here(subjects, bounds, threads=os.cpu_count() or 1, clock=time.perf_counter):
        trials += done
        if options.format == "text":
            print_lines(map(tried.trial, done))
            sys.stdout.flush()
    if junit:
        write_whole(junit, tried.junit(manifest.manifest.stack, trials).encode())
    _tell(options, manifest, trials)
    verdicts = {one.verdict for one in trials}
    if TrialVerdict.FAILED in verdicts:
        return TestsFailed.exit_code
    return InterpreterError.exit_code if TrialVerdict.NOT_RUN in verdicts else 0


def chosen(manifest: Loaded, named: tuple[str, ...]) -> list[tuple[Case, ...]]:
    """Return the tests to run, function by function."""
    functions = manifest.manifest.functions
    known = {function_key(name): name for name in functions}
    if unknown := [name for name in named if function_key(name) not in known]:
        raise UsageError.of(_unknown(name, manifest) for name in unknown)
    names = [known[function_key(name)] for name in named] or list(functions)
    cases = [
        tuple(
            Case(name, number, one, manifest.at("functions", name, "tests", number - 1))
            for number, one in enumerate(functions[name].tests, 1)
        )
        for name in dict.fromkeys(names)
    ]
    return [some for some in cases if some]


def _unknown(name: str, manifest: Loaded) -> Problem:
    known = manifest.manifest.functions
    hint = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
    return Problem("E720", f"the manifest has no function {quoted(name)}", hint=hint)


def _subjects(ready: Prepared, chosen: list[tuple[Case, ...]]) -> Iterator[LocalSubject]:
    """Yield what is to be tried; each runtime's CPython is looked for once."""
    found: dict[tuple[str, bool], Interpreter | RunnerError] = {}
    for cases in chosen:
        try:
            job = jobs.manifest_job(ready, cases[0].function)
        except RunnerError as error:
            yield LocalSubject(cases, error)
            continue
        kind = job.runtime, is_pure(job)
        if kind not in found:
            try:
                found[kind] = interpreter_for(job)
            except RunnerError as error:
                found[kind] = error
        interpreter = found[kind]
        yield LocalSubject(cases, interpreter if isinstance(interpreter, RunnerError) else (interpreter, job))


def _tell(options: Options, manifest: Loaded, trials: list[Trial]) -> None:
    """Print what went wrong, and the tally."""
    if options.as_json:
        print_document(tried.document(manifest.manifest.stack, trials))
        return
    if not trials:
        print("There is no test. Next: add `tests:` to a function of the manifest")
        return
    problems = list(dict.fromkeys(_problems(trials)))
    if problems:
        print()
        print_lines(line for one in as_quoted(options.invocation.complete(problems)) for line in text.problem(one))
    print()
    print_lines([tried.summary(trials)])


def _problems(trials: list[Trial]) -> Iterator[Problem]:
    for one in trials:
        if one.verdict is TrialVerdict.FAILED:
            yield tried.failure(one)
        elif one.verdict is TrialVerdict.NOT_RUN:
            assert one.error is not None
            yield from explained(one.error).problems
