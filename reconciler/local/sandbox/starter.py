"""
Thread that starts what is to die with this process.

The kernel sends the signal for the death of a parent when the *thread* ends that started the child (prctl(2), PR_SET_PDEATHSIG). A thread that
serves one request ends long before its process does; this one ends with it, and only then.
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Job = tuple["Sequence[str]", "Mapping[str, str]", "dict[str, Any]", "Future[subprocess.Popen[bytes]]"]


class Starter:
    """The thread, started when it is first needed, and again in a process that was forked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = 0
        self._jobs: SimpleQueue[Job] = SimpleQueue()

    def start(self, command: Sequence[str], env: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
        """As `subprocess.Popen`."""
        future: Future[subprocess.Popen[bytes]] = Future()
        with self._lock:
            if self._process != os.getpid():
                self._jobs = SimpleQueue()
                Thread(target=_serve, args=(self._jobs,), name="starter", daemon=True).start()
                self._process = os.getpid()
            self._jobs.put((command, env, options, future))
        return future.result()


def _serve(jobs: SimpleQueue[Job]) -> None:
    while True:
        command, env, options, future = jobs.get()
        try:
            future.set_result(_popen(command, env, options))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            future.set_exception(error)


def _popen(command: Sequence[str], env: Mapping[str, str], options: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*command], env=env, **options)


STARTER = Starter()
