"""
The bounds of an upload of 1 GiB to the local service.

Memory: the client's peak at most 60 MiB over what it holds when it is connected and idle. Throughput: at least 0.9× of the best
of a plain streamed PUT of the same file and of parts sent one after the other and merged, both by ``requests`` to the same
server, in the same run; the three take turns. The server is a process of its own, and answers after 30 ms. A smaller file:
``python -m tests.benchmarks.bench_upload 256`` (MiB).

    python -m tests.benchmarks.bench_upload
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 3
LATENCY_MS = 30
MEMORY_BOUND, THROUGHPUT_BOUND = 60, 0.9

CLIENT = """
import json, resource, sys, time
from pathlib import Path
from reconciler.base.errors import Position
from reconciler.core.diff import Action, Change
from reconciler.core.kind import Mark
from reconciler.core.state import Desired
from reconciler.packages.content import read_content
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import Resource, resource_key
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.target import MaxCompute

url, file, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
content = read_content(file)
target = MaxCompute(Client(url, "demo", None, Credentials("ann", "key"), "bench"), "bench", lambda: "bench1")
target.read()
desired = Desired(Resource(name, "archive", content.md5, content.size), Position("-"), Mark("bench", content.sha256, content.md5))
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.perf_counter()
target.write(Change(Action.CREATE, resource_key(name), desired, None), {content.sha256: file}, lambda size: None)
taken = time.perf_counter() - begun
print(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle]))
"""

PLAIN = """
import json, sys, time
import requests

url, file, name = sys.argv[1:]
headers = {"x-odps-resource-type": "archive", "x-odps-resource-name": name, "Authorization": "ODPS ann:key"}
requests.post(f"{url}/projects/demo/resources", data=b"", headers=headers).raise_for_status()
begun = time.perf_counter()
with open(file, "rb") as stream:
    requests.put(f"{url}/projects/demo/resources/{name}", data=stream, headers=headers).raise_for_status()
print(json.dumps([time.perf_counter() - begun, 0]))
"""


PARTS = """
import hashlib, json, sys, time
import requests

url, file, name = sys.argv[1:]
size, session = 64 << 20, requests.Session()
resources = f"{url}/projects/demo/resources"
begun = time.perf_counter()
digest, parts, total = hashlib.md5(), [], 0
with open(file, "rb") as stream:
    while block := stream.read(size):
        digest.update(block)
        total += len(block)
        parts.append(f"{name}.part.tmp.bench1.{len(parts):06d}")
        headers = {"x-odps-resource-type": "file", "x-odps-resource-name": parts[-1], "x-odps-resource-istemp": "true", "Authorization": "ODPS ann:key"}
        session.post(f"{resources}?rIsPart=true", data=block, headers=headers).raise_for_status()
headers = {"x-odps-resource-type": "archive", "x-odps-resource-name": name, "x-odps-resource-merge-total-bytes": str(total), "Authorization": "ODPS ann:key"}
session.post(f"{resources}?rOpMerge=true", data=f"{digest.hexdigest()}|{','.join(parts)}", headers=headers).raise_for_status()
print(json.dumps([time.perf_counter() - begun, 0]))
"""


def run(script: str, *arguments: str) -> tuple[float, int]:
    """Run a client in a process of its own; return its seconds and KiB."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, check=True)
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.zip"
        with file.open("wb") as stream:
            for _ in range(size):
                stream.write(os.urandom(1 << 20))
        command = [sys.executable, "-m", "reconciler", "serve", "--dir", f"{folder}/store"]
        command += ["--latency-ms", str(LATENCY_MS)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            ratios, peaks, told = [], [], []
            for number in range(ROUNDS):
                plain, _ = run(PLAIN, url, str(file), f"plain{number}.zip")
                ours, peak = run(CLIENT, url, str(file), f"ours{number}.zip")
                parts, _ = run(PARTS, url, str(file), f"parts{number}.zip")
                ratios.append(min(plain, parts) / ours)
                told.append(f"{plain:.1f} s, {parts:.1f} s, {ours:.1f} s")
                peaks.append(peak / 1024)
        finally:
            server.terminate()
            server.wait(30)
    print(
        f"upload of {size} MiB: {statistics.median(ratios):.2f}× the throughput of the best of the others (bound {THROUGHPUT_BOUND}×)"
    )
    print(f"peak over idle: {max(peaks):.1f} MiB (bound {MEMORY_BOUND} MiB)")
    print("rounds (single PUT, parts one by one, ours): " + "; ".join(told))


if __name__ == "__main__":
    main()
