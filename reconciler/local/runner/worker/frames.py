"""
Messages to and from the parent: frames, the failures that it is told of, and the row that the worker is at.

`wire.py` of the parent holds the other end. The row is noted in shared memory before it is handed to the function, so that
it outlives even a segmentation fault.
"""

from __future__ import absolute_import, division, print_function

import fcntl
import io
import json
import mmap
import os
import select
import signal
import struct

from .compat import PY2

STARTING, CONSTRUCTING, IN_ROW, CLOSING, WAITING = range(5)


class NotLoadable(Exception):
    """The class is not what the service could call; the text says why."""

    what = "load"


class NoSignature(NotLoadable):
    """So it is for want of a signature that could be read."""

    what = "signature"


class RowFailure(Exception):
    def __init__(self, text, row=None):
        Exception.__init__(self, text)
        self.text = text
        self.row = row


class Misfit(RowFailure):
    """A value does not fit a type; `row` counts within the batch."""


class ResultMisfit(RowFailure):
    """What the function gave does not fit its signature; `row` counts over all batches."""


def end_with_parent(lifeline):
    """
    End this process, and the group it leads, when nobody holds the other end of a pipe any more: the parent is dead.

    On Linux the kernel does it, with the signal that nothing withstands (fcntl(2), F_SETSIG): also in a loop in native code
    that never lets another thread run. PR_SET_PDEATHSIG would go by the thread that started us, which may end before its
    process. Elsewhere a thread waits, for which pure Python makes room. What has left the group is not reached.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETFD, fcntl.fcntl(lifeline, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | fcntl.FASYNC)
        if select.select([lifeline], [], [], 0)[0]:  # it was closed before that
            end_group()
    else:
        import threading

        thread = threading.Thread(target=wait_for_end, args=(lifeline,))
        thread.daemon = True
        thread.start()


def wait_for_end(lifeline):
    os.read(lifeline, 1)
    end_group()


def end_group():
    os.killpg(os.getpgrp(), signal.SIGKILL)


class Channel(object):
    """Messages from and to the parent: lengths of header and body, header in JSON, body."""

    prefix = struct.Struct(">II")

    def __init__(self, requests, answers):
        for descriptor in (requests, answers):
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
            fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
        self.requests = io.open(requests, "rb", buffering=1 << 16)
        self.answers = io.open(answers, "wb", buffering=1 << 16)
        self.process = os.getpid()

    def receive(self):
        """Return (header, body), or None when the parent has gone."""
        prefix = self.requests.read(self.prefix.size)
        if len(prefix) < self.prefix.size:
            return None
        head, body = self.prefix.unpack(prefix)
        header = json.loads(self.requests.read(head).decode("ascii"))
        return header, self.requests.read(body)

    def send(self, header, body=b""):
        if os.getpid() != self.process:
            os._exit(0)  # a copy, forked by the function, that came back: its original answers
        head = json.dumps(header).encode("ascii")
        self.answers.write(self.prefix.pack(len(head), len(body)) + head + body)
        self.answers.flush()


def shared_memory(path):
    """Return two 64-bit numbers that the parent can read after our death: the row, and what we were doing."""
    with open(path, "r+b") as opened:
        memory = mmap.mmap(opened.fileno(), 16)
    if not PY2:
        return memoryview(memory).cast("q")
    try:
        import ctypes
    except ImportError:
        return [0, 0]
    return (ctypes.c_longlong * 2).from_buffer(memory)
