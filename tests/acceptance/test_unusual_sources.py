"""
What runs on the local service is not refused by the checks of sources: code that gives its class, its modules and its files as it runs.

The judge is a real CPython 3.7 behind the service: every function of the corpus is applied, and called.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate

if TYPE_CHECKING:
    from pathlib import Path

CLASS = "@annotate('bigint->bigint')\nclass F(object):\n"
PLAIN = f"{CLASS}    def evaluate(self, x): return x\n"
BARE = f"{CLASS}    pass\n"


def reading(statements: str) -> str:
    """Return a class whose constructor runs statements that make a `module` with a function f."""
    body = "".join(f"        {line}\n" for line in statements.split("; "))
    return f"{CLASS}    def __init__(self):\n{body}        self.module = module\n    def evaluate(self, x): return self.module.f(x)\n"


WRITES = (
    "open('{0}', 'w').write(get_cache_file('rules.txt').read()); sys.path.insert(0, os.getcwd()); import {1} as module"
)
RUNS = {
    "a decorator adds the method": f"def d(c):\n    c.evaluate = lambda self, x: x\n    return c\n@d\n{BARE}",
    "a line adds the method": f"{BARE}F.evaluate = lambda self, x: x\n",
    "setattr adds the method": f"{BARE}setattr(F, 'evaluate', lambda self, x: x)\n",
    "a metaclass adds the method": "class M(type):\n    def __new__(m, n, b, d):\n        return type.__new__(m, n, b, dict(d, evaluate=lambda s, x: x))\n"
    "@annotate('bigint->bigint')\nclass F(object, metaclass=M):\n    pass\n",
    "exec makes the class": f"exec({PLAIN!r})\n",
    "globals has the class": "globals()['F'] = annotate('bigint->bigint')(type('F', (object,), {'evaluate': lambda self, x: x}))\n",
    "a call annotates the class": "class F(object):\n    def evaluate(self, x): return x\nF = annotate('bigint->bigint')(F)\n",
    "a UDTF gets its method later": "@annotate('bigint->bigint')\nclass F(BaseUDTF):\n    pass\nF.process = lambda self, x: self.forward(x)\n",
    "a module that code makes": f"m = types.ModuleType('made')\nsys.modules['made'] = m\nimport made\n{PLAIN}",
    "a question before the import": f"import importlib.util\nif importlib.util.find_spec('pandas'):\n    import pandas\n{PLAIN}",
    "a folder of sys.path that is not there": f"sys.path.insert(0, 'work/old.zip')\n{PLAIN}",
    "a question before the folder": f"if os.path.isdir('work/old.zip'):\n    sys.path.append('work/old.zip')\n{PLAIN}",
    "a file that need not be there": f"try:\n    get_cache_file('absent.txt')\nexcept Exception:\n    pass\n{PLAIN}",
    "a FILE becomes a module": reading(WRITES.format("rules.py", "rules")),
    "a FILE becomes a module of another name": reading(WRITES.format("' + 'my_rules' + '.py", "my_rules")),
    "a module in an archive": reading("sys.path.insert(0, 'work/tools.zip'); import inside as module"),
    "a module deep in an archive": reading("sys.path.insert(0, 'work/tools.zip/lib/py'); import deep as module"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    try:
        locate("cp37", os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.txt").write_text("def f(x): return x\n")
    with ZipFile(tmp_path / "tools.zip", "w") as archive:
        archive.writestr("inside.py", "def f(x): return x\n")
        archive.writestr("lib/py/deep.py", "def f(x): return x\n")
    return tmp_path


def write(folder: Path, sources: dict[str, str]) -> None:
    head = "import os, sys, types\nfrom odps.distcache import get_cache_file\nfrom odps.udf import BaseUDTF, annotate\n"
    lines = [
        "stack: s",
        "python: cp37",
        "resources: {rules.txt: {file: rules.txt}, tools.zip: {file: tools.zip}}",
        "functions:",
    ]
    for number, source in enumerate(sources.values()):
        (folder / f"f{number}.py").write_text(head + source)
        result = "[[7]]" if "BaseUDTF" in source else "7"
        lines.append(
            f"  f{number}:\n    source: f{number}.py\n    class: F\n    resources: [rules.txt, tools.zip]\n    isolation: true"
        )
        lines.append(f"    tests: [{{args: [7], returns: {result}}}]")
    (folder / "udfs.yaml").write_text("\n".join(lines) + "\n")


def test_what_runs_is_not_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, RUNS)
    applied = run(["apply", "--yes"])
    assert applied == 0, capsys.readouterr().err
    tested = run(["test"])
    assert tested == 0, capsys.readouterr().out
    capsys.readouterr()
    assert (run(["call", f"f{len(RUNS) - 1}", "7"]), capsys.readouterr().out) == (0, "7\n")


def test_what_cannot_run_is_refused_all_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "rules.txt").write_text("name,rate\na,1\n")
    write(project, {"a FILE of rows, and no pandas": reading("import pandas as module"), "no method": BARE})
    assert run(["validate"]) == 3
    told = capsys.readouterr().err
    assert all(part in told for part in ("nothing provides 'pandas'", "error[E816]", "error[E805]"))
