"""
Flink's REST interface: programs in Python on a cluster, by requests alone; neither Java nor PyFlink is needed where udfs runs.

A program is run by ``org.apache.flink.client.python.PythonDriver`` [Flink 1.20, "REST API" and "Python Dependency Management"; run]. Its dependencies
go into ``flinkConfiguration``: as arguments of the program (``-pyfs``, ``-pyarch``, ``-pyexec``) they are accepted and have no effect. Paths are the
JobManager's, where the planning Python runs.
"""

from __future__ import annotations

import io
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zipfile import ZipFile, ZipInfo

import requests

from reconciler.base.errors import ServiceError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.targets.flink.causes import choose_cause, find_cause
from reconciler.targets.flink.graphs import JobGraph, read_graph
from reconciler.targets.flink.head import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DRIVER = "udfs-driver.jar"
_ENTRY = "org.apache.flink.client.python.PythonDriver"
_ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})
_TIMEOUT = (10, 180)
"""Seconds for a connection, and for an answer: planning imports PyFlink and everything that the program does."""

_SHOWN = 30
_NOT_THERE = 404
_TURN = 600
"""Seconds until other programs have been planned."""

_BUSY = "PythonEnvUtils.setGatewayServer"
"""Where a second program fails that is planned beside another one in the same JobManager, with no word about it."""

_HANGING = "a Python that hangs is in the way of every other program: end it where the JobManager runs"
_SIGNED = re.compile(rf"^{SIGNATURE}(.+)$", re.MULTILINE)
_SILENT = "Python process exits with code"
_WITHOUT_PYFLINK = (
    "the JobManager's log has what its Python said; if that has no PyFlink, name an environment at the job"
)


@dataclass(frozen=True)
class PythonProgram:
    """A program in Python, and what it and its workers need; all paths are the JobManager's."""

    main: str
    arguments: tuple[str, ...] = ()
    name: str | None = None
    client: str | None = None
    """The Python that plans."""

    worker: str | None = None
    """``python.executable``: of an archive, ``venv.zip/venv/bin/python``."""

    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The program's ``flinkConfiguration``."""
        derived = {
            "pipeline.name": self.name,
            "python.client.executable": self.client,
            "python.executable": self.worker,
            "python.files": ",".join(self.files),
            "python.archives": ",".join(self.archives),
            "pipeline.classpaths": ";".join(self.jars),
        }
        return {**self.configuration, **{key: value for key, value in derived.items() if value}}


@dataclass
class FlinkRest:
    """A cluster, by the address of its REST interface."""

    url: str
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    number: Callable[[], str] = lambda: uuid4().hex
    """A source of the numbers by which jobs and requests are known before they are sent."""

    session: requests.Session = field(default_factory=requests.Session, repr=False)
    _planning: threading.Lock = field(default_factory=threading.Lock, repr=False)
    driver_jar: Path | None = None
    """``flink-python`` of the cluster's version, for one that has it not in its class path."""

    end_planning: Callable[[], int] | None = None
    """Ends the Pythons that plan programs, and returns how many; None where they are not this machine's to end."""

    def overview(self) -> dict[str, Any]:
        """Return what there is: version, TaskManagers, slots, numbers of jobs."""
        answer: dict[str, Any] = self._send("GET", "/overview")
        return answer

    def upload_driver(self, jar: Path | None = None) -> str:
        """
        Return the number of the jar by which programs are run, uploaded if it is not there.

        A cluster that has ``flink-python`` in its class path takes an empty one; for another it is `jar`, that of the cluster's version.
        """
        name = jar.name if jar is not None else DRIVER
        for file in self._send("GET", "/jars")["files"]:
            if file["name"] == name:
                return str(file["id"])
        content: Any = open_input(jar, SHIPPED) if jar is not None else io.BytesIO(empty_jar())
        with content:
            answer = self._send(
                "POST", "/jars/upload", files={"jarfile": (name, content, "application/x-java-archive")}
            )
        return str(answer["filename"]).rpartition("/")[2]

    def run(self, driver: str, program: PythonProgram, savepoint: str | None = None, *, job: str | None = None) -> str:
        """
        Run a program, and return the number of the job that it submits; it is planned by then.

        `job` is the number that it is to have: Flink takes each but once, also that of a job that has ended.
        """
        body = _body(program) | ({"jobId": job} if job is not None else {})
        if savepoint is not None:
            body |= {"savepointPath": savepoint, "allowNonRestoredState": False}
        return str(self._plan_alone(f"/jars/{driver}/run", body)["jobid"])

    def plan(self, driver: str, program: PythonProgram) -> JobGraph:
        """Return the graph that a program makes: it is planned as when it is run, and not submitted."""
        return read_graph(self._plan_alone(f"/jars/{driver}/plan", _body(program)))

    def graph(self, job: str) -> JobGraph:
        """Return the graph of a job."""
        return read_graph(self._send("GET", f"/jobs/{job}/plan"))

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs that a cluster remembers, with their names and states."""
        jobs: list[dict[str, Any]] = self._send("GET", "/jobs/overview")["jobs"]
        return jobs

    def find(self, job: str) -> dict[str, Any] | None:
        """Return a job with its vertices, or None where the cluster knows none of that number."""
        try:
            answer: dict[str, Any] = self._send("GET", f"/jobs/{job}")
        except ServiceError as error:
            if error.status == _NOT_THERE:
                return None
            raise
        return answer

    def state(self, job: str) -> str:
        """Return the state of a job, as Flink calls it."""
        return str(self._send("GET", f"/jobs/{job}")["state"])

    def wait_for_end(self, job: str, seconds: float) -> str:
        """Return the state in which a job ended, or is in after so many seconds."""
        return self._wait(lambda: self.state(job), lambda state: state in _ENDED, seconds)

    def why_failed(self, job: str) -> tuple[str, ...]:
        """Return the lines that say why a job failed; nothing if it did not."""
        answer = self._send("GET", f"/jobs/{job}/exceptions")
        history = answer.get("exceptionHistory", {}).get("entries", ())
        earlier = (str(entry.get("stacktrace") or "") for entry in history)
        return choose_cause((str(answer.get("root-exception") or ""), *earlier))[-_SHOWN:]

    def cancel(self, job: str) -> None:
        """Ask for the end of a job; its state tells when that has come."""
        self._send("PATCH", f"/jobs/{job}?mode=cancel")

    def stop(self, job: str, folder: str | None, seconds: float, *, trigger: str | None = None) -> str:
        """
        Stop a job with a savepoint, and return where that lies.

        `trigger` is the number of the request: one that is sent twice with it is one.
        """
        body: dict[str, Any] = {"drain": False} | ({"targetDirectory": folder} if folder is not None else {})
        body |= {"triggerId": trigger} if trigger is not None else {}
        trigger = self._send("POST", f"/jobs/{job}/stop", json=body)["request-id"]

        def look() -> str:
            answer = self._send("GET", f"/jobs/{job}/savepoints/{trigger}")
            if answer["status"]["id"] != "COMPLETED":
                return ""
            operation = answer["operation"]
            if "failure-cause" in operation:
                cause = find_cause(str(operation["failure-cause"].get("stack-trace", "")))
                raise ServiceError("E668", f"the job {job} took no savepoint, and runs on", detail=cause)
            return str(operation["location"])

        if not (location := self._wait(look, bool, seconds)):
            raise ServiceError("E668", f"the job {job} took no savepoint within {seconds:g} seconds", outcome="unknown")
        return location

    def checkpoints(self, job: str) -> dict[str, Any]:
        """Return the counts of checkpoints of a job: completed, failed, restored."""
        counts: dict[str, Any] = self._send("GET", f"/jobs/{job}/checkpoints")["counts"]
        return counts

    def state_backend(self, job: str) -> str:
        """Return what keeps the state of a job, as Flink calls it; empty where it does not say."""
        return str(self._send("GET", f"/jobs/{job}/checkpoints/config").get("state_backend", ""))

    def trigger_checkpoint(self, job: str) -> None:
        """Ask for a checkpoint now, whatever the interval is; the counts tell what became of it."""
        self._send("POST", f"/jobs/{job}/checkpoints", json={"checkpointType": "CONFIGURED"})

    def latest_state(self, job: str) -> str | None:
        """Return where the last savepoint or checkpoint of a job lies that Flink has kept."""
        latest = self._send("GET", f"/jobs/{job}/checkpoints")["latest"]
        entries = [entry for kind in ("savepoint", "completed") if (entry := latest.get(kind))]
        kept = [entry for entry in entries if entry.get("external_path") and not entry.get("discarded")]
        newest = max(kept, key=lambda entry: int(entry["id"]), default=None)
        return str(newest["external_path"]) if newest is not None else None

    def _plan_alone(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send what plans a program, again while the JobManager plans another one: it plans one in Python at a time, and refuses a second [run]."""
        with self._planning:
            limit = self.clock() + _TURN
            while True:
                try:
                    return self._send("POST", path, json=body)
                except ServiceError as error:
                    if isinstance(error.__cause__, requests.ReadTimeout):
                        raise self._hung() from error
                    if error.service_code != _BUSY or (self.clock() > limit and not self._end_planning()):
                        raise
                self.pause(2)

    def _hung(self) -> ServiceError:
        """Return the error for a program whose planning does not end; where that is possible it is ended, as the JobManager plans no other meanwhile."""
        message = f"Flink at {self.url} plans in vain: the program's Python did not end within {_TIMEOUT[1]} seconds"
        if self._end_planning():
            return ServiceError("E669", f"{message}, and was ended")
        return ServiceError("E669", message, hint=_HANGING, outcome="unknown")

    def _end_planning(self) -> bool:
        return self.end_planning is not None and self.end_planning() > 0

    def _wait(self, look: Callable[[], str], is_over: Callable[[str], bool], seconds: float) -> str:
        limit = self.clock() + seconds
        while not is_over(state := look()) and self.clock() < limit:
            self.pause(0.5)
        return state

    def _send(self, method: str, path: str, **body: Any) -> Any:
        try:
            answer = self.session.request(method, f"{self.url}{path}", timeout=_TIMEOUT, allow_redirects=False, **body)
        except requests.RequestException as error:
            message = f"no answer from Flink at {self.url}"
            raise ServiceError(
                "E669", message, hint="does it run, and is its REST port reachable?", outcome="unknown"
            ) from error
        try:
            document = answer.json()
        except ValueError as error:
            message = (
                f"what answers at {self.url} is no Flink: {method} {path} came to {answer.status_code} without JSON"
            )
            raise ServiceError("E669", message, status=answer.status_code) from error
        if answer.status_code >= 400:
            texts = document.get("errors", []) if isinstance(document, dict) else []
            text = _own_words("\n".join(map(str, texts)), body)
            if _BUSY in text:
                message = f"Flink at {self.url} plans another program in Python"
                raise ServiceError(
                    *("E669", message), hint=_HANGING, status=answer.status_code, service_code=_BUSY, outcome="safe"
                )
            cause = find_cause(text) or ("it does not say why",)
            message = f"Flink refuses {method} {path.partition('?')[0]}: {cause[-1]}"
            # The program says why it fails, so what says nothing did not get as far [run].
            hint = _WITHOUT_PYFLINK if _SILENT in text else None
            raise ServiceError("E669", message, status=answer.status_code, hint=hint, detail=cause[:-1][-_SHOWN:])
        return document


def _own_words(text: str, body: Mapping[str, Any]) -> str:
    """
    Return what an answer says of the program that was sent.

    Flink repeats an earlier program's words where this one has said nothing, as they are signed.
    """
    match = _SIGNED.search(text)
    is_own = match is None or match[1] in body.get("json", {}).get("programArgsList", ())[1:2]
    return text if is_own else f"{_SILENT} other than 0, and says nothing"


def _body(program: PythonProgram) -> dict[str, Any]:
    return {
        "entryClass": _ENTRY,
        "programArgsList": ["-py", program.main, *program.arguments],
        "flinkConfiguration": program.settings,
    }


def empty_jar() -> bytes:
    """Return a jar without a class: what is to be run is found in the class path of the cluster."""
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr(ZipInfo("META-INF/MANIFEST.MF", (1980, 1, 1, 0, 0, 0)), "Manifest-Version: 1.0\n\n")
    return content.getvalue()
