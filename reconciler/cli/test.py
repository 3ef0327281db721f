"""test and verify: the manifest's tests, run here and by SQL in the project."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InterpreterError, TestsFailed, UsageError, count
from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.files import read_dump, write_whole
from reconciler.cli.support.interpreter import (
    LONGER,
    bounds_options,
    explain_failure,
    local_runtime,
    this_machine,
)
from reconciler.cli.support.options import (
    Options,
    command,
    events_option,
    junit_option,
    manifest_options,
)
from reconciler.cli.support.output import Result, note, print_result
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.cli.support.verification import (
    WAY_BACK,
    chosen_cases,
    exit_code_of,
    has_failed,
    require_tests,
    run_trials,
    show_trials,
    trial_report_lines,
    verify_lines,
)
from reconciler.local.runner import RunnerError, WorkerTimedOut
from reconciler.render import trials as rendered
from reconciler.testing.trials import Case, FunctionAbsent, LocalSubject, Trial, run_tests_here
from reconciler.testing.verdict import TrialVerdict
from reconciler.workflow import planning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.base.errors import Problem
    from reconciler.testing.trials import Bounds
    from reconciler.workflow.preparation import Prepared


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]", shell_complete=complete_from("functions"))
@bounds_options(
    "End a test that takes longer to load, or for a batch of rows.", "End a test that takes more address space."
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Functions tested at a time; as many as there are cores.",
)
@click.option(
    "--changed",
    is_flag=True,
    help="Only of functions whose uploaded bytes differ from what is deployed, or from a dump.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="DUMP",
    help="With --changed: what udfs dump wrote; the project is not read.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Stay, and whenever a file is saved run the tests of the functions that it changes. Ctrl-C ends it.",
)
@junit_option
@manifest_options
def test(
    options: Options,
    functions: tuple[str, ...],
    bounds: Bounds,
    jobs: int | None,
    junit: Path | None,
    changed: bool,
    against: Path | None,
    watch: bool,
) -> Result:
    """Run the `tests:` of the manifest here: those of every FUNCTION, in which * and ? stand for other characters, or of all.

    They run in the CPython of each function's runtime, over the very files that an apply would upload, laid out as
    its service lays them out. No service is contacted. Exits with 9 if a test fails, and with 3 if one cannot be run.
    """
    if against is not None and not changed:
        raise UsageError("E901", "--against goes with --changed", hint="add --changed")
    if watch:
        if changed or junit or options.format != "text":
            message = "--watch is for a person who looks on: --changed, --junit and --format are for a single run"
            raise UsageError("E901", message, hint="leave them out")
        from reconciler.cli.support.rounds import run_rounds

        def run_round(prepared: Prepared, groups: list[tuple[Case, ...]]) -> list[Trial]:
            trials = run_here(prepared, groups, bounds, jobs, is_shown=True)
            print_result(Result(trial_report_lines(trials, trial_problems(trials), options)))
            return trials

        run_rounds(options, functions, run_round)
    manifest = open_manifest(options)
    local_runtime(manifest)
    cases = chosen_cases(manifest, functions)
    prepared = prepare_files(manifest, options)
    if changed:
        cases = changed_cases(prepared, cases, against)
    trials = run_here(prepared, cases, bounds, jobs, is_shown=options.format == "text")
    if junit:
        from reconciler.render.junit import trials_junit

        write_whole(junit, trials_junit(manifest.manifest.stack, trials).encode())
    code = tests_code(trials)
    if options.as_json:
        from reconciler.render.documents.applies import test_document

        return Result(test_document(manifest.manifest.stack, trials), code)
    return Result(trial_report_lines(trials, trial_problems(trials), options), code)


def changed_cases(prepared: Prepared, cases: list[tuple[Case, ...]], against: Path | None) -> list[tuple[Case, ...]]:
    """Return the tests of functions that are not as they are deployed, or as they stand in a dump."""
    from reconciler.cli.support.plans import take_snapshot
    from reconciler.workflow.standing import list_standings

    reading = read_dump(against, prepared.loaded) if against else take_snapshot(prepared.loaded, full=False).reading
    plan = planning.make_plan(prepared, reading, from_dump=against is not None)
    same = {
        standing.name.lower()
        for standing in list_standings(plan, prepared.loaded.manifest.functions)
        if standing.standing == "applied"
    }
    rest = [group for group in cases if group[0].function.lower() not in same]
    note(f"{count(len(rest), 'function')} of {len(cases)} with tests changed")
    return rest


def run_here(
    prepared: Prepared, cases: list[tuple[Case, ...]], bounds: Bounds, jobs: int | None, *, is_shown: bool
) -> list[Trial]:
    """Run tests here, and show each as it ends."""
    subjects = list(_subjects(prepared, cases))
    trials: list[Trial] = []
    for group in run_tests_here(subjects, bounds, threads=jobs or os.cpu_count() or 1, clock=time.perf_counter):
        trials += group
        if is_shown:
            show_trials(group)
    return trials


def tests_code(trials: Sequence[Trial]) -> int:
    """Return the exit code of tests that ran here."""
    verdicts = {trial.verdict for trial in trials}
    if TrialVerdict.FAILED in verdicts:
        return TestsFailed.exit_code
    return InterpreterError.exit_code if TrialVerdict.NOT_RUN in verdicts else 0


def _subjects(prepared: Prepared, groups: list[tuple[Case, ...]]) -> Iterator[LocalSubject]:
    """Yield what is to be tried."""
    from reconciler.local.runner.unpacked import UnpackedArchives

    runtime, machine = local_runtime(prepared.loaded), this_machine(archives=UnpackedArchives())
    for cases in groups:
        try:
            program = runtime.manifest_program(
                prepared.loaded, prepared.desired, prepared.artifacts, cases[0].function, machine
            )
        except RunnerError as error:
            yield LocalSubject(cases, error)
        else:
            yield LocalSubject(cases, program)


def trial_problems(trials: Sequence[Trial]) -> Iterator[Problem]:
    """Yield what went wrong in tests that ran here."""
    for trial in trials:
        if trial.verdict is TrialVerdict.FAILED:
            failure = rendered.test_failure(trial)
            yield replace(failure, hint=LONGER) if isinstance(trial.error, WorkerTimedOut) else failure
        elif trial.verdict is TrialVerdict.NOT_RUN:
            assert trial.error is not None
            yield from explain_failure(trial.error).problems


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]", shell_complete=complete_from("functions"))
@junit_option
@manifest_options
@events_option
def verify(options: Options, functions: tuple[str, ...], junit: Path | None) -> Result:
    """Run the `tests:` of the manifest by SQL in the project: those of every FUNCTION, or of all.

    What is called is what is deployed, with the SET lines that it needs, in as few statements as possible. Exits with 9 if a
    test fails, and says how to go back to what was there before; also with 9 if one cannot be run by SQL, unless it says
    `verify: false`. `udfs apply --verify` does it at once.
    """
    manifest = open_manifest(options)
    cases = chosen_cases(manifest, functions)
    require_tests(manifest)
    with connect(manifest) as target:
        trials = run_trials(manifest, target, options, cases)
    if junit:
        from reconciler.render.junit import trials_junit

        write_whole(junit, trials_junit(manifest.manifest.stack, trials).encode())
    code = exit_code_of(trials)
    if options.as_json:
        from reconciler.render.documents.applies import verify_document

        destination = planning.plan_destination(manifest)
        return Result(verify_document(manifest.manifest.stack, destination, trials, rolled_back=False), code)
    # Where the function is absent, no rollback brings it.
    failures = (trial for trial in trials if not isinstance(trial.error, FunctionAbsent))
    notes = (WAY_BACK,) if has_failed(failures) else ()
    return Result(verify_lines(trials, options), code, notes=notes)
