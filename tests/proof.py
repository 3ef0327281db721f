"""
The proof's numbers, by running it: ``python -m tests.proof``.

Runs the tests of the invariants (see DECISIONS, "What is proved") and prints what was tried, how much of it passed, and at
which commit. As it stands it tries the sample that CI tries; ``--quick`` is a look, ``--whole`` everything there is, which
takes hours. ``--jobs N`` shares the work among processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.invariants.conftest import TALLY
from tests.invariants.scenarios import SCENARIOS
from tests.invariants.troubles import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const="quick", dest="size", help="a tenth of what CI tries")
    size.add_argument("--whole", action="store_const", const="whole", dest="size", help="everything; takes hours")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally, results = Path(folder) / "tally", Path(folder) / "results.xml"
        env = {**os.environ, "UDFS_PROOF": given.size or "", TALLY: str(tally)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(given.jobs), f"--junitxml={results}"]
        done = subprocess.run([*command, "tests/invariants"], cwd=ROOT, env=env, check=False, stdout=sys.stderr)
        lines = tally.read_text(encoding="utf-8").splitlines() if tally.exists() else []
        suite = ET.parse(results).getroot().find("testsuite")
    print(
        f"udfs at commit {commit()}, {({'quick': 'a look', 'whole': 'the whole'}).get(given.size, 'the sample of CI')}"
    )
    for what, number in counted(lines):
        print(f"{number:>9,}  {what}")
    if suite is not None:
        tests, bad = int(suite.get("tests", 0)), int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        print(f"{tests - bad:>9,}  tests passed, {bad} failed")
    return done.returncode


def counted(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Yield what was tried and passed, and how often."""
    found: Counter[str] = Counter()
    for line in lines:
        told = json.loads(line)
        found[told["what"]] += told["number"]
    yield (
        f"scenarios, of which each request may meet each of {len(TROUBLES)} troubles, once or for ever",
        len(SCENARIOS),
    )
    yield from sorted(found.items())


def commit() -> str:
    """Return the commit that is tried, and whether the files are its own."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
