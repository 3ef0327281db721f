"""
The bound of a plan that finds nothing to do, 1,000 functions and 2,000 resources, counted in the server's request log.

Without a ledger: list pages, and one ``?meta`` for each managed file resource; beside it the time against the same number
of bare GET requests, one after the other. With the ledger of an apply: list pages and one entry.

    python -m tests.benchmarks.bench_plan
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

import requests

from reconciler import workflow
from reconciler.apply import Silent
from reconciler.attempt import Patience
from reconciler.errors import Position
from reconciler.ledger import Holder
from reconciler.local import Server
from reconciler.names import Reference
from reconciler.plan import Destination, make
from reconciler.state import Desired, Function, Marker, Resource, name_mark
from reconciler.targets.maxcompute import Client, Credentials, MaxCompute

FUNCTIONS, RESOURCES = 1_000, 2_000
HERE = Destination("local", "demo")


def desired() -> dict[object, Desired]:
    """Return 1,000 functions, each with a module and a file."""
    here = Position("udfs.yaml")
    md5, sha256 = hashlib.md5(b"#").hexdigest(), hashlib.sha256(b"#").hexdigest()
    found = []
    for number in range(FUNCTIONS):
        name = f"f{number:04}"
        marker = Marker("bench", sha256, md5, frozenset({name_mark(name)}))
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
        wanted, reading = desired(), target.read()
        first = make(wanted, reading.live, stack="bench", destination=HERE)  # type: ignore[arg-type]
        contents = {hashlib.sha256(b"#").hexdigest(): bytes_}
        workflow.carry_out(
            first, reading, target, contents, Holder("bench"), Silent(), patience=Patience(time.monotonic)
        )
        pages = -(-FUNCTIONS // 1000) + -(-(RESOURCES + 1) // 1000)
        remembered, _ = no_change(server, target, wanted)
        print(
            f"with the ledger: {remembered} requests, bound {pages} list pages + 1 entry: {remembered / (pages + 1):.3f}× of it"
        )
        target.store.remove("udfs.bench.1.json")
        pages = -(-FUNCTIONS // 1000) + -(-RESOURCES // 1000)
        asked, taken = no_change(server, target, wanted)
        bound = pages + RESOURCES
        print(f"without it: {asked} requests, bound {pages} list pages + {RESOURCES} meta: {asked / bound:.3f}× of it")
        session = requests.Session()
        begun = time.perf_counter()
        for number in range(500):
            session.get(f"{server.url}/projects/demo/resources/f{number:04}.py?meta", timeout=10)
        bare = (time.perf_counter() - begun) / 500 * asked
    print(f"without it: {taken / bare:.2f}× the time of the same number of bare GETs one after the other")


def no_change(server: Server, target: MaxCompute, wanted: dict[object, Desired]) -> tuple[int, float]:
    """Plan again; return how many requests were sent and how long it took."""
    server.clear_requests()
    begun = time.perf_counter()
    reading = target.read()
    plan = make(wanted, reading.live, stack="bench", destination=HERE, last=reading.last)  # type: ignore[arg-type]
    assert not plan.changes
    return len(server.requests), time.perf_counter() - begun


if __name__ == "__main__":
    main()
