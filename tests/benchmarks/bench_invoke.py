"""
What is left of a bare loop's speed when events travel into a sandbox, and what a sandbox costs at the start.

Both loops call the same handler with the same events, one after the other, in the same CPython: the bare one over two pipes with four bytes
of length, `invoke` with context, log, request id and limits. The second ratio is that of a command that does nothing, in a sandbox and out.

    python -m tests.benchmarks.bench_invoke [CALLS]
"""

from __future__ import annotations

import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reconciler.local.invoke import FunctionInstance, InstanceDescription, NotInvocable, find_python
from reconciler.local.sandbox import Road, Sandbox, find_road, start_in_sandbox

AT_LEAST, AT_MOST = 0.5, 3.0
ROUNDS = 7
RUNTIMES = ("python3.12", "python3.10", "python3.9", "custom.debian12", "custom", "python3")

SOURCE = """\
import json

def handler(event, context):
    order = json.loads(event)
    lines = [dict(line, total=line["price"] * line["count"]) for line in order["lines"]]
    return json.dumps({"lines": lines, "total": sum(line["total"] for line in lines)})
"""
"""What a small function does: it reads JSON, works something out, and writes JSON."""

EVENT = (
    '{"lines": [' + ", ".join(f'{{"name": "item {n}", "price": {n}, "count": 2}}' for n in range(200)) + "]}"
).encode()

BARE_LOOP = """\
import struct, sys
sys.path.insert(0, sys.argv[1])
from index import handler
requests, answers = sys.stdin.buffer, sys.stdout.buffer
while True:
    head = requests.read(4)
    if not head:
        break
    answer = handler(requests.read(*struct.unpack(">I", head)), None).encode()
    answers.write(struct.pack(">I", len(answer)) + answer)
    answers.flush()
"""


def bare_loop(python: Path, folder: Path, calls: int) -> float:
    process = subprocess.Popen(
        [str(python), "-S", "-c", BARE_LOOP, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def call() -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(struct.pack(">I", len(EVENT)) + EVENT)
        process.stdin.flush()
        process.stdout.read(*struct.unpack(">I", process.stdout.read(4)))

    call()
    started = time.perf_counter()
    for _ in range(calls):
        call()
    seconds = time.perf_counter() - started
    process.communicate()
    return seconds


def invoke(instance: FunctionInstance, calls: int) -> float:
    instance.invoke(EVENT)
    started = time.perf_counter()
    for _ in range(calls):
        answer = instance.invoke(EVENT)
        if answer.error:
            raise AssertionError(answer)
    return time.perf_counter() - started


def start_seconds(road: Road | None) -> float:
    command = ["/usr/bin/python3", "-c", "pass"]
    started = time.perf_counter()
    if road is None:
        subprocess.run(command, check=True)
        return time.perf_counter() - started
    running = start_in_sandbox(command, Sandbox(memory=512 << 20), road=road)
    code = running.process.wait()
    seconds = time.perf_counter() - started
    running.close()
    if code != 0:
        raise AssertionError(f"{road.value} does not lead anywhere")
    return seconds


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    short = False
    for runtime in RUNTIMES:
        try:
            python = find_python(runtime, os.environ)
            break
        except NotInvocable as missing:
            print(f"{runtime}: skipped, {missing}")
    else:
        return 0
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "index.py").write_text(SOURCE)
        instance = FunctionInstance(InstanceDescription(runtime, folder, "index.handler"), python)
        # The two alternate, so that a machine busy with something else is busy for both; the best round of each.
        times = [(bare_loop(python.path, folder, calls), invoke(instance, calls)) for _ in range(ROUNDS)]
        instance.close()
    bare, invoked = (min(column) for column in zip(*times, strict=True))
    short = short or bare / invoked < AT_LEAST
    print(
        f"{runtime}, {find_road().value}: warm invokes run at {bare / invoked:.2f}x of a bare loop over a pipe "
        f"(at least {AT_LEAST}); {1e6 * invoked / calls:.0f} µs against {1e6 * bare / calls:.0f} µs a call"
    )
    roads = [road for road in (Road.BUBBLEWRAP, Road.NAMESPACES) if road is find_road() or road is Road.NAMESPACES]
    for road in roads if find_road() is not Road.PLAIN else ():
        pairs = [(start_seconds(None), start_seconds(road)) for _ in range(5 * ROUNDS)]
        ratio = statistics.median(walled / plain for plain, walled in pairs)  # of neighbours: both are as busy
        plain, walled = map(min, zip(*pairs, strict=True))
        short = short or ratio > AT_MOST
        print(
            f"{road.value}: a sandbox starts in {ratio:.2f}x of python3 -c pass (at most {AT_MOST}); "
            f"at best {1e3 * walled:.0f} ms against {1e3 * plain:.0f} ms"
        )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
