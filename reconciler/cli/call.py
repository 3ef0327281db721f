"""call: run a deployed function here."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.activity import activity
from reconciler.base.errors import UdfsError, UsageError
from reconciler.base.hints import Command
from reconciler.cli.show import not_deployed
from reconciler.cli.support.interpreter import SECONDS, bounds_of, explain_failure, interpreter_for, local_runtime
from reconciler.cli.support.options import Options, command, manifest_options, value_option
from reconciler.cli.support.output import Result, write_foreign
from reconciler.cli.support.project import connect, open_manifest
from reconciler.cli.support.selection import single_name
from reconciler.local import runner
from reconciler.testing.expectations import format_value
from reconciler.testing.row_files import ResultFile, RowFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.activity import Activity
    from reconciler.local.runner import FunctionError, Job
    from reconciler.targets.powers import LocalRuntime
    from reconciler.testing.trials import Bounds
    from reconciler.testing.types import Type


@dataclass(frozen=True)
class Files:
    """Where rows come from and where results go."""

    rows: Path | None
    header: bool
    output: Path | None


@command(context={"ignore_unknown_options": True})
@click.argument("function")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--input",
    "rows",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take rows from a .csv, .jsonl or .parquet.",
)
@click.option("--header", is_flag=True, help="With --input: the first line of the CSV names the columns.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write results to a .csv, .jsonl or .parquet instead of printing them.",
)
@click.option("--python", type=click.Path(path_type=Path), metavar="PATH", help="The CPython to run it in.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Give up when it takes longer to load, or for a batch of rows.",
)
@click.option("--memory", type=click.IntRange(min=64), metavar="MB", help="Allow so much address space and no more.")
@manifest_options
@value_option("files", Files, "rows", "header", "output")
@value_option("bounds", bounds_of, "timeout", "memory")
def call(
    options: Options, function: str, args: tuple[str, ...], files: Files, python: Path | None, bounds: Bounds
) -> Result:
    """Run a deployed FUNCTION here on one row, or on those of a file, in the CPython it was written for.

    ARGS are read by the types of the function's signature: 1 is a BIGINT, a DOUBLE or a STRING as it says; dates are
    2026-05-01, arrays and maps JSON. NULL in capitals is SQL's NULL. In CSV it is \\N, or an empty cell that is no text.
    """
    if files.rows and args:
        raise UsageError("E901", "ARGS and --input exclude each other", hint=Command("call", "--help"))
    manifest = open_manifest(options)
    runtime = local_runtime(manifest)
    function = single_name(function, manifest.manifest.functions)
    with connect(manifest) as target, tempfile.TemporaryDirectory(prefix="udfs-") as folder:
        job = runtime.deployed_job(manifest, target, function, Path(folder))
        if job is None:
            raise not_deployed(function, manifest)
        log = _run(function, job, runtime, files, args, bounds, python=python, as_json=options.as_json)
    if log:
        write_foreign(log if log.endswith("\n") else log + "\n", sys.stderr)
    return Result()


def _run(
    function: str,
    job: Job,
    runtime: LocalRuntime,
    files: Files,
    args: tuple[str, ...],
    bounds: Bounds,
    *,
    python: Path | None,
    as_json: bool,
) -> str:
    """Run a function, give out its results as they come, and return what it printed."""
    source = RowFile(files.rows, str(files.rows), header=files.header) if files.rows else None
    try:
        session = runner.session(interpreter_for(job, python), job, timeout=bounds.seconds, memory=bounds.memory)
        values = [None if arg == "NULL" else runner.TypedText(arg) for arg in args]
        with session.call(
            source.read(runtime.parse_types(session.description.inputs)) if source else iter([values]), last=True
        ) as call:
            with activity("running") as running, running.at(function):
                if files.output is None:
                    for batch in call.batches():
                        results = "".join(f"{format_value(value, as_json=as_json)}\n" for value in batch)
                        write_foreign(results, sys.stdout)
                        running.count("results", len(batch))
                else:
                    _write_results(call, files.output, runtime.parse_types(call.description.outputs), running)
            return call.log
    except runner.FunctionError as error:
        raise _at_row(explain_failure(error), error, source) from error
    except runner.RunnerError as error:
        raise explain_failure(error) from error


def _write_results(call: runner.Call, output: Path, types: list[Type] | None, running: Activity) -> None:
    with ResultFile(output, str(output), types) as file:
        for batch in call.batches():
            is_table = call.description.kind == "udtf"
            rows: Iterable[tuple[object, ...]] = batch if is_table else ((value,) for value in batch)
            file.write_rows(rows)
            running.count("results", len(batch))


def _at_row(failure: UdfsError, error: FunctionError, source: RowFile | None) -> UdfsError:
    """Add the place of the row in its file."""
    if source is not None and error.row is not None and (position := source.position_of(error.row)):
        may_be_header = source.path.suffix.lower() == ".csv" and error.row == 0 and not source.header
        header = "--header says that the first line names the columns" if may_be_header else None
        failure.problems = tuple(
            replace(problem, at=position, hint=problem.hint or header) for problem in failure.problems
        )
    return failure
