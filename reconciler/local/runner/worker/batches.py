"""
Columns of a batch: codec, bytes and values.

A column of one plain type takes no Python call a value.
"""

from __future__ import absolute_import, division, print_function

import array
import json
import struct

from .cells import KINDS
from .compat import PY2, imap, text_type
from .frames import Misfit
from .values import ANY

CODES = {"i8": "q", "f8": "d"}
STRINGS = frozenset([str, text_type, type(None)])
INTS = frozenset([int])
FLOATS = frozenset([float])


def decode_columns(layout, body, kinds, limit=None):
    """Return the columns of a batch as the values the function gets; of its first rows only, with a limit."""
    columns = []
    start = 0
    for number, (codec, length) in enumerate(layout):
        kind = kinds[number] if kinds is not None else ANY
        columns.append(decode_column(codec, body[start : start + length], kind, number, limit))
        start += length
    return columns


def decode_good_rows(layout, body, kinds, error):
    """Return (the columns up to the first row that does not fit, the Misfit of that row)."""
    while True:
        try:
            return decode_columns(layout, body, kinds, error.row), error
        except Misfit as earlier:
            error = earlier


def decode_column(codec, content, kind, number, limit):
    if codec == "json":
        cells = json.loads(content.decode("ascii"))[:limit]
        if not PY2 and KINDS.get(kind.name) == "string" and set(map(type, cells)) <= STRINGS:
            return cells
    else:
        cells = struct.unpack("%d%s" % (len(content) // 8, CODES[codec]), content)[:limit]
        if kind.name in ("*", "bigint" if codec == "i8" else "double"):
            return cells
    values = []
    try:
        values.extend(imap(kind.from_cell, cells))
    except (Misfit, TypeError, ValueError) as error:
        text = error.text if isinstance(error, Misfit) else str(error)
        raise Misfit("argument %d: %s" % (number + 1, text), len(values))
    return values


def encode_results(values, kind):
    """Return (codec, bytes) of a column of results."""
    kinds = set(imap(type, values))
    try:
        if kinds == INTS and kind.name == "bigint":
            return "i8", pack_numbers("i8", values)
        if kinds == FLOATS and kind.name == "double":
            return "f8", pack_numbers("f8", values)
        if kinds <= STRINGS and KINDS[kind.name] == "string":
            return "json", json.dumps(values).encode("ascii")
    except (OverflowError, struct.error, UnicodeDecodeError):
        pass  # one by one below: there it is known which
    cells = []
    try:
        cells.extend(imap(kind.to_cell, values))
    except Misfit as error:
        raise Misfit(error.text, len(cells))
    return "json", json.dumps(cells).encode("ascii")


def pack_numbers(codec, values):
    """Return numbers as the machine writes them; in 3.x `struct` takes a third of the time that `array` does."""
    if PY2:
        return array.array("l" if codec == "i8" else "d", values).tostring()  # array("q") came with 3.3
    return struct.pack("%d%s" % (len(values), CODES[codec]), *values)
