"""
The bounds of the source checks: 1,000 files of 100 lines in at most 2 times what parsing them takes, again in at most 0.1.

Parsing is ``ast.parse`` of the same texts with the runtime's version. Ours is the whole way, from the manifest's artifacts to
problems: reading, decoding, parsing, every check. The second time the results are found under the hashes of what they
depend on; the sources' own hashes are part of the artifacts either way.

    python -m tests.benchmarks.bench_sources
"""

from __future__ import annotations

import ast
import shutil
import statistics
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.checks.python.project import check_sources
from reconciler.manifest.load import load_manifest
from reconciler.packages.artifacts import Artifacts, ship
from reconciler.packages.content import read_content
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES
from tests.benchmarks.bench_validate import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = 1_000
ROUNDS = 5
BOUND, BOUND_AGAIN = 2.0, 0.1

HEAD = '''\
"""Number {index} of the functions that a program wrote."""

import json
import re
import sys

from odps.distcache import get_cache_file
from odps.udf import annotate

LIMIT = {index}
PATTERN = re.compile(r"[^a-z0-9]+")


@annotate("bigint,string->string")
class Function{index}(object):
    """Keeps what it has seen."""

    def __init__(self):
        sys.path.insert(0, "work/tools.zip")
        self.seen = {{}}
        with get_cache_file("table.csv") as lines:
            for line in lines:
                code, name = line.rstrip("\\n").split(",", 1)
                self.seen[code] = name

    def evaluate(self, number, text):
        if number is None or text is None:
            return None
        total = self.step_0(number, text)
        return json.dumps({{"total": total, "text": PATTERN.sub("-", text.lower())}})
'''
STEP = """
    def step_{step}(self, number, text):
        found = [word for word in text.split(" ") if len(word) > LIMIT % 7]
        if not found:
            return number + {step}
        for position, word in enumerate(found):
            number += len(word) * position
        return max(number, self.seen.get(found[0], {step}))
"""


def generate(folder: Path, files: int, runtime: str) -> Path:
    """Write a manifest and its sources, 100 lines each."""
    (folder / "udfs").mkdir()
    (folder / "table.csv").write_text("NL,Netherlands\n")
    (folder / "tools.zip").touch()
    lines = ["stack: generated", f"python: {runtime}", "resources:"]
    lines += ["  table.csv: {file: table.csv}", "  tools.zip: {file: tools.zip}", "functions:"]
    for index in range(files):
        text = HEAD.format(index=index) + "".join(STEP.format(step=step) for step in range(8))
        text = "".join(text.splitlines(keepends=True)[:100])
        (folder / f"udfs/function_{index}.py").write_text(text)
        lines += [f"  function_{index}:", f"    source: udfs/function_{index}.py", f"    class: Function{index}"]
        lines += ["    resources: [table.csv, tools.zip]"]
    manifest = folder / "udfs.yaml"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def measure(runtime: str) -> tuple[float, float]:
    """Return both ratios for sources of one runtime."""
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        loaded = load_manifest(generate(folder, FILES, runtime), DIALECTS, env={})
        files = sorted((folder / "udfs").iterdir())
        texts = [file.read_text() for file in files]
        assert {text.count("\n") for text in texts} <= set(range(90, 101))
        contents = {f"udfs/{file.name}": read_content(file) for file in files}
        contents |= {name: read_content(folder / name) for name in ("table.csv", "tools.zip")}
        artifacts = Artifacts(contents, {})
        artifacts = replace(artifacts, shipments=ship(loaded, artifacts))
        version = (3, 7) if runtime == "cp27" else (3, int(runtime[3:]))
        calls: dict[str, Callable[[], object]] = {
            # One tree at a time, as the checks hold them: a heap full of trees would make parsing look slower than it is.
            "parsing": lambda: deque((ast.parse(text, feature_version=version) for text in texts), maxlen=0),
            "checking": lambda: check_sources(loaded, artifacts, SOURCE_RULES, cache),
            "checking again": lambda: check_sources(loaded, artifacts, SOURCE_RULES, cache),
        }
        times = []
        for _ in range(ROUNDS):
            shutil.rmtree(cache, ignore_errors=True)
            times.append({label: seconds(call) for label, call in calls.items()})
        assert not check_sources(loaded, artifacts, SOURCE_RULES, cache)
    for label in calls:
        print(f"{runtime} {label:15} {statistics.median(row[label] for row in times) * 1000:7.1f} ms")
    first = statistics.median(row["checking"] / row["parsing"] for row in times)
    again = statistics.median(row["checking again"] / row["parsing"] for row in times)
    return first, again


def main() -> None:
    """Print the medians and the ratios."""
    for runtime in ("cp37", "cp311", "cp27"):
        first, again = measure(runtime)
        print(
            f"{runtime}: {FILES:,} files: ratio {first:.2f}, bound {BOUND}; again: {again:.3f}, bound {BOUND_AGAIN}\n"
        )


if __name__ == "__main__":
    main()
