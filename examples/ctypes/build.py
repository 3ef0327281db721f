"""
Compile build/libedits.so, against glibc 2.17 where ziglang is installed (`pip install ziglang`), else with gcc against this machine's.

Whether what gcc makes loads on MaxCompute is not for this script to know: `udfs` looks and says.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    (HERE / "build").mkdir(exist_ok=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-gnu.2.17", "-fno-sanitize=undefined"]
    compiler = zig if importlib.util.find_spec("ziglang") else ["gcc"]
    # No -soname is needed: udfs lets a library answer to its SONAME, and to the name of its file.
    options = ["-O2", "-fPIC", "-shared", "-s", HERE / "src/edits.c", "-o", HERE / "build/libedits.so"]
    subprocess.run([*compiler, *map(str, options)], check=True)


if __name__ == "__main__":
    main()
