"""
Conversation by frames with a process: requests, answers and its log, in three pipes that are watched together.

A *frame* is one message: the length of a JSON header, the length of a body (both 32 bits, big-endian), the header, the body.

A single thread does everything. None of the two ends may block on a pipe while the other waits: a function that floods stdout, a
large request on its way in and a large answer on its way out cannot hold each other up. On a fourth pipe nothing is ever written;
its end tells the process that its parent is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import struct
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.base.barrier import run_before_barrier

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

PREFIX = struct.Struct(">II")

LOG_BYTES = 20 * 1024
"""How much of the log is kept, its end. MaxCompute's documentation lets a Python 2 UDF write 20 KB."""

_PIPE_BYTES = 1 << 20
_HEADER_BYTES = 64 << 20
"""No header of ours is near that: it names columns, or holds a traceback that is cut."""
_TICK_SECONDS = 0.25
_GRACE_SECONDS = 2.0
_SETTLING_ROUNDS = 64


def encode_frame(header: Mapping[str, object], body: bytes = b"") -> bytes:
    """Return one message."""
    head = json.dumps(header).encode("ascii")
    return PREFIX.pack(len(head), len(body)) + head + body


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

    def __init__(self, most: int = LOG_BYTES) -> None:
        self._most = most
        self._kept = b""
        self.total = 0

    def add(self, piece: bytes) -> None:
        self.total += len(piece)
        self._kept = (self._kept + piece)[-self._most :]

    def __str__(self) -> str:
        left_out = self.total - len(self._kept)
        start = f"[{left_out} bytes left out]\n" if left_out else ""
        return start + self._kept.decode("utf-8", "replace")


@dataclass(frozen=True)
class Frame:
    """One answer."""

    header: dict[str, Any]
    body: memoryview


class Pipes:
    """The pipes between both ends, ours first."""

    def __init__(self) -> None:
        self.their_requests, self.requests = os.pipe()
        self.answers, self.their_answers = os.pipe()
        self.output, self.their_output = os.pipe()
        self.their_lifeline, self.lifeline = os.pipe()

    @property
    def their_numbers(self) -> tuple[int, int, int]:
        """What the process is given by number: requests, answers, lifeline. The log is its stdout and stderr."""
        return self.their_requests, self.their_answers, self.their_lifeline

    def cut_lifeline(self) -> None:
        """Tell the process that it is alone; the number stays taken until `close_ours`."""
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, self.lifeline, inheritable=False)
        os.close(null)

    def close_ours(self) -> None:
        _close((self.requests, self.answers, self.output, self.lifeline))

    def close_theirs(self) -> None:
        _close((*self.their_numbers, self.their_output))


class Conversation:
    """One end of it. `send` never waits; `receive` waits for one frame and moves all pipes meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], pipes: Pipes, end: Callable[[], None]) -> None:
        """`end` kills the process and all that it started; it must hold nothing of this object."""
        self.log = WorkerLog()
        self._process = process
        self._requests, self._answers, self._output = pipes.requests, pipes.answers, pipes.output
        self._outbox: deque[memoryview] = deque()
        self._inbox = bytearray()
        self._answering = True
        self._selector = selectors.DefaultSelector()
        self.close = weakref.finalize(self, run_before_barrier, partial(_end, end, self._selector, pipes))
        """Ends the process and all it started, now or when nobody holds this object any more. Harmless twice."""
        for descriptor in (self._requests, self._answers, self._output):
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
        """Take what was printed before the last answer: it is in the pipe by then. What goes on printing is not waited for."""
        for _ in range(_SETTLING_ROUNDS):
            if not self.close.alive or not self._move(0):
                return

    def dismiss(self, farewell: bytes) -> None:
        """Let the process end by itself, so that libraries write out what they hold back, take the rest of the log, end it."""
        self.send(farewell)
        self._wait_for_exit()
        self.close()

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


def _end(end: Callable[[], None], selector: selectors.BaseSelector, pipes: Pipes) -> None:
    end()
    selector.close()
    pipes.close_ours()


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _widen(descriptor: int) -> None:
    """Let a pipe hold a whole batch, where the system allows it: fewer turns for the same bytes."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
