"""Jobs on a real Flink: functions of every kind, data in every way, a change that keeps the state, and what broken ones say."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.base.errors import ServiceError
from reconciler.targets.flink.head import Registration, program_text
from reconciler.targets.flink.health import JobPatience
from reconciler.targets.flink.life import JobRun, replace_job, start_job, stop_job
from reconciler.targets.flink.programs import write_files_archive
from reconciler.targets.flink.rest import PythonProgram
from tests.environments import FILE, write_archive
from tests.flink.real import NIGHTLY, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = [NIGHTLY, pytest.mark.timeout(1800)]

FUNCTIONS = """\
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udaf, udf, udtf

class Near(ScalarFunction):
    def eval(self, word):
        with open("data/mydata/names.txt") as names:
            return word in names.read().split()

near = udf(Near(), result_type=DataTypes.BOOLEAN())

@udf(result_type=DataTypes.STRING())
def rated(word):
    with open("usrlib/rates.csv") as rates:
        return dict(line.strip().split(",") for line in rates)[word]

@udf(result_type=DataTypes.BIGINT(), func_type="pandas")
def length(words):
    return words.str.len()

@udtf(result_types=[DataTypes.STRING()])
def letters(word):
    with open("mydata.zip/mydata/names.txt"):
        yield from word

@udaf(result_type=DataTypes.BIGINT(), func_type="pandas")
def longest(words):
    return words.str.len().max()
"""

UPPER = """\
package com.example;
public class Upper extends org.apache.flink.table.functions.ScalarFunction {
    public String eval(String word) { return word.toUpperCase(); }
}
"""

TABLES = """\
CREATE TEMPORARY TABLE words (word STRING) WITH ('connector' = 'filesystem', 'path' = 'file://FOLDER/in', 'format' = 'csv');
CREATE TEMPORARY TABLE told (word STRING, near BOOLEAN, rate STRING, size BIGINT, letter STRING)
  WITH ('connector' = 'filesystem', 'path' = 'file://FOLDER/told', 'format' = 'csv');
CREATE TEMPORARY TABLE sizes (size BIGINT) WITH ('connector' = 'filesystem', 'path' = 'file://FOLDER/sizes', 'format' = 'csv');
"""
INSERT = "INSERT INTO told SELECT upper_java(word), near(word), rated(word), length(word), letter FROM words, LATERAL TABLE(letters(word)) AS t(letter)"
LONGEST = "INSERT INTO sizes SELECT longest(word) FROM words"
ROWS = [
    "AB,true,1.5,2,a",
    "AB,true,1.5,2,b",
    "CDE,true,2.5,3,c",
    "CDE,true,2.5,3,d",
    "CDE,true,2.5,3,e",
    "X,false,3.5,1,x",
]

# A streaming program of the user's own: it registers nothing, and knows of no function where it makes its environment.
MAIN = """\
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment

environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
for statement in open(sys.argv[1]).read().split(";\\n"):
    if statement.strip() and not statement.startswith("INSERT"):
        environment.execute_sql(statement)
    elif statement.strip():
        environment.execute_sql(statement)
"""

COUNTER = """\
from pyflink.table import DataTypes
from pyflink.table.udf import AggregateFunction, ScalarFunction, udaf, udf

class Mark(ScalarFunction):
    def eval(self, word):
        return "v1-" + word

mark = udf(Mark(), result_type=DataTypes.STRING())

class Count(AggregateFunction):
    def create_accumulator(self):
        return [0]

    def get_value(self, accumulator):
        return accumulator[0]

    def accumulate(self, accumulator, word):
        accumulator[0] += 1

counted = udaf(Count(), result_type=DataTypes.BIGINT(), accumulator_type=DataTypes.ARRAY(DataTypes.BIGINT()))
"""
COUNTING = """\
CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '5',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000');
CREATE TEMPORARY TABLE counts (word STRING, c BIGINT) WITH ('connector' = 'print');
INSERT INTO counts SELECT mark(word), COUNTED FROM (SELECT CAST(MOD(n, 3) AS STRING) AS word FROM numbers) GROUP BY word;
"""


@dataclass
class Memory:
    """A journal."""

    steps: Mapping[str, Any] | None = None

    def read(self) -> Mapping[str, Any] | None:
        return self.steps

    def write(self, steps: Mapping[str, Any] | None, *, job: str | None = None, savepoint: str | None = None) -> None:
        self.steps = steps


@dataclass
class Workbench:
    """A folder with what a job is made of."""

    engine: Engine
    folder: Path
    journal: Memory = field(default_factory=Memory)

    def job(self, text: str, functions: str = "", **more: Any) -> JobRun:
        """Return a job of a program's text, in the Python of the engine."""
        python = str(self.engine.distribution.python)
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        (folder / "job.py").write_text(text)
        (folder / "udfs.py").write_text(functions)
        files = (str(folder / "udfs.py"),) if functions else ()
        values = {
            "client": python,
            "worker": python,
            "files": files,
            "name": f"{self.folder.name} ({folder.name})",
            **more,
        }
        return JobRun("near", PythonProgram(str(folder / "job.py"), **values), str(self.folder / "savepoints"))

    def start(self, run: JobRun, **patience: float) -> str:
        return start_job(self.engine.rest, run, self.journal, patience=JobPatience(**patience))

    def replace(self, old: JobRun, job: str, new: JobRun) -> str:
        return replace_job(self.engine.rest, old, job, new, self.journal, keep_state=True)

    def counter(self, prefix: str, counted: str = "counted(word)", body: str = "") -> JobRun:
        registered = [Registration(name, "PYTHON", f"udfs.{name}") for name in ("mark", "counted")]
        text = program_text(registered, main=None, sql=COUNTING.replace("COUNTED", counted), name="job.sql")
        functions = COUNTER.replace("v1-", prefix).replace(
            "        return", f"        {body or 'pass'}\n        return", 1
        )
        configuration = {"execution.checkpointing.interval": "3 s", "state.backend.type": "rocksdb"}
        return self.job(text, functions, configuration=configuration)

    def count(self, prefix: str) -> int:
        """Return the highest count that rows with a prefix have shown, waiting for the first."""
        log = self.engine.cluster.store / "taskmanager.log"
        for _ in range(240):
            rows = re.findall(rf"\[{prefix}\d, (\d+)\]", log.read_text("utf-8", "replace"))
            if rows:
                return max(map(int, rows))
            time.sleep(0.5)
        raise AssertionError(f"no row of {prefix} came")


@pytest.fixture
def bench(engine: Engine, tmp_path: Path) -> Workbench:
    return Workbench(engine, tmp_path)


def rows_of(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]
    return sorted(line for path in files for line in path.read_text().splitlines())


def lay_out(bench: Workbench) -> tuple[dict[str, Any], list[Registration], str]:
    """Write the data of the vendor's page: archives by their own and another name, a jar, and a file."""
    if shutil.which("javac") is None:
        pytest.skip("there is no javac to make a jar with")
    folder, lib = bench.folder, bench.engine.distribution.home / "lib"
    (folder / "in").mkdir()
    (folder / "in" / "words.csv").write_text("ab\ncde\nx\n")
    (folder / "Upper.java").write_text(UPPER)
    (folder / "rates.csv").write_text("ab,1.5\ncde,2.5\nx,3.5\n")
    command = ["javac", "--release", "11", "-cp", f"{lib}/*", "-d", str(folder / "classes"), str(folder / "Upper.java")]
    subprocess.run(command, check=True, env={"PATH": os.defpath})
    with ZipFile(folder / "upper.jar", "w") as jar:
        jar.write(folder / "classes" / "com" / "example" / "Upper.class", "com/example/Upper.class")
    archive = write_archive(folder / "mydata.zip", {"mydata/names.txt": (FILE, b"ab cde")})
    write_files_archive(folder / "usrlib.zip", {"rates.csv": folder / "rates.csv"})
    options = {
        "archives": (str(archive), f"{archive}#data", f"{folder}/usrlib.zip#usrlib"),
        "jars": ((folder / "upper.jar").as_uri(),),
    }
    names = ("near", "rated", "length", "letters", "longest")
    functions = [Registration(name, "PYTHON", f"udfs.{name}") for name in names]
    functions.append(Registration("upper_java", "JAVA", "com.example.Upper"))
    return options, functions, TABLES.replace("FOLDER", str(folder))


def test_functions_of_every_kind_and_data_in_every_way_in_one_job_of_sql(bench: Workbench) -> None:
    options, functions, tables = lay_out(bench)
    text = program_text(functions, main=None, sql=f"{tables}{INSERT};\n{LONGEST};", name="job.sql", batch=True)
    bench.start(bench.job(text, FUNCTIONS, configuration={"execution.runtime-mode": "BATCH"}, **options))
    assert rows_of(bench.folder / "told") == ROWS
    assert rows_of(bench.folder / "sizes") == ["3"]


def test_a_streaming_program_of_python_has_its_functions_without_registering_one(bench: Workbench) -> None:
    options, functions, tables = lay_out(bench)
    (bench.folder / "main.py").write_text(MAIN)
    (bench.folder / "statements.sql").write_text(f"{tables}{INSERT}")
    text = program_text(functions, main=str(bench.folder / "main.py"), sql=None)
    arguments = (str(bench.folder / "statements.sql"),)
    bench.start(bench.job(text, FUNCTIONS, arguments=arguments, **options))
    assert rows_of(bench.folder / "told") == ROWS


def test_a_counter_goes_on_under_its_new_function_and_comes_back_where_that_is_broken(bench: Workbench) -> None:
    first, name = bench.counter("v1-"), bench.folder.name
    job = bench.start(first)
    before = bench.count("v1-")
    second = bench.counter("v2-")
    job = bench.replace(first, job, second)
    seen = bench.count("v2-")
    assert seen > before

    with pytest.raises(ServiceError) as caught:
        bench.replace(second, job, bench.counter("v3-", counted="COUNT(*)"))
    assert caught.value.problems[0].code == "E490"
    assert "- PythonGroupAggregate" in "".join(caught.value.problems[0].detail)
    assert bench.engine.rest.state(job) == "RUNNING"

    with pytest.raises(ServiceError) as caught:
        bench.replace(second, job, bench.counter("v4-", body="raise ValueError('on purpose')"))
    assert caught.value.problems[0].code == "E491"
    assert caught.value.problems[0].detail[-1] == "ValueError: on purpose"
    running = [entry for entry in bench.engine.rest.jobs() if entry["state"] == "RUNNING" and name in entry["name"]]
    assert [entry["name"] for entry in running] == [second.program.name]
    assert bench.count("v2-") > seen
    assert stop_job(bench.engine.rest, running[0]["jid"], first.savepoints)


def sql_job(bench: Workbench, sql: str, functions: str, **more: Any) -> JobRun:
    text = program_text([Registration("near", "PYTHON", "udfs.near")], main=None, sql=sql, name="job.sql", batch=True)
    return bench.job(text, functions, **{"configuration": {"execution.runtime-mode": "BATCH"}, **more})


SQL = "CREATE TEMPORARY TABLE o (w STRING) WITH ('connector' = 'blackhole');\nINSERT INTO o SELECT near(w) FROM (VALUES ('a')) AS t(w);"
NEAR = """\
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

class Near(ScalarFunction):
    def eval(self, word):
        BODY
        return word

near = udf(Near(), result_type=DataTypes.STRING())
"""


def by_an_archive(bench: Workbench) -> JobRun:
    archive = write_archive(bench.folder / "env.zip", {"venv/bin/python": (FILE, b"#!/bin/sh\n")})
    return sql_job(bench, SQL, NEAR.replace("BODY", "pass"), worker="env.zip/venv/bin/python", archives=(str(archive),))


BROKEN: Mapping[str, tuple[Callable[[Workbench], JobRun], str]] = {
    "a function that raises": (
        lambda bench: sql_job(bench, SQL, NEAR.replace("BODY", "1 / 0")),
        "ZeroDivisionError: division",
    ),
    "a file that is not there": (
        lambda bench: sql_job(bench, SQL, NEAR.replace("BODY", "open('data/no.txt')")),
        "FileNotFoundError: [Errno 2] No such file",
    ),
    "a package that is not there": (
        lambda bench: sql_job(bench, SQL, "import absent_package\n" + NEAR.replace("BODY", "pass")),
        "No module named 'absent_package'",
    ),
    "an interpreter without its x bit": (by_an_archive, "error=13, Permission denied"),
    "a function that SQL does not know": (
        lambda bench: sql_job(bench, SQL.replace("near(", "far("), NEAR.replace("BODY", "pass")),
        "No match found for function signature far",
    ),
    "a function that cannot be made": (
        lambda bench: sql_job(
            bench, SQL, NEAR.replace("BODY", "pass").replace("STRING())", "STRING(), deterministic=False)")
        ),
        "ValueError: Inconsistent deterministic",
    ),
    "a program that raises": (
        lambda bench: bench.job(program_text([], main=None, sql=SQL).replace("run()\n", "1 / 0\n")),
        "division by zero",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_broken_job_says_is_its_own_cause(bench: Workbench, name: str) -> None:
    make, cause = BROKEN[name]
    with pytest.raises(ServiceError) as caught:
        bench.start(make(bench))
    [problem] = caught.value.problems
    assert problem.code == "E492"
    assert cause in "\n".join(problem.detail)
    assert "TaskExecutor is shutting down" not in problem.detail[-1]


def test_a_program_that_cannot_speak_is_not_given_the_words_of_the_one_before(bench: Workbench) -> None:
    failing = bench.job(program_text([], main=None, sql=SQL).replace("run()\n", "1 / 0\n"))
    with pytest.raises(ServiceError) as caught:
        bench.start(failing)
    assert "division by zero" in caught.value.problems[0].detail[-1]
    # That of the tests has no PyFlink.
    with pytest.raises(ServiceError) as caught:
        bench.start(bench.job(program_text([], main=None, sql=SQL), client=sys.executable))
    assert "says nothing" in caught.value.problems[0].detail[-2]
    assert "if that has no PyFlink, name an environment" in caught.value.problems[0].detail[-1]


def test_a_worker_that_hangs_is_given_up_in_time_and_the_next_job_runs(bench: Workbench) -> None:
    """Flink ends the TaskManager with it; the next one is started by itself."""
    before = bench.engine.task_manager
    members = {"venv/bin/python": (stat.S_IFREG | 0o755, b"#!/bin/sh\ntrap '' TERM INT\nwhile :; do sleep 1; done\n")}
    archive = write_archive(bench.folder / "env.zip", members)
    run = sql_job(bench, SQL, NEAR.replace("BODY", "pass"), worker="env.zip/venv/bin/python", archives=(str(archive),))
    short = {**run.program.configuration, "task.cancellation.timeout": "20000", "task.cancellation.interval": "5000"}
    with pytest.raises(ServiceError) as caught:
        bench.start(replace(run, program=replace(run.program, configuration=short)), start=40, end=240)
    [problem] = caught.value.problems
    assert problem.code == "E492"
    assert "did not run within 40 seconds" in "\n".join(problem.detail)
    bench.start(sql_job(bench, SQL, NEAR.replace("BODY", "pass")))
    assert bench.engine.task_manager != before
