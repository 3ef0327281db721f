"""`udfs build --source` prints the very module that is uploaded."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.builders import wheel

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = (
    b"# coding: latin-1\r\nfrom odps.udf import annotate\r\n@annotate('->string')\r\nclass F(object): # caf\xe9\r\n"
)
SOURCE += b"    def evaluate(self):\r\n        import geo"
BY_HAND = SOURCE.replace(
    b"import geo", b"import sys; sys.path.insert(0, 'work/geo-1.0-py2.py3-none-any.zip'); import geo"
)
MANIFEST = """\
stack: s
line_ends: keep
packages: {geo: {wheels: [dist/geo-1.0-py2.py3-none-any.whl]}}
functions:
  f: {source: f.py, class: F, packages: [geo]}
  g: {source: g.py, class: F, packages: [geo], wire: false}
"""


def test_what_is_printed_is_what_is_uploaded(tmp_path: Path) -> None:
    wheel(tmp_path / "dist", "geo", tag="py2.py3-none-any", files={"geo.py": "V = 1"})
    for name, text in (("udfs.yaml", MANIFEST.encode()), ("f.py", SOURCE), ("g.py", BY_HAND)):
        (tmp_path / name).write_bytes(text)

    def udfs(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "reconciler", "build", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout

    udfs("--out", "out")
    printed = udfs("--source", "F")
    assert [printed] == [path.read_bytes() for path in (tmp_path / "out").glob("f__*.py")]
    assert printed.startswith(SOURCE + b"\n")
    assert b'__udfs__("F", ["work/geo-1.0-py2.py3-none-any.zip"])\n' in printed
    assert udfs("--source", "g") == BY_HAND
