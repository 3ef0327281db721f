"""
The bound of what `udfs apply` holds in memory while it puts a large file of a job into the shared folder: at most 150 MiB at its peak, with 400 MiB.

Once as an archive of the job, once under `files:`, which is packed here. The process is one of its own; what answers for Flink takes the job and no file.

    python -m tests.benchmarks.bench_flink_upload [MIB]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from tests.flink.fake_flink import FakeFlink

BOUND, SIZE = 150, 400
MANIFEST = """\
stack: risk
target: {{kind: flink}}
targets:
  stage: {{endpoint: "{url}", engine: flink-1.20, files: {folder}}}
jobs:
  words: {{sql: job.sql, {key}}}
"""
SQL = "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT w FROM t;\n"
APPLY = """
import resource, sys
from reconciler.cli.entry import run
code = run(["apply", "--yes"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def measure(folder: Path, url: str, key: str) -> float:
    """Return the MiB that an apply held at its peak."""
    (folder / "shared").mkdir()
    (folder / "udfs.yaml").write_text(MANIFEST.format(url=url, folder=folder / "shared", key=key))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "UDFS_PROGRESS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", APPLY], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return int(done.stderr.splitlines()[-1]) / 1024


def main(size: int) -> int:
    peaks = []
    for what, key in (("an archive", "archives: [large.zip]"), ("a file that is packed", "files: [large.bin]")):
        cluster = FakeFlink()
        with tempfile.TemporaryDirectory() as top:
            folder = Path(top)
            (folder / "job.sql").write_text(SQL)
            block = random.Random(1).randbytes(1 << 20)
            with (folder / "large.bin").open("wb") as file:
                for _ in range(size):
                    file.write(block)
            with ZipFile(folder / "large.zip", "w", ZIP_STORED) as archive:
                archive.write(folder / "large.bin", "large.bin")
            peaks.append(measure(folder, cluster.url, key))
        cluster.close()
        print(f"{size} MiB as {what}: {peaks[-1]:.0f} MiB at the peak (at most {BOUND})")
    return int(max(peaks) > BOUND)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SIZE))
