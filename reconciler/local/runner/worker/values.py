"""
Types and their values: from a cell to what evaluate() gets, and from what it returns to a cell; and signatures, which name them.

A person's text and JSON become cells first, as the type reads them.
"""

from __future__ import absolute_import, division, print_function

import binascii
import collections
import datetime
import json
import re

from .cells import (
    EPOCH, KINDS, bytes_cell, check_range, date_of, datetime_of, decimal_of, float_cell, is_decimal, moment_cell, short_repr, untyped
)  # fmt: skip
from .compat import PY2, integers, text_type
from .frames import Misfit, NoSignature


class ValueType(object):
    """A MaxCompute type: its lower-case name, the types inside it, the field names of a struct."""

    def __init__(self, name, inner=(), fields=(), text=""):
        self.name = name
        self.inner = inner
        self.fields = fields
        self.text = text or name
        self.title = re.sub(r"[A-Za-z]\w*\b(?!\s*:)", lambda word: word.group().upper(), self.text)  # a field keeps its case
        if name == "struct":
            self.make = collections.namedtuple("Struct", fields, rename=True)
        self.read = getattr(self, "read_" + KINDS[name], None) or self.tagged_reader(KINDS[name])
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
        raise Misfit("%s is no %s" % (short_repr(untyped(cell)), self.title))

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

    def tagged_reader(self, group):
        """Return the reader of cells that are a tag and what it says."""
        tag, read = {
            "binary": ("b", binascii.a2b_base64),
            "datetime": ("t", datetime_of),
            "date": ("d", date_of),
            "array": ("l", lambda items: [self.inner[0].from_cell(item) for item in items]),
            "map": ("m", lambda pairs: dict((self.inner[0].from_cell(key), self.inner[1].from_cell(item)) for key, item in pairs)),
        }[group]

        def read_tagged(cell):
            if type(cell) is list and cell[0] == tag:
                return read(cell[1])
            return self.refuse(cell)

        return read_tagged

    def read_decimal(self, cell):
        if type(cell) in integers:
            return decimal_of(cell)
        if type(cell) is list and cell[0] == "n":
            return decimal_of(cell[1])
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


_DECIMAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
NUMBERS = {
    "integer": re.compile(r"[+-]?[0-9]+\Z"),
    "decimal": re.compile(_DECIMAL + r"\Z"),
    "float": re.compile(_DECIMAL + r"\Z|[+-]?(nan|inf(inity)?)\Z", re.IGNORECASE),
}
"""
How a person writes numbers: as CAST reads them, and not as Python does, which takes 1_000 and the digits of any script. CAST makes a
BIGINT of '1.6' too, by losing the fraction; who types an argument that is no whole number has mistyped it.
"""
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
MOMENT = re.compile(DATE.pattern[:-2] + r"(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?\Z")


def date_of_text(text):
    numbers = [int(part) for part in DATE.match(text).groups()]
    datetime.date(*numbers)  # raises for what is no day
    return ["d", numbers]


def moment_of_text(text):
    parts = MOMENT.match(text).groups("0")
    numbers = [int(part) for part in parts[:6]] + [int(parts[6].ljust(6, "0"))]
    datetime.datetime(*numbers)  # raises for what is no moment
    return ["t", numbers]


FROM_TEXT = {
    "integer": int,
    "float": lambda text: float_cell(float(text)),
    "boolean": lambda text: {"true": True, "false": False}[text.lower()],
    "decimal": lambda text: ["n", text],
    "date": date_of_text,
    "datetime": moment_of_text,
}
FORMS = {"boolean": "true or false", "date": "written 2026-05-31", "datetime": "written 2026-05-31 12:30:00"}


def cell_of_text(kind, text):
    """Return the cell that a person meant by `text`, given the type."""
    group = KINDS.get(kind.name, "string")
    try:
        if group == "string":
            return text
        if group == "binary":
            return bytes_cell(text.encode("utf-8"))
        text = text.strip(" \t\r\n")
        if group in NUMBERS and not NUMBERS[group].match(text):
            raise ValueError(text)
        return FROM_TEXT[group](text) if group in FROM_TEXT else cell_of_json(kind, json.loads(text))
    except (ValueError, KeyError, AttributeError, OverflowError):
        form = ", which is " + FORMS[group] if group in FORMS else ""
        raise Misfit("%s is no %s%s" % (short_repr(text), kind.title, form))


def cell_of_json(kind, value):
    """Return the cell of a piece of JSON: lists, objects and words are read by the types inside `kind`."""
    if isinstance(value, (list, dict)):
        return nested_cell(kind, value)
    if isinstance(value, text_type):
        return ["x", value]
    if isinstance(value, float) and kind.name == "decimal":
        return ["n", repr(value)]
    return value


def nested_cell(kind, value):
    """Return the cell of a list or an object."""
    if isinstance(value, list):
        if kind.name == "array":
            return ["l", [cell_of_json(kind.inner[0], item) for item in value]]
        if kind.name == "struct" and len(value) == len(kind.fields):
            return ["l", [cell_of_json(inner, item) for inner, item in zip(kind.inner, value)]]
    elif kind.name == "map":
        return ["m", [[["x", key], cell_of_json(kind.inner[1], item)] for key, item in value.items()]]
    elif kind.name == "struct" and sorted(value) == sorted(kind.fields):
        return ["m", [[field, cell_of_json(inner, value[field])] for field, inner in zip(kind.fields, kind.inner)]]
    raise Misfit("%s is no %s" % (json.dumps(value, ensure_ascii=PY2)[:80], kind.title))


class AnyType(ValueType):
    """What `*` accepts: a value as it is."""

    def __init__(self):
        self.name = self.text = "*"

    def from_cell(self, cell):
        return untyped(cell)


ANY = AnyType()


class SignatureReader(object):
    """Reads `arguments -> results` (documentation, "Function signatures and data types")."""

    token = re.compile(r"\s*(->|[A-Za-z_]\w*|\d+|[<>(),:*]|$)")

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.next = ""
        self.advance()

    def advance(self):
        token = self.next
        match = self.token.match(self.text, self.at)
        if match is None:
            self.next = ""
            self.fail()
        self.at, self.next = match.end(), match.group(1)
        return token

    def fail(self):
        rest = self.text[self.at - len(self.next) :].lstrip()
        raise NoSignature("the signature %r is not understood at %r" % (self.text, rest))

    def expect(self, token):
        if self.next != token:
            self.fail()
        self.advance()

    def signature(self):
        """Return (types of the arguments, or None for `*`; types of the results)."""
        if self.next == "*":
            self.advance()
            inputs = None
        else:
            inputs = [] if self.next == "->" else self.types()
        self.expect("->")
        outputs = self.types()
        if self.next:
            self.fail()
        return inputs, outputs

    def types(self):
        kinds = [self.type()]
        while self.next == ",":
            self.advance()
            kinds.append(self.type())
        return kinds

    def type(self):
        start = self.at - len(self.next)
        name = self.next.lower()
        if name not in KINDS:
            self.fail()
        self.advance()
        inner, fields = (), ()
        if name in ("array", "map", "struct"):
            inner, fields = self.inside(name)
        elif self.next == "(":
            self.advance()
            while self.next.isdigit():
                self.advance()
                if self.next == ",":
                    self.advance()
            self.expect(")")
        return ValueType(name, inner, fields, self.text[start : self.at - len(self.next)].strip())

    def inside(self, name):
        """Return (the types, the names of a struct's fields) that stand between < and >."""
        self.expect("<")
        count = {"array": 1, "map": 2}.get(name)
        inner, fields = [], []
        while True:
            if name == "struct":
                if not re.match(r"[A-Za-z_]", self.next):
                    self.fail()
                fields.append(self.advance())
                self.expect(":")
            inner.append(self.type())
            if self.next != "," or len(inner) == count:
                break
            self.advance()
        if len(inner) < (count or 1):
            self.fail()
        self.expect(">")
        return tuple(inner), tuple(fields)
