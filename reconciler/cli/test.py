"""test: run the manifest's tests here."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InterpreterError, TestsFailed
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.interpreter import explain_failure, interpreter_for, is_pure, local_runtime, make_job
from reconciler.cli.support.options import Options, command, junit_option, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.cli.support.verification import chosen_cases, show_trials, trial_report_lines
from reconciler.local.runner import RunnerError
from reconciler.render import trials as rendered
from reconciler.testing.trials import Bounds, Case, LocalSubject, Trial, TrialVerdict, run_tests_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.local.runner import Interpreter
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
@junit_option
@manifest_options
def test(
    options: Options, functions: tuple[str, ...], timeout: float, memory: int | None, junit: Path | None
) -> Result:
    """Run the `tests:` of the manifest here: those of every FUNCTION, or of all.

    They run in the CPython of each function's runtime, over the very files that an apply would upload, laid out as
    MaxCompute lays them out. No service is contacted. Exits with 9 if a test fails, and with 3 if one cannot be run.
    """
    manifest = open_manifest(options)
    local_runtime(manifest)
    cases = chosen_cases(manifest, functions)
    prepared = prepare_files(manifest, options)
    subjects = list(_subjects(prepared, cases))
    trials: list[Trial] = []
    bounds = Bounds(timeout, memory * 1_000_000 if memory else None)
    for group in run_tests_here(subjects, bounds, threads=os.cpu_count() or 1, clock=time.perf_counter):
        trials += group
        if options.format == "text":
            show_trials(group)
    if junit:
        write_whole(junit, rendered.junit_xml(manifest.manifest.stack, trials).encode())
    verdicts = {trial.verdict for trial in trials}
    code = InterpreterError.exit_code if TrialVerdict.NOT_RUN in verdicts else 0
    code = TestsFailed.exit_code if TrialVerdict.FAILED in verdicts else code
    if options.as_json:
        from reconciler.render.documents.applies import test_document

        return Result(test_document(manifest.manifest.stack, trials), code)
    return Result(trial_report_lines(trials, _problems(trials), options), code)


def _subjects(prepared: Prepared, groups: list[tuple[Case, ...]]) -> Iterator[LocalSubject]:
    """Yield what is to be tried; each runtime's CPython is looked for once."""
    interpreters: dict[tuple[str, bool], Interpreter | RunnerError] = {}
    for cases in groups:
        try:
            job = make_job(prepared, cases[0].function)
        except RunnerError as error:
            yield LocalSubject(cases, error)
            continue
        kind = job.runtime, is_pure(job)
        if kind not in interpreters:
            try:
                interpreters[kind] = interpreter_for(job)
            except RunnerError as error:
                interpreters[kind] = error
        interpreter = interpreters[kind]
        yield LocalSubject(cases, interpreter if isinstance(interpreter, RunnerError) else (interpreter, job))


def _problems(trials: list[Trial]) -> Iterator[Problem]:
    for trial in trials:
        if trial.verdict is TrialVerdict.FAILED:
            yield rendered.test_failure(trial)
        elif trial.verdict is TrialVerdict.NOT_RUN:
            assert trial.error is not None
            yield from explain_failure(trial.error).problems
