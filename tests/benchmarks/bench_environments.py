"""
The bounds of an environment: PyFlink 1.20, pandas and pyarrow for CPython 3.11, in ratios of one run.

* its packed size against `zip -r` of a venv with the same requirements: at most 0.35, and the same with links kept (`zip -ry`);
* `udfs build` with a warm cache against `uv pip install --target` of the same set and `zip -1`: at most 1.5;
* a second `udfs build`, with nothing changed, and how many wheels it opens: none.

It takes a gigabyte of disk, uv, zip, a CPython 3.11 and the index that this machine is set up with.

    python -m tests.benchmarks.bench_environments
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reconciler.local.runner import locate
from reconciler.packages.lock.uv import executable

REQUIREMENTS = ("apache-flink==1.20.*", "pandas", "pyarrow")
SMALL, QUICK = 0.35, 1.5

WATCH = """
import sys
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
from reconciler.cli.entry import run
run(["build"])
print(sum(name.endswith(".whl") for name in opened))
"""


def timed(command: list[str], folder: Path, env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    uv, python, zipper = executable(os.environ), str(locate("cp311", os.environ).path), shutil.which("zip")
    if zipper is None:
        print("zip is not installed")
        return 1
    udfs = str(Path(sys.executable).with_name("udfs"))
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        env = {**os.environ, "UDFS_CACHE_DIR": str(folder / "cache"), "UDFS_PROGRESS": "off"}
        (folder / "udfs.yaml").write_text(
            "stack: bench\ntarget: {kind: flink}\nenvironments:\n"
            f"  main: {{python: cp311, requirements: [{', '.join(REQUIREMENTS[1:])}]}}\n"
        )
        timed([udfs, "lock"], folder, env)
        first = timed([udfs, "build", "--out", "out"], folder, env)
        [archive] = (folder / "out").iterdir()
        again = timed([udfs, "build"], folder, env)
        wheels = subprocess.run(
            [sys.executable, "-c", WATCH], check=True, cwd=folder, env=env, capture_output=True, text=True
        )

        timed([uv, "venv", "--python", python, "venv"], folder, env)
        timed(
            [uv, "pip", "install", "--python", "venv/bin/python", *REQUIREMENTS], folder, env
        )  # warms uv's cache, too
        timed([zipper, "-qr", "followed.zip", "venv"], folder, env)
        timed([zipper, "-qry", "linked.zip", "venv"], folder, env)
        (folder / "jars.txt").write_text("apache-flink-libraries\n")  # no worker needs them, and they would flatter
        without = ["--excludes", "jars.txt", "--target", "target"]
        plain = timed([uv, "pip", "install", "--python", python, *without, *REQUIREMENTS], folder, env)
        plain += timed([zipper, "-q1r", "target.zip", "target"], folder, env)

        size = archive.stat().st_size
        followed, linked = (size / (folder / name).stat().st_size for name in ("followed.zip", "linked.zip"))
    print(
        f"packed                 {size / 1e6:7.1f} MB, {followed:.2f} of zip -r, {linked:.2f} of zip -ry; bound {SMALL}"
    )
    print(
        f"build, cache warm      {first:7.2f} s, {first / plain:.2f} of uv pip install --target and zip -1; bound {QUICK}"
    )
    print(f"second build           {again:7.2f} s, {wheels.stdout.split()[-1]} wheels opened; bound 0")
    return 0 if followed <= SMALL and first <= QUICK * plain and wheels.stdout.split()[-1] == "0" else 1


if __name__ == "__main__":
    raise SystemExit(main())
