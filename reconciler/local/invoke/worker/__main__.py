"""
Start of a worker: `python .../worker/__main__.py SHARED REQUESTS ANSWERS LIFELINE`, with the folder of MaxCompute's worker in SHARED.
"""

import sys

FULL_PATH = sys.path[1:]
"""Without this folder: a user's module may be called `results` or `serving`."""

STANDARD = [path for path in FULL_PATH if path.startswith((sys.prefix + "/", "/usr/lib/"))]
sys.path[:] = STANDARD  # a layer may hold a `json` of its folder_here: what is imported here is the standard library's

import io
import os

SHARED = ("compat", "frames")
STEMS = ("contexts", "logs", "results", "servers", "serving")
"""Each imports only those before it."""


def load(folder, name):
    """Load this package as MaxCompute's worker loads its folder_here."""
    loader = {"__name__": "loader"}
    path = os.path.join(folder, "__main__.py")
    with io.open(path, "rb") as source:
        exec(compile(source.read(), path, "exec", dont_inherit=True), loader)
    paths = [os.path.join(folder, stem + ".py") for stem in SHARED]
    folder_here = os.path.dirname(os.path.abspath(__file__))
    loader["load_package"](name, paths + [os.path.join(folder_here, stem + ".py") for stem in STEMS])


if __name__ == "__main__":
    load(sys.argv[1], "_udfs_worker")
    sys.path[:] = FULL_PATH
    sys.modules["_udfs_worker.serving"].main(*map(int, sys.argv[2:5]))
