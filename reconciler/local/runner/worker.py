# -*- coding: utf-8 -*-
"""
Run one MaxCompute Python UDF: load its class, then answer batches of rows.

This file is started by path in the CPython of the function's runtime, so it keeps to what 2.7, 3.7 and 3.11 all
understand, imports the standard library only, and shares no code with the process that started it. `wire.py` there
describes the frames and cells; this file holds the other end of the same table.

Around the user's code it keeps three promises:

* What the service provides is there: `odps.udf` and `odps.distcache` (documentation: "Python 3 UDFs", "Reference
  resources"), the working directory first on `sys.path`, the standard library, and nothing else of this machine.
* Where it is, is always known: the number of the row is written to shared memory before the row is handed over, so
  that it outlives even a segmentation fault.
* The frames travel on descriptors of their own. What the function prints goes to stdout and stderr as it wants.
"""

from __future__ import absolute_import, division, print_function

import sys

if not getattr(sys.flags, "isolated", 0):
    del sys.path[0]  # 2.7 has no -I: the directory of this file would come before the standard library

import array
import binascii
import collections
import datetime
import fcntl
import io
import itertools
import json
import marshal
import math
import mmap
import os
import re
import struct
import traceback
import types

PY2 = sys.version_info[0] == 2
THIS_FILE = __file__

if PY2:
    text_type, integers, imap, izip = unicode, (int, long), itertools.imap, itertools.izip  # noqa: F821
else:
    text_type, integers, imap, izip = str, (int,), map, zip

FORWARD_LIMIT = 4096  # forwarded rows kept before they are sent: one input row may forward millions
TRACEBACK_LIMIT = 20000
BUFFER_LIMIT = 2 * 1024 * 1024  # documentation: a UDAF's buffer, marshalled, is at most 2 MB

STARTING, CONSTRUCTING, IN_ROW, CLOSING, WAITING = range(5)


class NotLoadable(Exception):
    """The class is not what the service could call; the text says why."""

    what = "load"


class NoSignature(NotLoadable):
    """So it is for want of a signature that could be read."""

    what = "signature"


class Refused(Exception):
    """A value does not fit a type; `row` counts within the batch."""

    def __init__(self, text, row=None):
        Exception.__init__(self, text)
        self.text = text
        self.row = row


# ------------------------------------------------------------------------------------------------------------ frames


class Channel(object):
    """Messages from and to the parent: lengths of header and body, header in JSON, body."""

    prefix = struct.Struct(">II")

    def __init__(self, requests, answers):
        for descriptor in (requests, answers):
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
            fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
        self.requests = io.open(requests, "rb", buffering=1 << 16)
        self.answers = io.open(answers, "wb", buffering=1 << 16)
        self.process = os.getpid()

    def receive(self):
        """Return (header, body), or None when the parent has gone."""
        prefix = self.requests.read(self.prefix.size)
        if len(prefix) < self.prefix.size:
            return None
        head, body = self.prefix.unpack(prefix)
        header = json.loads(self.requests.read(head).decode("ascii"))
        return header, self.requests.read(body)

    def send(self, header, body=b""):
        if os.getpid() != self.process:
            os._exit(0)  # a copy, forked by the function, that came back: its original answers
        head = json.dumps(header).encode("ascii")
        self.answers.write(self.prefix.pack(len(head), len(body)) + head + body)
        self.answers.flush()


# ------------------------------------------------------------------------------------------- types of the signature


class Type(object):
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

    def cell(self, cell):
        """Return the Python value of a cell, or raise Refused."""
        if cell is None:
            return None
        if type(cell) is list and cell[0] == "j":
            cell = cell_of_json(self, cell[1])
        if type(cell) is list and cell[0] == "x":
            cell = cell_of_text(self, cell[1])
        return None if cell is None else self.read(cell)

    def refuse(self, cell):
        raise Refused("%s is no %s" % (shown(plain(cell)), self.text.upper()))

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
            return moment(cell[1])
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
            return [self.inner[0].cell(item) for item in cell[1]]
        return self.refuse(cell)

    def read_map(self, cell):
        if type(cell) is list and cell[0] == "m":
            return dict((self.inner[0].cell(key), self.inner[1].cell(item)) for key, item in cell[1])
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
        return self.make(*[inner.cell(item) for inner, item in zip(self.inner, items)])

    # A value the function gave, to the cell that travels.

    def written(self, value):
        """Return the cell of a value, or raise Refused."""
        return None if value is None else self.write(value)

    def wrong(self, value):
        raise Refused("%s (%s), where the signature says %s" % (shown(value), type(value).__name__, self.text))

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
        return ["l", [self.inner[0].written(item) for item in value]]

    def write_map(self, value):
        if not isinstance(value, dict):
            self.wrong(value)
        key, item = self.inner
        return ["m", [[key.written(k), item.written(v)] for k, v in value.items()]]

    def write_struct(self, value):
        if not isinstance(value, (tuple, list)) or len(value) != len(self.fields):
            self.wrong(value)
        return ["s", [list(self.fields), [inner.written(item) for inner, item in zip(self.inner, value)]]]


KINDS = {
    "tinyint": "integer", "smallint": "integer", "int": "integer", "bigint": "integer",
    "float": "float", "double": "float", "boolean": "boolean",
    "string": "string", "char": "string", "varchar": "string", "binary": "binary",
    "datetime": "datetime", "timestamp": "datetime", "date": "date", "decimal": "decimal",
    "array": "array", "map": "map", "struct": "struct",
}
BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
EPOCH = datetime.datetime(1970, 1, 1)


class AnyType(Type):
    """What `*` accepts: a value as it is."""

    def __init__(self):
        self.name = self.text = "*"

    def cell(self, cell):
        return plain(cell)


def check_range(kind, number):
    limit = 1 << (BITS[kind.name] - 1)
    if not -limit <= number < limit:
        raise Refused("%d does not fit %s" % (number, kind.text.upper()))
    return number


def moment(parts):
    """Return a DATETIME: in 3.x a datetime, in 2.7 milliseconds (documentation, "Data types" of the Python 2 page)."""
    value = datetime.datetime(*parts)
    if not PY2:
        return value
    since = value - EPOCH  # that the count is of UTC, not of the project's time zone, is a guess
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000


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
        raise Refused("%s is no DECIMAL" % shown(value))


def is_decimal(value):
    module = sys.modules.get("decimal")
    return module is not None and isinstance(value, module.Decimal)


def plain(cell):
    """Return the value of a cell without asking a type."""
    if type(cell) is not list:
        return cell.encode("utf-8") if PY2 and type(cell) is text_type else cell
    tag, what = cell
    if tag == "f":
        return float(what)
    if tag == "b":
        return binascii.a2b_base64(what)
    if tag == "t":
        return moment(what)
    if tag == "d":
        return datetime.date(*what)
    if tag == "n":
        return decimal_of(what)
    if tag == "l":
        return [plain(item) for item in what]
    if tag == "m":
        return dict((plain(key), plain(item)) for key, item in what)
    if tag == "s":
        return collections.namedtuple("Struct", what[0], rename=True)(*[plain(item) for item in what[1]])
    if tag == "j":
        return plain_json(what)
    return what.encode("utf-8") if PY2 else what  # "x"


def plain_json(value):
    """Return a piece of JSON as it is, text in the STRING of this Python."""
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        return dict((plain(key), plain_json(item)) for key, item in value.items())
    return plain(value)


def shown(value):
    """Return a short text of a value; a repr of the user's own may fail."""
    try:
        text = repr(value)
    except Exception:
        text = "<%s>" % type(value).__name__
    if text[:2] in ("u'", 'u"'):  # 2.7's way to write what is a text like any other
        text = text[1:]
    return text if len(text) <= 80 else text[:77] + "..."


def cell_of_text(kind, text):
    """Return the cell that a person meant by `text`, given the type."""
    group = KINDS.get(kind.name, "string")
    try:
        if group == "string":
            return text
        if group == "binary":
            return bytes_cell(text.encode("utf-8"))
        text = text.strip()
        if group == "integer":
            return int(text)
        if group == "float":
            return float_cell(float(text))
        if group == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if group == "decimal":
            return ["n", text]
        if group == "date":
            return ["d", [int(part) for part in re.match(r"(\d{4})-(\d\d)-(\d\d)$", text).groups()]]
        if group == "datetime":
            parts = re.match(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?$", text).groups("0")
            cell = ["t", [int(part) for part in parts[:6]] + [int(parts[6].ljust(6, "0"))]]
            datetime.datetime(*cell[1])
            return cell
        return cell_of_json(kind, json.loads(text))
    except (ValueError, KeyError, AttributeError, OverflowError):
        raise Refused("%s is no %s" % (shown(text), kind.text.upper()))


def cell_of_json(kind, value):
    """Return the cell of a piece of JSON: lists, objects and words are read by the types inside `kind`."""
    group = KINDS.get(kind.name)
    if isinstance(value, list) and group == "array":
        return ["l", [cell_of_json(kind.inner[0], item) for item in value]]
    if isinstance(value, list) and group == "struct" and len(value) == len(kind.fields):
        return ["l", [cell_of_json(inner, item) for inner, item in zip(kind.inner, value)]]
    if isinstance(value, dict) and group == "map":
        return ["m", [[["x", key], cell_of_json(kind.inner[1], item)] for key, item in value.items()]]
    if isinstance(value, dict) and group == "struct" and sorted(value) == sorted(kind.fields):
        return ["m", [[field, cell_of_json(inner, value[field])] for field, inner in zip(kind.fields, kind.inner)]]
    if isinstance(value, text_type):
        return ["x", value]
    if isinstance(value, float) and group == "decimal":
        return ["n", repr(value)]
    return value if not isinstance(value, (list, dict)) else kind.refuse(["x", shown(value)])


# ------------------------------------------------------------------------------------------------------- signatures


class SignatureReader(object):
    """Reads `arguments -> results` (documentation, "Function signatures and data types")."""

    token = re.compile(r"\s*(->|[A-Za-z_]\w*|\d+|[<>(),:*]|$)")

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.next = ""
        self.advance()

    def advance(self):
        taken = self.next
        match = self.token.match(self.text, self.at)
        if match is None:
            self.next = ""
            self.fail()
        self.at, self.next = match.end(), match.group(1)
        return taken

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
        found = [self.type()]
        while self.next == ",":
            self.advance()
            found.append(self.type())
        return found

    def type(self):
        start = self.at - len(self.next)
        name = self.next.lower()
        if name not in KINDS:
            self.fail()
        self.advance()
        inner, fields = (), ()
        if name == "array":
            self.expect("<")
            inner = (self.type(),)
            self.expect(">")
        elif name == "map":
            self.expect("<")
            inner = (self.type(),)
            self.expect(",")
            inner += (self.type(),)
            self.expect(">")
        elif name == "struct":
            self.expect("<")
            fields, inner = self.struct()
            self.expect(">")
        elif self.next == "(":
            self.precision()
        return Type(name, inner, fields, self.text[start : self.at - len(self.next)].strip())

    def struct(self):
        fields, inner = [], []
        while True:
            if not re.match(r"[A-Za-z_]", self.next):
                self.fail()
            fields.append(self.advance())
            self.expect(":")
            inner.append(self.type())
            if self.next != ",":
                return tuple(fields), tuple(inner)
            self.advance()

    def precision(self):
        self.expect("(")
        while self.next.isdigit():
            self.advance()
            if self.next == ",":
                self.advance()
        self.expect(")")


# ---------------------------------------------------------------------------------------------------------- columns


def read_columns(layout, body, kinds, limit=None):
    """Return the columns of a batch as the values the function gets; of its first rows only, with a limit."""
    columns = []
    start = 0
    for number, (codec, length) in enumerate(layout):
        kind = kinds[number] if kinds is not None else ANY
        columns.append(read_column(codec, body[start : start + length], kind, number, limit))
        start += length
    return columns


def read_good_rows(layout, body, kinds, error):
    """Return (the columns up to the first row that does not fit, the Refused of that row)."""
    while True:
        try:
            return read_columns(layout, body, kinds, error.row), error
        except Refused as earlier:
            error = earlier


def read_column(codec, content, kind, number, limit):
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
        values.extend(imap(kind.cell, cells))
    except (Refused, TypeError, ValueError) as error:
        text = error.text if isinstance(error, Refused) else str(error)
        raise Refused("argument %d: %s" % (number + 1, text), len(values))
    return values


def write_column(values, kind):
    """Return (codec, bytes) of a column of results."""
    kinds = set(imap(type, values))
    try:
        if kinds == INTS and kind.name == "bigint":
            return "i8", packed("i8", values)
        if kinds == FLOATS and kind.name == "double":
            return "f8", packed("f8", values)
        if kinds <= STRINGS and KINDS[kind.name] == "string":
            return "json", json.dumps(values).encode("ascii")
    except (OverflowError, struct.error, UnicodeDecodeError):
        pass  # one by one below: there it is known which
    cells = []
    try:
        cells.extend(imap(kind.written, values))
    except Refused as error:
        raise Refused(error.text, len(cells))
    return "json", json.dumps(cells).encode("ascii")


def packed(codec, values):
    """Return numbers as the machine writes them; in 3.x `struct` takes a third of the time that `array` does."""
    if PY2:
        return array.array("l" if codec == "i8" else "d", values).tostring()  # array("q") came with 3.3
    return struct.pack("%d%s" % (len(values), CODES[codec]), *values)


CODES = {"i8": "q", "f8": "d"}
STRINGS = frozenset([str, text_type, type(None)])
INTS = frozenset([int])
FLOATS = frozenset([float])


# ------------------------------------------------------------------------------------------- what the service offers


signatures = {}


def annotate(signature):
    """Declare the signature of a class: `@annotate("bigint,string->double")`."""

    def decorate(cls):
        signatures[cls] = signature
        return cls

    return decorate


def get_annotation(cls):
    """Return the signature that `annotate` gave a class."""
    return signatures.get(cls)


class BaseUDTF(object):
    """Base of a table function: `process` is called for each row and forwards any number of rows."""

    def __init__(self):
        pass

    def process(self, *args):
        raise NotImplementedError("process")

    def forward(self, *args):
        """Emit one row."""
        emit(args)

    def close(self):
        pass


class BaseUDAF(object):
    """Base of an aggregate function."""


class Counter(object):
    def __init__(self, name):
        self.name, self.value = name, 0

    def get_name(self):
        return self.name

    def get_value(self):
        return self.value

    def increment(self, by=1):
        self.value += by


class Counters(object):
    def __init__(self):
        self.known = {}

    def get_counter(self, group, name):
        return self.known.setdefault((group, name), Counter(name))


class ExecutionContext(object):
    """What `get_execution_context()` returns; counters count, and nobody reads them here."""

    def __init__(self):
        self.counters = Counters()

    def get_counters(self):
        return self.counters


def int_or_none(value, silent=True):
    """`odps.udf.int`: an integer, or None for what is none; with `silent=False` the error."""
    try:
        return int(value)
    except (TypeError, ValueError):
        if silent:
            return None
        raise


class ArchiveFile(object):
    """
    One file of an archive, opened when it is first read: an archive may hold more files than a process may open.

    `name` is its path from the working directory, as the documentation's `include_package_path` expects.
    """

    def __init__(self, name):
        self.name = name
        self._opened = None

    def __getattr__(self, attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if self._opened is None:
            self._opened = io.open(self.name, "rb")
        return getattr(self._opened, attribute)

    def __iter__(self):
        return iter(self.read().splitlines(True))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self._opened is not None:
            self._opened.close()


class Resources(object):
    """`odps.distcache`: the resources in the function's list, and no others."""

    def __init__(self, declared, tables):
        self.declared = declared
        self.tables = tables

    def need(self, name, wanted):
        # The documentation names no exception class; an IOError is what a missing file gives.
        kind = self.declared.get(name)
        if kind is None:
            known = ", ".join(sorted(self.declared)) or "none"
            raise IOError("resource %s is not in the list of this function (there: %s)" % (shown(name), known))
        if kind != wanted:
            raise IOError("resource %s has type %s, and this call takes %s" % (shown(name), kind.upper(), wanted.upper()))

    def get_cache_file(self, name, mode="t"):
        self.need(name, "file")
        if mode not in ("t", "b"):
            raise ValueError("mode is 't' or 'b', not %s" % shown(mode))
        if mode == "b" or PY2:
            return open(name, "rb")
        return io.open(name, "r", encoding="utf-8")

    def get_cache_archive(self, name, relative_path="."):
        self.need(name, "archive")
        root = os.path.join("work", name)
        start = os.path.normpath(os.path.join(root, relative_path))
        if start != root and not start.startswith(root + os.sep):
            raise IOError("%s is not inside the archive %s" % (shown(relative_path), name))
        if not os.path.exists(start):
            raise IOError("the archive %s holds no %s" % (name, shown(relative_path)))
        return archive_files(start)

    def get_cache_table(self, name):
        self.need(name, "table")
        if self.tables.get(name) is None:
            raise IOError("table resource %s has no rows here: list its table under tables:" % shown(name))
        return table_rows(name, self.tables[name])


def archive_files(start):
    if os.path.isfile(start):
        yield ArchiveFile(start)
        return
    for directory, directories, names in os.walk(start):
        directories.sort()
        for name in sorted(names):
            yield ArchiveFile(os.path.join(directory, name))


def table_rows(name, path):
    """Yield the rows of a table: the first line of its file holds the types of the columns."""
    with io.open(path, encoding="ascii") as lines:
        kinds = [SignatureReader("->" + kind).signature()[1][0] for kind in json.loads(next(lines))]
        for number, line in enumerate(lines, 1):
            try:
                row, wrong = tuple([kind.cell(cell) for kind, cell in zip(kinds, json.loads(line))]), None
            except (Refused, TypeError, ValueError) as error:
                wrong = error.text if isinstance(error, Refused) else str(error)
            if wrong is not None:  # raised here it has no past that is not the user's
                raise IOError("row %d of table resource %s: %s" % (number, shown(name), wrong))
            yield row


def install_odps(resources):
    """Put `odps`, `odps.udf` and `odps.distcache` where `import` finds them."""
    context = ExecutionContext()
    odps, udf, distcache = [types.ModuleType(name) for name in ("odps", "odps.udf", "odps.distcache")]
    odps.__path__ = []
    odps.udf, odps.distcache = udf, distcache
    udf.annotate, udf.get_annotation = annotate, get_annotation
    udf.BaseUDTF, udf.BaseUDAF = BaseUDTF, BaseUDAF
    udf.get_execution_context = lambda: context
    udf.int = int_or_none
    for name in ("get_cache_file", "get_cache_archive", "get_cache_table"):
        setattr(distcache, name, getattr(resources, name))
    sys.modules.update({"odps": odps, "odps.udf": udf, "odps.distcache": distcache})


def emit(row):
    raise RuntimeError("forward() is for a UDTF that is at work")


# ---------------------------------------------------------------------------------------------------------- running


class Function(object):
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
        written = [write_column(values, kind) for values, kind in zip(columns, self.outputs or ())]
        layout = [[codec, len(content)] for codec, content in written]
        header = {"kind": "values", "count": count, "columns": layout, "last": last and not self.cut}
        if origins is not None:
            header["origins"] = origins
        self.channel.send(header, b"".join([content for _, content in written]))

    def batch(self, columns, count):
        raise NotImplementedError

    def finish(self):
        """Say what is left to say after the last row."""


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
        made = {"izip": izip}
        exec(compile(source, THIS_FILE, "exec"), made)
        loops[width] = made["loop"]
    return loops[width]


class Udf(Function):
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
        except Refused as error:
            self.send([results[: error.row]], error.row, False)
            raise WrongResult("evaluate returned " + error.text, self.rows + error.row)


class Udtf(Function):
    kind = "udtf"
    tells_origins = False  # whether each forwarded row is sent with the number of the row it came from

    def __init__(self, *args):
        Function.__init__(self, *args)
        self.pending = []
        self.origins = []
        globals()["emit"] = self.emit

    def emit(self, row):
        if self.outputs is None:
            self.outputs = [Type("string")] * len(row)
        if len(row) != len(self.outputs):
            text = "forward() got %d values, and the signature has %d" % (len(row), len(self.outputs))
            raise WrongResult(text, self.mark[0])
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
        except Refused as error:
            self.send_rows(rows[: error.row], False, origins[: error.row])
            raise WrongResult("forward() got " + error.text, origins[error.row])

    def send_rows(self, rows, last, origins):
        columns = list(izip(*rows)) or [()] * len(self.outputs or ())
        self.send(columns, len(rows), last, origins if self.tells_origins else None)

    def finish(self):
        self.instance.close()
        self.flush(False)


class Udaf(Function):
    """
    Every batch has a buffer of its own, which is marshalled and merged into the whole.

    So does the service with the parts of a table; a `merge` that is wrong is wrong here too.
    """

    kind = "udaf"

    def __init__(self, *args):
        Function.__init__(self, *args)
        self.total = self.instance.new_buffer()

    def batch(self, columns, count):
        buffer = self.instance.new_buffer()
        iterate = self.instance.iterate
        for row in self.numbered_rows(columns, count):
            iterate(buffer, *row)
        self.instance.merge(self.total, self.carried(buffer))
        self.send([[]], 0, True)

    def carried(self, buffer):
        """Return the buffer as it arrives elsewhere (documentation, "Python UDAFs": it must be marshal-able, 2 MB)."""
        try:
            packed = marshal.dumps(buffer)
        except ValueError as error:
            raise WrongResult("the buffer cannot be marshalled: ValueError: %s" % error, self.mark[0])
        if len(packed) > BUFFER_LIMIT:
            raise WrongResult("the buffer takes %d bytes marshalled, over the limit of 2 MB" % len(packed), self.mark[0])
        return marshal.loads(packed)

    def finish(self):
        result = self.instance.terminate(self.total)
        try:
            self.send([[result]], 1, False)
        except Refused as error:
            raise WrongResult("terminate returned " + error.text, None)


class WrongResult(Exception):
    """What the function gave does not fit its signature; `row` counts over all batches."""

    def __init__(self, text, row):
        Exception.__init__(self, text)
        self.text = text
        self.row = row


NEEDED = {
    Udf: ("evaluate",),
    Udtf: ("process",),
    Udaf: ("new_buffer", "iterate", "merge", "terminate"),
}


def load(job, channel, mark):
    """Import the module, look at the class, and return what makes a Function around a new instance of it."""
    module_name, _, class_name = job["class"].rpartition(".")
    for stem in job["modules"]:
        sys.modules.pop(stem, None)  # a resource called json.py comes first on sys.path: it is the one to import
    __import__(module_name)
    cls = getattr(sys.modules[module_name], class_name, None)
    if cls is None:
        names = [cls.__name__ for cls in signatures if cls.__module__ == module_name]
        there = "; classes with a signature: %s" % ", ".join(sorted(names)) if names else ""
        raise NotLoadable("module %s has no class %s%s" % (module_name, class_name, there))
    if not isinstance(cls, type) and not callable(cls):
        raise NotLoadable("%s is no class" % job["class"])
    wrapper = kind_of(cls)
    missing = [name for name in NEEDED[wrapper] if not callable(getattr(cls, name, None))]
    if missing:
        raise NotLoadable("%s %s has no method %s" % (wrapper.kind.upper(), job["class"], ", ".join(missing)))
    signature, inputs, outputs = signature_of(cls, wrapper)

    def construct():
        mark[1] = CONSTRUCTING
        function = wrapper(cls(), inputs, outputs, channel, mark)
        function.signature = signature
        return function

    return construct


def signature_of(cls, wrapper):
    """Return (signature, types of the arguments, types of the results); None where the class leaves it open."""
    signature = signatures.get(cls)
    if signature is None and wrapper is Udtf:
        return None, None, None  # documentation, "Python UDTFs": any arguments, every result is a STRING
    if signature is None:
        raise NoSignature("class %s has no signature: decorate it with @annotate('...->...')" % cls.__name__)
    if PY2 and isinstance(signature, text_type):
        signature = signature.encode("utf-8")
    if not isinstance(signature, str):
        raise NoSignature("the signature of %s is no string: %s" % (cls.__name__, shown(signature)))
    inputs, outputs = SignatureReader(signature).signature()
    if wrapper is not Udtf and len(outputs) != 1:
        raise NoSignature("the signature %r has %d results; only a UDTF has more than one" % (signature, len(outputs)))
    return signature, inputs, outputs


def kind_of(cls):
    if isinstance(cls, type) and issubclass(cls, BaseUDTF):
        return Udtf
    if isinstance(cls, type) and issubclass(cls, BaseUDAF):
        return Udaf
    if not hasattr(cls, "evaluate"):
        for name, base in (("process", "BaseUDTF"), ("iterate", "BaseUDAF")):
            if hasattr(cls, name):
                raise NotLoadable("%s has %s() but does not derive from odps.udf.%s" % (cls.__name__, name, base))
    return Udf


# ----------------------------------------------------------------------------------------------------------- errors


def as_text(value):
    if isinstance(value, text_type):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else text_type(value)


def is_ours(filename):
    return filename == THIS_FILE or filename.startswith("<frozen importlib")


def only_users(report):
    """Take this file's frames out of a TracebackException and what it was caused by (3.x)."""
    seen = set()
    waiting = [report]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.stack = traceback.StackSummary.from_list([f for f in one.stack if not is_ours(f.filename)])
            waiting += [one.__cause__, one.__context__] + list(getattr(one, "exceptions", None) or ())
    return report


def users_traceback(kind, value, trace):
    """Return the traceback as Python prints it, without this file's frames; empty when no others are there."""
    if not PY2:
        report = only_users(traceback.TracebackException(kind, value, trace))
        return "".join(report.format()) if report.stack or kind is SyntaxError else ""
    entries = [entry for entry in traceback.extract_tb(trace) if not is_ours(entry[0])]
    lines = ["Traceback (most recent call last):\n"] + traceback.format_list(entries) if entries else []
    if entries or kind is SyntaxError:
        lines += traceback.format_exception_only(kind, value)
    return "".join(map(as_text, lines))


def describe(cwd):
    """Return (the line that names it, the user's traceback) of the exception being handled, paths from the working directory."""
    kind, value, trace = sys.exc_info()
    try:
        said = [as_text(piece) for piece in traceback.format_exception_only(kind, value)]
        # A syntax error begins with its place, and any other ends with what its message or its notes go on to say.
        said = said[-1] if issubclass(kind, SyntaxError) else said[0]
        line = (said.strip().splitlines() or [as_text(kind.__name__)])[0]
        text = users_traceback(kind, value, trace)
    except Exception as error:  # an exception of the user's whose own __str__ fails
        line, text = as_text(kind.__name__), "(its traceback cannot be printed: %s)" % type(error).__name__
    text = text.replace(cwd + os.sep, "")
    if len(text) > TRACEBACK_LIMIT:
        text = text[: TRACEBACK_LIMIT // 2] + "\n  ...\n" + text[-TRACEBACK_LIMIT // 2 :]
    return line[:2000], text


def send_error(channel, what, message, row=None, trace=""):
    channel.send({"kind": "error", "what": what, "message": as_text(message), "row": row, "traceback": as_text(trace)})


# ------------------------------------------------------------------------------------------------------------- main


def shared_memory(path):
    """Return two 64-bit numbers that the parent can read after our death: the row, and what we were doing."""
    with open(path, "r+b") as opened:
        memory = mmap.mmap(opened.fileno(), 16)
    if not PY2:
        return memoryview(memory).cast("q")
    try:
        import ctypes
    except ImportError:
        return [0, 0]
    return (ctypes.c_longlong * 2).from_buffer(memory)


def apply_limits(limits):
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.get("memory"):
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))


def answer(function, header, body, mark):
    """Answer one message; return False after the last."""
    if header["kind"] == "end":
        mark[1] = CLOSING
        function.finish()
        return False
    refused = None
    count = header["count"]
    try:
        columns = read_columns(header["columns"], body, function.inputs)
    except Refused as error:
        columns, refused = read_good_rows(header["columns"], body, function.inputs, error)
        count, function.cut = refused.row, True
    mark[0], mark[1] = function.rows, IN_ROW
    function.batch(columns, count)
    mark[1] = WAITING
    if refused is not None:
        raise refused
    function.rows += count
    return True


def serve(function, construct, channel, mark, cwd):
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
            elif function is not None and not answer(function, header, body, mark):
                channel.send({"kind": "done"})
                function, mark[1] = None, WAITING
            continue
        except Refused as error:
            send_error(channel, "arguments", error.text, function.rows + error.row)
        except WrongResult as error:
            send_error(channel, "result", error.text, error.row, describe(cwd)[1])
        except BaseException:
            line, trace = describe(cwd)
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
    Udtf.tells_origins = job["origins"]
    if not PY2:
        import faulthandler

        faulthandler.enable()  # the stack of a crash, in the log
    install_odps(Resources(job["resources"], job["tables"]))
    try:
        construct = load(job, channel, mark)
        function = construct()
    except NotLoadable as error:
        send_error(channel, error.what, error)
        return
    except BaseException:
        line, trace = describe(cwd)
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
    serve(function, construct, channel, mark, cwd)


ANY = AnyType()

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
