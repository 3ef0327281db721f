"""Packages that open files as they are imported, against what the sandbox of a CPython 2.7 says when it imports them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from tests.builders import wheel

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: files
python: cp27
packages: {p: {wheels: [%s]}}
functions: {f: {source: f.py, class: F, packages: [p], isolation: %s, tests: [{args: [], returns: 1}]}}
"""
SOURCE = """\
from odps.udf import annotate

@annotate("->bigint")
class F(object):
    def evaluate(self):
        import pack
        return 1
"""
OPENS = {
    "direct": "import os\nTEXT = open(os.path.join(os.path.dirname(__file__), 'data.txt')).read()\n",
    "by_name": "import io\nfrom os import path\nHERE = path.dirname(__file__)\nFILE = HERE + '/data.txt'\nwith io.open(FILE) as f:\n    pass\n",
    "in_class": "import os, codecs\nclass C(object):\n    text = codecs.open(os.path.dirname(__file__) + '/data.txt')\n",
}
DOES_NOT = {
    "function": "import os\ndef text():\n    return open(os.path.join(os.path.dirname(__file__), 'data.txt')).read()\n",
    "condition": "import os\nTEXT = None and open(os.path.dirname(__file__) + '/data.txt')\nif TEXT:\n    open(__file__)\n",
    "get_data": "import pkgutil\nTEXT = pkgutil.get_data(__name__, 'data.txt')\n",
    "caught": "try:\n    open(__file__)\nexcept Exception:\n    pass\n",
    "other": "def open(path):\n    return path\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    try:
        locate("cp27", os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    (tmp_path / "f.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [*OPENS, *DOES_NOT])
def test_a_package_is_warned_of_where_its_import_fails_in_the_sandbox(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = (OPENS | DOES_NOT)[name]
    files = {"pack/__init__.py": f"from . import {name}\n", f"pack/{name}.py": text, "pack/data.txt": "x\n"}
    made = wheel(folder, "made", tag="py2-none-any", files=files)
    (folder / "udfs.yaml").write_text(MANIFEST % (made.name, "false"))
    tested, said = run(["test"]), capsys.readouterr()
    fails = name in OPENS
    assert (tested, f"pack/{name}.py:" in said.err, "E756" in said.err) == (9 if fails else 0, fails, fails), said
    assert ("open has been blocked by sandbox" in said.out) == fails
    if fails:
        (folder / "udfs.yaml").write_text(MANIFEST % (made.name, "true"))
        tested, said = run(["test"]), capsys.readouterr()
        assert (tested, "E756" in said.err) == (0, False), said
