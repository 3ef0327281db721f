"""
Worker process: started, sent frames, and ended with all that it started.

A single thread does everything. Requests, answers and the log are three pipes that none of the two ends may block on
while the other waits, so all three are watched together: a function that floods stdout, a large batch on its way in
and a large one on its way out cannot hold each other up.

The process gets a session of its own, so that what it starts ends with it, a pipe on which nothing is ever written, whose
end ends it (see `frames.end_with_parent`), and an environment made here, so that no credential of the user's reaches the
code being run; nor can it look for one in other processes (`base.barrier`).
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import struct
import subprocess
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.barrier import start
from reconciler.local.runner.wire import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKER = Path(__file__).parent / "worker" / "__main__.py"

LOG_BYTES = 20 * 1024
"""How much of the log is kept, its end. The documentation lets a Python 2 UDF write 20 KB."""

_PIPE_BYTES = 1 << 20
_HEADER_BYTES = 64 << 20
"""No header of ours is near that: it names columns, or holds a traceback that is cut."""
_TICK_SECONDS = 0.25
_GRACE_SECONDS = 2.0
_STRAY_ROUNDS = 100


@dataclass(frozen=True)
class Ending:
    """How a process ended: with an exit code, by a signal (negative), or by closing the pipe it answers on (None)."""

    code: int | None
    garbled: bool = False
    """Whether what came through that pipe was no answer."""

    def __str__(self) -> str:
        if self.garbled:
            return "wrote to the pipe it answers on"
        if self.code is None:
            return "closed the pipe it answers on"
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        return f"was killed by {self.signal}"

    @property
    def signal(self) -> str:
        """The name of the signal, empty when there was none."""
        if self.code is None or self.code >= 0:
            return ""
        names = {member.value: member.name for member in signal.Signals}
        return names.get(-self.code, f"signal {-self.code}")


class Died(Exception):
    """The process ended before it answered."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending


class TimedOut(Exception):
    """No answer came in the time allowed."""


class GivenUp(Exception):
    """Nobody wants the answer any more."""


class WorkerLog:
    """The end of what the function printed."""

    def __init__(self) -> None:
        self._kept = b""
        self.total = 0

    def add(self, piece: bytes) -> None:
        self.total += len(piece)
        self._kept = (self._kept + piece)[-LOG_BYTES:]

    def __str__(self) -> str:
        left_out = self.total - len(self._kept)
        start = f"[{left_out} bytes left out]\n" if left_out else ""
        return start + self._kept.decode("utf-8", "replace")


def environment(cwd: Path, tmp: Path) -> dict[str, str]:
    """Return everything the worker's environment holds."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": str(cwd),
        "TMPDIR": str(tmp),
    }


def isolation(version: Sequence[int]) -> list[str]:
    """
    Return the options that hide this machine's packages from the interpreter.

    -S leaves out site-packages, -I (2.7: -E -s) the user's settings and directories. Output is not buffered, -u, so
    that a crash loses none of it.
    """
    return ["-E", "-s", "-S", "-B", "-u"] if version[0] == 2 else ["-I", "-S", "-B", "-u"]


@dataclass(frozen=True)
class Frame:
    """One answer."""

    header: dict[str, Any]
    body: memoryview


class Worker:
    """A running worker. `send` never waits; `receive` waits for one frame and moves all pipes meanwhile."""

    def __init__(self, command: Sequence[str], cwd: Path, tmp: Path, progress: Path) -> None:
        self.log = WorkerLog()
        self.cwd = cwd
        self._progress = progress
        self._outbox: deque[memoryview] = deque()
        self._inbox = bytearray()
        self._answering = True
        progress.write_bytes(bytes(16))
        their_requests, self._requests = os.pipe()
        self._answers, their_answers = os.pipe()
        self._output, their_output = os.pipe()
        their_lifeline, lifeline = os.pipe()
        ours = (self._requests, self._answers, self._output)
        try:
            self._process = start(
                [*command, str(WORKER), *map(str, (their_requests, their_answers, their_lifeline, progress))],
                stdin=subprocess.DEVNULL,
                stdout=their_output,
                stderr=their_output,
                cwd=cwd,
                env=environment(cwd, tmp),
                pass_fds=(their_requests, their_answers, their_lifeline),
                start_new_session=True,
            )
        except BaseException:
            _close((*ours, lifeline))
            raise
        finally:
            _close((their_requests, their_answers, their_output, their_lifeline))
        self._selector = selectors.DefaultSelector()
        self.close = weakref.finalize(self, _end, self._process, self._selector, (*ours, lifeline), cwd)
        """Ends the process and all it started, now or when nobody holds this object any more. Harmless twice."""
        for descriptor in ours:
            os.set_blocking(descriptor, False)
            _widen(descriptor)
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)

    def send(self, frame: bytes) -> None:
        """Put a frame on its way."""
        waiting = bool(self._outbox)
        self._outbox.append(memoryview(frame))
        if not waiting:
            self._write()
            if self._outbox:
                self._selector.register(self._requests, selectors.EVENT_WRITE)

    def receive(self, timeout: float | None, cancelled: Callable[[], bool]) -> Frame:
        """Return the next answer; raises `Died`, `TimedOut`, or `GivenUp` soon after `cancelled` says so."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            if not self._answering:
                raise Died(self._ending())
            moved = self._move(_TICK_SECONDS if deadline is None else min(_TICK_SECONDS, deadline - time.monotonic()))
            if not moved and self._has_exited():
                raise Died(self._ending())
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut
            if cancelled():
                raise GivenUp

    def settle(self) -> None:
        """Take what was printed before the last answer: it is in the pipe by then."""
        while self._move(0):
            pass

    def dismiss(self, farewell: bytes) -> None:
        """Let the process end by itself, so that libraries write out what they hold back, take the rest of the log, end it."""
        self.send(farewell)
        self._wait_for_exit()
        self.close()

    def where(self) -> tuple[int, int]:
        """Return (row, stage) as the worker last noted them; right also after its death, and -1 where they are gone."""
        try:
            noted = _read_note(self._progress)
        except OSError:
            noted = b""
        row, stage = struct.unpack("=qq", noted[:16].ljust(16, b"\xff"))
        return row, stage

    def _take(self) -> Frame | None:
        start = PREFIX.size
        if len(self._inbox) < start:
            return None
        head, body = PREFIX.unpack_from(self._inbox)
        if head > _HEADER_BYTES:
            raise Died(Ending(None, garbled=True))
        if len(self._inbox) < start + head + body:
            return None
        try:
            header = json.loads(self._inbox[start : start + head])
        except (ValueError, RecursionError):
            raise Died(Ending(None, garbled=True)) from None
        if not isinstance(header, dict):
            raise Died(Ending(None, garbled=True))
        content = bytes(self._inbox[start + head : start + head + body])
        del self._inbox[: start + head + body]
        return Frame(header, memoryview(content))

    def _move(self, seconds: float) -> bool:
        """Move what can be moved within the time; return whether something could."""
        events = self._selector.select(max(seconds, 0))
        for key, _ in events:
            if key.fd == self._requests:
                self._write()
                if not self._outbox:
                    self._selector.unregister(self._requests)
            elif key.fd == self._answers:
                self._answering = self._read(self._answers, self._inbox.extend)
            else:
                self._read(self._output, self.log.add)
        return bool(events)

    def _write(self) -> None:
        try:
            while self._outbox:
                written = os.write(self._requests, self._outbox[0])
                if written == len(self._outbox[0]):
                    self._outbox.popleft()
                else:
                    self._outbox[0] = self._outbox[0][written:]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._outbox.clear()  # nobody reads any more; why, the answers will tell

    def _read(self, descriptor: int, take: Callable[[bytes], object]) -> bool:
        """Hand over what is there; return False, and watch no longer, at the end."""
        try:
            piece = os.read(descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            self._selector.unregister(descriptor)
            return False
        take(piece)
        return True

    def _has_exited(self) -> bool:
        """Look without reaping: as long as the process is a zombie, its number cannot become another's."""
        if hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        return self._process.poll() is not None

    def _wait_for_exit(self) -> bool:
        """Wait a little for the end, reading what still comes; return whether it came."""
        if not self.close.alive:
            return True
        deadline = time.monotonic() + _GRACE_SECONDS
        while not (exited := self._has_exited()) and time.monotonic() < deadline:
            self._move(0.01)
        while exited and self._move(0):
            pass
        return exited

    def _ending(self) -> Ending:
        exited = self._wait_for_exit()
        self.close()
        return Ending(self._process.returncode if exited else None)


def _read_note(path: Path) -> bytes:
    """Read the sixteen bytes of the worker's note; what a function put in their place is not waited for, nor followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 16)
    finally:
        os.close(descriptor)


def _end(
    process: subprocess.Popen[bytes], selector: selectors.BaseSelector, descriptors: tuple[int, ...], home: Path
) -> None:
    """Kill the process, the group it leads and what has left that, and give everything back."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _end_strays(process.pid, home)
    selector.close()
    _close(descriptors)


def _end_strays(worker: int, home: Path) -> None:
    """
    Kill what a function started and put into a session of its own: by the HOME in its environment, which only this worker has.

    Until there are none, for they may start others. It looks at processes of higher numbers than the worker's, which is all that came
    after it until the kernel counts from the beginning, needs /proc, and does not reach what has another environment.
    """
    mark = os.fsencode(f"HOME={home}")
    for _ in range(_STRAY_ROUNDS):
        strays = []
        with suppress(FileNotFoundError):
            later = [
                entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal() and int(entry.name) > worker
            ]
            for name in later:
                with suppress(OSError):
                    if mark in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                        strays.append(int(name))
        for stray in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        if not strays:
            return


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _widen(descriptor: int) -> None:
    """Let a pipe hold a whole batch, where the system allows it: fewer turns for the same bytes."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
