"""
The bound of ``validate``: a manifest of 5,000 functions in at most 1.5 times what its two libraries take.

The libraries' share is PyYAML's C loader composing the same text plus the model validating the same values. Ours is all of
`load`: reading, guards, places, variables, types, cross checks, and a look at each of the 5,000 source files.

    python -m tests.benchmarks.bench_validate
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from reconciler.manifest.load import load_manifest
from reconciler.manifest.reader import Document, read_document
from reconciler.manifest.section import read_section
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS = 5_000
ROUNDS = 9
BOUND = 1.5


def generate(folder: Path, functions: int) -> Path:
    """Write a manifest, and the files it names, that uses all there is: packages, resources, variables, tests."""
    resources = functions // 5
    (folder / "data").mkdir()
    (folder / "udfs").mkdir()
    (folder / "dist").mkdir()
    lines = ["stack: generated", "python: cp37", "variables: {data: data}", "targets:"]
    lines += ["  local: {endpoint: local, project: demo}", "packages:"]
    for index in range(20):
        wheel = f"dist/part{index}-1.0-py3-none-any.whl"
        (folder / wheel).touch()
        lines += [f"  part{index}:", f"    wheels: [{wheel}]"]
    lines.append("resources:")
    for index in range(resources):
        (folder / f"data/table_{index}.csv").touch()
        lines += [
            f"  table_{index}.csv:",
            f"    file: ${{var:data}}/table_{index}.csv",
            f"    comment: table number {index}",
        ]
    lines.append("functions:")
    for index in range(functions):
        (folder / f"udfs/function_{index}.py").touch()
        lines += [
            f"  function_{index}:",
            f"    source: udfs/function_{index}.py",
            f"    class: Function{index}",
            f"    packages: [part{index % 20}]",
            f"    resources: [table_{index % resources}.csv]",
            f"    description: Number {index} of the functions that a program wrote.",
            "    tests:",
            f"      - {{args: [{index}, 'text'], returns: {index}.5}}",
        ]
    manifest = folder / "udfs.yaml"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def seconds(call: Callable[[], object]) -> float:
    """Time one call on a collected heap, result included, its release not."""
    gc.collect()
    started = time.perf_counter()
    result = call()
    taken = time.perf_counter() - started
    del result
    return taken


def main() -> None:
    """Print the three medians and the ratio."""
    with tempfile.TemporaryDirectory() as name:
        manifest = generate(Path(name), FUNCTIONS)
        text = manifest.read_text(encoding="utf-8")
        document = Document("udfs.yaml")
        read_document(text.encode(), document)
        calls: dict[str, Callable[[], object]] = {
            "compose": lambda: yaml.CSafeLoader(text).get_single_node(),
            "type": lambda: read_section(Manifest, document.root),
            "load": lambda: load_manifest(manifest, DIALECTS, env={}),
        }
        # Interleaved, so that a slow moment of the machine touches all three.
        times = [{label: seconds(call) for label, call in calls.items()} for _ in range(ROUNDS)]
    for label in calls:
        print(f"{label:9} {statistics.median(row[label] for row in times) * 1000:7.1f} ms")
    ratio = statistics.median(row["load"] / (row["compose"] + row["type"]) for row in times)
    print(f"validate of {FUNCTIONS:,} functions, {len(text):,} characters: ratio {ratio:.2f}, bound {BOUND}")


if __name__ == "__main__":
    main()
