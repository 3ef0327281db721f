"""
Locking, fetching and packing, against the tools that people use for it today.

    python -m tests.benchmarks.bench_lock [ROUNDS [locks|builds|fetches|packs]]

Everything runs in turns in one go, with the package index of this machine, so only the ratios mean something:

* `udfs lock` against `uv pip compile` alone on the same input and the same indexes, cold and warm;
* `udfs build --out` with an empty cache against `uv pip install --target` with an empty cache, without the gate and with it;
* what an empty cache adds to `udfs build --out`, which is fetching 90 MB, against `uv pip install --target` with an empty cache;
* `udfs build --out` with a warm cache against `pyodps-pack` with a warm cache, where there is a CPython 3.7 that can install it.

The gate, which reads every byte of every wheel and every native file's headers before anything is uploaded, is part of what
`udfs build` does with an empty cache. Neither of the others looks.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local.runner import InterpreterNotFound, locate
from reconciler.packages.lock.uv import executable
from tests.uv import uv_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REQUIREMENTS = ("pandas<1.2", "scikit-learn", "scipy")
MANIFEST = """\
stack: bench
packages:
  science: {requirements: ["pandas<1.2", scikit-learn, scipy], bundle: single}
functions:
  f: {source: f.py, class: F, packages: [science]}
"""
SOURCE = """\
from odps.udf import annotate

@annotate("double->double")
class F(object):
    def evaluate(self, x):
        return x
"""
UNGATED = """\
import sys
from reconciler.packages.inspect import contents
contents.inspect = lambda path, kind: contents.Facts(kind)
from reconciler.__main__ import main
sys.argv[0] = "udfs"
main()
"""
"""`udfs build` without a look into the wheels, which the other tools do not take either. No option does that."""

TARGET = ("--python-version", "3.7.3", "--python-platform", "x86_64-manylinux_2_17")


def seconds(command: list[str], folder: Path, env: Mapping[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - start


def show(what: str, ours: list[float], theirs: list[float], bound: str) -> None:
    each = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
    rounds = ", ".join(f"{ratio:.2f}" for ratio in each)
    print(f"{what}: {statistics.median(each):.2f}× (rounds {rounds}); bound {bound}", flush=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="udfs-bench-") as folder:
        base = Path(folder)
        (base / "udfs.yaml").write_text(MANIFEST, encoding="utf-8")
        (base / "f.py").write_text(SOURCE, encoding="utf-8")
        (base / "requirements.in").write_text("\n".join(REQUIREMENTS), encoding="utf-8")
        parts = {"locks": locks, "builds": builds, "fetches": fetches, "packs": packs}
        wanted = sys.argv[2:] or list(parts)
        if "locks" not in wanted:
            seconds(udfs("lock"), base, {"UDFS_CACHE_DIR": str(base / "first")})
        for name in wanted:
            parts[name](base, rounds)


def udfs(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reconciler", *arguments]


def locks(base: Path, rounds: int) -> None:
    indexes = uv_environment(os.environ)
    compile_ = [executable(os.environ), "pip", "compile", "-q", "requirements.in", *TARGET, "--format", "pylock.toml"]

    def uv(cache: Path) -> float:
        (base / "pylock.bench.toml").unlink(missing_ok=True)
        return seconds([*compile_, "-o", "pylock.bench.toml", "--cache-dir", str(cache / "uv")], base, indexes)

    def ours(cache: Path) -> float:
        (base / "udfs.lock").unlink(missing_ok=True)
        env = {"UV_CACHE_DIR": str(cache / "uv"), "UDFS_CACHE_DIR": str(cache / "udfs")}
        return seconds(udfs("lock"), base, env)

    compare(f"udfs lock, cold, against uv pip compile, {rounds} rounds", ours, uv, base, rounds, "1.3×")
    warm = base / "warm"
    uv(warm), ours(warm)
    compare("udfs lock, warm", lambda _: ours(warm), lambda _: uv(warm), base, rounds, "1.3×")


def uv_install(base: Path, cache: Path, indexes: Mapping[str, str]) -> float:
    """Return the seconds in which uv fetches the wheels and unpacks them."""
    install = [executable(os.environ), "pip", "install", "-q", "--only-binary", ":all:", *TARGET, *REQUIREMENTS]
    return seconds([*install, "--target", str(cache / "tree"), "--cache-dir", str(cache / "uv")], base, indexes)


def build(base: Path, cache: Path, command: list[str]) -> float:
    env = {"UDFS_CACHE_DIR": str(cache / "udfs"), "PIP_CACHE_DIR": str(cache / "pip")}
    return seconds([*command, "build", "--out", str(cache / "out")], base, env)


def builds(base: Path, rounds: int) -> None:
    indexes, ungated = uv_environment(os.environ), [sys.executable, "-c", UNGATED]

    def uv(cache: Path) -> float:
        return uv_install(base, cache, indexes)

    compare(
        "fetch and pack, cold, against uv pip install --target",
        lambda cache: build(base, cache, ungated),
        uv,
        base,
        rounds,
        "1.3×",
    )
    compare(
        "the same with the gate, as `udfs build` does it",
        lambda cache: build(base, cache, udfs()),
        uv,
        base,
        rounds,
        "none",
    )
    usage = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process of all that ran so far, uv included: {usage:.0f} MiB; bound 150 MiB", flush=True)


def fetches(base: Path, rounds: int) -> None:
    indexes, ungated, rates = uv_environment(os.environ), [sys.executable, "-c", UNGATED], []
    for number in range(rounds):
        cache = base / f"fetch{number}"
        cold, theirs = build(base, cache, ungated), uv_install(base, cache, indexes)
        shutil.rmtree(cache / "out")
        rates.append(theirs / (cold - build(base, cache, ungated)))
        shutil.rmtree(cache)
    shown = ", ".join(f"{rate:.2f}" for rate in rates)
    print(f"fetching, of uv's rate: {statistics.median(rates):.2f}× (rounds {shown}); bound at least 0.9×", flush=True)


def packs(base: Path, rounds: int) -> None:
    try:
        python = locate("cp37", os.environ).path
    except InterpreterNotFound:
        print("pyodps-pack: not measured, there is no CPython 3.7")
        return
    venv = base / "pyodps"
    subprocess.run([python, "-m", "venv", venv], check=True, capture_output=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", "pyodps"], check=True, capture_output=True)
    pack = [str(venv / "bin" / "pyodps-pack"), "--no-docker", "--use-default-image-tag", *REQUIREMENTS]

    def theirs(_: Path) -> float:
        return seconds([*pack, "-o", "packages.tar.gz"], base, {})

    cache = base / "ours"

    def ours(_: Path) -> float:
        shutil.rmtree(cache / "packed", ignore_errors=True)
        return seconds(udfs("build", "--out", str(cache / "out")), base, {"UDFS_CACHE_DIR": str(cache)})

    ours(base), theirs(base)
    compare("pyodps-pack, warm, against fetch and pack, warm", theirs, ours, base, min(rounds, 2), "at least 10×")


def compare(
    what: str, ours: Callable[[Path], float], theirs: Callable[[Path], float], base: Path, rounds: int, bound: str
) -> None:
    mine: list[float] = []
    others: list[float] = []
    for number in range(rounds):
        for times, run in [(mine, ours), (others, theirs)][:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory(dir=base) as cache:
                times.append(run(Path(cache)))
    show(what, mine, others, bound)


if __name__ == "__main__":
    main()
