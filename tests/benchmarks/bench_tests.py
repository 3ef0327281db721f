"""
The bound of `udfs test`: twenty functions with SciPy and NumPy, against the slowest of them alone; at most 2×.

Whole commands, in processes of their own, the best of three; the lock, the wheels and the cache are there. Beside the time it prints
the CPU of all processes, which does not depend on how many cores the machine has.

    python -m tests.benchmarks.bench_tests [FUNCTIONS]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "scipy"
ROUNDS = 3
HEAD = """stack: twenty
python: cp37
targets: {local: {endpoint: local, project: demo}}
packages: {scipy: {requirements: [scipy]}}
functions:
"""
FUNCTION = """  f{}: {{source: psi{}.py, class: Psi, packages: [scipy], tests: [{{args: [1.0], returns: -0.5772156649015329}}]}}
"""


def measure(*command: str) -> tuple[float, float]:
    """Return the seconds of a command, and of the CPU: each the least of a few rounds."""
    times, cpu = [], []
    for _ in range(ROUNDS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-m", "reconciler", *command], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times), min(cpu)


def main(functions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.chdir(folder)
        source = (EXAMPLE / "psi.py").read_text()
        for number in range(functions):
            Path(f"psi{number}.py").write_text(f"{source}# {number}\n")
        Path("udfs.yaml").write_text(HEAD + "".join(FUNCTION.format(n, n) for n in range(functions)))
        Path("udfs.lock").write_bytes((EXAMPLE / "udfs.lock").read_bytes())
        subprocess.run([sys.executable, "-m", "reconciler", "build"], check=True, capture_output=True)
        slowest = max((measure("test", f"f{number}") for number in range(min(functions, 3))), key=lambda pair: pair[0])
        every = measure("test")
        print(
            f"{functions} functions {every[0]:.1f} s, one {slowest[0]:.1f} s: {every[0] / slowest[0]:.2f}×, at most 2×"
        )
        print(f"CPU {every[1]:.1f} s against {slowest[1]:.1f} s: {every[1] / slowest[1]:.2f}×; {os.cpu_count()} cores")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
