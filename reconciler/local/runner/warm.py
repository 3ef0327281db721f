"""
Warm interpreters: processes that have imported already what several functions import, and become a worker of each by a fork.

Most of what a test of a function with SciPy takes is the import of SciPy. The second function that brings the same archives has a process
started that imports what it will import; it and those that follow get a fork of that. Functions stay apart: none runs in the process that
is forked, and what its own imports would not find stays hidden from it (`worker.forking`).

Where a fork could differ from a process of its own there is none: in the sandbox, whose rules hold for imports too; with modules that
start threads, print something or fail; with a source of the function's that is called like a module they import; in Python 2.
"""

from __future__ import annotations

import ast
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.barrier import run_before_barrier, start
from reconciler.local.conversation import Pipes
from reconciler.local.runner.layout import prepare_directory, remove
from reconciler.local.runner.process import WORKER, Worker, end_process, environment, isolation
from reconciler.local.runner.unpacked import UnpackedArchives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.local.interpreters import Interpreter
    from reconciler.local.runner.layout import ResourceFile, Unpacking
    from reconciler.local.runner.process import WorkerFolders

_MESSAGE_BYTES = 1 << 18
_TICK_SECONDS = 0.25
_SECONDS = 60.0
"""For the imports of one function."""

Request = tuple[str, tuple[str, ...]]
"""A module, and the names that are imported from it."""


class Unfit(Exception):
    """Forks of a process would not be what a process of its own is."""


@dataclass(frozen=True)
class _Home:
    """What functions have in common that may be forks of one process."""

    python: Path
    archives: tuple[ResourceFile, ...]


class RunCache:
    """
    What the functions of one run have in common: archives, unpacked once, and warm interpreters.

    Several threads may use it. What it has goes with it.
    """

    def __init__(self) -> None:
        self.archives = UnpackedArchives()
        self._guard = threading.Lock()
        self._homes: dict[_Home, _Parent] = {}

    def fork(
        self,
        interpreter: Interpreter,
        resources: Sequence[ResourceFile],
        folders: WorkerFolders,
        cancelled: Callable[[], bool],
    ) -> Worker | None:
        """Return a worker for a function that is isolated, and laid out in `folders`; None where one has to be started."""
        archives = tuple(resource for resource in resources if resource.type == "archive")
        if sys.platform != "linux" or interpreter.version[0] == 2 or not archives:
            return None
        requests = _requests(resources, folders.cwd)
        if not requests:
            return None
        with self._guard:
            home = self._homes.setdefault(_Home(interpreter.path, archives), _Parent())
        with home.busy:
            start_process = partial(_WarmInterpreter, interpreter, archives, self.archives.lay)
            return home.fork(start_process, requests, resources, folders, cancelled)


class _Parent:
    """The process whose forks serve functions of one home, and what was seen of those functions."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self._is_first = True
        self._process: _WarmInterpreter | None = None
        self._spoilt: set[Request] = set()

    def fork(
        self,
        start_process: Callable[[], _WarmInterpreter],
        requests: tuple[Request, ...],
        resources: Sequence[ResourceFile],
        folders: WorkerFolders,
        cancelled: Callable[[], bool],
    ) -> Worker | None:
        """Return a worker; None for the first function, which may be the only one, and where a fork would differ."""
        is_first, self._is_first = self._is_first, False
        if is_first or self._spoilt.intersection(requests):
            return None
        try:
            if self._process is None:
                self._process = start_process()
            self._process.import_ahead(requests, cancelled)
            if any(resource.type == "py" and resource.name[:-3] in self._process.present for resource in resources):
                return None
            return self._process.fork(folders, cancelled)
        except (Unfit, OSError):
            if self._process is not None:
                self._process.close()
            self._process = None
            self._spoilt.update(requests)
            return None


class _WarmInterpreter:
    """A process that is forked."""

    def __init__(self, interpreter: Interpreter, archives: Iterable[ResourceFile], unpack: Unpacking) -> None:
        root = Path(tempfile.mkdtemp(prefix="udfs-")).resolve()
        try:
            layout = prepare_directory(root, archives, unpack=unpack)
            pipes = Pipes()
        except BaseException:
            remove(root)
            raise
        self._paths = [f"work/{resource.name}" for resource in archives]
        self._output = pipes.output
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._imported: set[Request] = set()
        self.present: frozenset[str] = frozenset()
        """Names of all modules that it has."""
        numbers = theirs.fileno(), pipes.their_lifeline
        try:
            process = start(
                [str(interpreter.path), *isolation(interpreter.version), str(WORKER), *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=pipes.their_output,
                stderr=pipes.their_output,
                cwd=layout.cwd,
                env=environment(layout.cwd, layout.tmp),
                pass_fds=numbers,
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            pipes.close_ours()
            remove(root)
            raise
        finally:
            theirs.close()
            pipes.close_theirs()
        end = partial(_end, process, pipes, self._socket, layout.cwd, root)
        self.close = weakref.finalize(self, run_before_barrier, end)
        """End the process and remove its directory. Harmless twice."""

    def import_ahead(self, requests: tuple[Request, ...], cancelled: Callable[[], bool]) -> None:
        """Have it import what it has not yet; raises `Unfit`."""
        if self._imported.issuperset(requests):
            return
        self._socket.send(json.dumps({"modules": requests, "paths": self._paths}).encode("ascii"))
        answer = self._receive(cancelled)
        if answer["threads"] > 1 or select.select([self._output], [], [], 0)[0]:
            raise Unfit
        self._imported.update(requests)
        self.present = frozenset(answer["present"])

    def fork(self, folders: WorkerFolders, cancelled: Callable[[], bool]) -> Worker:
        """Return a worker that it became; raises `Unfit`."""
        folders.progress.write_bytes(bytes(16))
        pipes = Pipes()
        status, their_status = os.pipe()
        try:
            message = {"cwd": str(folders.cwd), "tmp": str(folders.tmp), "progress": str(folders.progress)}
            descriptors = [*pipes.their_numbers, pipes.their_output, their_status]
            socket.send_fds(self._socket, [json.dumps(message).encode("ascii")], descriptors)
            process = ForkedProcess(self._receive(cancelled)["process"], status)
        except BaseException:
            pipes.close_ours()
            os.close(status)
            raise
        finally:
            pipes.close_theirs()
            os.close(their_status)
        return Worker(process, pipes, folders)

    def _receive(self, cancelled: Callable[[], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + _SECONDS
        while not select.select([self._socket], [], [], _TICK_SECONDS)[0]:
            if time.monotonic() > deadline or cancelled():
                raise Unfit
        try:
            answer: dict[str, Any] = json.loads(self._socket.recv(_MESSAGE_BYTES))
        except (ValueError, OSError) as error:  # it has ended
            raise Unfit from error
        return answer


def _end(process: subprocess.Popen[bytes], pipes: Pipes, connection: socket.socket, cwd: Path, root: Path) -> None:
    end_process(process, pipes, cwd)
    pipes.close_ours()
    connection.close()
    remove(root)


class ForkedProcess:
    """A child of the process that it was forked of, which writes its status into a pipe when it has ended."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._close = weakref.finalize(self, os.close, status)

    def poll(self) -> int | None:
        """Return how it ended, as `subprocess.Popen.poll`; without the process that forked it, as if it was killed."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            status = os.read(self._status, 4)
            self.returncode = (
                os.waitstatus_to_exitcode(*struct.unpack("=i", status)) if len(status) == 4 else -signal.SIGKILL
            )
            self._close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            select.select([self._status], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code


def _requests(resources: Iterable[ResourceFile], cwd: Path) -> tuple[Request, ...]:
    """Return what the sources of a function import from its archives, in the order of their text; nothing where one is no Python of today."""
    tops = {
        path.name.partition(".")[0]
        for resource in resources
        if resource.type == "archive"
        for path in (cwd / "work" / resource.name).iterdir()
    }
    requests: dict[Request, None] = {}
    for resource in resources:
        if resource.type != "py":
            continue
        try:
            tree = ast.parse((cwd / resource.name).read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        for request in _imports(tree):
            if request[0].partition(".")[0] in tops:
                requests[request] = None
    return tuple(requests)


def _imports(tree: ast.Module) -> Iterator[Request]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in sorted(nodes, key=lambda node: node.lineno):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif node.module and not node.level:
            yield node.module, tuple(alias.name for alias in node.names if alias.name != "*")
