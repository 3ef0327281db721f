"""
Debian packages: locking, and layers against `zip` over the same files.

    python -m tests.benchmarks.bench_debian [PACKAGE [CACHE]]

Everything runs in one go, against the mirror that this machine is set up with, so only the ratios mean something:

* the second lock, chosen anew with the index in the cache, and one that nothing touches, against the first;
* the closure in an index just read, and in one that has answered before, against reading it as the mirror has it, and as it is kept;
* a layer from an empty cache but for the .debs, and again unchanged, against `zip -6` of the same files;
* the most memory that packing takes over an idle process.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock
from zipfile import ZipFile

from reconciler.packages.debian import mirror
from reconciler.packages.debian.closure import find_base, find_closure
from reconciler.packages.debian.index import PackageIndex, reduce_index
from reconciler.packages.debian.release import unpack_index
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.lock.make import Upgrade
from tests.packages.layers.workbench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.packages.debian.release import Release

MANIFEST = """\
packages: {{p: {{debian: [{package}], slim: true}}}}
layers: {{l: {{packages: [p], runtimes: [custom.debian12]}}}}
functions: {{}}
"""
MEASURED = """\
import os, sys
from pathlib import Path
from reconciler.packages.fetch.cache import Cache
from tests.packages.layers.workbench import Bench

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

bench = Bench(Path(sys.argv[1]), Cache(Path(sys.argv[2])), os.environ)
open("/proc/self/clear_refs", "w").write("5")  # what a parent had at most is not ours
idle = status("VmRSS")
bench.collect()
print(status("VmHWM") - idle)
"""


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def show(what: str, time_: float, over: float, bound: float) -> None:
    print(f"{what:<44} {time_:8.2f} s  {time_ / over:6.3f} ×  (at most {bound})")


def forget(bench: Bench) -> None:
    """Leave of the cache what was fetched."""
    for kept in (bench.cache.root / "packed", *bench.cache.root.glob("debian-packages-*")):
        shutil.rmtree(kept)


def measure_locks(bench: Bench, packed: list[tuple[bytes, Release, str]]) -> None:
    """Measure them; `packed` is given the indexes as the mirror has them."""

    def unpack(content: bytes, release: Release, path: str) -> bytes:
        packed.append((content, release, path))
        return unpack_index(content, release, path)

    with mock.patch.object(mirror, "unpack_index", unpack):
        first = seconds(bench.lock)
    print(f"{'first lock':<44} {first:8.2f} s")
    show("second lock, chosen anew", seconds(lambda: bench.lock(Upgrade(everything=True))), first, 0.15)
    show("second lock, nothing changed", seconds(bench.lock), first, 0.15)


def measure_closure(packed: list[tuple[bytes, Release, str]], package: str) -> None:
    largest = max(packed, key=lambda index: len(index[0]))
    (content, release, path), texts, indexes = largest, list[str](), list[PackageIndex]()
    first = seconds(lambda: texts.append(reduce_index(unpack_index(content, release, path))))
    kept = seconds(lambda: indexes.append(PackageIndex(texts[0])))
    (index,) = indexes
    base = find_base(index)
    fresh = seconds(lambda: find_closure(index, [package], base))
    again = statistics.median(seconds(lambda: find_closure(index, [package], base)) for _ in range(9))
    print(f"{'reading the index, as the mirror has it':<44} {first + kept:8.2f} s; as it is kept {kept:.2f} s")
    show("closure, index just read", fresh, first + kept, 0.02)
    show("closure, index read before", again, first + kept, 0.02)


def measure_layers(bench: Bench, folder: Path) -> None:
    bench.collect()
    forget(bench)
    cold = seconds(bench.collect)
    (layer,) = bench.collect().layers.values()
    shutil.rmtree(bench.cache.root / "packed")
    open_already = seconds(bench.collect)
    again = seconds(bench.collect)
    with ZipFile(layer.content.path) as archive:
        archive.extractall(folder)
    command = ["zip", "-6", "-q", "-r", str(folder.with_suffix(".zip")), "."]
    if shutil.which("zip"):
        zipped = seconds(lambda: subprocess.run(command, cwd=folder, check=True))
    else:  # the same deflate, in one thread
        zipped = seconds(lambda: shutil.make_archive(str(folder), "zip", folder))
    print(
        f"{'zip -6' if shutil.which('zip') else 'zipfile':<44} {zipped:8.2f} s, {layer.content.size / (1 << 20):,.1f} MiB"
    )
    show("layer, .debs in the cache", cold, zipped, 1.3)
    show("layer, packages opened already", open_already, zipped, 1.3)
    show("layer, unchanged", again, zipped, 0.05)


def measure_memory(bench: Bench) -> None:
    forget(bench)
    command = [sys.executable, "-c", MEASURED, str(bench.folder), str(bench.cache.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    print(f"{'memory over idle':<44} {int(done.stdout) / 1024:8.1f} MiB  (at most 80)")


def main() -> None:
    package = sys.argv[1] if len(sys.argv) > 1 else "libgdal32"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "cache"
        bench = Bench(folder / "repository", Cache(cache), os.environ)
        bench.write(MANIFEST.format(package=package))
        packed: list[tuple[bytes, Release, str]] = []
        measure_locks(bench, packed)
        if packed:  # unless the cache had the indexes before
            measure_closure(packed, package)
        measure_layers(bench, folder / "layer")
        measure_memory(bench)


if __name__ == "__main__":
    main()
