"""
The bound of start-up: ``udfs --version`` and ``--help`` in at most 8× a bare ``python -c pass`` of the same interpreter.

Whole processes, taken in turn, medians.

    python -m tests.benchmarks.bench_startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 21
BOUND = 8.0


def seconds(*arguments: str) -> float:
    """Return how long one process takes from start to end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    commands = {
        "bare": ("-c", "pass"),
        "--version": ("-m", "reconciler", "--version"),
        "--help": ("-m", "reconciler", "-h"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for arguments in commands.values():
        seconds(*arguments)
    for _ in range(ROUNDS):
        for name, arguments in commands.items():
            taken[name].append(seconds(*arguments))
    bare = statistics.median(taken["bare"])
    for name in ("--version", "--help"):
        print(f"udfs {name}: {statistics.median(taken[name]) / bare:.2f}× a bare interpreter (bound {BOUND}×)")


if __name__ == "__main__":
    main()
