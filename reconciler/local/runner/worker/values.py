"""Typed values: from a cell to what evaluate() gets, and from what it returns to a cell."""

from __future__ import absolute_import, division, print_function

import binascii
import collections
import datetime

from .cells import EPOCH, KINDS, bytes_cell, check_range, decimal_of, float_cell, is_decimal, datetime_of, moment_cell, untyped, short_repr
from .compat import PY2, integers, text_type
from .failures import Misfit
from .literals import cell_of_json, cell_of_text


class ValueType(object):
    """A MaxCompute type: its lower-case name, the types inside it, the field names of a struct."""

    def __init__(self, name, inner=(), fields=(), text=""):
        self.name = name
        self.inner = inner
        self.fields = fields
        self.text = text or name
        if name == "struct":
            self.make = collections.namedtuple("Struct", fields, rename=True)
        self.read = getattr(self, "read_" + KINDS[name])
        self.write = getattr(self, "write_" + KINDS[name])

    # A cell as it came, to the value evaluate() gets. Every reader lets None through: NULL is None.

    def from_cell(self, cell):
        """Return the Python value of a cell, or raise Misfit."""
        if cell is None:
            return None
        if type(cell) is list and cell[0] == "j":
            cell = cell_of_json(self, cell[1])
        if type(cell) is list and cell[0] == "x":
            cell = cell_of_text(self, cell[1])
        return None if cell is None else self.read(cell)

    def refuse(self, cell):
        raise Misfit("%s is no %s" % (short_repr(untyped(cell)), self.text.upper()))

    def read_integer(self, cell):
        # bool is an int to Python, and True is 1 in SQL as well.
        if not isinstance(cell, integers):
            self.refuse(cell)
        return check_range(self, int(cell))

    def read_float(self, cell):
        if type(cell) is float or type(cell) in integers:
            return float(cell)
        if type(cell) is list and cell[0] == "f":
            return float(cell[1])
        return self.refuse(cell)

    def read_boolean(self, cell):
        return cell if type(cell) is bool else self.refuse(cell)

    def read_string(self, cell):
        if type(cell) is text_type:
            return cell.encode("utf-8") if PY2 else cell
        if PY2 and type(cell) is list and cell[0] == "b":
            return binascii.a2b_base64(cell[1])
        return self.refuse(cell)

    def read_binary(self, cell):
        if type(cell) is list and cell[0] == "b":
            return binascii.a2b_base64(cell[1])
        return self.refuse(cell)

    def read_datetime(self, cell):
        if type(cell) is list and cell[0] == "t":
            return datetime_of(cell[1])
        return self.refuse(cell)

    def read_date(self, cell):
        if type(cell) is list and cell[0] == "d":
            return datetime.date(*cell[1])
        return self.refuse(cell)

    def read_decimal(self, cell):
        if type(cell) in integers:
            return decimal_of(cell)
        if type(cell) is list and cell[0] == "n":
            return decimal_of(cell[1])
        return self.refuse(cell)

    def read_array(self, cell):
        if type(cell) is list and cell[0] == "l":
            return [self.inner[0].from_cell(item) for item in cell[1]]
        return self.refuse(cell)

    def read_map(self, cell):
        if type(cell) is list and cell[0] == "m":
            return dict((self.inner[0].from_cell(key), self.inner[1].from_cell(item)) for key, item in cell[1])
        return self.refuse(cell)

    def read_struct(self, cell):
        tag, what = cell if type(cell) is list else (None, None)
        if tag == "l" and len(what) == len(self.fields):
            items = what
        elif tag in ("m", "s"):
            pairs = dict(what if tag == "m" else zip(*what))
            if sorted(pairs) != sorted(self.fields):
                self.refuse(cell)
            items = [pairs[field] for field in self.fields]
        else:
            self.refuse(cell)
        return self.make(*[inner.from_cell(item) for inner, item in zip(self.inner, items)])

    # A value the function gave, to the cell that travels.

    def to_cell(self, value):
        """Return the cell of a value, or raise Misfit."""
        return None if value is None else self.write(value)

    def wrong(self, value):
        raise Misfit("%s (%s), where the signature says %s" % (short_repr(value), type(value).__name__, self.text))

    def write_integer(self, value):
        if not isinstance(value, integers):
            self.wrong(value)
        return check_range(self, int(value))

    def write_float(self, value):
        if isinstance(value, bool) or not isinstance(value, (float,) + integers):
            self.wrong(value)
        return float_cell(float(value))

    def write_boolean(self, value):
        return value if isinstance(value, bool) else self.wrong(value)

    def write_string(self, value):
        if isinstance(value, text_type):
            return text_type(value)
        if PY2 and isinstance(value, str):
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                return bytes_cell(value)  # a guess: the service's STRING holds any bytes
        return self.wrong(value)

    def write_binary(self, value):
        return bytes_cell(value) if isinstance(value, (bytes, bytearray)) else self.wrong(value)

    def write_datetime(self, value):
        if PY2 and isinstance(value, integers) and not isinstance(value, bool):
            try:
                value = EPOCH + datetime.timedelta(milliseconds=value)
            except OverflowError:
                self.wrong(value)
        if not isinstance(value, datetime.datetime) or value.tzinfo is not None:
            self.wrong(value)
        return moment_cell(value)

    def write_date(self, value):
        if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
            self.wrong(value)
        return ["d", [value.year, value.month, value.day]]

    def write_decimal(self, value):
        if isinstance(value, integers) and not isinstance(value, bool):
            return ["n", str(value)]
        if not is_decimal(value):
            self.wrong(value)
        return ["n", str(value)]

    def write_array(self, value):
        if not isinstance(value, (list, tuple)):
            self.wrong(value)
        return ["l", [self.inner[0].to_cell(item) for item in value]]

    def write_map(self, value):
        if not isinstance(value, dict):
            self.wrong(value)
        key, item = self.inner
        return ["m", [[key.to_cell(k), item.to_cell(v)] for k, v in value.items()]]

    def write_struct(self, value):
        if not isinstance(value, (tuple, list)) or len(value) != len(self.fields):
            self.wrong(value)
        return ["s", [list(self.fields), [inner.to_cell(item) for inner, item in zip(self.inner, value)]]]


class AnyType(ValueType):
    """What `*` accepts: a value as it is."""

    def __init__(self):
        self.name = self.text = "*"

    def from_cell(self, cell):
        return untyped(cell)


ANY = AnyType()
