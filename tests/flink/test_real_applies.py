"""
Jobs of a manifest on a real Flink, by the commands that a person types: `endpoint: local` starts one, and it ends with its last job.

One for the module: a job that only counts keeps it up. Each test has a stack of its own, in the same folder.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.flink.cluster import find_cluster
from reconciler.targets.flink.rest import FlinkRest
from tests.environments import FILE, PROGRAM, write_archive
from tests.flink.real import ENGINE, ENVIRONMENT, NIGHTLY
from tests.invariants.world import Said, here

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [NIGHTLY, pytest.mark.timeout(1800)]

MANIFEST = """\
stack: {stack}
target: {{kind: flink}}
targets:
  local: {{endpoint: local, engine: {ENGINE}}}
"""
KEEPER = """\
CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');
CREATE TEMPORARY TABLE nothing (n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT n FROM numbers;
"""
LASTING = "restart-strategy.type: fixed-delay, restart-strategy.fixed-delay.attempts: '100'"
"""Options of a job that outlives its TaskManager."""

HANGING = {
    "as it plans": (
        b"python3",
        "README",
        "E643",
        ("the program's Python did not end within 180 seconds, and was ended",),
    ),
    "as it works": (
        b'#!/bin/sh\ncase "$1" in -c) trap \'\' TERM INT; while :; do sleep 1; done;; esac\nexec PYTHON "$@"\n',
        "lib/python3.11/os.py",
        "E648",
        ("did not run within 600 seconds", "a worker in Python that hangs shows no other sign"),
    ),
}
"""Programs where an interpreter should be, what a check says of them, and what an apply does: a link that was stored as text, and a worker that never answers."""

COUNTER = """\
from pyflink.table import DataTypes
from pyflink.table.udf import AggregateFunction, ScalarFunction, udaf, udf


class Mark(ScalarFunction):
    def eval(self, word):
        return "v1-" + word


class Count(AggregateFunction):
    def create_accumulator(self):
        return [0]

    def get_value(self, accumulator):
        return accumulator[0]

    def accumulate(self, accumulator, word):
        accumulator[0] += 1


mark = udf(Mark(), result_type=DataTypes.STRING())
counted = udaf(Count(), result_type=DataTypes.BIGINT(), accumulator_type=DataTypes.ARRAY(DataTypes.BIGINT()))
"""
COUNTING = """\
CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '5',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000');
CREATE TEMPORARY TABLE counts (word STRING, c BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'NAME');
INSERT INTO counts SELECT mark(word), counted(word) FROM (SELECT CAST(MOD(n, 3) AS STRING) AS word FROM numbers) GROUP BY word;
"""
MARKING = COUNTING[: COUNTING.index("INSERT")] + (
    "INSERT INTO counts SELECT mark(word), n FROM (SELECT CAST(MOD(n, 3) AS STRING) AS word, n FROM numbers);\n"
)
FUNCTIONS = "functions:\n  mark: {source: NAME.py, class: mark}\n  counted: {source: NAME.py, class: counted}\n"
JOB = "jobs:\n  NAME: {sql: NAME.sql, functions: [mark, counted], conf: {execution.checkpointing.interval: 3 s}}\n"


# A streaming program of the user's own, in both APIs: the functions are there without being registered.
MAIN = """\
import sys
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

table = StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment())
source = (
    "CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '5',"
    " 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000')"
)
table.execute_sql(source)
table.execute_sql(
    "CREATE TEMPORARY TABLE counts (word STRING, c BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'NAME')"
)
words = "(SELECT CAST(MOD(n, 3) AS STRING) AS word FROM numbers)"
table.execute_sql(f"INSERT INTO counts SELECT mark(word), {sys.argv[1]}(word) FROM {words} GROUP BY word")
"""
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Project:
    """A manifest in the folder over which the Flink runs."""

    folder: Path
    stack: str

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.stack}.yaml"

    @property
    def head(self) -> str:
        return MANIFEST.format(stack=self.stack, ENGINE=ENGINE)

    @property
    def rest(self) -> FlinkRest:
        url = find_cluster(self.folder / ".udfs" / "flink")
        assert url is not None, "no Flink runs"
        return FlinkRest(url)

    def declare(self, text: str, **files: str) -> None:
        """Write the manifest behind its head, and files, whose names have ``__`` for a full stop; NAME in both is the stack."""
        self.manifest.write_text(self.head + text.replace("NAME", self.stack))
        for name, content in files.items():
            (self.folder / name.replace("__", ".").replace("NAME", self.stack)).write_text(
                content.replace("NAME", self.stack)
            )

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name.replace("NAME", self.stack)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, code: int = 0) -> Said:
        began = time.monotonic()
        said = here(*arguments, "-f", str(self.manifest))
        print(f"{self.stack}: {' '.join(arguments)}: {time.monotonic() - began:.1f} s, exit {said.code}")
        assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
        return said

    def alive(self) -> list[str]:
        """Return the numbers of the stack's jobs that have not ended."""
        ended = {"FINISHED", "FAILED", "CANCELED"}
        return [
            job["jid"]
            for job in self.rest.jobs()
            if f"(udfs {self.stack} " in job["name"] and job["state"] not in ended
        ]

    def log(self, after: int) -> str:
        """Return what the TaskManager said after so many bytes: rows, too."""
        log = self.folder / ".udfs" / "flink" / "taskmanager.log"
        return log.read_bytes()[after:].decode("utf-8", "replace")

    def counts(self, prefix: str, *, after: int = 0) -> tuple[list[int], list[int]]:
        """Return the first and the last count of each of the three words under a prefix, among rows after so many bytes of the log, waiting for them."""
        row = re.compile(rf"{self.stack}(?::\d+)?> \+[IU]\[{prefix}(\d), (\d+)\]")
        for _ in range(480):
            found = row.findall(self.log(after))
            if len(last := {word: int(count) for word, count in found}) == 3:
                first = {word: int(count) for word, count in reversed(found)}
                return [first[word] for word in sorted(first)], [last[word] for word in sorted(last)]
            time.sleep(0.5)
        raise AssertionError(f"no rows of {prefix} came")

    def require_higher(self, prefix: str, before: list[int], *, after: int = 0) -> None:
        """Assert that the count of each word goes on from what it was."""
        first, _ = self.counts(prefix, after=after)
        assert all(new > old for new, old in zip(first, before, strict=True)), (before, first)

    @property
    def task_manager(self) -> tuple[str, int]:
        """What the one TaskManager calls itself, and the number of its process."""
        numbers = json.loads((self.folder / ".udfs" / "flink" / "processes.json").read_text())
        children = Path(f"/proc/{numbers['taskmanager']}/task/{numbers['taskmanager']}/children").read_text().split()
        [entry], [child] = self.rest._send("GET", "/taskmanagers")["taskmanagers"], children
        return str(entry["id"]), int(child)

    @property
    def job_manager(self) -> int:
        """The number of the JobManager's process."""
        return int(json.loads((self.folder / ".udfs" / "flink" / "processes.json").read_text())["jobmanager"])

    @property
    def metaspace(self) -> int:
        """The bytes of it that the TaskManager uses."""
        path = f"/taskmanagers/{self.task_manager[0]}/metrics?get=Status.JVM.Memory.Metaspace.Used"
        [metric] = self.rest._send("GET", path)
        return int(metric["value"])

    @property
    def log_size(self) -> int:
        return (self.folder / ".udfs" / "flink" / "taskmanager.log").stat().st_size


@contextmanager
def at_home(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, str(Path(value).absolute()) if name == "UDFS_FLINK" else value)
        yield patch


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    keeper = Project(folder, "keeper")
    with at_home(folder) as patch:
        patch.setenv("UDFS_CACHE_DIR", str(folder / "cache"))
        keeper.declare(f"jobs:\n  keeper: {{sql: keeper.sql, conf: {{{LASTING}}}}}\n", keeper__sql=KEEPER)
        told = keeper.run("apply", "--yes").err
        assert f"a Flink runs on at {keeper.rest.url} with its jobs" in told
        numbers = json.loads((folder / ".udfs" / "flink" / "processes.json").read_text())
        try:
            yield folder
        finally:
            keeper.run("destroy", "--yes")
        assert find_cluster(folder / ".udfs" / "flink") is None
        limit = time.monotonic() + 60
        while running := [name for name, number in numbers.items() if is_running(number)]:
            assert time.monotonic() < limit, running
            time.sleep(0.2)


def is_running(number: int) -> bool:
    """Say whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    """A stack of the test's own, whose jobs are gone after it."""
    stack = f"stack{next(NUMBERS)}"
    with at_home(home):
        made = Project(home, stack)
        yield made
        if made.manifest.exists():
            made.run("destroy", "--yes")
            assert made.alive() == []


def declare_counter(project: Project) -> None:
    project.declare(FUNCTIONS + JOB, NAME__py=COUNTER, NAME__sql=COUNTING)


def test_a_counter_goes_on_under_its_new_function(project: Project) -> None:
    declare_counter(project)
    project.run("apply", "--yes")
    _, before = project.counts("v1-")
    project.edit("NAME.py", '"v1-"', '"v2-"')
    said = project.run("plan")
    assert f"restart from a savepoint, because {project.stack}.py changed" in said.out
    assert "E490" not in said.err
    project.run("apply", "--yes")
    project.require_higher("v2-", before)
    assert "Nothing to do" in project.run("plan").out
    assert project.run("drift").code == 0
    savepoints = project.folder / ".udfs" / "flink" / "files" / "udfs" / project.stack / "savepoints"
    project.edit("NAME.py", '"v2-"', '"v3-"')
    project.run("apply", "--yes")
    assert len([*savepoints.glob("*/savepoint-*")]) == 1
    told = project.run("destroy", "--yes").err
    [state] = savepoints.glob("*/savepoint-*")
    assert f"the state of job {project.stack} stays in file:{state}" in told


def test_a_function_that_raises_is_given_up_for_the_old_one_with_its_count(project: Project) -> None:
    declare_counter(project)
    project.run("apply", "--yes")
    project.edit("NAME.py", 'return "v1-" + word', 'raise ValueError("on purpose")')
    _, before = project.counts("v1-")
    failed = project.run("apply", "--yes", code=8).err
    place = project.log_size
    assert "error[E491]" in failed
    assert "Traceback (most recent call last):" in failed
    assert "ValueError: on purpose" in failed
    assert "TaskExecutor is shutting down" not in failed
    project.require_higher("v1-", before, after=place)
    assert len(project.alive()) == 1


def test_another_graph_is_told_by_the_plan_and_refused_by_the_apply_until_it_may_begin_anew(project: Project) -> None:
    declare_counter(project)
    project.run("apply", "--yes")
    project.counts("v1-")
    [job] = project.alive()
    project.edit("NAME.sql", "counted(word) FROM", "COUNT(*) FROM")
    told, refused = project.run("plan").err, project.run("apply", "--yes", code=8).err
    assert "warning[E490]" in told
    assert "error[E490]" in refused
    for text in (told, refused):
        assert "- PythonGroupAggregate" in text
        assert "+ GroupAggregate" in text
    assert project.alive() == [job]
    project.edit(
        f"{project.stack}.yaml", "functions: [mark, counted]", "functions: [mark, counted], on_change: stateless"
    )
    place = project.log_size
    assert "restart without its state" in project.run("plan").out
    project.run("apply", "--yes")
    project.counts("v1-", after=place)
    assert "> +I[v1-0, " in project.log(place), "the counts go on"


def test_aggregates_in_python_on_the_heap_are_not_stopped_since_most_of_their_state_would_be_gone(
    project: Project,
) -> None:
    declare_counter(project)
    project.edit(f"{project.stack}.yaml", "conf: {", "conf: {state.backend.type: hashmap, ")
    project.run("apply", "--yes")
    [job] = project.alive()
    project.edit("NAME.py", '"v1-"', '"v2-"')
    assert "warning[E495]" in project.run("plan").err
    assert "error[E495]" in project.run("apply", "--yes", code=8).err
    assert project.alive() == [job]


def test_a_program_of_python_is_changed_with_its_state_and_what_it_raises_is_told(project: Project) -> None:
    jobs = "jobs:\n  NAME: {main: NAME_main.py, args: [counted], functions: [mark, counted]}\n"
    project.declare(FUNCTIONS + jobs, NAME__py=COUNTER, NAME_main__py=MAIN)
    project.run("apply", "--yes")
    _, before = project.counts("v1-")
    project.edit("NAME.py", '"v1-"', '"v2-"')
    project.run("apply", "--yes")
    project.require_higher("v2-", before)
    [job] = project.alive()
    project.edit("NAME_main.py", "table.execute_sql(source)", "raise KeyError('no such table')")
    failed = project.run("apply", "--yes", code=8).err
    assert "error[E492]" in failed
    assert f'{project.stack}_main.py", line 10' in failed
    assert "KeyError: 'no such table'" in failed
    assert project.alive() == [job]


@pytest.mark.parametrize("when", HANGING)
def test_an_interpreter_that_hangs_is_stopped_by_a_check_and_beyond_it_given_up_in_time(
    project: Project, when: str
) -> None:
    program, beside, code, says = HANGING[when]
    program = program.replace(b"PYTHON", os.environ["UDFS_FLINK"].encode())
    write_archive(project.folder / "env.zip", {"venv/bin/python": (PROGRAM, program), f"venv/{beside}": (FILE, b"")})
    conf = "{execution.checkpointing.interval: 3 s, task.cancellation.timeout: '20000', task.cancellation.interval: '5000'}"
    job = f"jobs:\n  NAME: {{sql: NAME.sql, functions: [mark, counted], environment: main, conf: {conf}}}\n"
    environment = "environments:\n  main: {python: cp311, archive: env.zip}\n"
    project.declare(environment + FUNCTIONS + job, NAME__py=COUNTER, NAME__sql=COUNTING)
    manager, worker = project.job_manager, project.task_manager
    refused = project.run("apply", "--yes", code=3).err
    assert f"error[{code}]" in refused
    failed = project.run("apply", "--yes", "--no-check", code, code=8).err
    assert f"warning[{code}]" in failed
    assert "error[E492]" in failed
    assert all(text in failed for text in says), failed
    assert project.alive() == []

    project.edit(f"{project.stack}.yaml", ", environment: main", "")
    project.run("apply", "--yes", "--no-check", code)
    project.counts("v1-")
    assert project.job_manager == manager
    assert (project.task_manager == worker) == (when == "as it plans")


@pytest.mark.parametrize("step", ["stop", "start"])
def test_an_apply_that_was_killed_is_gone_on_with(project: Project, step: str) -> None:
    declare_counter(project)
    project.run("apply", "--yes")
    _, before = project.counts("v1-")
    project.edit("NAME.py", '"v1-"', '"v2-"')
    record = project.folder / ".udfs" / "flink" / "files" / "udfs" / project.stack / "jobs" / f"{project.stack}.json"
    program = "import sys; from reconciler.cli.entry import run; sys.exit(run(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, "apply", "--yes", "-f", str(project.manifest)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (json.loads(record.read_text())["steps"] or {}).get("step") != step:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    project.run("unlock", "--epoch", "2", "--yes")
    project.run("apply", "--yes")
    project.require_higher("v2-", before)
    assert len(project.alive()) == 1
    assert "Nothing to do" in project.run("plan").out


@pytest.mark.timeout(3600)
def test_one_task_manager_takes_thirty_deploys_in_a_row(project: Project) -> None:
    """A TaskManager died of metaspace at its ninth deploy where each job brought PyFlink along."""
    project.declare(
        FUNCTIONS + JOB.replace("[mark, counted]", "[mark]"), NAME__py=f"{COUNTER}# the end\n", NAME__sql=MARKING
    )
    before, sizes = project.task_manager, []
    for number in range(30):
        project.run("apply", "--yes")
        sizes.append(project.metaspace)
        print(f"deploy {number + 1}: {sizes[-1] / (1 << 20):.1f} MiB of metaspace")
        project.edit("NAME.py", "# the end", f"# {number}\n# the end")
    assert project.task_manager == before
    assert sizes[29] <= 1.2 * sizes[9], sizes
