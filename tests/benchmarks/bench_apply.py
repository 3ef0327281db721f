"""
The bounds of an apply, on a service that answers after 30 ms, counted in its request log.

A first apply with eight writers against the same with one; then one function's source changed in that stack: the requests
of plan and apply beyond the pages of listings, of which the bound is 12.

    python -m tests.benchmarks.bench_apply [FUNCTIONS]
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import workflow
from reconciler.apply import Silent
from reconciler.attempt import Patience
from reconciler.errors import Position
from reconciler.ledger import Holder
from reconciler.local import Server, Settings
from reconciler.names import Reference, versioned
from reconciler.plan import Destination, make
from reconciler.state import Desired, Function, Marker, Resource, name_mark
from reconciler.targets.maxcompute import Client, Credentials, MaxCompute

if TYPE_CHECKING:
    from reconciler.names import Key

HERE, STACK = Destination("local", "demo"), "bench"
LATENCY_MS = 30
BOUND = 12


def desired(functions: int, first: bytes, folder: Path) -> tuple[dict[Key, Desired], dict[str, Path]]:
    """Return functions with a module each, all alike but the first, and where the modules' bytes are."""
    here, found, contents = Position("udfs.yaml"), [], {}
    for number in range(functions):
        name, content = f"f{number:04}", first if number == 0 else b"#"
        sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
        (folder / sha256).write_bytes(content)
        contents[sha256] = folder / sha256
        module = versioned(f"{name}.py", sha256)
        found += [
            Desired(
                Resource(module, "py", md5, len(content)),
                here,
                Marker(STACK, sha256, md5, frozenset({name_mark(name)})),
            ),
            Desired(Function(name, f"{module[:-3]}.F", (Reference(module),)), here),
        ]
    return {one.object.key: one for one in found}, contents


def apply(server: Server, functions: int, first: bytes, folder: Path, writers: int) -> float:
    """Plan and apply, and return the seconds that the writing took."""
    target = MaxCompute(Client(server.url, "demo", None, Credentials("a", "b"), "bench"), STACK, lambda: "x")
    wanted, contents = desired(functions, first, folder)
    reading = target.read()
    plan = make(wanted, reading.live, stack=STACK, destination=HERE, last=reading.last)
    begun = time.perf_counter()
    report = workflow.carry_out(
        plan,
        reading,
        target,
        contents,
        Holder("bench"),
        Silent(),
        patience=Patience(time.monotonic),
        writers=writers,
    )
    assert report.complete, report.error
    return time.perf_counter() - begun


def first_apply(functions: int, writers: int) -> tuple[float, int]:
    """Return the seconds of a first apply, and how many requests a change of one function sends after it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with Server(folder / "store", Settings(latency_ms=LATENCY_MS)) as server:
            taken = apply(server, functions, b"#", folder, writers)
            server.clear_requests()
            apply(server, functions, b"# new\n", folder, writers)
            pages = ("/registration/functions", "/resources")
            return taken, sum(one.method != "GET" or not one.path.endswith(pages) for one in server.requests)


def main() -> None:
    functions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    alone, _ = first_apply(functions, writers=1)
    together, beyond = first_apply(functions, writers=8)
    told = f"{alone:.1f} s one after the other, {together:.1f} s with eight writers"
    print(f"first apply of {functions:,} functions: {told}: {alone / together:.1f}× faster, bound 6×")
    print(f"one of them changed: {beyond} requests beyond listing pages, bound {BOUND}")


if __name__ == "__main__":
    main()
