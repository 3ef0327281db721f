"""Parts of the target for Flink that need no Flink: engines, causes of failures, requests, and the configuration of one's own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from reconciler.base.errors import ServiceError, UsageError
from reconciler.local.flink.cluster import end_leftovers, end_planners
from reconciler.local.flink.configuration import MemorySizes, configuration_text, java_options, process_environment
from reconciler.local.flink.distribution import find_distribution
from reconciler.targets.flink.causes import choose_cause, find_cause
from reconciler.targets.flink.engines import PYTHONS, oldest_system, parse_engine, runtimes_of
from reconciler.targets.flink.rest import FlinkRest, PythonProgram, empty_jar


@pytest.mark.parametrize(
    ("name", "version", "glibc", "java"),
    [
        ("flink-1.20", (1, 20), (2, 35), 11),
        ("vvr-8.0.10-flink-1.17", (1, 17), (2, 17), 8),
        ("vvr-8.0.11-flink-1.17", (1, 17), (2, 17), 8),
        ("vvr-11.7-jdk11-flink-1.20", (1, 20), (2, 31), 11),
        ("vvr-11.1-flink-1.20", (1, 20), (2, 31), 11),
    ],
)
def test_the_name_of_an_engine_says_its_flink_its_system_and_its_java(
    name: str, version: tuple[int, int], glibc: tuple[int, int], java: int
) -> None:
    engine = parse_engine(name)
    assert engine is not None
    assert (engine.version, engine.glibc, engine.java) == (version, glibc, java)


@pytest.mark.parametrize("name", ["", "1.20", "flink", "flink-1", "vvr-flink-1.17", "vvr-8-flink-1.17", "flink-1.20 "])
def test_what_is_no_engine_is_none(name: str) -> None:
    assert parse_engine(name) is None


def test_of_several_engines_the_one_on_the_oldest_system_counts() -> None:
    engines = [engine for name in ("flink-1.20", "vvr-11.7-jdk11-flink-1.20") if (engine := parse_engine(name))]
    assert oldest_system(engines).name == "vvr-11.7-jdk11-flink-1.20"
    runtime = runtimes_of(oldest_system(engines))["cp311"]
    assert (runtime.interpreter, runtime.abi, runtime.glibc) == ("cp311", "cp311", (2, 31))


def test_each_python_of_an_engine_has_tags_of_its_own() -> None:
    for version, tags in PYTHONS.items():
        engine = parse_engine(f"flink-{version[0]}.{version[1]}")
        assert engine is not None
        assert {tag: (of.interpreter, of.full_version.count(".")) for tag, of in runtimes_of(engine).items()} == {
            tag: (tag, 2) for tag in tags
        }


WITH_TRACEBACK = """\
org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.runtime.executiongraph.failover.ExecutionFailureHandler.handleFailure(ExecutionFailureHandler.java:219)
Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 1: Traceback (most recent call last):
  File "/tmp/python-dist/told.py", line 7, in eval
    return 1 / 0
ZeroDivisionError: division by zero

\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient.lambda$static$0(FnApiControlClient.java:180)
\t... 7 more
Caused by: java.lang.Exception: not this one
"""
WITHOUT = """\
org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat a.B.c(B.java:1)
Caused by: java.io.IOException: Cannot run program "env/venv/bin/python": error=13, Permission denied
\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)
Caused by: java.io.IOException: error=13, Permission denied
\t... 9 more
"""


def test_the_cause_of_a_failure_is_pythons_traceback_or_the_last_exception() -> None:
    assert find_cause(WITH_TRACEBACK) == (
        "Traceback (most recent call last):",
        '  File "/tmp/python-dist/told.py", line 7, in eval',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    )
    assert find_cause(WITHOUT) == ("IOException: error=13, Permission denied",)
    assert find_cause("org.apache.flink.util.FlinkException: The TaskExecutor is shutting down.") == (
        "FlinkException: The TaskExecutor is shutting down.",
    )
    assert find_cause("") == ()


def test_what_a_cluster_says_of_itself_is_never_alone_the_cause() -> None:
    ended = "org.apache.flink.util.FlinkException: The TaskExecutor is shutting down."
    assert choose_cause((ended, WITH_TRACEBACK)) == find_cause(WITH_TRACEBACK)
    assert choose_cause((ended, "")) == (
        "FlinkException: The TaskExecutor is shutting down.",
        choose_cause((ended,))[-1],
    )
    assert "worker in Python that hung" in choose_cause((ended,))[-1]
    assert choose_cause(("", "")) == ()


def test_what_a_program_needs_goes_into_the_configuration_and_never_over_what_is_derived() -> None:
    program = PythonProgram(
        "/a/main.py",
        worker="venv.zip/venv/bin/python",
        archives=("/a/venv.zip", "/a/data.zip#data"),
        jars=("file:///a.jar", "file:///b.jar"),
        configuration={"python.executable": "python3", "execution.checkpointing.interval": "3 s"},
    )
    assert program.settings == {
        "execution.checkpointing.interval": "3 s",
        "python.executable": "venv.zip/venv/bin/python",
        "python.archives": "/a/venv.zip,/a/data.zip#data",
        "pipeline.classpaths": "file:///a.jar;file:///b.jar",
    }


class Answer:
    """What Flink says, and what it was asked."""

    def __init__(self, status: int, document: Any) -> None:
        self.status_code, self.document = status, document

    def json(self) -> Any:
        if self.document is None:
            raise ValueError("no JSON")
        return self.document


class Wire:
    """Answers in turn, and keeps what was sent: the requests are what is looked at."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.sent = [*answers], list[tuple[str, str, Any]]()

    def request(self, method: str, url: str, **options: Any) -> Answer:
        self.sent.append((method, url, options.get("json")))
        return self.answers.pop(0)


def rest(*answers: Answer) -> tuple[FlinkRest, Wire]:
    wire = Wire(*answers)
    return FlinkRest("http://flink", pause=lambda seconds: None, session=wire), wire  # type: ignore[arg-type]


def test_a_program_is_run_from_a_savepoint_only_if_it_takes_all_of_it() -> None:
    flink, wire = rest(Answer(200, {"jobid": "j"}), Answer(200, {"jobid": "k"}))
    assert flink.run("d.jar", PythonProgram("/m.py", ("--out", "x")), "file:///s") == "j"
    assert flink.run("d.jar", PythonProgram("/m.py")) == "k"
    (_, url, body), (_, _, fresh) = wire.sent
    assert url == "http://flink/jars/d.jar/run"
    assert body["programArgsList"] == ["-py", "/m.py", "--out", "x"]
    assert (body["savepointPath"], body["allowNonRestoredState"]) == ("file:///s", False)
    assert "savepointPath" not in fresh


def test_a_program_waits_for_its_turn_while_the_cluster_plans_another() -> None:
    busy = "Caused by: java.lang.IllegalArgumentException\n\tat org.apache.flink.client.python.PythonEnvUtils.setGatewayServer(P.java:4)"
    flink, wire = rest(Answer(400, {"errors": [busy]}), Answer(200, {"jobid": "j"}))
    assert flink.run("d.jar", PythonProgram("/m.py")) == "j"
    assert len(wire.sent) == 2


SAID = "Caused by: org.apache.flink.UnsuccessfulExecutionException: Traceback (most recent call last):\nKeyError: 'w'\nsaid by {}\n\tat org.apache.flink.A.b(C.java:1)"


@pytest.mark.parametrize(
    ("speaker", "said"),
    [("/m.py", "KeyError: 'w'"), ("/other.py", "Python process exits with code other than 0, and says nothing")],
)
def test_words_of_an_earlier_program_are_not_taken_for_those_of_this_one(speaker: str, said: str) -> None:
    flink, _ = rest(Answer(500, {"errors": ["Internal server error.", SAID.format(speaker)]}))
    with pytest.raises(ServiceError) as caught:
        flink.run("d.jar", PythonProgram("/m.py"))
    [problem] = caught.value.problems
    assert problem.message == f"Flink refuses POST /jars/d.jar/run: {said}"
    assert "said by" not in "".join(problem.detail)
    assert (problem.hint is None) == (speaker == "/m.py")


class Silence:
    """Never answers."""

    def request(self, method: str, url: str, **options: Any) -> Answer:
        raise requests.ReadTimeout


@pytest.mark.parametrize("ended", [None, 0, 2])
def test_a_program_whose_planning_hangs_is_given_up_and_ended_where_that_can_be(ended: int | None) -> None:
    flink = FlinkRest("http://flink", session=Silence())  # type: ignore[arg-type]
    flink.end_planning = None if ended is None else lambda: ended
    with pytest.raises(ServiceError, match="the program's Python did not end within 180 seconds") as caught:
        flink.run("d.jar", PythonProgram("/m.py"))
    assert caught.value.outcome == ("final" if ended else "unknown")
    assert ("and was ended" in str(caught.value)) == bool(ended)


def test_a_job_that_took_no_savepoint_is_told_with_flinks_cause() -> None:
    failed = {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": WITHOUT}}}
    flink, _ = rest(
        Answer(202, {"request-id": "t"}), Answer(200, {"status": {"id": "IN_PROGRESS"}}), Answer(200, failed)
    )
    with pytest.raises(ServiceError) as caught:
        flink.stop("j", None, 60)
    [problem] = caught.value.problems
    assert (problem.code, problem.detail) == ("E668", ("IOException: error=13, Permission denied",))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            Answer(404, {"errors": ["Unable to load requested file /jobs."]}),
            "Flink refuses GET /jobs/j: Unable to load",
        ),
        (Answer(500, {"errors": ["Internal server error.", WITHOUT]}), "IOException: error=13, Permission denied"),
        (Answer(200, None), "what answers at http://flink is no Flink"),
    ],
)
def test_what_flink_refuses_is_told_by_its_last_cause(answer: Answer, text: str) -> None:
    flink, _ = rest(answer)
    with pytest.raises(ServiceError) as caught:
        flink.state("j")
    [problem] = caught.value.problems
    assert (problem.code, text in problem.message) == ("E669", True)


def test_an_empty_jar_is_the_same_every_time() -> None:
    assert empty_jar() == empty_jar()
    assert empty_jar().startswith(b"PK")


# --- A Flink of one's own -------------------------------------------------------------------------------------------------


def test_everything_listens_on_loopback_and_writes_below_its_folder() -> None:
    text = configuration_text(Path("/store with blank"), 8081, 6123, MemorySizes())
    values = yaml.safe_load(text)
    hosts = {key: value for key, value in values.items() if key.endswith(("address", "host"))}
    assert len(hosts) == 6
    assert set(hosts.values()) == {"127.0.0.1"}
    folders = [value for key, value in values.items() if key.endswith((".dir", ".dirs", "tmpdir", "directory", "-dir"))]
    assert len(folders) == 6
    assert all(
        folder.removeprefix("file://").replace("%20", " ").startswith("/store with blank/") for folder in folders
    )


def test_the_memory_of_java_is_that_of_the_configuration() -> None:
    sizes = MemorySizes(task_heap=100, framework_heap=28, framework_off_heap=30, network=20)
    options = java_options(sizes.task_manager_heap, direct=sizes.direct, metaspace=sizes.metaspace)
    assert {"-Xmx128m", "-XX:MaxDirectMemorySize=50m", "-XX:MaxMetaspaceSize=512m"} <= set(options)


def test_no_credential_reaches_a_worker() -> None:
    seen = process_environment(
        {"PATH": "/bin", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}, Path("/flink"), Path("/s/conf")
    )
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" not in seen
    assert (seen["PATH"], seen["HOME"]) == ("/bin", "/s")


def flink_environment(folder: Path, version: str) -> Path:
    package = folder / "lib" / "python3.11" / "site-packages" / "pyflink"
    for name in (
        f"lib/flink-dist-{version}.jar",
        f"opt/flink-python-{version}.jar",
        f"opt/flink-sql-client-{version}.jar",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    return folder / "bin" / "python"


def test_a_flink_is_found_by_its_package_with_flink_python_among_its_jars(tmp_path: Path) -> None:
    python = flink_environment(tmp_path, "1.20.5")
    flink = find_distribution({"UDFS_FLINK": str(python), "JAVA_HOME": str(tmp_path)}, (1, 20))
    assert (flink.version, flink.python, flink.java) == ("1.20.5", python, tmp_path / "bin" / "java")
    assert [path.name for path in flink.class_path] == ["flink-dist-1.20.5.jar", "flink-python-1.20.5.jar"]


@pytest.mark.parametrize(
    ("env", "code", "text"),
    [
        ({}, "E665", "names an environment with no Flink 1.19: it has 1.20.5"),
        ({"UDFS_FLINK": "/nowhere/bin/python"}, "E665", "names an environment with no Flink"),
    ],
)
def test_without_a_flink_the_command_that_brings_one_is_told(
    tmp_path: Path, env: dict[str, str], code: str, text: str
) -> None:
    python = flink_environment(tmp_path, "1.20.5")
    with pytest.raises(UsageError) as caught:
        find_distribution({"UDFS_FLINK": str(python), **env}, (1, 19))
    [problem] = caught.value.problems
    assert problem.code == code
    assert text in problem.message
    assert "pip install 'apache-flink==1.19.*'" in str(problem.hint)


def test_without_java_that_is_told(tmp_path: Path) -> None:
    python = flink_environment(tmp_path, "1.20.5")
    with pytest.raises(UsageError) as caught:
        find_distribution({"UDFS_FLINK": str(python), "PATH": str(tmp_path / "nothing")}, (1, 20))
    assert caught.value.problems[0].code == "E666"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"taskmanager": "x"}', json.dumps({"taskmanager": 1})])
def test_a_number_that_is_not_ours_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "processes.json").write_text(text)
    assert end_leftovers(tmp_path) == []


def test_what_a_job_manager_started_is_ended_with_all_that_it_started_and_nothing_else(tmp_path: Path) -> None:
    parent = "import subprocess, sys; print(subprocess.Popen(['/bin/sh', '-c', 'sleep 600; true']).wait(), flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", parent, str(tmp_path / "conf")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as manager:
        (tmp_path / "processes.json").write_text(json.dumps({"jobmanager": manager.pid}))
        while (ended := end_planners(tmp_path)) == 0:
            assert manager.poll() is None
        assert ended in {1, 2}
        assert manager.stdout is not None
        assert manager.stdout.readline() == f"{-signal.SIGKILL}\n"
        assert end_planners(tmp_path) == 0
        manager.communicate("")
    assert end_planners(tmp_path) == 0
