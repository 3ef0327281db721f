"""
Cells: the values of a row as JSON carries them.

`wire.py` of the parent holds the same table of tags.
"""

from __future__ import absolute_import, division, print_function

import binascii
import collections
import datetime
import math
import sys

from .compat import PY2, text_type
from .frames import Misfit

KINDS = {
    "tinyint": "integer", "smallint": "integer", "int": "integer", "bigint": "integer",
    "float": "float", "double": "float", "boolean": "boolean",
    "string": "string", "char": "string", "varchar": "string", "binary": "binary",
    "datetime": "datetime", "timestamp": "datetime", "date": "date", "decimal": "decimal",
    "array": "array", "map": "map", "struct": "struct",
}
BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
EPOCH = datetime.datetime(1970, 1, 1)


def check_range(kind, number):
    limit = 1 << (BITS[kind.name] - 1)
    if not -limit <= number < limit:
        raise Misfit("%d does not fit %s" % (number, kind.title))
    return number


def datetime_of(parts):
    """Return a DATETIME: in 3.x a datetime, in 2.7 milliseconds (documentation, "Data types" of the Python 2 page)."""
    value = datetime.datetime(*parts)
    if not PY2:
        return value
    since = value - EPOCH  # that the count is of UTC, not of the project's time zone, is a guess
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000


def date_of(parts):
    return datetime.date(*parts)


def moment_cell(v):
    return ["t", [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond]]


def bytes_cell(value):
    return ["b", binascii.b2a_base64(bytes(value)).decode("ascii").rstrip("\n")]


def float_cell(value):
    return value if not (math.isinf(value) or math.isnan(value)) else ["f", repr(value)]


def decimal_of(value):
    import decimal  # late: nearly no function needs it, and 2.7 takes long to load it

    try:
        return decimal.Decimal(value)
    except (decimal.InvalidOperation, ValueError):
        raise Misfit("%s is no DECIMAL" % short_repr(value))


def is_decimal(value):
    module = sys.modules.get("decimal")
    return module is not None and isinstance(value, module.Decimal)


def untyped(cell):
    """Return the value of a cell without asking a type."""
    if type(cell) is not list:
        return cell.encode("utf-8") if PY2 and type(cell) is text_type else cell
    tag, what = cell
    return PLAIN[tag](what)


structs = {}


def plain_struct(what):
    """Return a named tuple (documentation, "Function signatures and data types"); its class is made once for the same names."""
    names, items = tuple(what[0]), what[1]
    if names not in structs:
        structs[names] = collections.namedtuple("Struct", names, rename=True)
    return structs[names](*[untyped(item) for item in items])


def plain_json(value):
    """Return a piece of JSON as it is, text in the STRING of this Python."""
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        return dict((untyped(key), plain_json(item)) for key, item in value.items())
    return untyped(value)


PLAIN = {
    "f": float,
    "b": binascii.a2b_base64,
    "t": datetime_of,
    "d": date_of,
    "n": decimal_of,
    "l": lambda what: [untyped(item) for item in what],
    "m": lambda what: dict((untyped(key), untyped(item)) for key, item in what),
    "s": plain_struct,
    "j": plain_json,
    "x": lambda what: what.encode("utf-8") if PY2 else what,
}


def short_repr(value):
    """Return a short text of a value; a repr of the user's own may fail."""
    try:
        text = repr(value)
    except Exception:
        text = "<%s>" % type(value).__name__
    if text[:2] in ("u'", 'u"'):  # 2.7's way to write what is a text like any other
        text = text[1:]
    return text if len(text) <= 80 else text[:77] + "..."
