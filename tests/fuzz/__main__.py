"""
Fuzzing for as long as it is let: each subject in a process of its own, led by what the code covers.

    python -m tests.fuzz                        # every subject for a minute
    python -m tests.fuzz --seconds 3600         # the same for an hour in all
    python -m tests.fuzz ledger answer          # these

Needs atheris (`pip install atheris`, Linux). Without it the same changes are made at random. An input that ends otherwise than it may is
written into `tests/fuzz/corpus/`, where a test repeats it; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import os
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.mutation import change

CORPUS = Path(__file__).parent / "corpus"
MEMORY = 3 << 30
"""Bytes of address space; what wants more has failed."""

SLOWEST = 20
"""Seconds for one input; on a loaded machine most of them are waiting."""


def main() -> int:
    """Fuzz the subjects that are named, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads bytes from outside.")
    parser.add_argument("subjects", nargs="*", help="all, unless some are named")
    parser.add_argument("--seconds", type=int, help="for all together; a minute each, unless it is said")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        return _fuzz(arguments.subjects[0], arguments.seconds)
    # Not before: what is imported by then is not measured.
    from tests.fuzz.subjects import SUBJECTS

    names = arguments.subjects or list(SUBJECTS)
    if unknown := set(names) - set(SUBJECTS):
        parser.error(f"there is no subject {', '.join(sorted(unknown))}, only {', '.join(SUBJECTS)}")
    each = (arguments.seconds or 60 * len(names)) // len(names)
    failed = [name for name in names if _apart(name, each)]
    print(f"failed: {', '.join(failed)}" if failed else f"{len(names)} subjects, nothing found")
    return 1 if failed else 0


def _apart(name: str, seconds: int) -> int:
    command = [sys.executable, "-m", "tests.fuzz", "--alone", name, "--seconds", str(seconds)]
    try:
        return subprocess.run(command, timeout=2 * seconds + 120, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"{name}: does not end")
        return 1


def _fuzz(name: str, seconds: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    random = Random(time.time_ns())
    if importlib.util.find_spec("atheris"):
        return _led(name, seconds, random)
    from tests.fuzz.subjects import SUBJECTS

    count, end = 0, time.monotonic() + seconds
    with SUBJECTS[name]() as subject:
        seeds = subject.seeds()
        while time.monotonic() < end:
            count += 1
            data = change(random.choice(seeds), random, seeds)
            try:
                subject.attempt(data)
            except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                return _report(name, data)
    print(f"{name}: {count:,} inputs, nothing found")
    return 0


def _led(name: str, seconds: int, random: Random) -> int:
    """Let atheris choose what is changed further: what reached code that nothing before it did."""
    import atheris

    with atheris.instrument_imports(include=["reconciler"]):
        from tests.fuzz.subjects import SUBJECTS

        with SUBJECTS[name]() as subject:
            seeds, count, found = subject.seeds(), 0, 0
            pool, end = list(seeds), time.monotonic() + seconds

            def attempt(data: bytes) -> None:
                nonlocal count, found
                count += 1
                try:
                    subject.attempt(data)
                except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                    found = _report(name, data)
                if found or time.monotonic() > end:
                    print(f"{name}: {count:,} inputs, {'one found' if found else 'nothing found'}", flush=True)
                    subject.__exit__(None, None, None)
                    os._exit(found)  # libFuzzer has no other way to be ended

            def altered(data: bytes, most: int, seed: int) -> bytes:
                chooser = Random(seed)
                if chooser.random() < 0.3:
                    return bytes(atheris.Mutate(data, most))
                return change(data or chooser.choice(pool), chooser, pool, most)

            folder = subject.folder / "seeds"
            folder.mkdir()
            for number, seed in enumerate(seeds):
                (folder / str(number)).write_bytes(seed)
            options = [
                f"-seed={random.randrange(1, 1 << 31)}",
                "-max_len=65536",
                f"-timeout={SLOWEST}",
                "-rss_limit_mb=0",
            ]
            options += ["-print_final_stats=0", "-verbosity=0"]
            atheris.Setup([name, *options, str(folder)], attempt, custom_mutator=altered)
            atheris.Fuzz()
    return 0


def _report(name: str, data: bytes) -> int:
    path = CORPUS / f"{name}.txt"
    with path.open("a") as file:
        file.write(f"{base64.b64encode(data).decode()}\n")
    traceback.print_exc()
    print(f"{name}: found, added to {os.path.relpath(path)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
