"""
Frames: one message from or to the parent.

`wire.py` of the parent holds the other end.
"""

from __future__ import absolute_import, division, print_function

import fcntl
import io
import json
import os
import struct


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
