"""`odps.distcache`: the function's resources (documentation: "Reference resources")."""

from __future__ import absolute_import, division, print_function

import io
import json
import os

from .cells import short_repr
from .compat import PY2
from .failures import Misfit
from .signatures import SignatureReader


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
        if mode == "b" or PY2:
            return open(name, "rb")
        return io.open(name, "r", encoding="utf-8")

    def get_cache_archive(self, name, relative_path="."):
        self.need(name, "archive")
        root = os.path.join("work", name)
        start = os.path.normpath(os.path.join(root, relative_path))
        if start != root and not start.startswith(root + os.sep):
            raise IOError("%s is not inside the archive %s" % (short_repr(relative_path), name))
        if not os.path.exists(start):
            raise IOError("the archive %s holds no %s" % (name, short_repr(relative_path)))
        return archive_files(start)

    def get_cache_table(self, name):
        self.need(name, "table")
        if self.tables.get(name) is None:
            raise IOError("table resource %s has no rows here: list its table under tables:" % short_repr(name))
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
                row, wrong = tuple([kind.from_cell(cell) for kind, cell in zip(kinds, json.loads(line))]), None
            except (Misfit, TypeError, ValueError) as error:
                wrong = error.text if isinstance(error, Misfit) else str(error)
            if wrong is not None:  # raised here it has no past that is not the user's
                raise IOError("row %d of table resource %s: %s" % (number, short_repr(name), wrong))
            yield row
