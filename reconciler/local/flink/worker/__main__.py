"""
Worker of one function of Flink: `python .../worker/__main__.py REQUESTS ANSWERS LIFELINE MODULE NAME`.

It stands where a worker of Flink does: the folder is that of archives, and modules come from the paths of ``python.files``. The function is the one in the
user's module, out of what PyFlink wrapped around it, and is called as PyFlink's worker calls it: row by row, over Series of pandas, or into an accumulator.
"""

import importlib
import json
import os
import struct
import sys
import traceback

if __name__ == "__main__":
    del sys.path[0]  # the folder of this file

PREFIX = struct.Struct(">II")


def next_request(requests):
    """Return a request, or None when the parent has gone."""
    prefix = requests.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    head, body = PREFIX.unpack(prefix)
    header = json.loads(requests.read(head).decode("ascii"))
    requests.read(body)
    return header


def send_answer(answers, header):
    head = json.dumps(header, default=str).encode("ascii")
    answers.write(PREFIX.pack(len(head), 0) + head)
    answers.flush()


def report_of(error, kind):
    """Return what left the user's code, by their own frames alone."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return {
        "kind": kind,
        "exception": "".join(traceback.format_exception_only(type(error), error)).strip(),
        "traceback": "".join(traceback.format_list(frames)),
    }


class OpenContext:
    """What a function is opened with."""

    def get_metric_group(self):
        from pyflink.metrics.metricbase import GenericMetricGroup

        return GenericMetricGroup(None, "test")

    def get_job_parameter(self, key, default_value):
        return default_value


def load_wrapped(module, name):
    """Return the function of a name, whether it takes pandas, and what it is: udf, udtf or udaf."""
    wrapper = getattr(importlib.import_module(module), name)
    function = getattr(wrapper, "_func", None)
    if function is None:
        raise TypeError(name + " is nothing that udf(), udtf() or udaf() gave")
    is_pandas = getattr(wrapper, "_func_type", "general") == "pandas"
    from pyflink.table.udf import UserDefinedAggregateFunctionWrapper, UserDefinedTableFunctionWrapper

    if isinstance(wrapper, UserDefinedAggregateFunctionWrapper):
        kind = "udaf"
    else:
        kind = "udtf" if isinstance(wrapper, UserDefinedTableFunctionWrapper) else "udf"
    if isinstance(function, type):
        function = function()
    if hasattr(function, "open"):
        function.open(OpenContext())
    return function, is_pandas, kind


def series_of(rows):
    import pandas

    return [pandas.Series(list(column)) for column in zip(*rows)]


def as_plain(value):
    """Return a value of numpy or pandas as one of Python."""
    return value.item() if hasattr(value, "item") else value


def accumulate_rows(function, is_pandas, rows):
    if is_pandas and not hasattr(function, "accumulate"):
        return as_plain(getattr(function, "eval", function)(*series_of(rows)))
    accumulator = function.create_accumulator()
    if is_pandas:
        function.accumulate(accumulator, *series_of(rows))
    else:
        for row in rows:
            function.accumulate(accumulator, *row)
    return as_plain(function.get_value(accumulator))


def row_of(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def call_over_rows(function, is_pandas, kind, rows):
    """Return the results over some rows."""
    if kind == "udaf":
        return [accumulate_rows(function, is_pandas, rows)]
    act = getattr(function, "eval", function)
    if kind == "udtf":
        return [row_of(value) for row in rows for value in act(*row) or ()]
    if is_pandas:
        return [as_plain(value) for value in act(*series_of(rows))]
    return [act(*row) for row in rows]


def serve_function(requests, answers, module, name):
    try:
        function, is_pandas, kind = load_wrapped(module, name)
    except BaseException as error:
        send_answer(answers, report_of(error, "load"))
        return
    send_answer(answers, {"kind": "loaded", "function": kind})
    while True:
        request = next_request(requests)
        if request is None:
            return
        try:
            answer = {"kind": "results", "results": call_over_rows(function, is_pandas, kind, request["rows"])}
        except BaseException as error:
            answer = report_of(error, "raised")
        sys.stdout.flush()
        send_answer(answers, answer)


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:4]]
    for number in numbers:
        os.set_inheritable(number, False)
    serve_function(open(numbers[0], "rb"), open(numbers[1], "wb"), *sys.argv[4:6])
