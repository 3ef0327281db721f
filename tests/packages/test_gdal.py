"""
GDAL reads and writes rasters by SQL: the one in rasterio's wheel, and the one that is compiled from Debian's sources.

The second takes half an hour or more; where an earlier run's outcome is cached it is a matter of a minute.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from reconciler.base.errors import PackageError
from reconciler.cli.entry import run
from reconciler.packages.debian.mirror import find_mirror
from tests.local.conftest import found as interpreter

EXAMPLE = Path(__file__).parents[2] / "examples" / "gdal"
WHOLE = os.environ.get("UDFS_PROOF") == "whole"
GRID = "ncols 2\nnrows 1\nxllcorner 153500\nyllcorner 461500\ncellsize 1000\nNODATA_value -9999\n1 4\n"


def stand_in(example: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter("cp37")
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns(".udfs", "build"))
    monkeypatch.chdir(folder)


def require_rasters_by_sql(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    query = f"SELECT raster_mean(geotiff('{GRID}')) AS mean, height(5.3872, 52.1551) AS height"
    assert run(["sql", query, "--format", "csv"]) == 0, capsys.readouterr().err
    assert "2.5,4.0" in capsys.readouterr().out


@pytest.mark.skipif(not WHOLE, reason="fetches 36 MB: UDFS_PROOF=whole")
def test_rasters_go_in_and_out_of_sql_by_the_wheel_of_rasterio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(EXAMPLE, tmp_path / "gdal", monkeypatch)
    require_rasters_by_sql(capsys)


@pytest.mark.skipif(util.find_spec("cmake") is None or util.find_spec("ninja") is None, reason="needs cmake and ninja")
def test_gdal_from_its_sources_reads_a_raster_by_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(EXAMPLE / "source", tmp_path / "source", monkeypatch)
    if WHOLE:
        try:
            find_mirror(os.environ)
        except PackageError as error:
            pytest.skip(str(error))
    cached = [] if WHOLE else ["--cached"]
    built = subprocess.run([sys.executable, "build.py", *cached], check=False, capture_output=True, text=True)
    if built.returncode == 2 and cached:
        pytest.skip("half an hour of compiling or more: UDFS_PROOF=whole")
    assert built.returncode == 0, built.stderr[-4000:]
    assert run(["lock"]) == 0, capsys.readouterr().err
    require_rasters_by_sql(capsys)
    assert run(["test"]) == 0, capsys.readouterr().out
