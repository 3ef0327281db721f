"""
Ratios of `udfs ci`: formats of one plan, and manifests of which nothing changed. Each is the best of three, in processes of their own.

    python -m tests.benchmarks.bench_ci
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = """stack: {name}
python: cp37
targets: {{local: {{endpoint: local, project: demo}}}}
functions:
{functions}"""
SOURCE = """from odps.udf import annotate
@annotate("bigint->bigint")
class F(object):
    def evaluate(self, x):
        return x
"""


def write(folder: Path, name: str, functions: int) -> None:
    folder.mkdir(parents=True)
    names = [f"f_{number}" for number in range(functions)]
    for function in names:
        (folder / f"{function}.py").write_text(f"{SOURCE}# {function}\n")
    lines = "".join(f"  {function}: {{source: {function}.py, class: F}}\n" for function in names)
    (folder / "udfs.yaml").write_text(MANIFEST.format(name=name, functions=lines))


def seconds(*command: str) -> float:
    """Return the time of a command of udfs, the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "reconciler", *command], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def git(*arguments: str) -> None:
    who = ("-c", "user.name=b", "-c", "user.email=b@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        os.chdir(folder)
        git("init", "-q")
        Path(".gitignore").write_text(".udfs/\nout/\n")
        for number in range(30):
            write(Path("teams", f"t{number}"), f"t{number}", 5)
        write(Path("large"), "large", 300)
        git("add", ".")
        git("commit", "-qm", "first")
        Path("README.md").write_text("changed\n")
        single = seconds("plan", "-f", "large/udfs.yaml", "--format", "json")
        every = seconds("ci", "plan", "-f", "large", "--format", "json", "--out", "out")
        print(f"one plan in all formats {every:.2f} s, in one {single:.2f} s: {every / single:.2f}×, at most 1.3×")
        unchanged = seconds(
            "ci", "plan", "-f", "teams", "--format", "json", "--changed-since", "HEAD", "--target", "local"
        )
        Path("README.md").unlink()
        finding = seconds(
            "ci", "plan", "-f", "teams", "--format", "json", "--changed-since", "HEAD", "--target", "local"
        )
        print(
            f"30 unchanged manifests {unchanged:.2f} s, finding them {finding:.2f} s: {unchanged / finding:.2f}×, at most 2×"
        )


if __name__ == "__main__":
    main()
