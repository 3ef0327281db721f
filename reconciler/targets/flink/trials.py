"""
Trial of a deployed function on its cluster: a batch job over rows of a file, with all that a job of the stack brings along for the function.

Rows are handed over and results come back through the folder that the cluster shares. Nothing of a trial is part of the stack, and nothing of it stays.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pprint import pformat
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from reconciler.base.errors import FunctionFailed, UdfsError, UsageError
from reconciler.base.inputs import SETTING, read_input
from reconciler.targets.flink.entries import folder_refuses
from reconciler.targets.flink.objects import DeployedJob, definition_digest, read_job
from reconciler.targets.flink.programs import lay_out_job
from reconciler.targets.flink.target import FlinkTarget
from reconciler.targets.flink.trial_rows import ROW, RowWidth, read_results, write_rows
from reconciler.targets.powers import ClusterResults
from reconciler.testing.types import Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.core.target import Target
    from reconciler.targets.flink.objects import RegisteredFunction
    from reconciler.targets.flink.rest import FlinkRest

_ENDED = "FINISHED"
_CANCEL_SECONDS = 30
_PLAIN = ("BIGINT", "INT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "BOOLEAN")
"""Types that Flink and the files of results call the same, and whose values are the same in JSON."""


class FlinkTrials:
    """Flink as `ClusterCalls`."""

    @contextmanager
    def call_on_cluster(
        self, target: Target, name: str, rows: Iterable[Sequence[object]], seconds: float
    ) -> Iterator[ClusterResults | None]:
        """Yield what a deployed function makes of rows; None if it is not deployed."""
        if not isinstance(target, FlinkTarget):
            hint = "call it on a cluster of Apache Flink, or on endpoint: local; --target chooses"
            raise UsageError("E566", "the vendor's service runs no function for a trial", hint=hint)
        function = target.folder.find_function(name.lower())
        if function is None:
            yield None
            return
        trial = f".trial-{uuid4().hex[:12]}"
        folder = target.folder.path(trial)
        job = _job(function, target, trial)
        try:
            try:
                _prepare(folder, function, rows)
                _run(target, job, seconds)
                types = _types(folder)
            except OSError as error:
                raise folder_refuses(folder, error) from error
            # What fails where the results are used is no fault of the folder.
            yield ClusterResults(types, _read(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(target.folder.program(job.name, definition_digest(job)), ignore_errors=True)
            shutil.rmtree(target.folder.savepoints(job.name), ignore_errors=True)


def _job(function: RegisteredFunction, target: FlinkTarget, trial: str) -> DeployedJob:
    """Return a job with what the first job of the stack has that calls the function."""
    model: DeployedJob | None = None
    for record in target.folder.records().values():
        for form in (record.definition, record.pending):
            if form is not None and model is None and function.name in dict(read_job(form).functions):
                model = read_job(form)
    registered = ((function.name, f"{function.language} {function.path}"),)
    if model is None:
        is_java = function.language == "JAVA"
        model = DeployedJob(
            trial, "", imports=() if is_java else (function.file,), jars=(function.file,) if is_java else ()
        )
    options = dict(model.conf)
    pythons = {name: options[name] for name in ("python.executable", "python.client.executable") if name in options}
    return model._replace(
        name=trial.removeprefix("."),
        program=f"{trial}/trial.py",
        arguments=(),
        functions=registered,
        conf=tuple(pythons.items()),
    )


def _prepare(folder: Path, function: RegisteredFunction, rows: Iterable[Sequence[object]]) -> None:
    (folder / "rows").mkdir(parents=True)
    try:
        types = write_rows(rows, folder / "rows")
    except RowWidth as error:
        message = f"row {error.row + 1} has {error.actual} values, and the first has {error.expected}"
        raise UsageError("E722", message, hint="every row has one value for each argument") from None
    if not types:
        raise UsageError(
            "E722", "there are no rows", hint="a function without arguments is called with --input of empty rows"
        )
    columns = ", ".join(f"c{index} {kind}" for index, kind in enumerate(types))
    description = {
        "rows": f"CREATE TEMPORARY TABLE udfs_rows (`{ROW}` BIGINT, {columns}) WITH {_files(folder / 'rows')}",
        "function": function.name,
        "path": function.path if function.language == "PYTHON" else None,
        "arguments": [f"c{index}" for index in range(len(types))],
        "results": _files(folder / "results"),
        "types": str(folder / "types.json"),
        "row": ROW,
    }
    (folder / "trial.py").write_text(
        _PROGRAM.replace("{}", pformat(description, width=120, sort_dicts=False), 1), "utf-8"
    )


def _read(folder: Path) -> Iterator[list[Any]]:
    try:
        yield from read_results(folder / "results")
    except OSError as error:
        raise folder_refuses(folder, error) from error


def _types(folder: Path) -> list[Type]:
    texts: list[str] = msgspec.json.decode(read_input(folder / "types.json", SETTING), type=list[str])
    return [Type(text if text in _PLAIN else "STRING", 0, 0) for text in texts]


def _files(folder: Path) -> str:
    path = folder.as_uri().replace("'", "''")
    return f"('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"


def _run(target: FlinkTarget, job: DeployedJob, seconds: float) -> None:
    rest = target.cluster.rest()
    program = lay_out_job(job, target.folder, target.cluster.client).program
    driver, number = rest.upload_driver(rest.driver_jar), rest.number()
    try:
        rest.run(driver, program, job=number)
        state = rest.wait_for_end(number, seconds)
    except BaseException:  # an interrupt among them: nobody else knows of the job
        _cancel(rest, number)
        raise
    if state == _ENDED:
        return
    if state not in ("FAILED", "CANCELED"):
        _cancel(rest, number)
        hint = "--timeout SECONDS lets it take longer"
        raise FunctionFailed("E579", f"{job.functions[0][0]} did not come to its end in {seconds:g} seconds", hint=hint)
    raise FunctionFailed(
        "E579", f"{job.functions[0][0]} failed on {target.cluster.location}", detail=rest.why_failed(number)
    )


def _cancel(rest: FlinkRest, number: str) -> None:
    """End a job, whose workers write into the trial's folder until then; what comes of it is told by what led here."""
    with suppress(UdfsError):
        rest.cancel(number)
        rest.wait_for_end(number, _CANCEL_SECONDS)


_PROGRAM = '''\
"""Rows of a file through one function: written by udfs."""

import importlib
import json

from pyflink.table import EnvironmentSettings, TableEnvironment

TRIAL = {}


def shape():
    """Return what the function is, as the wrapper of PyFlink says; of Java's, a scalar one is assumed."""
    if TRIAL["path"] is None:
        return ""
    module, _, name = TRIAL["path"].rpartition(".")
    return type(getattr(importlib.import_module(module), name)).__name__


row, function, arguments = TRIAL["row"], TRIAL["function"], ", ".join(TRIAL["arguments"])
call = "`" + function + "`(" + arguments + ")"
queries = {
    "UserDefinedTableFunctionWrapper": "SELECT " + row + ", t.* FROM udfs_rows, LATERAL TABLE(" + call + ") AS t",
    "UserDefinedAggregateFunctionWrapper": "SELECT CAST(0 AS BIGINT) AS " + row + ", " + call + " AS r FROM udfs_rows",
}
query = queries.get(shape(), "SELECT " + row + ", " + call + " AS r FROM udfs_rows")
environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
environment.execute_sql(TRIAL["rows"])
columns = environment.sql_query(query)._j_table.getResolvedSchema().getColumnDataTypes()
with open(TRIAL["types"], "w", encoding="utf-8") as file:
    json.dump([str(column.getLogicalType().asSummaryString()) for column in list(columns)[1:]], file)
environment.execute_sql("CREATE TABLE udfs_results WITH " + TRIAL["results"] + " AS " + query)
'''
