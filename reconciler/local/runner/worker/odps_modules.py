"""
Modules of the service: `odps.udf` (documentation: "Python 3 UDFs") and `odps.distcache` ("Reference resources").

The first has decorator, base classes and counters, the second the function's resources.
"""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import sys
import types

from .cells import short_repr
from .compat import PY2
from .frames import Misfit
from .sandbox import outside
from .values import SignatureReader

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


def emit(row):
    raise RuntimeError("forward() is for a UDTF that is at work")


def forward_to(receiver):
    """Have `BaseUDTF.forward` hand its rows to `receiver`."""
    global emit
    emit = receiver


class BaseUDTF(object):
    """Base of a table function: `process` is called for each row and forwards any number of rows."""

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

    counters = Counters()

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
            with outside():
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

    def need(self, name, expected):
        # The documentation names no exception class; an IOError is what a missing file gives.
        kind = self.declared.get(name)
        if kind is None:
            names = ", ".join(sorted(self.declared)) or "none"
            raise IOError("resource %s is not in the list of this function (there: %s)" % (short_repr(name), names))
        if kind != expected:
            raise IOError("resource %s has type %s, and this call takes %s" % (short_repr(name), kind.upper(), expected.upper()))

    def get_cache_file(self, name, mode="t"):
        self.need(name, "file")
        if mode not in ("t", "b"):
            raise ValueError("mode is 't' or 'b', not %s" % short_repr(mode))
        with outside():
            return open(name, "rb") if mode == "b" or PY2 else io.open(name, "r", encoding="utf-8")

    def get_cache_archive(self, name, relative_path="."):
        self.need(name, "archive")
        root = os.path.join("work", name)
        start = os.path.normpath(os.path.join(root, relative_path))
        if start != root and not start.startswith(root + os.sep):
            raise IOError("%s is not inside the archive %s" % (short_repr(relative_path), name))
        with outside():
            if not os.path.exists(start):
                raise IOError("the archive %s holds no %s" % (name, short_repr(relative_path)))
            return iter([ArchiveFile(path) for path in archive_files(start)])

    def get_cache_table(self, name):
        self.need(name, "table")
        if self.tables.get(name) is None:
            raise IOError("table resource %s has no rows here: list its table under tables:" % short_repr(name))
        return table_rows(name, self.tables[name])


def archive_files(start):
    if os.path.isfile(start):
        yield start
        return
    for directory, directories, names in os.walk(start):
        directories.sort()
        for name in sorted(names):
            yield os.path.join(directory, name)


def table_rows(name, path):
    """Yield the rows of a table: the first line of its file holds the types of the columns."""
    with outside():
        opened = io.open(path, encoding="ascii")
    with opened as lines:
        kinds = [SignatureReader("->" + kind).signature()[1][0] for kind in json.loads(next(lines))]
        for number, line in enumerate(lines, 1):
            try:
                row, wrong = tuple([kind.from_cell(cell) for kind, cell in zip(kinds, json.loads(line))]), None
            except (Misfit, TypeError, ValueError) as error:
                wrong = error.text if isinstance(error, Misfit) else str(error)
            if wrong is not None:  # raised here it has no past that is not the user's
                raise IOError("row %d of table resource %s: %s" % (number, short_repr(name), wrong))
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
