"""verify: run the manifest's tests by SQL in the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.base.errors import TestsFailed
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.options import Options, command, junit_option, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.cli.support.verification import (
    chosen_cases,
    has_failed,
    require_tests,
    run_trials,
    verify_lines,
    way_back,
)
from reconciler.render import trials as rendered
from reconciler.testing.trials import FunctionAbsent
from reconciler.workflow import planning

if TYPE_CHECKING:
    from pathlib import Path


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]")
@junit_option
@manifest_options
def verify(options: Options, functions: tuple[str, ...], junit: Path | None) -> Result:
    """Run the `tests:` of the manifest by SQL in the project: those of every FUNCTION, or of all.

    What is called is what is deployed, with the SET lines that it needs, in as few statements as possible. Exits with 9 if a
    test fails, and prints the command that goes back to what was there before. `udfs apply --verify` does it at once.
    """
    manifest = open_manifest(options)
    cases = chosen_cases(manifest, functions)
    require_tests(manifest)
    with connect(manifest) as target:
        trials = run_trials(manifest, target, options, cases)
    if junit:
        write_whole(junit, rendered.junit_xml(manifest.manifest.stack, trials).encode())
    code = TestsFailed.exit_code if has_failed(trials) else 0
    if options.as_json:
        from reconciler.render.documents.applies import verify_document

        destination = planning.plan_destination(manifest)
        return Result(verify_document(manifest.manifest.stack, destination, trials, rolled_back=False), code)
    # Where the function is absent, no rollback brings it.
    failures = (trial for trial in trials if not isinstance(trial.error, FunctionAbsent))
    notes = (way_back(options),) if has_failed(failures) else ()
    return Result(verify_lines(trials, options), code, notes=notes)
