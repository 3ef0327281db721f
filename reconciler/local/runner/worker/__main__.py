"""
Start of a worker: `python .../worker/__main__.py REQUESTS ANSWERS LIFELINE PROGRESS`.

The modules beside this file become a package that no `sys.path` names: a user's module may be called `cells` or
`udfs`. Each is compiled under its own path, so that a traceback names the line.
"""

from __future__ import absolute_import, division, print_function

import sys

if __name__ == "__main__" and not getattr(sys.flags, "isolated", 0):
    del sys.path[0]  # 2.7 has no -I: the directory of this file would come before the standard library

import io
import os
import types

MODULES = (
    "compat", "sandbox", "frames", "cells", "values", "batches", "odps_modules", "udfs", "loading", "keeper", "serving",
)  # fmt: skip
"""Each imports only those before it."""


def load_package(name, paths):
    """Load the package by hand: searching for each module would take longer than compiling it."""
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = []
    for path in paths:
        module = types.ModuleType(name + "." + os.path.basename(path)[:-3])
        module.__package__, module.__file__ = name, path
        sys.modules[module.__name__] = module
        with io.open(module.__file__, "rb") as source:
            exec(compile(source.read(), module.__file__, "exec", dont_inherit=True), module.__dict__)


if __name__ == "__main__":
    folder = os.path.dirname(__file__)
    load_package("_udfs_worker", [os.path.join(folder, stem + ".py") for stem in MODULES])
    sys.modules["_udfs_worker.serving"].main(*map(int, sys.argv[1:4]), progress=sys.argv[4])
