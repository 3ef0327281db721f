"""Bases and classes that a function has from other modules of its own are followed, as far as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.checks.test_project import GOOD, tell, wheel

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """
stack: s
functions:
  f: {source: f.py, class: F, modules: [base.py, middle.py, common]}
"""
HEAD = "from odps.udf import annotate, BaseUDAF, BaseUDTF\n"
BASE = (
    HEAD
    + """
class Evaluates(object):
    def evaluate(self, text): return self.clean(text)
class Nothing(object):
    pass
class Table(BaseUDTF):
    def emit(self, *row): self.forward(*row)
class Aggregate(BaseUDAF):
    def new_buffer(self): return [0]
    def merge(self, buffer, other): pass
    def terminate(self, buffer): return buffer[0]
@annotate("->string")
class Whole(object):
    def evaluate(self): return "x"
class Unsigned(object):
    def evaluate(self): return "x"
assigned = Whole
"""
)
MIDDLE = (
    HEAD
    + """
import base
from base import Whole as Renamed
from base import Evaluates
class Middle(base.Evaluates):
    pass
"""
)
SIGNED = "\n@annotate('string->string')\n"
CASES = {
    "a base with the method": ("from base import Evaluates" + SIGNED + "class F(Evaluates): pass", []),
    "a base of a base, of a third module": ("import middle" + SIGNED + "class F(middle.Middle): pass", []),
    "a base through an import there": ("from middle import Evaluates" + SIGNED + "class F(Evaluates): pass", []),
    "a base without the method": ("from base import Nothing" + SIGNED + "class F(Nothing): pass", [("E805", 4, "F")]),
    "a base that is not there": ("from base import Missing" + SIGNED + "class F(Missing): pass", []),
    "a base of a package": ("from elsewhere import X  # udfs: ignore[E816]" + SIGNED + "class F(X): pass", []),
    "a table function whose base forwards": (
        "from base import Table\nclass F(Table):\n    def process(self, *row): self.emit(*row)",
        [],
    ),
    "an aggregate that lacks one method": (
        "from base import Aggregate\n@annotate('bigint->bigint')\nclass F(Aggregate): pass",
        [("E806", 4, "F")],
    ),
    "an own method is judged as ever": (
        "from base import Aggregate\n@annotate('bigint->bigint')\nclass F(Aggregate):\n    def iterate(self, buffer): pass",
        [("E809", 5, "iterate")],
    ),
    "a class of another module": ("from base import Whole as F", []),
    "a class of another module, through a third": ("from middle import Renamed as F", []),
    "a class of another module without a signature": ("from base import Unsigned as F", [("E807", 2, "from")]),
    "a class of another module without the method": ("from base import Nothing as F", [("E805", 2, "from")]),
    "a class that is not in the module": ("from base import Whale as F", [("E804", 2, "from")]),
    "what is assigned there cannot be seen": ("from base import assigned as F", []),
}


@pytest.mark.parametrize("runtime", ["cp27", "cp37"])
@pytest.mark.parametrize("sentence", CASES)
def test_other_modules_are_followed(tmp_path: Path, sentence: str, runtime: str) -> None:
    source, expected = CASES[sentence]
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").touch()
    manifest = MANIFEST.replace("stack: s", f"stack: s\npython: {runtime}")
    found = tell(tmp_path, manifest, f__py=HEAD + source + "\n", base__py=BASE, middle__py=MIDDLE)
    told = [(one.code, one.at.line, (one.source or "")[one.at.column - 1 :][: one.width]) for one in found if one.at]
    assert [(code, line) for code, line, _ in told] == [(code, line) for code, line, _ in expected]
    assert all(shown.startswith(word) for (_, _, shown), (_, _, word) in zip(told, expected, strict=True))


def test_a_change_in_a_base_is_noticed(tmp_path: Path) -> None:
    """What is remembered of a file depends on the modules that its class has bases in."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").touch()
    source = HEAD + CASES["a base with the method"][0] + "\n"
    assert not tell(tmp_path, MANIFEST, f__py=source, base__py=BASE, middle__py=MIDDLE)
    (found,) = tell(tmp_path, MANIFEST, f__py=source, base__py=BASE.replace("evaluate", "other"), middle__py="X = 1\n")
    assert found.code == "E805"


LATE = {
    "the entry module imports it at its top": ("import helper\n", "import helper; return str(helper)", ["E815"]),
    "a method imports it": ("", "import helper; return str(helper)", []),
    "another module imports it at its top, and the entry that one": (
        "import between\n",
        "return str(between)",
        ["E815"],
    ),
    "another module imports it, and a method that one": ("", "import between; return str(between)", []),
}


@pytest.mark.parametrize("sentence", LATE)
def test_a_module_that_a_method_imports_may_import_packages_at_its_top(tmp_path: Path, sentence: str) -> None:
    top, body, expected = LATE[sentence]
    wheel(tmp_path, "a-1-py3-none-any.whl", "alpha/__init__.py")
    manifest = """
stack: s
packages: {a: {wheels: [dist/a-1-py3-none-any.whl]}}
functions: {f: {source: f.py, class: F, packages: [a], modules: [helper.py, between.py]}}
"""
    source = top + GOOD.format("F", body)
    found = tell(tmp_path, manifest, f__py=source, helper__py="import alpha\n", between__py="import helper\n")
    assert [one.code for one in found] == expected
    assert all(one.at and one.at.file == "here/helper.py" for one in found)
