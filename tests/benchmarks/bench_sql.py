"""
How much of the speed of a bare loop is left when SQL calls the function.

Both sides call the same `evaluate` of `bigint,bigint->bigint` over the same million rows in the same CPython. The bare loop is
timed inside its process, without the start; SQL is timed as PyODPS sees it, from the request over HTTP to the result read. The
table is provided once, as `udfs serve -f` does, and its first reading is told apart.

    python -m tests.benchmarks.bench_sql [ROWS]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from odps import ODPS

from reconciler.local import ProvidedTable, Server
from reconciler.local.runner import RUNTIMES, InterpreterNotFound, locate
from tests.benchmarks.bench_runner import SOURCE, bare_loop

AT_LEAST = 0.3
ROUNDS = 5


def asked(odps: Any, sql: str, runtime: str) -> tuple[float, int]:
    """Return the seconds that a statement takes, and the one number that it gives."""
    started = time.perf_counter()
    with odps.execute_sql(sql, hints={"odps.sql.python.version": runtime}).open_reader(tunnel=False) as reader:
        number = int(reader[0][0])
    return time.perf_counter() - started, number


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    short = False
    with tempfile.TemporaryDirectory() as directory, Server(Path(directory), environment=os.environ) as server:
        odps = ODPS("any", "thing", "demo", server.url, overwrite_global=False)
        resource = odps.create_resource("add.py", "py", file_obj=SOURCE.encode())
        odps.create_function("add", class_type="add.Add", resources=[resource])
        columns = (("a", "bigint"), ("b", "bigint"))
        server.provide_table("demo", "t", ProvidedTable(columns, lambda: ((n, n + 1) for n in range(rows))))
        first, _ = asked(odps, "SELECT COUNT(*) FROM t", "cp311")
        print(f"the table's {rows:,} rows are read in {first:.2f} s, once")
        for runtime in RUNTIMES:
            try:
                interpreter = locate(runtime, os.environ)
            except InterpreterNotFound as missing:
                print(f"{runtime}: skipped, {missing}")
                continue
            # The two alternate, so that a machine busy with something else is busy for both; the best round of each.
            times = []
            for _ in range(ROUNDS):
                bare = bare_loop(interpreter, rows)
                seconds, total = asked(odps, "SELECT SUM(add(a, b)) FROM t", runtime)
                if total != rows * rows:
                    raise AssertionError(f"wrong results: their sum is {total}")
                times.append((bare, seconds))
            bare, called = (min(column) for column in zip(*times, strict=True))
            short = short or bare / called < AT_LEAST
            print(
                f"{runtime}: SQL runs at {bare / called:.2f}x of a bare loop over {rows:,} rows (at least {AT_LEAST}); "
                f"{1e9 * called / rows:.0f} ns against {1e9 * bare / rows:.0f} ns a row"
            )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
