"""ci check: what a change holds, looked at and tried where there is nothing to steal; no service is contacted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InvalidManifest, Refused
from reconciler.cli.pipeline.options import ci_options
from reconciler.cli.pipeline.plan import dump_of
from reconciler.cli.pipeline.results import PROBLEM_FORMATS, EntryResult, fingerprint_of, problems_output
from reconciler.cli.support.options import command
from reconciler.cli.support.project import open_manifest, prepare_files, user_cache
from reconciler.cli.validate import count_objects

if TYPE_CHECKING:
    from reconciler.cli.pipeline.run import CiRun
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.output import Output, Result
    from reconciler.workflow.preparation import Prepared


@command()
@ci_options("check")
@click.option(
    "--wheels",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the wheels that were built into this folder, for --no-build --wheels DIR where credentials are.",
)
@click.option("--no-tests", is_flag=True, help="Run no tests.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Run only tests of functions that differ from dumps, STACK.TARGET.json each.",
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), metavar="N", help="Functions tested at a time.")
def ci_check(run: CiRun, wheels: Path | None, no_tests: bool, against: Path | None, jobs: int | None) -> Result:
    """Check each manifest: its files, lock, sources and policy, and run its tests here. No service is contacted.

    It runs code of the change, so give it no credentials, and those to a job of its own.
    """
    checked: set[Path] = set()

    def work(options: Options) -> EntryResult:
        # What is the same for each target is looked at once.
        is_first = options.file not in checked
        checked.add(options.file)
        result = _check(options, jobs, against, with_tests=is_first and not no_tests)
        if wheels is not None and is_first:
            from reconciler.cli.build import export_built

            export_built(open_manifest(options, warn=False), run.wheels_folder(wheels, options.file))
        return result

    return run.each(work)


def _check(options: Options, jobs: int | None, against: Path | None, *, with_tests: bool) -> EntryResult:
    from reconciler.workflow import preparation

    loaded = open_manifest(options, warn=False)
    if loaded.manifest.packages:
        from reconciler.cli.lock import require_lock

        require_lock(loaded)
    prepared = prepare_files(loaded, options, warn=False)
    if problems := preparation.test_problems(prepared, user_cache().root):
        raise InvalidManifest.of(problems)
    if breaches := preparation.policy_breaches(prepared):
        raise Refused.of(breaches)
    warnings = options.invocation.complete((*loaded.warnings, *prepared.warnings))
    summary = f"valid, {count_objects(prepared.desired)}"
    result = EntryResult(
        "clean",
        0,
        summary,
        lambda form: problems_output(warnings, form, summary),
        PROBLEM_FORMATS,
        stack=loaded.manifest.stack,
        counts={"problems": len(warnings)},
        fingerprint=fingerprint_of(warnings),
        problems=warnings,
    )
    return _test(result, prepared, options, jobs, against) if with_tests else result


def _test(
    result: EntryResult, prepared: Prepared, options: Options, jobs: int | None, against: Path | None
) -> EntryResult:
    """Return the result of a check with that of the manifest's tests."""
    from reconciler.cli.support.verification import chosen_cases

    cases = chosen_cases(prepared.loaded, ())
    if cases and against is not None:
        from reconciler.cli.test import changed_cases

        cases = changed_cases(prepared, cases, dump_of(prepared.loaded, against))
    if not cases:
        return result
    from reconciler.cli.support.interpreter import SECONDS, bounds_of, local_runtime
    from reconciler.cli.test import run_here, tests_code, trial_problems
    from reconciler.render.documents.applies import test_document
    from reconciler.render.styled import plain_text
    from reconciler.render.trials import tests_summary

    local_runtime(prepared.loaded)
    trials = run_here(prepared, cases, bounds_of(SECONDS, None), jobs, is_shown=False)
    failures = options.invocation.complete(dict.fromkeys(trial_problems(trials)))
    problems, stack = (*result.problems, *failures), prepared.loaded.manifest.stack
    summary = f"{result.summary}; {plain_text([tests_summary(trials)]).strip()}"

    def render(form: str) -> Output:
        if form == "json":
            return test_document(stack, trials)
        return problems_output(problems, form, summary)

    return replace(
        result,
        outcome="failed" if tests_code(trials) else "clean",
        code=tests_code(trials),
        summary=summary,
        render=render,
        counts={"tests": len(trials), "problems": len(problems)},
        fingerprint=fingerprint_of(problems),
        problems=problems,
        trials=tuple(trials),
    )
