"""Programs and libraries of Debian in layers, used by functions in a sandbox that is Debian 12: by the commands alone."""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.sandbox import Road, find_road

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
import pytesseract
from PIL import Image, ImageDraw, ImageFont

def handler(event, context):
    picture = Image.new("L", (900, 160), 255)
    ImageDraw.Draw(picture).text((30, 30), event.decode(), fill=0, font=ImageFont.load_default(size=72))
    return {"text": pytesseract.image_to_string(picture).strip()}
"""

MANIFEST = """
    stack: ocr
    target: {kind: fc}
    targets: {local: {endpoint: local, region: cn-hangzhou}}
    packages:
      ocr: {requirements: [pytesseract, pillow], debian: [tesseract-ocr], slim: true}
    layers:
      ocr: {packages: [ocr], runtimes: [custom.debian12]}
    functions:
      read:
        runtime: custom.debian12
        source: index.py
        handler: index.handler
        layers: [ocr]
        memory: 1024
        environment: {TESSDATA_PREFIX: /opt/share/tesseract-ocr/5/tessdata}
        tests: [{event: Function 3912, returns: {text: Function 3912}}]
"""


GDAL_SOURCE = """
import ctypes

def handler(event, context):
    gdal = ctypes.CDLL("libgdal.so.32")
    gdal.GDALAllRegister()
    return gdal.GDALGetDriverCount()
"""

GDAL_MANIFEST = """
    stack: gdal
    target: {kind: fc}
    targets: {local: {endpoint: local, region: cn-hangzhou}}
    packages:
      gdal: {debian: [libgdal32], slim: true}
    layers:
      gdal: {packages: [gdal], runtimes: [custom.debian12]}
    functions:
      drivers:
        runtime: custom.debian12
        source: index.py
        handler: index.handler
        layers: [gdal]
        memory: 1024
        environment: {GDAL_DATA: /opt/share/gdal, PROJ_DATA: /opt/share/proj}
        tests: [{event: "", returns: 210}]
"""


@pytest.mark.skipif(os.environ.get("UDFS_PROOF") != "whole", reason="fetches 80 MB: UDFS_PROOF=whole")
@pytest.mark.parametrize(
    ("manifest", "source"), [(MANIFEST, SOURCE), (GDAL_MANIFEST, GDAL_SOURCE)], ids=["ocr", "gdal"]
)
def test_a_function_uses_what_debian_has(
    manifest: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_road() is Road.PLAIN:
        pytest.skip("this machine has no sandbox")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.py").write_text(source)
    (tmp_path / "udfs.yaml").write_text(textwrap.dedent(manifest))
    for command in (("runtime", "make", "custom.debian12"), ("lock",)):
        if (code := run([*command])) != 0:
            message = capsys.readouterr().err
            if any(f"error[{reason}]" in message for reason in ("E403", "E454")):
                pytest.skip("needs the package index and a mirror of Debian")
            raise AssertionError((code, message))
    capsys.readouterr()
    code = run(["test", "--format", "json"])
    said = capsys.readouterr()
    assert code == 0, said
    [trial] = json.loads(said.out)["tests"]
    assert (trial["verdict"], trial["python"]) == ("passed", "3.11.2")
    assert trial["notes"] == []
