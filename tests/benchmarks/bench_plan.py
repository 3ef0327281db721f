"""
The bound of a plan that finds nothing to do: 5,000 functions and 10,000 resources, on a service that answers after 50 ms.

Against a bare client that fetches the two listings side by side, and then the newest entry of the ledger, and looks at
nothing, the longest chain of requests there is: at most 1.2×, for reading and planning, and told for the whole command against the whole process of
the bare client. Beside it, the same done naively with PyODPS's objects, on a tenth of the size. Each is a process of its own; rounds take turns.

    python -m tests.benchmarks.bench_plan [FUNCTIONS]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.stack import is_page, python, service, udfs, write

ROUNDS, LATENCY_MS, BOUND = 5, 50, 1.2

BARE = """
import re, sys, time
from concurrent.futures import ThreadPoolExecutor
import requests

base, ledger = f"{sys.argv[1]}/projects/{sys.argv[2]}", sys.argv[3]

def pages(path):
    session, marker = requests.Session(), ""
    while True:
        found = session.get(base + path, params={"expectmarker": "true", **({"marker": marker} if marker else {})})
        marker = re.search(rb"<Marker>([^<]*)</Marker>|<Marker ?/>", found.content)[1]
        if not marker:
            return
        marker = marker.decode()

begun = time.perf_counter()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(pages, ("/registration/functions", "/resources")))
requests.get(f"{base}/resources/{ledger}").content
print(time.perf_counter() - begun)
"""

OURS = """
import os, sys, time
from pathlib import Path
from reconciler.cli.entry import tune_interpreter
from reconciler.packages.fetch.cache import Cache
from reconciler.workflow import planning, preparation
from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.target import MaxCompute

tune_interpreter()  # as the command does
ready = preparation.prepare(load_manifest(Path("udfs.yaml"), DIALECTS, env=os.environ), cache=Cache(Path(sys.argv[1])), env=os.environ, on_step=print)
begun = time.perf_counter()
target = MaxCompute(Client(os.environ["ENDPOINT"], os.environ["PROJECT"], None, Credentials("a", "b"), "bench"), "bench", str)
made = planning.make_plan(ready, target.read())
print(time.perf_counter() - begun)
assert not made.changes
"""

NAIVE = """
import sys, time
from odps import ODPS

begun = time.perf_counter()
project = ODPS("ann", "key", sys.argv[2], endpoint=sys.argv[1])
for function in project.list_functions():
    function.class_type, [resource.name for resource in function.resources]
for resource in project.list_resources():
    if hasattr(resource, "content_md5"):
        resource.name, resource.content_md5
print(time.perf_counter() - begun)
"""


def main() -> None:
    functions = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    with tempfile.TemporaryDirectory() as place:
        folder, store, cache = Path(place) / "whole", Path(place) / "store", f"{place}/cache"
        os.environ["UDFS_CACHE_DIR"] = cache
        write(folder, functions)
        write(Path(place) / "tenth", functions // 10)
        with service(store) as quick:
            udfs(folder, quick.env(), "apply", "--yes", "--writers", "32")
            udfs(Path(place) / "tenth", quick.env("tenth"), "apply", "--yes", "--writers", "32")
        with service(store, LATENCY_MS) as slow:
            env = slow.env()
            bare, ours, whole_bare, whole = [], [], [], []
            os.chdir(folder)
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                bare.append(float(python(BARE, slow.url, "demo", "udfs.bench.1.json")))
                whole_bare.append(time.perf_counter() - begun)
                ours.append(float(python(OURS, cache, env=env)))
                begun = time.perf_counter()
                slow.forget()
                udfs(folder, env, "plan")
                whole.append(time.perf_counter() - begun)
            sent = slow.log()
            naive = float(python(NAIVE, slow.url, "tenth"))
    pages = sum(map(is_page, sent))
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    print(f"no-change plan of {functions:,} functions and {2 * functions:,} resources: {len(sent)} requests,")
    print(f"  {pages} pages and {len(sent) - pages} entry of the ledger")
    print(
        f"reading and planning: {statistics.median(ours):.2f} s, bare client {statistics.median(bare):.2f} s: "
        f"{statistics.median(ratios):.2f}× (bound {BOUND}×; rounds {', '.join(f'{one:.2f}' for one in ratios)})"
    )
    ratios = [one / other for one, other in zip(whole, whole_bare, strict=True)]
    print(
        f"the whole command: {statistics.median(whole):.2f} s, bare process {statistics.median(whole_bare):.2f} s: "
        f"{statistics.median(ratios):.2f}× (rounds {', '.join(f'{one:.2f}' for one in ratios)})"
    )
    per = naive / (functions // 10) / (statistics.median(ours) / functions)
    print(f"naively with PyODPS, a tenth of it: {naive:.1f} s, {per:.0f}× as long for each function")
    print(json.dumps({"bare": bare, "ours": ours, "naive": naive}), file=sys.stderr)
    assert len(sent) == pages + 1


if __name__ == "__main__":
    main()
