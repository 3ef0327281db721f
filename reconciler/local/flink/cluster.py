"""
Flink cluster: two processes on loopback, for as long as somebody holds it open.

What a run that was killed left behind is ended by the next one over the same store: by its number, if the process with that number still is
the one that was started here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import MachineError
from reconciler.base.files import replace_file
from reconciler.base.inputs import REPORT, SETTING, read_input
from reconciler.local.flink.configuration import (
    LOGGING,
    LOOPBACK,
    MemorySizes,
    configuration_text,
    folders,
    java_options,
    process_environment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.local.flink.distribution import FlinkDistribution

_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_NUMBERS = "processes.json"
_LEFT = "left-running"
"""A file that says that no command stands behind the processes."""

_PORT = re.compile(r"^rest\.port: ([0-9]+)$", re.MULTILINE)
_PATIENCE = 120.0
"""Seconds until both are up: 4 on a quiet machine, 40 on one that is very busy [run]."""

_AGAIN = ("/bin/sh", "-c", 'while began=$(date +%s); "$@"; [ $(($(date +%s) - began)) -gt 10 ]; do :; done', "again")
"""
Starts a TaskManager again when it ends, but for one that did not even start.

Flink itself ends it when a job is cancelled whose worker hangs, and leaves it to others to start the next: Kubernetes elsewhere.
"""

_GRACE = 10.0
_SHOWN = 12


@dataclass
class FlinkCluster:
    """A Flink that runs. `close` ends it."""

    distribution: FlinkDistribution
    store: Path
    port: int
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """Where its REST interface listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers of its processes, by what they are."""
        return {name: process.pid for name, process in self._processes.items()}

    def serve_forever(self) -> None:
        """Return when a process has ended by itself; KeyboardInterrupt ends the waiting."""
        while all(process.poll() is None for process in self._processes.values()):
            time.sleep(0.5)
        raise self._failure("has ended")

    def close(self) -> None:
        """End both, and whatever they started."""
        for process in self._processes.values():
            _end_group(process.pid, signal.SIGTERM)
        limit = time.monotonic() + _GRACE
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, limit - time.monotonic()))
            _end_group(process.pid, signal.SIGKILL)
            process.wait()
        (self.store / _NUMBERS).unlink(missing_ok=True)

    def leave_running(self) -> None:
        """Let it outlive this process; `end_idle_cluster` ends it."""
        (self.store / _LEFT).touch()
        for process in self._processes.values():
            process.returncode = 0  # nobody waits for it here, and Python is not to complain of that

    def _start(self, name: str, main: str, options: list[str], env: Mapping[str, str]) -> None:
        conf = self.store / "conf"
        class_path = os.pathsep.join(map(str, self.distribution.class_path))
        command = [
            *(_AGAIN if name.startswith("taskmanager") else ()),
            *(
                str(self.distribution.java),
                *options,
                f"-Dlog4j.configurationFile={(conf / 'log4j.properties').as_uri()}",
            ),
            *("-cp", class_path, main, "--configDir", str(conf)),
        ]
        with (self.store / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self.store,
                env=process_environment(env, self.distribution.home, conf),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        replace_file(self.store / _NUMBERS, json.dumps(self.numbers).encode())

    def _wait(self, seconds: float, workers: int) -> None:
        """Wait until all TaskManagers have told the JobManager of themselves."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if any(process.poll() is not None for process in self._processes.values()):
                raise self._failure("did not start")
            if _count_workers(self.port) >= workers:
                return
            time.sleep(0.2)
        raise self._failure(f"was not ready within {seconds:g} seconds")

    def _failure(self, what: str) -> MachineError:
        name = next((name for name, process in self._processes.items() if process.poll() is not None), "jobmanager")
        log = self.store / f"{name}.log"
        lines = read_input(log, REPORT).decode("utf-8", "replace").splitlines() if log.is_file() else []
        hint = f"its log is {log}"
        return MachineError("E667", f"the {name} of the local Flink {what}", hint=hint, detail=tuple(lines[-_SHOWN:]))


def start_cluster(
    distribution: FlinkDistribution,
    store: Path,
    env: Mapping[str, str],
    *,
    port: int = 0,
    workers: int = 1,
) -> FlinkCluster:
    """
    Start a Flink whose files lie in `store`, and return it when it takes jobs; raises E667 where it does not come up.

    `workers` is how many TaskManagers it has.
    """
    sizes, store = MemorySizes(), store.absolute()
    end_leftovers(store)
    # It may be there without a process, where somebody else ended those.
    (store / _LEFT).unlink(missing_ok=True)
    for folder in folders(store):
        folder.mkdir(parents=True, exist_ok=True)
    rest, rpc = port or _free_port(), _free_port()
    (store / "conf" / "config.yaml").write_text(configuration_text(store, rest, rpc, sizes), encoding="utf-8")
    (store / "conf" / "log4j.properties").write_text(LOGGING, encoding="utf-8")
    cluster = FlinkCluster(distribution, store, rest)
    try:
        cluster._start("jobmanager", _JOB_MANAGER, java_options(sizes.job_manager_heap), env)
        options = java_options(sizes.task_manager_heap, direct=sizes.direct, metaspace=sizes.metaspace)
        for number in range(1, workers + 1):
            cluster._start(f"taskmanager{number if number > 1 else ''}", _TASK_MANAGER, options, env)
        cluster._wait(_PATIENCE, workers)
    except BaseException:
        cluster.close()
        raise
    return cluster


def find_cluster(store: Path) -> str | None:
    """Return where the REST interface of the Flink listens that runs over this store; None if none does."""
    store = store.absolute()
    try:
        numbers = json.loads(read_input(store / _NUMBERS, SETTING))
        port = _PORT.search(read_input(store / "conf" / "config.yaml", SETTING).decode("utf-8", "replace"))
        is_running = all(_is_ours(int(numbers[name]), store) for name in ("jobmanager", "taskmanager"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"http://{LOOPBACK}:{port[1]}" if port and is_running else None


def find_left_cluster(store: Path) -> str | None:
    """Return where a Flink listens that a command started over this store and left running; None if none does."""
    return find_cluster(store) if (store.absolute() / _LEFT).exists() else None


def end_idle_cluster(store: Path) -> bool:
    """End a Flink that a command started and left running, and say whether there was one; that of a command that runs is left alone."""
    store = store.absolute()
    if not (store / _LEFT).exists():
        return False
    return bool(end_leftovers(store))


def end_leftovers(store: Path) -> list[str]:
    """End what a run over this store left behind, and return what that was; a number that is somebody else's by now is left alone."""
    try:
        numbers = json.loads(read_input(store / _NUMBERS, SETTING))
        ours = {str(name): int(number) for name, number in numbers.items() if _is_ours(int(number), store)}
    except (OSError, ValueError, AttributeError, TypeError):
        return []
    for number in ours.values():
        _end_group(number, signal.SIGKILL)
    for name in (_NUMBERS, _LEFT):
        (store / name).unlink(missing_ok=True)
    return sorted(ours)


def end_planners(store: Path) -> int:
    """
    End the processes that a JobManager over this store has started, and return how many there were.

    Those are the Pythons that plan programs. While one hangs, the JobManager waits for it, and plans no other.
    """
    store = store.absolute()
    try:
        number = int(json.loads(read_input(store / _NUMBERS, SETTING))["jobmanager"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    if not _is_ours(number, store):
        return 0
    # Each before its parent: what a shell has started would outlive it.
    planners = [*_descendants(number)][::-1]
    for planner in planners:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(planner, signal.SIGKILL)
    return len(planners)


def _descendants(number: int) -> Iterator[int]:
    for task in Path(f"/proc/{number}/task").glob("*"):
        with suppress(OSError, ValueError):
            children = [*map(int, Path(f"{task}/children").read_text("ascii").split())]
            for child in children:
                yield child
                yield from _descendants(child)


def _is_ours(number: int, store: Path) -> bool:
    """Say whether a process was started with the configuration of this store."""
    try:
        arguments = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return number > 1 and os.fsencode(store / "conf") in arguments


def _end_group(number: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(number, how)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _count_workers(port: int) -> int:
    """Return how many TaskManagers a JobManager knows; 0 while nothing answers."""
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/overview")
        overview = json.loads(connection.getresponse().read())
        return int(overview.get("taskmanagers", 0))
    except (OSError, HTTPException, ValueError, AttributeError):
        return 0
    finally:
        connection.close()
