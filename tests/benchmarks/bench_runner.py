"""
How much of the speed of a bare loop is left when rows travel to a worker and back.

Both sides call the same `evaluate` of `bigint,bigint->bigint` over the same million rows in the same CPython. The bare
loop is timed inside its process, without the start; `call` is timed whole: laying out, starting, loading, the rows
there, the results back.

The second ratio is against what a process a row would take: as many starts, extrapolated from a call over one row.

    python -m tests.benchmarks.bench_runner [ROWS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reconciler.local.runner import RUNTIMES, Interpreter, InterpreterNotFound, Job, ResourceFile, call, locate

AT_LEAST = 0.3
AT_LEAST_OF_STARTS = 20
ROUNDS = 5

SOURCE = """\
from odps.udf import annotate

@annotate("bigint,bigint->bigint")
class Add(object):
    def evaluate(self, a, b):
        return a + b
"""

BARE_LOOP = """\
import sys, time

class Add(object):
    def evaluate(self, a, b):
        return a + b

rows = [(n, n + 1) for n in range(int(sys.argv[1]))]
add = Add()
started = time.time()
results = []
for a, b in rows:
    results.append(add.evaluate(a, b))
print(time.time() - started)
"""


def bare_loop(interpreter: Interpreter, rows: int) -> float:
    answer = subprocess.run(
        [str(interpreter.path), "-S", "-c", BARE_LOOP, str(rows)], check=True, capture_output=True, text=True
    )
    return float(answer.stdout)


def through_call(interpreter: Interpreter, job: Job, rows: int) -> float:
    pairs = [(n, n + 1) for n in range(rows)]
    started = time.perf_counter()
    with call(interpreter, job, pairs) as results:
        total = sum(results)
    seconds = time.perf_counter() - started
    if total != rows * rows:
        raise AssertionError(f"wrong results: their sum is {total}")
    return seconds


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    short = False
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "add.py"
        source.write_text(SOURCE)
        for runtime in RUNTIMES:
            try:
                interpreter = locate(runtime, os.environ)
            except InterpreterNotFound as missing:
                print(f"{runtime}: skipped, {missing}")
                continue
            job = Job("add.Add", (ResourceFile("add.py", "py", source),), runtime)
            # The two alternate, so that a machine busy with something else is busy for both; the best round of each.
            times = [(bare_loop(interpreter, rows), through_call(interpreter, job, rows)) for _ in range(ROUNDS)]
            bare, called = (min(column) for column in zip(*times, strict=True))
            ratio = bare / called
            start = min(through_call(interpreter, job, 1) for _ in range(ROUNDS))
            of_starts = start * rows / called
            short = short or ratio < AT_LEAST or of_starts < AT_LEAST_OF_STARTS
            print(
                f"{runtime}: call runs at {ratio:.2f}x of a bare loop over {rows:,} rows (at least {AT_LEAST}); "
                f"{1e9 * called / rows:.0f} ns against {1e9 * bare / rows:.0f} ns a row; "
                f"{of_starts:,.0f}x of a process a row (at least {AT_LEAST_OF_STARTS})"
            )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
