"""
The bounds of small commands: CPU seconds of a whole command, as multiples of ``python -c pass`` of the same interpreter.

``--help`` at most 4×, ``--version`` likewise; ``validate`` of ``examples/minimal`` at most 15×; ``plan`` of it at most 30×, nothing
changed, against a local service that runs beside it. User and system time of all processes of a command count. Commands
and the bare interpreter take turns; ratios are of neighbours in a round, and the median of them is what is printed.

    python -m tests.benchmarks.bench_commands [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.stack import service, udfs

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal"
BOUNDS = {"--version": 4.0, "--help": 4.0, "validate": 15.0, "plan": 30.0}


def cpu_seconds(*arguments: str, env: dict[str, str]) -> float:
    """Return the CPU time, user and system, of one Python process and of all that it started."""
    process = subprocess.Popen([sys.executable, *arguments], cwd=EXAMPLE, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} exits with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    # The files of compiled modules are there for whoever installed the package, and for these processes too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as place, service(Path(place) / "store") as running:
        env = running.env()
        env |= {"ODPS_ENDPOINT": running.url, "ODPS_PROJECT": "demo", "UDFS_CACHE_DIR": f"{place}/cache"}
        there = ("--target", "prod")
        udfs(EXAMPLE, env, "apply", "--yes", *there)
        commands = {
            "--version": ("--version",),
            "--help": ("--help",),
            "validate": ("validate", *there),
            "plan": ("plan", *there),
        }
        ratios: dict[str, list[float]] = {name: [] for name in commands}
        bare: list[float] = []
        for round_ in range(-1, rounds):
            for name, arguments in commands.items():
                interpreter = cpu_seconds("-c", "pass", env=env)
                taken = cpu_seconds("-m", "reconciler", *arguments, env=env)
                if round_ >= 0:  # The first round warms the caches: those of the file system, of Python, and our own.
                    bare.append(interpreter)
                    ratios[name].append(taken / interpreter)
    print(f"python -c pass: {statistics.median(bare) * 1000:.1f} ms of CPU (median of {len(bare)})")
    for name, bound in BOUNDS.items():
        middle, low, high = statistics.median(ratios[name]), min(ratios[name]), max(ratios[name])
        print(f"udfs {name}: {middle:.2f}× (bound {bound:g}×; {low:.2f} to {high:.2f} in {rounds} rounds)")


if __name__ == "__main__":
    main()
