"""
The bounds of an apply, on a service that answers after 30 ms and is a process of its own.

A first apply of 1,000 functions and 1,000 small resources, the whole command with its memory, against the very requests that it
sent, one after the other over one kept connection: at least 7× faster, at most 200 MiB. Then one function's source changed
in a stack of 5,000: the requests of plan and apply together beyond the pages of listings, of which the bound is 12.

    python -m tests.benchmarks.bench_apply [FUNCTIONS [STACK]]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.stack import SOURCE, is_page, python, service, udfs, write

if TYPE_CHECKING:
    from typing import Any

ROUNDS, LATENCY_MS = 3, 30
FASTER, MEMORY, REQUESTS = 7, 200, 12

OURS = """
import os, resource, sys
from reconciler.cli.entry import run
os.chdir(sys.argv[1])
code = run(["apply", "--yes"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=open(sys.argv[2], "w"))
sys.exit(code)
"""

ONE_BY_ONE = """
import json, sys, time
import requests

base, calls = sys.argv[1], json.load(open(sys.argv[2]))
session = requests.Session()
begun = time.perf_counter()
for number, (method, path, query) in enumerate(calls):
    headers, body = {"Authorization": "ODPS ann:key"}, b""
    if method in ("POST", "PUT") and "/registration/" in path:
        name = f"f{number}" if method == "POST" else path.rpartition("/")[2]
        body = f"<Function><Alias>{name}</Alias><ClassType>m.F</ClassType><Resources/></Function>".encode()
        headers["Content-Type"] = "application/xml"
    elif method in ("POST", "PUT"):
        name = f"r{number}.py" if method == "POST" else path.rpartition("/")[2]
        headers.update({"x-odps-resource-type": "py", "x-odps-resource-name": name})
        body = b"#" * 120
    session.request(method, base + path, params=query, data=body, headers=headers).content
print(time.perf_counter() - begun)
"""


def first_apply(place: Path, functions: int, number: int) -> tuple[float, float, list[dict[str, Any]]]:
    """Apply to an empty project; return seconds, MiB, and the requests."""
    folder, peak = place / "thousand", place / "peak"
    with service(place / f"store{number}", LATENCY_MS) as slow:
        begun = time.perf_counter()
        python(OURS, str(folder), str(peak), env=slow.env())
        return time.perf_counter() - begun, float(peak.read_text()), slow.log()


def one_by_one(place: Path, sent: list[dict[str, Any]], number: int) -> float:
    """Send the same requests one after the other to an empty project; return the seconds."""
    import json

    calls = place / "calls.json"
    calls.write_text(json.dumps([(one["method"], one["path"], one["query"]) for one in sent]))
    with service(place / f"alone{number}", LATENCY_MS) as slow:
        return float(python(ONE_BY_ONE, slow.url, str(calls)))


def changed(place: Path, functions: int) -> int:
    """Return how many requests beyond listings plan and apply send for one changed source in a large stack."""
    folder = place / "large"
    write(folder, functions, files=False)
    with service(place / "large-store") as quick:
        udfs(folder, quick.env(), "apply", "--yes", "--writers", "32")
        (folder / "f/f00000.py").write_text(SOURCE.format(-1))
        quick.forget()
        udfs(folder, quick.env(), "plan")
        udfs(folder, quick.env(), "apply", "--yes")
        return sum(not is_page(one) for one in quick.log())


def main() -> None:
    functions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    large = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["UDFS_CACHE_DIR"] = f"{folder}/cache"
        write(place / "thousand", functions, files=False)
        ours, alone, peaks, requests = [], [], [], 0
        for number in range(ROUNDS):
            taken, peak, sent = first_apply(place, functions, number)
            ours.append(taken)
            peaks.append(peak)
            alone.append(one_by_one(place, sent, number))
            requests = len(sent)
        ratios = [one / other for one, other in zip(alone, ours, strict=True)]
        print(f"first apply of {functions:,} functions and as many resources, {requests:,} requests:")
        print(
            f"  {statistics.median(ours):.1f} s, one after the other {statistics.median(alone):.1f} s: "
            f"{statistics.median(ratios):.1f}× faster (bound {FASTER}×; rounds {', '.join(f'{one:.1f}' for one in ratios)})"
        )
        print(f"  peak memory {max(peaks):.0f} MiB (bound {MEMORY} MiB)")
        beyond = changed(place, large)
        print(f"one function's source changed in {large:,}: {beyond} requests beyond pages (bound {REQUESTS})")


if __name__ == "__main__":
    main()
