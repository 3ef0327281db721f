"""
A session cluster that is none: the calls of Flink's REST interface that udfs makes, over real HTTP on loopback, with jobs that do nothing.

Each handler says how what it answers is known: *documented* ("REST API", Flink 1.20), or *run* (seen of 1.20.5, see ``reconciler/targets/flink/rest.py``).
What a job does is decided by its text: one that holds ``ends badly``, in its program or in a module of its functions, fails; one with ``never answers`` does not come up; a batch
finishes at once; any other runs.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})


@dataclass
class FakeJob:
    """A job, as the cluster has it."""

    number: str
    name: str
    state: str
    configuration: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    main: str = ""
    savepoint: str = ""
    """It was begun from."""

    is_batch: bool = False
    graph: str = ""
    is_stuck: bool = False
    """Whether its workers are never up."""

    savepoints: dict[str, str] = field(default_factory=dict)
    """By trigger, where each lies."""


@dataclass
class FakeFlink:
    """A cluster that listens. `close` ends it."""

    jobs: dict[str, FakeJob] = field(default_factory=dict)
    jars: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Method and path of each, in order."""

    workers: int = 1
    """TaskManagers; where there is none, the first comes once somebody has looked."""

    def __post_init__(self) -> None:
        self._numbers = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), name="fake-flink", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def submit(self, name: str, **fields: Any) -> FakeJob:
        """Submit a job past udfs, as anybody may."""
        with self._lock:
            self._numbers += 1
            job = FakeJob(f"{self._numbers:032x}", name, "RUNNING", **fields)
            self.jobs[job.number] = job
            return job

    def alive(self, name: str = "") -> list[FakeJob]:
        """Return the jobs that run whose name begins so."""
        return [job for job in self.jobs.values() if job.state not in ENDED and job.name.startswith(name)]

    def forget(self) -> None:
        """Lose every job, as a cluster does that is started anew."""
        self.jobs.clear()

    # --- Calls --------------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        for verb, pattern, handle in self._calls():
            if verb == method and (match := re.fullmatch(pattern, path)):
                with self._lock:
                    return handle(*match.groups(), **({"body": body} if method in {"POST", "PATCH"} else {}))
        return 404, {"errors": [f"Not found: {path}"]}  # run

    def _calls(self) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        return [
            ("GET", r"/overview", self._overview),
            ("GET", r"/jobs/overview", self._jobs),
            ("GET", r"/jars", self._list_jars),
            ("POST", r"/jars/upload", self._upload),
            ("POST", r"/jars/([^/]+)/run", self._run),
            ("POST", r"/jars/([^/]+)/plan", self._plan),
            ("GET", r"/jobs/([0-9a-f]+)", self._job),
            ("PATCH", r"/jobs/([0-9a-f]+)", self._cancel),
            ("GET", r"/jobs/([0-9a-f]+)/plan", self._plan_of),
            ("GET", r"/jobs/([0-9a-f]+)/exceptions", self._exceptions),
            ("GET", r"/jobs/([0-9a-f]+)/checkpoints", self._checkpoints),
            ("POST", r"/jobs/([0-9a-f]+)/stop", self._stop),
            ("POST", r"/jobs/([0-9a-f]+)/savepoints", self._take_savepoint),
            ("GET", r"/jobs/([0-9a-f]+)/savepoints/([0-9a-f]+)", self._savepoint),
        ]

    def _overview(self) -> tuple[int, Any]:
        """Documented."""
        workers, self.workers = self.workers, max(1, self.workers)
        return 200, {
            "taskmanagers": workers,
            "slots-total": 4,
            "jobs-running": len(self.alive()),
            "flink-version": "1.20.5",
        }

    def _jobs(self) -> tuple[int, Any]:
        """Run: number, name, state and times of every job that is remembered; no configuration."""
        now = int(time.time() * 1000)
        return 200, {
            "jobs": [
                {
                    "jid": job.number,
                    "name": job.name,
                    "state": job.state,
                    "start-time": now,
                    "end-time": -1,
                    "duration": 1,
                    "last-modification": now,
                    "tasks": {"total": 1},
                }
                for job in self.jobs.values()
            ]
        }

    def _list_jars(self) -> tuple[int, Any]:
        """Documented."""
        return 200, {"address": self.url, "files": [{"id": jar, "name": jar.partition("_")[2]} for jar in self.jars]}

    def _upload(self, body: bytes) -> tuple[int, Any]:
        """Run: the number is the last part of ``filename``."""
        match = re.search(rb'filename="([^"]+)"', body)
        assert match is not None
        jar = f"{len(self.jars)}_{match[1].decode()}"
        self.jars.append(jar)
        return 200, {"filename": f"/tmp/flink-web-upload/{jar}", "status": "success"}

    def _program(self, jar: str, body: bytes) -> FakeJob | tuple[int, Any]:
        if unquote(jar) not in self.jars:
            return 400, {"errors": [f"Jar file {jar} does not exist"]}  # documented
        asked = json.loads(body)
        arguments, settings = asked["programArgsList"], asked["flinkConfiguration"]
        main = arguments[arguments.index("-py") + 1]
        modules = [path for path in settings.get("python.files", "").split(",") if path.endswith(".py")]
        text = "".join(Path(path).read_text(encoding="utf-8") for path in (main, *modules))
        is_batch = settings.get("execution.runtime-mode", "").lower() == "batch"
        self._numbers += 1
        number = asked.get("jobId") or f"{self._numbers:032x}"
        state = "FAILED" if "ends badly" in text else "FINISHED" if is_batch else "RUNNING"
        graph = "".join(re.findall(r"COUNT|MAX|GROUP BY", text))
        is_stuck = "never answers" in text
        options = (settings, tuple(arguments[2:]), main, asked.get("savepointPath") or "", is_batch, graph, is_stuck)
        return FakeJob(number, settings.get("pipeline.name", "job"), state, *options)

    def _run(self, jar: str, body: bytes) -> tuple[int, Any]:
        """Run: answers when the program is planned and the job submitted, which fails without a TaskManager; a ``jobId`` that is taken is refused [documented]."""
        job = self._program(jar, body)
        if isinstance(job, tuple):
            return job
        if job.number in self.jobs:
            text = f"org.apache.flink.client.deployment.DuplicateJobSubmissionException: Job {job.number} has already been submitted"
            return 500, {"errors": ["Internal server error.", text]}
        job.state = job.state if self.workers else "FAILED"
        self.jobs[job.number] = job
        return 200, {"jobid": job.number}

    def _plan(self, jar: str, body: bytes) -> tuple[int, Any]:
        """Documented."""
        job = self._program(jar, body)
        return job if isinstance(job, tuple) else (200, {"plan": _graph(job)})

    def _plan_of(self, number: str) -> tuple[int, Any]:
        """Documented."""
        return self._of(number, lambda job: {"plan": _graph(job)})

    def _job(self, number: str) -> tuple[int, Any]:
        """Run."""

        def describe(job: FakeJob) -> Any:
            status = "INITIALIZING" if job.is_stuck else job.state
            vertex = {"id": "a" * 32, "name": "Source -> Sink", "parallelism": 1, "status": status}
            kind = "BATCH" if job.is_batch else "STREAMING"
            return {
                "jid": number,
                "name": job.name,
                "state": job.state,
                "job-type": kind,
                "start-time": 1,
                "timestamps": {"RUNNING": 1},
                "vertices": [vertex],
                "plan": _graph(job),
            }

        return self._of(number, describe)

    def _cancel(self, number: str, body: bytes) -> tuple[int, Any]:
        """Run: taken at once; the job ends by itself."""

        def cancel(job: FakeJob) -> Any:
            job.state = job.state if job.state in ENDED else "CANCELED"
            return {}

        code, answer = self._of(number, cancel)
        return (202 if code == 200 else code), answer

    def _exceptions(self, number: str) -> tuple[int, Any]:
        """Run: the root exception as one text."""
        text = 'java.lang.RuntimeException: x\nCaused by: Traceback (most recent call last):\n  File "udfs.py", line 1\nValueError: broken'
        return self._of(
            number,
            lambda job: {
                "root-exception": text if job.state == "FAILED" else None,
                "exceptionHistory": {"entries": [], "truncated": False},
            },
        )

    def _checkpoints(self, number: str) -> tuple[int, Any]:
        """Run: a job that runs has completed some."""

        def count(job: FakeJob) -> Any:
            completed = int(job.state == "RUNNING")
            latest = {"external_path": job.savepoint, "is_savepoint": True} if job.savepoint else None
            taken = [{"id": 2, "external_path": place, "discarded": False} for place in job.savepoints.values()]
            return {
                "counts": {"completed": completed, "failed": 0, "restored": int(bool(job.savepoint)), "in_progress": 0},
                "latest": {
                    "restored": latest,
                    "completed": {"id": 1, "external_path": "", "discarded": True} if completed else None,
                    "savepoint": taken[-1] if taken else None,
                },
                "history": [],
            }

        return self._of(number, count)

    def _stop(self, number: str, body: bytes) -> tuple[int, Any]:
        """Run: the savepoint is taken, and the job FINISHED; ``triggerId`` is the caller's choice [documented]."""
        return self._save(number, json.loads(body), "targetDirectory", ends=True)

    def _take_savepoint(self, number: str, body: bytes) -> tuple[int, Any]:
        """Documented: the job runs on."""
        return self._save(number, json.loads(body), "target-directory", ends=False)

    def _save(self, number: str, asked: Mapping[str, Any], folder: str, *, ends: bool) -> tuple[int, Any]:
        def save(job: FakeJob) -> Any:
            trigger = asked.get("triggerId") or f"{len(job.savepoints) + 1:032x}"
            if trigger not in job.savepoints:
                place = Path(asked[folder].removeprefix("file://")) / f"savepoint-{number[-6:]}-{trigger[-12:]}"
                place.mkdir(parents=True, exist_ok=True)
                (place / "_metadata").write_text(job.name, encoding="utf-8")
                job.savepoints[trigger] = place.as_uri()
                job.state = "FINISHED" if ends else job.state
            return {"request-id": trigger}

        job = self.jobs.get(number)
        if job is not None and job.state in ENDED:
            return 404, {"errors": [f"Job {number} not found, or it has ended"]}  # a guess: any refusal would do
        code, answer = self._of(number, save)
        return (202 if code == 200 else code), answer

    def _savepoint(self, number: str, trigger: str) -> tuple[int, Any]:
        """Run."""
        return self._of(
            number,
            lambda job: {"status": {"id": "COMPLETED"}, "operation": {"location": job.savepoints[trigger]}},
        )

    def _of(self, number: str, describe: Callable[[FakeJob], Any]) -> tuple[int, Any]:
        job = self.jobs.get(number)
        if job is None:
            text = f"org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job ({number})"
            return 404, {"errors": [text]}  # run
        return 200, describe(job)


@dataclass
class WatchedFlink(FakeFlink):
    """A cluster, and somebody who is told of each request before it is answered."""

    watch: Callable[[str], None] = field(default=lambda request: None)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        self.watch(f"{method} {path}")
        return super().answer(method, path, body)


def _graph(job: FakeJob) -> Any:
    node = {
        "id": "a" * 32,
        "parallelism": 1,
        "operator": "",
        "description": f"Source -> {job.graph} -> Sink",
        "inputs": [],
    }
    return {"jid": job.number, "name": job.name, "type": "STREAMING", "nodes": [node]}


def _handler(flink: FakeFlink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, document = flink.answer(self.command, urlsplit(self.path).path, body)
            content = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
