"""
Build what a user of GDAL would bring along: two shared libraries, and a wheel with a binding that needs them.

    build/libdatum.so.1                               needed by
    build/libgeodesy.so.3                             needed by
    build/geodesy-1.0-cp37-abi3-linux_x86_64.whl

With ziglang installed (`pip install ziglang`) they are compiled against glibc 2.17, which is MaxCompute's. Else gcc compiles
against this machine's glibc: whether that will load there is not for this script to know, `udfs` looks and says.
"""

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES, BUILD = HERE / "src", HERE / "build"
TAG = "cp37-abi3-linux_x86_64"  # bare linux promises nothing about the system; the files in the wheel are looked into


def main():
    BUILD.mkdir(exist_ok=True)
    # The SONAME is what the next one writes down as needed, whatever the file is called here.
    shared("datum.c", "libdatum.so.1", "-Wl,-soname,libdatum.so.1")
    shared("geodesy.c", "libgeodesy.so.3", "-Wl,-soname,libgeodesy.so.3", BUILD / "libdatum.so.1", "-lm")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        sys.exit(f"the headers of this Python are not installed: {include}/Python.h")
    shared("_geodesy.c", "_geodesy.abi3.so", f"-I{include}", BUILD / "libgeodesy.so.3")
    wheel(
        {
            "geodesy/__init__.py": b'from geodesy._geodesy import distance\n\n__all__ = ["distance"]\n',
            "geodesy/_geodesy.abi3.so": (BUILD / "_geodesy.abi3.so").read_bytes(),
        }
    )


def shared(source, name, *options):
    command = [*compiler(), "-O2", "-fPIC", "-shared", "-s", SOURCES / source, "-o", BUILD / name, *options]
    subprocess.run(list(map(str, command)), check=True)


def compiler():
    if importlib.util.find_spec("ziglang"):
        # Without a sanitizer, which zig puts into what is not optimized and which no worker has.
        return [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-gnu.2.17", "-fno-sanitize=undefined"]
    if shutil.which("gcc"):
        return ["gcc"]
    sys.exit("neither ziglang nor gcc is here: pip install ziglang")


def wheel(files):
    """Write a wheel: the files, what they are, and the list of them. The same files give the same bytes."""
    info = "geodesy-1.0.dist-info"
    files[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: geodesy\nVersion: 1.0\nRequires-Python: >=3.7\n"
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: build.py\nRoot-Is-Purelib: false\nTag: {TAG}\n".encode()
    record = [f"{name},sha256={digest(content)},{len(content)}\n" for name, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(BUILD / f"geodesy-1.0-{TAG}.whl", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
