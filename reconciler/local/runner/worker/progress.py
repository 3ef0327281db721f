"""
Shared memory in which the worker notes the row it is at and what it is doing.

The row is written before it is handed to the function, so that it outlives even a segmentation fault.
"""

from __future__ import absolute_import, division, print_function

import mmap

from .compat import PY2

STARTING, CONSTRUCTING, IN_ROW, CLOSING, WAITING = range(5)


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
