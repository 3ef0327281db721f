"""call: run a deployed function here."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from reconciler.base.activity import activity
from reconciler.base.errors import UdfsError, UsageError
from reconciler.base.hints import Command
from reconciler.base.inputs import PLAN, read_named
from reconciler.cli.show import not_deployed
from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.interpreter import (
    bounds_options,
    event_calls,
    explain_failure,
    row_calls,
    this_machine,
)
from reconciler.cli.support.options import Options, command, manifest_options, value_option
from reconciler.cli.support.output import Result, note, write_foreign
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.cli.support.selection import single_name
from reconciler.local import runner
from reconciler.targets import adapter_of, require_power
from reconciler.testing.expectations import format_value
from reconciler.testing.row_files import ResultFile, RowFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.activity import Activity
    from reconciler.local.runner import FunctionError, Job
    from reconciler.manifest.load import Loaded
    from reconciler.targets.powers import Machine, RowCalls
    from reconciler.testing.trials import Bounds
    from reconciler.testing.types import Type


CLUSTER_SECONDS = 3600.0
"""How long a trial on a cluster may take without a --timeout: rows there are many."""

_BATCH = 1000


@dataclass(frozen=True)
class Files:
    """Where rows come from and where results go."""

    rows: Path | None
    header: bool
    output: Path | None


@command(context={"ignore_unknown_options": True})
@click.argument("function", shell_complete=complete_from("functions"))
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--event",
    metavar="TEXT",
    help="Where functions take events: what this one gets, or @FILE for the bytes of a file.",
)
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
@bounds_options(
    "Give up when it takes longer to load, or for a batch of rows.", "Allow so much address space and no more."
)
@manifest_options
@value_option("files", Files, "rows", "header", "output")
def call(
    options: Options,
    function: str,
    args: tuple[str, ...],
    event: str | None,
    files: Files,
    python: Path | None,
    bounds: Bounds,
) -> Result:
    """Run FUNCTION here, in the CPython it was written for: as it is deployed, on one row or on those of a file; or with an event.

    ARGS are read by the types of the function's signature: 1 is a BIGINT, a DOUBLE or a STRING as it says; dates are
    2026-05-01, arrays and maps JSON. NULL in capitals is SQL's NULL. In CSV it is \\N, or an empty cell that is no text.

    With --event it is what an apply would upload that runs, in a sandbox, with the time and memory that the manifest gives it.
    """
    if event is not None and (args or files.rows or files.header):
        raise UsageError("E901", "--event goes with neither ARGS nor --input", hint=Command("call", "--help"))
    if files.rows and args:
        raise UsageError("E901", "ARGS and --input exclude each other", hint=Command("call", "--help"))
    manifest = open_manifest(options)
    if adapter_of(manifest).cluster_calls is not None:
        return _call_on_cluster(manifest, options, function, args, files)
    if event is not None:
        return _call_with_event(manifest, options, function, _read_event(event), files.output, bounds, python)
    calls = row_calls(manifest)
    function = single_name(function, manifest.manifest.functions)
    with connect(manifest) as target, tempfile.TemporaryDirectory(prefix="udfs-") as folder:
        job = calls.deployed_job(manifest, target, function, Path(folder))
        if job is None:
            raise not_deployed(function, manifest)
        log = _run(function, job, calls, files, args, bounds, this_machine(python), as_json=options.as_json)
    _print_log(log)
    return Result()


def _call_on_cluster(manifest: Loaded, options: Options, function: str, args: tuple[str, ...], files: Files) -> Result:
    context = click.get_current_context()
    typed = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    for name in ("event", "python", "memory"):
        if name in typed:
            hint = "its functions run where the target is: --target chooses"
            raise UsageError(
                "E901", f"--{name} does not go with a manifest for {manifest.manifest.service.name}", hint=hint
            )
    patience = context.params["timeout"] if "timeout" in typed else CLUSTER_SECONDS
    calls = require_power(manifest, lambda adapter: adapter.cluster_calls, "call on a cluster")
    function = single_name(function, manifest.manifest.tests)
    source = RowFile(files.rows, str(files.rows), header=files.header) if files.rows else None
    rows = (
        source.read_untyped() if source else iter([[None if arg == "NULL" else runner.TypedText(arg) for arg in args]])
    )
    with (
        connect(manifest) as target,
        activity("running") as running,
        running.at(function),
        calls.call_on_cluster(target, function, rows, patience) as results,
    ):
        if results is None:
            raise not_deployed(function, manifest)
        if files.output is None:
            for values in results.rows:
                value = values[0] if len(values) == 1 else values
                write_foreign(f"{format_value(value, as_json=options.as_json)}\n", sys.stdout)
                running.count("results")
        else:
            with ResultFile(files.output, str(files.output), results.types) as file:
                while batch := list(islice(results.rows, _BATCH)):
                    file.write_rows(batch)
                    running.count("results", len(batch))
    return Result()


def _print_log(log: str) -> None:
    if log:
        write_foreign(log if log.endswith("\n") else log + "\n", sys.stderr)


def _read_event(event: str) -> bytes:
    if not event.startswith("@"):
        return event.encode("utf-8", "surrogateescape")
    try:
        return read_named(Path(event[1:]), PLAN)
    except OSError as error:
        hint = "an event that begins with @ itself comes from a file"
        message = f"the event '{event[1:]}' cannot be read: {error.strerror or error}"
        raise UsageError("E738", message, hint=hint) from None


def _call_with_event(
    manifest: Loaded,
    options: Options,
    function: str,
    event: bytes,
    output: Path | None,
    bounds: Bounds,
    python: Path | None,
) -> Result:
    calls = event_calls(manifest)
    function = single_name(function, manifest.manifest.functions)
    prepared = prepare_files(manifest, options)
    machine = this_machine(python)
    machine.connect = partial(connect, manifest)
    try:
        running = calls.manifest_function(manifest, prepared.desired, prepared.artifacts, function, machine, bounds)
        try:
            with activity("running") as activities, activities.at(function):
                answer = running.invoke(event)
            for text in running.notes:
                note(text)
        finally:
            running.close()
    except runner.RunnerError as error:
        raise explain_failure(error) from error
    if answer.error is not None:
        from reconciler.testing.event_programs import failure_of

        raise explain_failure(failure_of(function, answer))
    _print_log(answer.log)
    if output is not None:
        write_whole(output, answer.payload)
    else:
        text = answer.payload.decode("utf-8", "backslashreplace")
        write_foreign(text if text.endswith("\n") else text + "\n", sys.stdout)
    return Result()


def _run(
    function: str,
    job: Job,
    calls: RowCalls,
    files: Files,
    args: tuple[str, ...],
    bounds: Bounds,
    machine: Machine,
    *,
    as_json: bool,
) -> str:
    """Run a function, give out its results as they come, and return what it printed."""
    source = RowFile(files.rows, str(files.rows), header=files.header) if files.rows else None
    try:
        interpreter = calls.locate_interpreter(job, machine)
        session = runner.session(interpreter, job, timeout=bounds.seconds, memory=bounds.memory)
        values = [None if arg == "NULL" else runner.TypedText(arg) for arg in args]
        with session.call(
            source.read(calls.parse_types(session.description.inputs)) if source else iter([values]), last=True
        ) as call:
            with activity("running") as running, running.at(function):
                if files.output is None:
                    for batch in call.batches():
                        results = "".join(f"{format_value(value, as_json=as_json)}\n" for value in batch)
                        write_foreign(results, sys.stdout)
                        running.count("results", len(batch))
                else:
                    _write_results(call, files.output, calls.parse_types(call.description.outputs), running)
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
