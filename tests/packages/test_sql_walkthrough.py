"""The vendor's SciPy walk-through to its end: PyODPS runs its SQL, and gets the numbers that SciPy gives directly."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from odps import ODPS

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate

EXAMPLE = Path(__file__).parents[2] / "examples/scipy"

DIRECTLY = """
import glob, json, sys
sys.path[:0] = sorted(glob.glob("*"))
from scipy.special import psi
print(json.dumps([float(psi(float(text))) for text in sys.stdin.read().split()]))
"""


def test_pyodps_gets_from_udfs_serve_what_scipy_gives_directly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        python = locate("cp37", os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    shutil.copytree(EXAMPLE, tmp_path / "scipy", ignore=shutil.ignore_patterns(".udfs"))
    monkeypatch.chdir(tmp_path / "scipy")
    applied = run(["apply", "--yes"])
    told = capsys.readouterr().err
    if "E403" in told:
        pytest.skip("the package index cannot be reached")
    assert applied == 0, told
    command = [sys.executable, "-m", "reconciler", "serve", "-f", "udfs.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            odps = ODPS("any", "thing", "demo", url, overwrite_global=False)
            hints = {"odps.sql.python.version": "cp37", "odps.isolation.session.enable": "true"}
            instance = odps.execute_sql("select my_psi(sepal_length) from iris;", hints=hints)
            with instance.open_reader(tunnel=False) as reader:
                found = [record[0] for record in reader]
        finally:
            server.send_signal(signal.SIGTERM)
    with Path("iris.csv").open() as file:
        lengths = [row["sepal_length"] for row in csv.DictReader(file)]
    assert len(found) == len(lengths) == 150
    assert found == _directly(python.path, lengths, tmp_path)


def _directly(python: Path, values: list[str], folder: Path) -> list[float]:
    """Return what SciPy gives without udfs, SQL and MaxCompute: the same archives, unpacked by hand."""
    unpacked = folder / "unpacked"
    for blob in Path(".udfs/maxcompute/blobs").iterdir():
        if blob.read_bytes()[:2] == b"PK":
            shutil.unpack_archive(blob, unpacked / blob.name[:8], "zip")
    done = subprocess.run(
        [str(python), "-I", "-c", DIRECTLY],
        input=" ".join(values),
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=True,
    )
    result: list[float] = json.loads(done.stdout)
    return result
