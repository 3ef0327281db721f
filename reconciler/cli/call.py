"""show, call, serve: what is deployed, and running it here."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UdfsError, UsageError
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.interpreter import explained, interpreter_for
from reconciler.cli.support.options import (
    Options,
    command,
    connected,
    loaded,
    local_store,
    manifest_options,
    provide_tables,
)
from reconciler.cli.support.output import counting, print_document, print_lines, write_foreign
from reconciler.render import text
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.objects import function_key
from reconciler.testing import jobs
from reconciler.testing.result_files import ResultFile
from reconciler.testing.row_files import RowFile
from reconciler.testing.run_here import Bounds
from reconciler.testing.values import format_value
from reconciler.workflow import deployment, planning

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.runner import Call, FunctionError, Job
    from reconciler.manifest.load import Loaded


@command()
@click.argument("function", required=False)
@manifest_options
def show(options: Options, function: str | None) -> int:
    """Show the deployed functions, their resources and sizes, and the SET lines that an SQL script needs.

    All functions of the stack, or the named FUNCTION, whoever manages it.
    """
    manifest = loaded(options)
    with connected(manifest) as target:
        found = deployment.load_deployed(manifest, target, function)
    if function and not found:
        raise _not_deployed(function, manifest)
    if options.as_json:
        from reconciler.render import documents as document

        print_document(document.show(manifest.manifest.stack, planning.destination(manifest), found))
    elif found:
        print_lines(text.functions(found))
    else:
        where = f"project {target_of(manifest).project} (target {manifest.target_name})"
        told = f"Stack {manifest.manifest.stack} has no function in {where}. Next: udfs apply{options.arguments()}"
        print(safe(told))
    return 0


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
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after so long."
)
@click.option("--memory", type=click.IntRange(min=64), metavar="MB", help="Allow so much address space and no more.")
@manifest_options
def call(
    options: Options,
    function: str,
    args: tuple[str, ...],
    rows: Path | None,
    header: bool,
    output: Path | None,
    python: Path | None,
    timeout: float | None,
    memory: int | None,
) -> int:
    """Run a deployed FUNCTION here on one row, or on those of a file, in the CPython it was written for.

    ARGS are read by the types of the function's signature: 1 is a BIGINT, a DOUBLE or a STRING as it says; dates are
    2026-05-01, arrays and maps JSON. NULL in capitals is SQL's NULL. In CSV it is \\N, or an empty cell that is no text.
    """
    if rows and args:
        raise UsageError("E901", "ARGS and --input exclude each other", hint=Command("call", "--help"))
    manifest = loaded(options)
    given = RowFile(rows, str(rows), header=header) if rows else None
    with connected(manifest) as target, tempfile.TemporaryDirectory(prefix="udfs-") as folder:
        job = jobs.deployed_job(manifest, target, function, Path(folder))
        if job is None:
            raise _not_deployed(function, manifest)
        bounds = Bounds(timeout, memory * 1_000_000 if memory else None)
        return _run(job, given, args, output, bounds, python=python, as_json=options.as_json)


def _run(
    job: Job,
    given: RowFile | None,
    args: tuple[str, ...],
    output: Path | None,
    bounds: Bounds,
    *,
    python: Path | None,
    as_json: bool,
) -> int:
    from reconciler.local import runner

    try:
        interpreter = interpreter_for(job, python)
        session = runner.session(interpreter, job, timeout=bounds.seconds, memory=bounds.memory)
        types = session.description.inputs
        rows = (
            given.read(types) if given else iter([[None if arg == "NULL" else runner.TypedText(arg) for arg in args]])
        )
        with session.call(rows, last=True) as call, counting(given is not None) as counted:
            _deliver(call, output, counted, as_json=as_json)
    except runner.FunctionError as error:
        raise _placed(explained(error), error, given) from error
    except runner.RunnerError as error:
        raise explained(error) from error
    if call.log:
        write_foreign(call.log if call.log.endswith("\n") else call.log + "\n", sys.stderr)
    return 0


def _deliver(call: Call, output: Path | None, counted: Callable[[int], None], *, as_json: bool) -> None:
    """Print the results, or write them to a file."""
    description = call.description
    if output is None:
        for batch in call.batches():
            write_foreign("".join(f"{format_value(value, as_json=as_json)}\n" for value in batch), sys.stdout)
            counted(len(batch))
        return
    with ResultFile(output, str(output), description.outputs) as file:
        for batch in call.batches():
            file.write_rows(batch if description.kind == "udtf" else ((value,) for value in batch))
            counted(len(batch))


def _placed(told: UdfsError, error: FunctionError, given: RowFile | None) -> UdfsError:
    """Add the place of the row in its file."""
    if given is not None and error.row is not None and (place := given.position_of(error.row)):
        may_be_header = given.path.suffix.lower() == ".csv" and error.row == 0 and not given.header
        hint = "--header says that the first line names the columns" if may_be_header and not error.hint else error.hint
        told.problems = tuple(replace(one, at=place, hint=hint or None) for one in told.problems)
    return told


def _not_deployed(function: str, manifest: Loaded) -> UsageError:
    import difflib

    known = {name.lower(): name for name in manifest.manifest.functions}
    project = f"project {target_of(manifest).project} (target {manifest.target_name})"
    if function_key(function).folded in known:
        return UsageError("E703", f"function '{function}' is not in {project}", hint=Command("apply"))
    close = difflib.get_close_matches(function.lower(), known, 1)
    guess = f"did you mean '{known[close[0]]}'?" if close else (Command("show"), " lists the deployed ones")
    return UsageError("E703", f"there is no function '{function}' in {project} or in the manifest", hint=guess)


@command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="The store; .udfs/maxcompute here when left out."
)
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    help="A manifest, whose `tables:` SQL then finds in the project of its target.",
)
@click.option("--target", metavar="NAME", help="With -f: the target whose project it is.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; any free one when left out.")
@click.option("--project", "projects", multiple=True, metavar="NAME", help="Know only these projects; else any name.")
@click.option("--access-id", metavar="ID", help="Check signatures against this key and UDFS_SERVE_ACCESS_KEY.")
@click.option(
    "--access-key", metavar="KEY", envvar="UDFS_SERVE_ACCESS_KEY", help="Better given as UDFS_SERVE_ACCESS_KEY."
)
@click.option(
    "--page-size", type=click.IntRange(min=1), default=1000, show_default=True, help="Entries a listing page."
)
@click.option("--latency-ms", type=click.IntRange(min=0), default=0, show_default=True, help="Wait before each answer.")
@click.option("--control", is_flag=True, help="Serve /_control: the request log and fault rules. For tests.")
@click.option(
    "--set", "switches", multiple=True, metavar="NAME=VALUE", help="Another switch; --list-switches names them."
)
@click.option("--list-switches", is_flag=True, help="List the switches for what is not settled about the service.")
def serve(
    folder: Path | None,
    file: Path | None,
    target: str | None,
    host: str,
    port: int,
    list_switches: bool,
    **given: object,
) -> int:
    """Run a MaxCompute of your own on loopback: resources, functions, schemas and SQL over the real wire protocol.

    Prints one line, `listening on http://127.0.0.1:PORT/api`, and runs until SIGTERM or Ctrl-C.
    """
    from reconciler.cli.support.switches import describe, settings
    from reconciler.local import Server

    if list_switches:
        print(describe())
        return 0
    manifest = loaded(Options(file, target, "text")) if file else None
    try:
        store = folder or local_store(manifest.folder if manifest else Path.cwd())
        server = Server(store, settings(given), host=host, port=port, environment=os.environ)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError("E901", f"cannot listen at {host}:{port}: {told or error}") from error
    try:
        if manifest:
            provide_tables(server, manifest)
        # Whoever reads this line may send a signal at once.
        print(f"listening on {server.url}", flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
    return 0
