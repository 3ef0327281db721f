"""Answers to the frames of the parent, until it has gone."""

from __future__ import absolute_import, division, print_function

import os
import sys

from .batches import decode_columns, decode_good_rows
from .compat import PY2
from .distcache import Resources
from .failures import NotLoadable, Misfit, ResultMisfit
from .frames import Channel
from .udfs import TableFunction
from .loading import load_class
from .progress import CLOSING, CONSTRUCTING, IN_ROW, WAITING, shared_memory
from .tracebacks import as_text, describe_exception
from .udf_module import install_odps


def send_error(channel, what, message, row=None, trace=""):
    channel.send({"kind": "error", "what": what, "message": as_text(message), "row": row, "traceback": as_text(trace)})


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
            if header["kind"] == "begin":
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


def main(requests, answers, progress):
    cwd = os.getcwd()
    sys.argv[:] = [""]
    sys.path.insert(0, cwd)
    channel = Channel(requests, answers)
    job = channel.receive()[0]
    mark = shared_memory(progress)
    apply_limits(job["limits"])
    TableFunction.sends_origins = job["origins"]
    if not PY2:
        import faulthandler

        faulthandler.enable()  # the stack of a crash, in the log
    install_odps(Resources(job["resources"], job["tables"]))
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
            "signature": function.signature,
            "inputs": None if function.inputs is None else [kind.text for kind in function.inputs],
            "outputs": None if function.outputs is None else [kind.text for kind in function.outputs],
        }
    )
    answer_frames(function, construct, channel, mark, cwd)
