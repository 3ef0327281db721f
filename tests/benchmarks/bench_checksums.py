"""
The checksum of Function Compute against the hash that is taken anyway: CRC-64 of 64 MiB at most 0.2 × its sha256.

CPU seconds of neighbours, and the median of their ratios. Where a processor has instructions for SHA-2, which make it five times as
fast, OpenSSL uses them; the second ratio is to sha256 without.

    python -m tests.benchmarks.bench_checksums [ROUNDS]
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from reconciler.targets.fc.crc64 import crc64_of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

AT_MOST, SIZE, ROUNDS = 0.2, 64 << 20, 11
WITHOUT_INSTRUCTIONS = {"OPENSSL_ia32cap": ":~0x20000000"}
"""Bit 29 of the second word of features [OPENSSL_ia32cap(3)]."""


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(rounds: int, label: str) -> None:
    content = os.urandom(SIZE)
    pairs = [
        (seconds(lambda: crc64_of_bytes(content)), seconds(lambda: hashlib.sha256(content).digest()))
        for _ in range(rounds)
    ]
    ratio = statistics.median(crc / sha for crc, sha in pairs)
    crc, sha = map(min, zip(*pairs, strict=True))
    print(
        f"CRC-64 of 64 MiB: {ratio:.2f} × sha256 {label} (at most {AT_MOST}); {1e3 * crc:.0f} ms against {1e3 * sha:.0f} ms"
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    if "OPENSSL_ia32cap" in os.environ:
        measure(rounds, "without instructions for it")
        return
    measure(rounds, "as this machine has it")
    command = [sys.executable, "-m", "tests.benchmarks.bench_checksums", str(rounds)]
    sys.stdout.flush()
    subprocess.run(command, env={**os.environ, **WITHOUT_INSTRUCTIONS}, check=True)


if __name__ == "__main__":
    main()
