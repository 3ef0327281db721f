"""What wheels need and do not declare, against what a CPython says when it imports them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.checks.python.wheel_imports import loading_facts
from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, failures, locate
from reconciler.packages.content import read_content
from tests.builders import wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WHOLE = os.environ.get("UDFS_PROOF") == "whole"
MANIFEST = """\
stack: needs
python: {}
packages: {{p: {{requirements: {}, prefer_binary: true}}}}
functions: {{f: {{source: f.py, class: F, packages: [p], isolation: true}}}}
"""
FUNCTION = """\
from odps.udf import annotate

@annotate("->string")
class F(object):
    def evaluate(self):
        import {0}
        return {0}.__name__
"""
USED = {
    "requests": "requests",
    "python-dateutil": "dateutil",
    "jinja2": "jinja2",
}
"""Requirement → module: some of those that most people have."""

MORE = {
    "attrs": "attr",
    "beautifulsoup4": "bs4",
    "boto3": "boto3",
    "cffi": "cffi",
    "click": "click",
    "cryptography": "cryptography",
    "flask": "flask",
    "jieba": "jieba",
    "joblib": "joblib",
    "jsonschema": "jsonschema",
    "lightgbm": "lightgbm",
    "lxml": "lxml",
    "matplotlib": "matplotlib",
    "networkx": "networkx",
    "nltk": "nltk",
    "numpy": "numpy",
    "pandas": "pandas",
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "psutil": "psutil",
    "pymysql": "pymysql",
    "pytz": "pytz",
    "PyYAML": "yaml",
    "redis": "redis",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "setuptools": "setuptools",
    "simplejson": "simplejson",
    "six": "six",
    "sqlalchemy": "sqlalchemy",
    "statsmodels": "statsmodels",
    "urllib3": "urllib3",
}
"""Tried at night, with the others."""

SURE = {
    "plain": "import udfs_absent\n",
    "from_it": "from udfs_absent.part import x\n",
    "through_another": "from sure import plain\n",
    "in_a_class": "class A(object):\n    import udfs_absent\n",
    "finally_": "try:\n    pass\nfinally:\n    import udfs_absent\n",
    "other_error": "try:\n    import udfs_absent\nexcept KeyError:\n    pass\n",
    "own_error": "try:\n    import udfs_absent\nexcept udfs_absent.Error:\n    pass\n",
    "called": "__import__('udfs_absent').declare_namespace(__name__)\n",
}
UNSURE = {
    "guarded": "try:\n    import udfs_absent\nexcept ImportError:\n    udfs_absent = None\n",
    "guarded_by_all": "try:\n    import udfs_absent\nexcept:\n    pass\n",
    "checked": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import udfs_absent\n",
    "inside": "def f():\n    import udfs_absent\n",
    "text": "'''\nimport udfs_absent\n'''\n",
    "own": "import unsure.udfs_here\nfrom unsure import udfs_here\nfrom . import udfs_here\n",
    "udfs_here": "",
    "standard": "import os.path, json\nfrom collections import OrderedDict\n",
    "redirected": "import sys\nsys.modules['carried'] = sys\nimport carried\n",
}


def _failures(python: str, archives: Sequence[tuple[str, Path]], names: Sequence[str]) -> Mapping[str, str]:
    try:
        interpreter = locate(python, os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    answer = failures(interpreter, archives, names)
    assert answer is not None
    return answer


@pytest.mark.parametrize("python", ["cp27", "cp37", "cp311"])
def test_what_is_said_to_be_imported_is_missed_by_a_cpython(tmp_path: Path, python: str) -> None:
    texts = {"sure": SURE, "unsure": UNSURE}
    for package, modules in texts.items():
        files = {f"{package}/__init__.py": "", "vendored/carried.py": ""}
        files |= {f"{package}/{module}.py": text for module, text in modules.items()}
        for module in modules:  # each is reached by itself, from a module at the top
            files[f"top_{module}.py"] = f"import {package}.{module}\n"
        made = wheel(tmp_path / package, "made", tag="py2.py3-none-any", files=files)
        found = {needed.name for needed in loading_facts(read_content(made), python, tmp_path / "cache").outside}
        assert found == ({"udfs_absent"} if package == "sure" else set())
        tops = [f"top_{module}" for module in modules]
        assert {*_failures(python, [("made.zip", made)], tops)} == ({*tops} if package == "sure" else set())


@pytest.mark.parametrize("name", SURE)
@pytest.mark.parametrize("python", ["cp27", "cp37"])
def test_each_certain_way_to_import_counts(tmp_path: Path, python: str, name: str) -> None:
    files = {
        "sure/__init__.py": f"from . import {name}\n",
        f"sure/{name}.py": SURE[name],
        "sure/plain.py": SURE["plain"],
    }
    made = wheel(tmp_path, "made", tag="py2.py3-none-any", files=files)
    (needed,) = loading_facts(read_content(made), python, tmp_path / "cache").outside
    assert (needed.name, needed.file) == ("udfs_absent", "sure/plain.py" if "another" in name else f"sure/{name}.py")


def _lock(folder: Path, python: str, requirements: Sequence[str], module: str) -> None:
    (folder / "udfs.yaml").write_text(MANIFEST.format(python, [*requirements]))
    (folder / "f.py").write_text(FUNCTION.format(module))
    os.chdir(folder)


def _warnings(text: str) -> list[tuple[str, str]]:
    """Return the imported name and the help of each warning."""
    text = re.sub(r"\s+", " ", text)
    return re.findall(r"E429\]: '[^']+' imports '(\w+)'.*?help: (.*?)(?= of 'p')", text)


def test_a_dependency_that_is_not_declared_is_named_by_lock_and_validate_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pyfiglet 0.8 imports pkg_resources, and requires nothing."""
    monkeypatch.chdir(tmp_path)
    _lock(tmp_path, "cp37", ["pyfiglet==0.8.post1"], "pyfiglet")
    code, said = run(["lock"]), capsys.readouterr().err
    if "E475" in said:
        pytest.skip("the package index cannot be reached")
    assert (code, _warnings(said)) == (0, [("pkg_resources", "add 'setuptools' to the requirements")]), said
    assert (run(["validate"]), _warnings(capsys.readouterr().err)[0][0]) == (0, "pkg_resources")
    _lock(tmp_path, "cp37", ["pyfiglet==0.8.post1", "setuptools"], "pyfiglet")
    assert (run(["lock"]), run(["apply", "--yes"]), _warnings(capsys.readouterr().err)) == (0, 0, [])
    _failures("cp37", [], [])  # skips where there is no CPython of it
    assert (run(["call", "f"]), capsys.readouterr().out.strip()) == (0, "pyfiglet")


@pytest.mark.parametrize("python", ["cp37", "cp311", "cp27"] if WHOLE else ["cp37"])
@pytest.mark.parametrize(("requirement", "module"), (USED | MORE if WHOLE else USED).items())
def test_of_what_most_people_use_nothing_is_said_that_is_not_so(
    tmp_path: Path,
    python: str,
    requirement: str,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if python == "cp27":
        monkeypatch.setenv("UDFS_PYTHON_CP27", str(request.getfixturevalue("cp27m")))
    monkeypatch.chdir(tmp_path)
    _lock(tmp_path, python, [requirement], module)
    code, said = run(["lock"]), capsys.readouterr().err
    if code != 0:
        pytest.skip(f"cannot be locked here: {said[-300:]}")
    missed = {name for name, _ in _warnings(said)}
    code, answer = run(["apply", "--yes"]), capsys.readouterr()
    if code != 0:  # what the gate refuses is not at issue
        pytest.skip(f"refused: {answer.err[-300:]}")
    _failures(python, [], [])
    code, answer = run(["call", "f"]), capsys.readouterr()
    absent = set(re.findall(r"No module named '?(\w+)", answer.err))
    assert (code == 0, missed) == (not absent, absent), answer.err
