"""
Instance tunnel against DuckDB's own Arrow export: a million rows of four columns, from a result that is there.

    python -m tests.benchmarks.bench_tunnel [ROWS]

*tunnel* is the time from the question for the rows to the last of them as an Arrow table, over HTTP on loopback, checksums tried,
the server in a process of its own; *export* is the time in which DuckDB hands its rows over as Arrow, in this process. At most 1.5
times that is what is wanted. On a machine that does other things, too, the seconds of CPU say more: those of both processes, beside
those of the export. Memory is the most that the server's process had, above what it had before.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

from reconciler.local.tunnel.arrow_stream import decode_arrow
from reconciler.local.tunnel.column_types import parse_type

if TYPE_CHECKING:
    from reconciler.local.tunnel.column_types import ColumnType

QUERY = (
    "SELECT n, n / 3 AS x, CONCAT('row ', CAST(n AS STRING)) AS s, CAST('2024-01-01 00:00:00' AS DATETIME) AS d FROM t"
)
EXPORT = "SELECT n, n / 3 AS x, 'row ' || n AS s, TIMESTAMP '2024-01-01 00:00:00' AS d FROM t"
TIMES = 5

SERVER = """
import os, sys, pathlib
from reconciler.local import ProvidedTable, Server
rows = int(sys.argv[2])
with Server(pathlib.Path(sys.argv[1]), environment=dict(os.environ)) as server:
    server.provide_table("demo", "t", ProvidedTable((("n", "bigint"),), lambda: ((n,) for n in range(rows))))
    print(server.url, flush=True)
    sys.stdin.read()
"""


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SERVER, folder, str(rows)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            measure(urlsplit(server.stdout.readline().strip()).netloc, server.pid, rows)
            server.communicate("")


def measure(address: str, pid: int, rows: int) -> None:
    connection = http.client.HTTPConnection(address)
    path = "/api/projects/demo/instances/" + submit(connection)
    session = json.loads(ask(connection, "POST", f"{path}?downloads"))
    names = [column["name"] for column in session["Schema"]["columns"]]
    kinds = [parse_type(column["type"]) for column in session["Schema"]["columns"]]
    question = f"{path}?downloadid={session['DownloadID']}&data&arrow&rowrange=(0,{rows})"
    before = memory(pid)
    began = time.process_time() + cpu_seconds(pid)
    tunnel = [download(connection, question, names, kinds, rows) for _ in range(TIMES)]
    spent = time.process_time() + cpu_seconds(pid) - began
    exports = [export(rows) for _ in range(TIMES)]
    exported, export_cpu = [seconds for seconds, _ in exports], sum(cpu for _, cpu in exports)
    print(f"{rows} rows: tunnel {min(tunnel):.3f} s, export {min(exported):.3f} s,", end=" ")
    print(
        f"{min(tunnel) / min(exported):.2f} times; CPU {spent / TIMES:.3f} s and {export_cpu / TIMES:.3f} s,", end=" "
    )
    print(f"{spent / export_cpu:.2f} times; the server needed {(memory(pid) - before) / 1024:.0f} MB more")


def download(
    connection: http.client.HTTPConnection, question: str, names: list[str], kinds: list[ColumnType], rows: int
) -> float:
    """Return how long it takes to have all rows as a table."""
    started = time.perf_counter()
    connection.request("GET", question, headers={"Content-Length": "0"})
    answer = connection.getresponse()
    table = pa.Table.from_batches(decode_arrow(iter(partial(answer.read, 1 << 20), b""), names, kinds, "UTC"))
    assert table.num_rows == rows
    return time.perf_counter() - started


def export(rows: int) -> tuple[float, float]:
    """Return how long DuckDB takes, and its CPU time."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT range AS n FROM range({rows})")
        started, before = time.perf_counter(), time.process_time()
        connection.sql(EXPORT).to_arrow_table()
        return time.perf_counter() - started, time.process_time() - before


def submit(connection: http.client.HTTPConnection) -> str:
    task = f"<SQL><Name>q</Name><Query>{QUERY}</Query></SQL>"
    body = f"<Instance><Job><Tasks>{task}</Tasks></Job></Instance>"
    connection.request("POST", "/api/projects/demo/instances", body.encode())
    answer = connection.getresponse()
    answer.read()
    name = (answer.headers["Location"] or "").rpartition("/")[2]
    while b"Terminated" not in ask(connection, "GET", f"/api/projects/demo/instances/{name}?instancestatus"):
        pass
    return name


def ask(connection: http.client.HTTPConnection, method: str, target: str) -> bytes:
    connection.request(method, target, headers={"Content-Length": "0"})
    return connection.getresponse().read()


def cpu_seconds(pid: int) -> float:
    """Return what a process has computed so far, where the system tells."""
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Return the most memory that a process had, in kB, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    match = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(match[1]) if match else 0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
