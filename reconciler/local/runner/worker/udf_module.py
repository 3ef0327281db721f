"""`odps.udf`: the decorator, base classes and counters of the service (documentation: "Python 3 UDFs")."""

from __future__ import absolute_import, division, print_function

import sys
import types


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
