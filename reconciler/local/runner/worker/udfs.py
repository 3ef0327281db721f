"""Loaded functions: UDF, UDTF and UDAF, each with its loop over the rows of a batch."""

from __future__ import absolute_import, division, print_function

import itertools
import marshal

from .batches import encode_results
from .compat import izip
from .frames import Misfit, ResultMisfit
from .odps_modules import BaseUDTF, forward_to
from .sandbox import outside
from .values import ValueType

FORWARD_LIMIT = 4096  # forwarded rows kept before they are sent: one input row may forward millions
BUFFER_LIMIT = 2 * 1024 * 1024  # documentation: a UDAF's buffer, marshalled, is at most 2 MB


class LoadedFunction(object):
    """One loaded class, and the answers to its batches."""

    kind = None

    def __init__(self, instance, inputs, outputs, channel, mark):
        self.instance = instance
        self.inputs = inputs
        self.outputs = outputs
        self.channel = channel
        self.mark = mark
        self.rows = 0  # rows of all batches before this one
        self.cut = False  # whether an error follows the rows of this batch

    def numbered_rows(self, columns, count):
        """Yield the rows of a batch, each time writing down which one it is that the function gets next."""
        mark = self.mark
        for mark[0], row in enumerate(izip(*columns) if columns else itertools.repeat((), count), self.rows):
            yield row

    def send(self, columns, count, last, origins=None):
        written = [encode_results(values, kind) for values, kind in zip(columns, self.outputs or ())]
        layout = [[codec, len(content)] for codec, content in written]
        header = {"kind": "values", "count": count, "columns": layout, "last": last and not self.cut}
        if origins is not None:
            header["origins"] = origins
        self.channel.send(header, b"".join([content for _, content in written]))

    def batch(self, columns, count):
        raise NotImplementedError

    def finish(self):
        """Say what is left to say after the last row."""

    def has_own_close(self):
        return False


LOOP = """
def loop(evaluate, mark, numbers, columns, keep):
    for mark[0], {names} in izip(numbers, *columns):
        keep(evaluate({names}))
"""
WIDEST = 200  # before 3.7 a call has 255 arguments at most
loops = {}


def wide_loop(evaluate, mark, numbers, columns, keep):
    for mark[0], row in izip(numbers, izip(*columns)):
        keep(evaluate(*row))


def loop_for(width):
    """
    Return the loop over rows of so many columns.

    Written out for each width it takes no tuple apart twice and calls no generator: a third of the time that a row spends here.
    """
    if width > WIDEST:
        return wide_loop
    if width not in loops:
        source = LOOP.format(names="".join("a%d, " % number for number in range(width)))
        namespace = {"izip": izip}
        exec(compile(source, __file__, "exec"), namespace)
        loops[width] = namespace["loop"]
    return loops[width]


class ScalarFunction(LoadedFunction):
    kind = "udf"

    def batch(self, columns, count):
        results = []
        numbers = itertools.islice(itertools.count(self.rows), count)
        try:
            loop_for(len(columns))(self.instance.evaluate, self.mark, numbers, columns, results.append)
        except BaseException:
            self.deliver(results, False)
            raise
        self.deliver(results, True)

    def deliver(self, results, last):
        try:
            self.send([results], len(results), last)
        except Misfit as error:
            self.send([results[: error.row]], error.row, False)
            raise ResultMisfit("evaluate returned " + error.text, self.rows + error.row)


class TableFunction(LoadedFunction):
    kind = "udtf"
    sends_origins = False  # whether each forwarded row is sent with the number of the row it came from

    def __init__(self, *args):
        LoadedFunction.__init__(self, *args)
        self.pending = []
        self.origins = []
        forward_to(self.emit)

    def emit(self, row):
        if self.outputs is None:
            self.outputs = [ValueType("string")] * len(row)
        if len(row) != len(self.outputs):
            text = "forward() got %d values, and the signature has %d" % (len(row), len(self.outputs))
            raise ResultMisfit(text, self.mark[0])
        self.pending.append(row)
        self.origins.append(self.mark[0])
        if len(self.pending) >= FORWARD_LIMIT:
            self.flush(False)

    def batch(self, columns, count):
        try:
            process = self.instance.process
            for row in self.numbered_rows(columns, count):
                process(*row)
        except BaseException:
            self.flush(False)
            raise
        self.flush(True)

    def flush(self, last):
        rows, self.pending = self.pending, []
        origins, self.origins = self.origins, []
        try:
            self.send_rows(rows, last, origins)
        except Misfit as error:
            self.send_rows(rows[: error.row], False, origins[: error.row])
            raise ResultMisfit("forward() got " + error.text, origins[error.row])

    def send_rows(self, rows, last, origins):
        columns = list(izip(*rows)) or [()] * len(self.outputs or ())
        self.send(columns, len(rows), last, origins if self.sends_origins else None)

    def has_own_close(self):
        return next(cls for cls in type(self.instance).__mro__ if "close" in vars(cls)) is not BaseUDTF

    def finish(self):
        self.instance.close()
        self.flush(False)


class AggregateFunction(LoadedFunction):
    """
    Every batch has a buffer of its own, which is marshalled and merged into the whole.

    So does the service with the parts of a table; a `merge` that is wrong is wrong here too.
    """

    kind = "udaf"

    def __init__(self, *args):
        LoadedFunction.__init__(self, *args)
        self.total = self.instance.new_buffer()

    def batch(self, columns, count):
        buffer = self.instance.new_buffer()
        iterate = self.instance.iterate
        for row in self.numbered_rows(columns, count):
            iterate(buffer, *row)
        self.instance.merge(self.total, self.marshal_buffer(buffer))
        self.send([[]], 0, True)

    def marshal_buffer(self, buffer):
        """Return the buffer as it arrives elsewhere (documentation, "Python UDAFs": it must be marshal-able, 2 MB)."""
        try:
            packed = marshal.dumps(buffer)
        except ValueError as error:
            raise ResultMisfit("the buffer cannot be marshalled: ValueError: %s" % error, self.mark[0])
        if len(packed) > BUFFER_LIMIT:
            raise ResultMisfit("the buffer takes %d bytes marshalled, over the limit of 2 MB" % len(packed), self.mark[0])
        with outside():
            return marshal.loads(packed)

    def finish(self):
        result = self.instance.terminate(self.total)
        try:
            self.send([[result]], 1, False)
        except Misfit as error:
            raise ResultMisfit("terminate returned " + error.text, None)
