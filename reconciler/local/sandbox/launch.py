"""
Processes that the launcher starts for this one: kept ready from the first on, a child of this process like any other that it starts.

One launcher lives for as long as this process does (launcher.py says why). It is started by a thread that does not end before it, since both the
launcher and what it starts die with that thread.
"""

from __future__ import annotations

import atexit
import errno
import marshal
import os
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from reconciler.local.sandbox.starter import STARTER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

    from reconciler.local.sandbox.memory import MemoryGroup

_SOURCE = Path(__file__).parent / "launcher.py"
_RUN = "import marshal, sys; code = marshal.loads(open(int(sys.argv[1]), 'rb').read()); exec(code); answer_launches(int(sys.argv[2]))"
_ANSWER_BYTES = 4096
_PROCESS = struct.Struct("i")
_PATIENCE = 5.0


class Launcher:
    """The process that starts others, started when it is first needed, and again when it has ended or this process was forked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def launch(self, request: bytes, descriptors: Sequence[int]) -> int:
        """Return the process that was started; raises OSError if none was."""
        with self._lock:
            try:
                return _ask(self._connect(), request, descriptors)
            except ConnectionError:  # somebody has ended it
                self._close()
                return _ask(self._connect(), request, descriptors)
            except OSError:  # it has answered
                raise
            except BaseException:  # its answer would be taken for that of the next request
                self._close()
                raise

    def _connect(self) -> socket.socket:
        if self._owner != os.getpid():
            self._owner, self.process, self._requests = os.getpid(), None, None
            atexit.register(self._close)
        if self._requests is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs, pass_content(marshal.dumps(_compile())) as file:
                numbers = file.fileno(), theirs.fileno()
                self.process = STARTER.start(
                    [sys.executable, "-I", "-S", "-c", _RUN, *map(str, numbers)],
                    env={"PATH": os.defpath},
                    cwd="/",
                    pass_fds=numbers,
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            self._requests = ours
        return self._requests

    def _close(self) -> None:
        """Let it end: it does when nobody can ask any more. What it started lives on."""
        if self._owner == os.getpid() and self._requests is not None and self.process is not None:
            with suppress(OSError):
                self._requests.shutdown(socket.SHUT_RDWR)  # a process that was forked may have it too
            self._requests.close()
            self._requests = None
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_PATIENCE)


def _ask(requests: socket.socket, request: bytes, descriptors: Sequence[int]) -> int:
    socket.send_fds(requests, [request], descriptors)
    answer = requests.recv(_ANSWER_BYTES)
    if not answer:
        raise BrokenPipeError(errno.EPIPE, "the launcher has ended")
    (process,) = _PROCESS.unpack_from(answer)
    if process < 0:
        raise OSError(errno.EPERM, answer[_PROCESS.size :].decode("utf-8", "replace"))
    return int(process)


LAUNCHER = Launcher()


class Launched(subprocess.Popen[bytes]):
    """A process that the launcher starts, with streams and descriptors as `subprocess.Popen` has them."""

    def __init__(
        self, command: Sequence[str], plan: dict[str, Any], group: MemoryGroup | None, **streams_and_descriptors: Any
    ) -> None:
        """`plan` is what the launcher is told; the process begins in `group`, if there is one. Raises OSError if none can be started."""
        self._plan = {**plan, "parent": os.getpid()}
        self._group = group
        super().__init__([*command], **streams_and_descriptors)

    def _execute_child(self, command: list[str], *details: Any) -> None:
        # What Popen calls when its pipes are made, with these arguments in this order from Python 3.2 to 3.14.
        pass_fds, ends = details[3], details[9:15]
        streams = [number if end < 0 else end for number, end in enumerate((ends[0], ends[3], ends[5]))]
        wanted = [0, 1, 2, *pass_fds]
        request = marshal.dumps((wanted, describe_group(self._group)))
        try:
            with pass_content(marshal.dumps((self._plan, command))) as file:
                self.pid = LAUNCHER.launch(request, [file.fileno(), *streams, *pass_fds])
            self._child_created = True
        finally:
            self._close_pipe_fds(*ends)  # type: ignore[attr-defined]


def describe_group(group: MemoryGroup | None) -> tuple[str, str, bool] | None:
    """Return what the launcher is told of a group."""
    return (str(group.folder), str(group.entrance), group.is_unified) if group else None


def pass_content(content: bytes) -> IO[bytes]:
    """Return an open file with this content, and no name, from its beginning."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who starts with it
    file.write(content)
    file.seek(0)
    return file


@cache
def _compile() -> CodeType | None:
    """Return the launcher as this Python runs it: to compile it takes a third of the time in which one starts."""
    return SourceFileLoader("launcher", str(_SOURCE)).get_code("launcher")
