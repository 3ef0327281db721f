"""
Bytes of what a handler returned or raised.

Errors are as "Error handling" in the documentation of the Python runtimes has them, the stack as lists of four texts. That results which are
neither bytes nor text become JSON is what its examples show.
"""

import json
import os
import sys
import traceback

WORKER_FOLDERS = tuple({os.path.dirname(__file__) + os.sep, os.path.dirname(sys.modules[__package__ + ".frames"].__file__) + os.sep})
MOST_FRAMES = 100


def encode_result(value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")


def encode_error(kind, value, trace):
    """Return (name of the type, JSON) of an exception, without the frames of this package."""
    frames = [
        ['File "%s"' % frame.filename, "line %s" % frame.lineno, "in " + frame.name, frame.line or ""]
        for frame in traceback.extract_tb(trace)
        if not frame.filename.startswith(WORKER_FOLDERS) and not frame.filename.startswith("<frozen importlib")
    ]
    if issubclass(kind, SyntaxError) and getattr(value, "filename", None):
        frames.append(['File "%s"' % value.filename, "line %s" % value.lineno, "in <module>", (value.text or "").strip()])
    try:
        message = str(value)
    except Exception as error:  # an exception of the user's whose own __str__ fails
        message = "(its text cannot be had: %s)" % type(error).__name__
    body = {"errorMessage": message, "errorType": kind.__name__, "stackTrace": frames[:MOST_FRAMES]}
    return kind.__name__, json.dumps(body).encode("ascii")


def name_failure(body):
    """Return the type that the error of a server names, if it is written as the runtimes write theirs."""
    try:
        return str(json.loads(body.decode("utf-8"))["errorType"])
    except (ValueError, KeyError, TypeError):
        return "FunctionUnhandledError"
