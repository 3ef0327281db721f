"""
Ratios of `udfs ci`: formats of one plan, manifests of which nothing changed, and the jobs of a pull request for `examples/scipy` with a
warm cache. Each is the CPU of all processes of a command, the best of three: tests wait for interpreters, and others use the machine.

    python -m tests.benchmarks.bench_ci
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
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


def run(*command: str) -> None:
    subprocess.run([sys.executable, "-m", "reconciler", *command], check=True, capture_output=True)


def cpu(*command: str) -> float:
    """Return the CPU seconds of a command of udfs and all that it starts, the best of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(*command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def git(*arguments: str) -> None:
    who = ("-c", "user.name=b", "-c", "user.email=b@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.chdir(folder)
        git("init", "-q")
        Path(".gitignore").write_text(".udfs/\nout/\n")
        for number in range(30):
            write(Path("teams", f"t{number}"), f"t{number}", 5)
        write(Path("large"), "large", 300)
        git("add", ".")
        git("commit", "-qm", "first")
        Path("README.md").write_text("changed\n")
        single = cpu("plan", "-f", "large/udfs.yaml", "--format", "json")
        every = cpu("ci", "plan", "-f", "large", "--format", "json", "--out", "out")
        page = cpu("plan", "-f", "large/udfs.yaml", "--format", "html")
        print(
            f"one plan in all formats {every:.2f} s, in JSON {single:.2f} s: {every / single:.2f}×, at most 1.3×; "
            f"as a page {page:.2f} s: {every / page:.2f}×"
        )
        unchanged = cpu("ci", "plan", "-f", "teams", "--format", "json", "--changed-since", "HEAD", "--target", "local")
        Path("README.md").unlink()
        finding = cpu("ci", "plan", "-f", "teams", "--format", "json", "--changed-since", "HEAD", "--target", "local")
        print(
            f"30 unchanged manifests {unchanged:.2f} s, finding them {finding:.2f} s: {unchanged / finding:.2f}×, at most 2×"
        )


def jobs() -> None:
    """Measure what a pull request costs beside the tests, with a cache that has everything."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copytree(ROOT / "examples" / "scipy", "scipy", ignore=shutil.ignore_patterns(".udfs"))
        git("init", "-q")
        git("add", ".")
        manifest = ("-f", "scipy/udfs.yaml")
        run("apply", *manifest, "--yes")
        tests, plan = cpu("test", *manifest), cpu("plan", *manifest)
        check = cpu("ci", "check", *manifest, "--out", "check", "--wheels", "wheels")
        planned = cpu("ci", "plan", *manifest, "--no-build", "--wheels", "wheels", "--out", "plan")
        both = check + planned
        print(f"check and plan {both:.2f} s, tests alone {tests:.2f} s: {both / tests:.2f}×, at most 3×")
        changed = cpu("test", *manifest, "--changed")
        print(f"test --changed {changed:.2f} s, plan {plan:.2f} s: {changed / plan:.2f}×, at most 1.2×")


if __name__ == "__main__":
    main()
    jobs()
