"""
Answers to the frames of the parent, until it has gone.

A failure is told with the user's traceback, without the frames of this package.
"""

from __future__ import absolute_import, division, print_function

import os
import sys
import traceback

from .batches import decode_columns, decode_good_rows
from .compat import PY2, text_type
from .frames import CLOSING, CONSTRUCTING, IN_ROW, WAITING, Channel, Misfit, NotLoadable, ResultMisfit, shared_memory, end_with_parent
from .keeper import leave_keeper
from .loading import load_class
from .odps_modules import Resources, install_odps
from .sandbox import enter_sandbox, layer_behind, sandbox_layer
from .udfs import TableFunction

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


def send_error(channel, what, message, row=None, trace=""):
    header = {"kind": "error", "what": what, "message": as_text(message), "row": row, "traceback": as_text(trace)}
    header["sandbox"] = layer_behind(header["message"])
    channel.send(header)


def apply_limits(limits):
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.get("memory"):
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))


def answer_frame(function, header, body, mark):
    """Answer one message; return False after the last."""
    if header["kind"] == "end":
        mark[1] = CLOSING
        function.finish()
        return False
    refused = None
    count = header["count"]
    try:
        columns = decode_columns(header["columns"], body, function.inputs)
    except Misfit as error:
        columns, refused = decode_good_rows(header["columns"], body, function.inputs, error)
        count, function.cut = refused.row, True
    mark[0], mark[1] = function.rows, IN_ROW
    function.batch(columns, count)
    mark[1] = WAITING
    if refused is not None:
        raise refused
    function.rows += count
    return True


def imported_files():
    """Return the files of all modules, as they name them."""
    return [name for name in (getattr(module, "__file__", None) for module in list(sys.modules.values())) if isinstance(name, str)]


def answer_frames(function, construct, channel, mark, cwd):
    """Answer until the parent has gone. A call that has ended or failed answers no more; "begin" is the next one."""
    while True:
        message = channel.receive()
        if message is None:
            return
        header, body = message
        try:
            if header["kind"] == "bye":
                return
            if header["kind"] == "imported":
                channel.send({"kind": "imported", "files": imported_files()})
            elif header["kind"] == "begin":
                function = construct()
                mark[1] = WAITING
            elif function is not None and not answer_frame(function, header, body, mark):
                channel.send({"kind": "done"})
                function, mark[1] = None, WAITING
            continue
        except Misfit as error:
            send_error(channel, "arguments", error.text, function.rows + error.row)
        except ResultMisfit as error:
            send_error(channel, "result", error.text, error.row, describe_exception(cwd)[1])
        except BaseException:
            line, trace = describe_exception(cwd)
            if mark[1] == CONSTRUCTING:
                send_error(channel, "load", line, None, trace)
            else:
                send_error(channel, "raised", line, mark[0] if mark[1] == IN_ROW else None, trace)
        function, mark[1] = None, WAITING


def main(requests, answers, lifeline, progress):
    end_with_parent(lifeline)
    cwd = os.getcwd()
    sys.argv[:] = [""]
    sys.path.insert(0, cwd)
    os.putenv("OPENBLAS_NUM_THREADS", "1")  # NumPy's would start threads while it is imported; not for the function to see
    channel = Channel(requests, answers)
    job = channel.receive()[0]
    sys.path.append(job["installed"])
    mark = shared_memory(progress)
    apply_limits(job["limits"])
    if not job["sandboxed"]:  # in the sandbox, nothing can be started
        leave_keeper(lifeline)
        channel.process = os.getpid()
    TableFunction.sends_origins = job["origins"]
    if not PY2:
        import faulthandler

        faulthandler.enable()  # the stack of a crash, in the log
    install_odps(Resources(job["resources"], job["tables"]))
    if job["sandboxed"]:
        enter_sandbox(cwd, job["installed"])
    try:
        construct = load_class(job, channel, mark)
        function = construct()
    except NotLoadable as error:
        send_error(channel, error.what, error)
        return
    except BaseException:
        line, trace = describe_exception(cwd)
        send_error(channel, "load", line, None, trace)
        return
    mark[1] = WAITING
    channel.send(
        {
            "kind": "ready",
            "function": function.kind,
            "sandbox": sandbox_layer(),
            "signature": function.signature,
            "closes": function.has_own_close(),
            "inputs": None if function.inputs is None else [kind.text for kind in function.inputs],
            "outputs": None if function.outputs is None else [kind.text for kind in function.outputs],
        }
    )
    answer_frames(function, construct, channel, mark, cwd)
