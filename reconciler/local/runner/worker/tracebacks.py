"""Tracebacks of the user's code, without the frames of this package."""

from __future__ import absolute_import, division, print_function

import os
import sys
import traceback

from .compat import PY2, text_type

TRACEBACK_LIMIT = 20000
OWN_FOLDER = os.path.dirname(__file__) + os.sep


def as_text(value):
    if isinstance(value, text_type):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else text_type(value)


def is_own_frame(filename):
    return filename.startswith(OWN_FOLDER) or filename.startswith("<frozen importlib")


def remove_own_frames(report):
    """Take this package's frames out of a TracebackException and what it was caused by (3.x)."""
    seen = set()
    waiting = [report]
    while waiting:
        exception = waiting.pop()
        if exception is not None and id(exception) not in seen:
            seen.add(id(exception))
            exception.stack = traceback.StackSummary.from_list([f for f in exception.stack if not is_own_frame(f.filename)])
            waiting += [exception.__cause__, exception.__context__] + list(getattr(exception, "exceptions", None) or ())
    return report


def format_traceback(kind, value, trace):
    """Return the traceback as Python prints it, without this package's frames; empty when no others are there."""
    if not PY2:
        report = remove_own_frames(traceback.TracebackException(kind, value, trace))
        return "".join(report.format()) if report.stack or kind is SyntaxError else ""
    entries = [entry for entry in traceback.extract_tb(trace) if not is_own_frame(entry[0])]
    lines = ["Traceback (most recent call last):\n"] + traceback.format_list(entries) if entries else []
    if entries or kind is SyntaxError:
        lines += traceback.format_exception_only(kind, value)
    return "".join(map(as_text, lines))


def describe_exception(cwd):
    """Return (the line that names it, the user's traceback) of the exception being handled, paths from the working directory."""
    kind, value, trace = sys.exc_info()
    try:
        said = [as_text(piece) for piece in traceback.format_exception_only(kind, value)]
        # A syntax error begins with its place, and any other ends with what its message or its notes go on to say.
        said = said[-1] if issubclass(kind, SyntaxError) else said[0]
        line = (said.strip().splitlines() or [as_text(kind.__name__)])[0]
        text = format_traceback(kind, value, trace)
    except Exception as error:  # an exception of the user's whose own __str__ fails
        line, text = as_text(kind.__name__), "(its traceback cannot be printed: %s)" % type(error).__name__
    text = text.replace(cwd + os.sep, "")
    if len(text) > TRACEBACK_LIMIT:
        text = text[: TRACEBACK_LIMIT // 2] + "\n  ...\n" + text[-TRACEBACK_LIMIT // 2 :]
    return line[:2000], text
