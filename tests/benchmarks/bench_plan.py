"""
The bound of a plan that finds nothing to do: list pages, and one ``?meta`` for each managed file resource.

1,000 functions and 2,000 resources, counted in the server's request log; beside it the time against the same number of
bare GET requests, one after the other.

    python -m tests.benchmarks.bench_plan
"""

from __future__ import annotations

import collections
import hashlib
import tempfile
import time
from pathlib import Path

import requests

from reconciler.errors import Position
from reconciler.local import Server
from reconciler.names import Reference
from reconciler.plan import Destination, make
from reconciler.state import Desired, Function, Marker, Resource, function_mark
from reconciler.targets.maxcompute import Client, Credentials, MaxCompute

FUNCTIONS, RESOURCES = 1_000, 2_000


def desired() -> dict[object, Desired]:
    """Return 1,000 functions, each with a module and a file."""
    here = Position("udfs.yaml")
    md5, sha256 = hashlib.md5(b"#").hexdigest(), hashlib.sha256(b"#").hexdigest()
    found = []
    for number in range(FUNCTIONS):
        name = f"f{number:04}"
        marker = Marker("bench", sha256, md5, frozenset({function_mark(name)}))
        found += [
            Desired(Resource(f"{name}.py", "py", md5, 1), here, marker),
            Desired(Resource(f"{name}.csv", "file", md5, 1), here, Marker("bench", sha256, md5)),
            Desired(Function(name, f"{name}.F", (Reference(f"{name}.py"), Reference(f"{name}.csv"))), here),
        ]
    return {one.object.key: one for one in found}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "store") as server:
        bytes_ = Path(folder) / "one"
        bytes_.write_bytes(b"#")
        target = MaxCompute(Client(server.url, "demo", None, Credentials("a", "b"), "bench"), "bench", lambda: "x")
        wanted = desired()
        here = Destination("local", "demo")
        contents = {hashlib.sha256(b"#").hexdigest(): bytes_}
        for change in make(wanted, {}, stack="bench", destination=here).changes:  # type: ignore[arg-type]
            target.write(change, contents, lambda size: None)
        server.clear_requests()
        begun = time.perf_counter()
        plan = make(wanted, target.read(), stack="bench", destination=here)  # type: ignore[arg-type]
        taken = time.perf_counter() - begun
        assert not plan.changes
        sent = server.requests
        kinds = collections.Counter("meta" if "meta" in one.query else "page" for one in sent)
        session = requests.Session()
        begun = time.perf_counter()
        for number in range(500):
            session.get(f"{server.url}/projects/demo/resources/f{number:04}.py?meta", timeout=10)
        bare = (time.perf_counter() - begun) / 500 * len(sent)
    pages = -(-FUNCTIONS // 1000) + -(-RESOURCES // 1000)
    print(f"no-change plan: {len(sent)} requests: {kinds['page']} list pages, {kinds['meta']} meta")
    print(f"bound: {pages} list pages + {RESOURCES} meta, {len(sent) / (pages + RESOURCES):.3f}× of it")
    print(f"time: {taken / bare:.2f}× the same number of bare GETs one after the other")


if __name__ == "__main__":
    main()
