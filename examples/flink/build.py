"""
Build what the jobs bring along and Git does not keep: an archive of data, and a jar.

    build/mydata.zip    mydata/names.txt
    build/upper.jar     java/com/example/Upper.java, for Java 11

The jar needs javac, and the jars of a Flink to compile against: UDFS_FLINK is the Python of an environment with apache-flink.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes, so that nothing is planned for nothing


def main():
    BUILD.mkdir(exist_ok=True)
    pack(BUILD / "mydata.zip", HERE, HERE / "mydata")
    classes = BUILD / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    sources = sorted(map(str, (HERE / "java").rglob("*.java")))
    jars = flink_folder() / "lib" / "*"
    subprocess.run(["javac", "--release", "11", "-cp", str(jars), "-d", str(classes), *sources], check=True)
    pack(BUILD / "upper.jar", classes, classes)


def flink_folder():
    python = os.environ.get("UDFS_FLINK", sys.executable)
    command = [python, "-c", "import os, pyflink; print(os.path.dirname(pyflink.__file__))"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(
            "no Flink: python3.11 -m venv ~/flink && ~/flink/bin/pip install 'apache-flink==1.20.*', UDFS_FLINK=~/flink/bin/python"
        )
    return Path(found.stdout.strip())


def pack(path, top, folder):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(top).as_posix(), EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
