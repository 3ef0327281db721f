"""
The bounds of packing: pandas, scikit-learn, SciPy and NumPy for CPython 3.7, some 90 MB in 5,000 files.

* one archive of them all, its data copied, against the same files deflated anew with zipfile;
* a second ``udfs build`` against ``udfs validate``, at most 3 times as long, and how many wheels it opens: none;
* the most memory that the first ``udfs build`` takes: at most 150 MiB.

The wheels are fetched with pip from the index this machine is set up with.

    python -m tests.benchmarks.bench_pack
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from reconciler.packages.pack.archives import Shape, lay_out
from reconciler.packages.pack.zips import write_zip, zip_entries

WHEELS = [
    *("numpy==1.21.6", "scipy==1.7.3", "pandas==1.3.5", "scikit-learn==1.0.2", "six==1.16.0"),
    *("pytz==2022.7.1", "python-dateutil==2.8.2", "joblib==1.3.2", "threadpoolctl==3.1.0"),
]
ROUNDS = 5
BOUND, MEMORY = 3.0, 150
REST = 2.5
"""Seconds after which a file's hash is remembered."""

WATCH = """
import sys
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
from reconciler.cli.entry import run
run(["build"])
print(sum(name.endswith((".whl", ".zip")) and not name.startswith(sys.base_prefix) for name in opened), file=sys.stderr)
"""
SOURCE = "from odps.udf import annotate\n@annotate('->bigint')\nclass F(object):\n    def evaluate(self):\n        return 1\n"


def fetch(folder: Path) -> list[Path]:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
    ]
    command += [
        "--python-version",
        "3.7.3",
        "--implementation",
        "cp",
        "--abi",
        "cp37m",
        "--platform",
        "manylinux2014_x86_64",
    ]
    subprocess.run([*command, "--disable-pip-version-check", *WHEELS], check=True)
    return sorted(folder.glob("*.whl"))


def prepare(folder: Path) -> list[Path]:
    """Write a stack with one function that uses all the wheels in one archive."""
    (folder / "dist").mkdir()
    wheels = fetch(folder / "dist")
    (folder / "f.py").write_text(SOURCE)
    listed = "".join(f"      - dist/{wheel.name}\n" for wheel in wheels)
    (folder / "udfs.yaml").write_text(
        f"stack: bench\npackages:\n  science:\n    bundle: single\n    wheels:\n{listed}"
        "functions:\n  f: {source: f.py, class: F, packages: [science]}\n"
    )
    return wheels


def copied(wheels: list[Path], out: Path) -> None:
    merged = lay_out([(wheel.name, tuple(zip_entries(wheel))) for wheel in wheels], Shape())
    with out.open("wb") as stream:
        write_zip(stream, merged.members)


def deflated(wheels: list[Path], out: Path) -> None:
    seen = set()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for wheel in wheels:
            with ZipFile(wheel) as opened:
                for name in opened.namelist():
                    if name not in seen and not name.endswith("/"):
                        archive.writestr(name, opened.read(name))
                        seen.add(name)


def udfs(folder: Path, env: dict[str, str], command: str) -> tuple[float, float]:
    """Run a command; return how many seconds it took, and how many MiB at most."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", command],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Print what each takes, and the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheels = prepare(folder)
        env = {**os.environ, "UDFS_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}

        first, peak = udfs(folder, env, "build")
        print(f"first udfs build   {first:6.2f} s, {peak:.0f} MiB at most, bound {MEMORY} MiB")

        took = {}
        for label, pack in (("copied", copied), ("deflated", deflated)):
            started = time.perf_counter()
            pack(wheels, folder / f"{label}.zip")
            took[label] = time.perf_counter() - started
            print(f"{label:18} {took[label]:6.2f} s, {(folder / f'{label}.zip').stat().st_size:,} bytes")
        print(
            f"one archive of {len(wheels)} wheels: deflating anew takes {took['deflated'] / took['copied']:.0f} times as long"
        )

        time.sleep(REST)
        udfs(folder, env, "build")  # what the first one made is read once more, and remembered now
        watched = subprocess.run(
            [sys.executable, "-c", WATCH], cwd=folder, env=env, check=True, capture_output=True, text=True
        )
        rows = [{one: udfs(folder, env, one)[0] for one in ("validate", "build")} for _ in range(ROUNDS)]
        for label in ("validate", "build"):
            print(f"udfs {label:13} {statistics.median(row[label] for row in rows):6.2f} s")
        ratio = statistics.median(row["build"] / row["validate"] for row in rows)
        opened = watched.stderr.split()[-1]
        print(f"a second udfs build opens {opened} archives; ratio to udfs validate {ratio:.2f}, bound {BOUND}")


if __name__ == "__main__":
    main()
