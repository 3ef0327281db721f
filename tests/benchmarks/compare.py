"""
This checkout against another one: plan, apply, validate, sources, runner and upload, as commands, in pairs in one run.

Both run under this interpreter with its packages, each with its own code, cache and folder; the service of plan, apply and upload is
the other checkout's for both, a process of its own. Rounds take turns, and who is first alternates. A ratio is ours by the other's of
one round, so below 1 is faster; the bound is for the median. CPU is that of all processes a command starts, and says more than
seconds on a machine that is busy with other things.

    python -m tests.benchmarks.compare OTHER_CHECKOUT [ROUNDS [NAME ...]]
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tests.benchmarks import bench_sources, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
ROUNDS, BOUND = 7, 1.05
FUNCTIONS, NEW_FUNCTIONS, FILES, ROWS, MEBIBYTES = 1_500, 300, 300, 300_000, 256

ADD = """\
from odps.udf import annotate


@annotate("bigint,bigint->bigint")
class Add(object):
    def evaluate(self, a, b):
        return a + b
"""


class Cost(NamedTuple):
    """What one command took."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Checkout:
    """A checkout whose commands are measured, with a folder for its caches."""

    root: Path
    work: Path

    @property
    def cache(self) -> Path:
        return self.work / "cache"

    def env(self, service: stack.Service | None = None, project: str = "demo") -> dict[str, str]:
        """Return the environment in which `reconciler` is this checkout's, compiled once and not anew each time."""
        env = service.env(project) if service else dict(os.environ)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return env | {"PYTHONPATH": str(self.root), "UDFS_CACHE_DIR": str(self.cache)}

    def run(self, folder: Path, env: dict[str, str], *arguments: str) -> Cost:
        command = [sys.executable, "-m", "reconciler", *arguments]
        with tempfile.TemporaryFile("w+") as output:
            start = time.perf_counter()
            process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                raise SystemExit(f"{self.root}: udfs {' '.join(arguments)}: {process.returncode}\n{output.read()}")
        return Cost(seconds, usage.ru_utime + usage.ru_stime)


@contextmanager
def service(checkout: Checkout, store: Path) -> Iterator[stack.Service]:
    command = [sys.executable, "-m", "reconciler", "serve", "--dir", str(store), "--control"]
    process = subprocess.Popen(command, env=checkout.env(), cwd=checkout.work, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield stack.Service(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.wait(60)


Measure: TypeAlias = "Callable[[Checkout, int], Cost]"
"""One command of a checkout in a round."""


@contextmanager
def plan(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Plan a stack that is as it should be; the other checkout applied it."""
    stack.write(work / "stack", FUNCTIONS)
    with service(other, work / "store") as running:
        other.run(work / "stack", other.env(running), "apply", "--yes", "--writers", "16")
        yield lambda checkout, _: checkout.run(work / "stack", checkout.env(running), "plan", "--exit-code")


@contextmanager
def apply(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Apply a stack for the first time, to an empty project each time."""
    stack.write(work / "stack", NEW_FUNCTIONS)
    with service(other, work / "store") as running:

        def measure(checkout: Checkout, number: int) -> Cost:
            project = f"{'ours' if checkout is ours else 'other'}{number}"
            return checkout.run(work / "stack", checkout.env(running, project), "apply", "--yes")

        yield measure


@contextmanager
def validate(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Validate a large manifest whose files were seen before."""
    stack.write(work / "stack", FUNCTIONS)
    env = {"ENDPOINT": "local", "PROJECT": "demo"}
    yield lambda checkout, _: checkout.run(work / "stack", checkout.env() | env, "validate")


@contextmanager
def sources(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Validate functions of a hundred lines each that were never seen before."""
    (work / "stack").mkdir()
    bench_sources.generate(work / "stack", FILES, "cp37")
    (work / "stack" / "tools.zip").write_bytes(b"PK\5\6" + bytes(18))

    def measure(checkout: Checkout, _: int) -> Cost:
        shutil.rmtree(checkout.cache, ignore_errors=True)
        return checkout.run(work / "stack", checkout.env(), "validate")

    yield measure


@contextmanager
def runner(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Call a function over the rows of a file; each checkout has a local service of its own."""
    for checkout in (ours, other):
        folder = checkout.work / "runner"
        folder.mkdir()
        (folder / "add.py").write_text(ADD)
        (folder / "udfs.yaml").write_text("stack: bench\nfunctions:\n  add: {source: add.py, class: Add}\n")
        (folder / "rows.csv").write_text("".join(f"{number},{number + 1}\n" for number in range(ROWS)))
        checkout.run(folder, checkout.env(), "apply", "--yes")

    def measure(checkout: Checkout, _: int) -> Cost:
        arguments = ("call", "add", "--input", "rows.csv", "--output", "sums.csv")
        cost = checkout.run(checkout.work / "runner", checkout.env(), *arguments)
        assert (checkout.work / "runner" / "sums.csv").read_text().split()[-1] == str(2 * ROWS - 1)
        return cost

    yield measure


@contextmanager
def upload(ours: Checkout, other: Checkout, work: Path) -> Iterator[Measure]:
    """Upload one large file in parts, to an empty project each time."""
    folder = work / "stack"
    folder.mkdir()
    with (folder / "big.bin").open("wb") as stream:
        for _ in range(MEBIBYTES):
            stream.write(os.urandom(1 << 20))
    (folder / "udfs.yaml").write_text(
        "stack: bench\ntargets: {there: {endpoint: '${env:ENDPOINT}', project: '${env:PROJECT}'}}\n"
        "resources:\n  big.bin: {file: big.bin}\nfunctions: {}\n"
    )
    with service(other, work / "store") as running:

        def measure(checkout: Checkout, number: int) -> Cost:
            project = f"{'ours' if checkout is ours else 'other'}{number}"
            return checkout.run(folder, checkout.env(running, project), "apply", "--yes")

        yield measure


BENCHMARKS = {function.__name__: function for function in (plan, apply, validate, sources, runner, upload)}


def compare(name: str, ours: Checkout, other: Checkout, rounds: int) -> bool:
    """Print the ratios of one benchmark; say whether the median of CPU, or else that of seconds, keeps the bound."""
    pairs: list[tuple[Cost, Cost]] = []
    work = ours.work.parent / name
    work.mkdir()
    with BENCHMARKS[name](ours, other, work) as measure:
        for number in range(-1, rounds):  # the first fills caches and is not counted
            costs = {}
            for checkout in (ours, other) if number % 2 else (other, ours):
                costs[checkout.root] = measure(checkout, number)
            if number >= 0:
                pairs.append((costs[ours.root], costs[other.root]))
    shutil.rmtree(work)
    medians = []
    cells = [f"{name:9}"]
    for index, label in enumerate(Cost._fields):
        ratios = [mine[index] / theirs[index] for mine, theirs in pairs]
        medians.append(statistics.median(ratios))
        typical = tuple(statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
        cells.append(
            f"{label}: {typical[0]:6.2f} / {typical[1]:6.2f} = {medians[-1]:.2f}× ({min(ratios):.2f}–{max(ratios):.2f})"
        )
    print("   ".join(cells), flush=True)
    return min(medians) <= BOUND


def main() -> int:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="udfs-compare-") as folder:
        ours = Checkout(ROOT, Path(folder) / "ours")
        other = Checkout(Path(sys.argv[1]).resolve(), Path(folder) / "other")
        for checkout in (ours, other):
            checkout.work.mkdir()
        print(f"ours / other = ratio (lowest–highest of {rounds} rounds); bound of the median {BOUND}×")
        kept = [compare(name, ours, other, rounds) for name in sys.argv[3:] or BENCHMARKS]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
