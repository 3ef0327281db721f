"""
The bound of what people read of 5,000 changes: Markdown and HTML in under twice the time of making the plan, and their sizes.

The plan is that of a first apply of 2,500 functions with a module each, against an empty project on loopback. Making it is reading the
manifest and its files, asking the project, and comparing; each document is then made of that one plan, with nothing asked again.

    python -m tests.benchmarks.bench_renderings [FUNCTIONS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.stack import python, service, write

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS, BOUND, LARGEST = 3, 2.0, {"markdown": 60_000, "html": 1_000_000}

SCRIPT = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from reconciler.cli.entry import tune_interpreter
from reconciler.cli.support.options import Options
from reconciler.cli.support.output import output_text
from reconciler.cli.support.plans import plan_output, plan_target

tune_interpreter()  # as the command does
options = Options(Path("udfs.yaml"), None, "text")
begun = time.perf_counter()
plan = plan_target(options).plan
print(time.perf_counter() - begun)
for form in sys.argv[1:]:
    begun = time.perf_counter()
    text = output_text(plan_output(plan, replace(options, format=form)))
    print(time.perf_counter() - begun, len(text.encode()), len(text), text.count("f0"))
print(len(plan.changes))
"""

FORMS = ("text", "json", "markdown", "html")


def measure(env: dict[str, str]) -> list[list[float]]:
    """Return the seconds of the plan, then seconds, bytes, characters and names of each format."""
    return [list(map(float, line.split())) for line in python(SCRIPT, *FORMS, env=env).splitlines()]


def main() -> int:
    functions = int(sys.argv[1]) if len(sys.argv) > 1 else 2_500
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "stack"
        write(work, functions, files=False)
        os.chdir(work)
        with service(Path(folder) / "store") as running:
            env = running.env() | {"UDFS_CACHE_DIR": f"{folder}/cache"}
            measure(env)  # fills the cache
            rounds = [measure(env) for _ in range(ROUNDS)]
    return report(rounds)


def report(rounds: Sequence[Sequence[Sequence[float]]]) -> int:
    """Print the figures; return 1 where a bound is broken."""
    plan = statistics.median(figures[0][0] for figures in rounds)
    print(f"{rounds[0][-1][0]:,.0f} changes: the plan takes {plan:.2f} s")
    is_kept = True
    for number, form in enumerate(FORMS, 1):
        ratio = statistics.median(figures[number][0] / figures[0][0] for figures in rounds)
        _, size, characters, _ = rounds[0][number]
        print(f"{form:9} {ratio:.2f}× of it (bound {BOUND}×), {size / 1000:,.0f} kB, {characters:,.0f} characters")
        is_kept &= ratio < BOUND and characters < LARGEST.get(form, float("inf"))
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
