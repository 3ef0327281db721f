"""One run tells all that is wrong with a project: its manifest, its lock and its sources, however broken the rest is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
stack: shop
python: cp311
packages:
  words: {requirements: [inflection]}
functions:
  greet:
    source: greet.py
    class: Greet
    packages: [words]
  count:
    source: count.py
    class: Count
"""
CLASS = 'from odps.udf import annotate\n\n\n@annotate("string->string")\nclass {}:\n    def evaluate(self, text):\n        return text\n'
NO_LOCK = "udfs.yaml:4:3 E476"
"""The project has none, which is one of its problems in every run but where it cannot be known."""

BROKEN = {
    "nothing else": ([], {NO_LOCK}),
    "a misspelt key that is needed, and its source": (
        [("class: Greet", "clas: Greet"), ("class Greet:", "class Greet")],
        {NO_LOCK, "udfs.yaml:8:5 E214", "greet.py:5:12 E801"},
    ),
    "a wrong type, a file that is not there, and another source": (
        [("packages: [words]", "description: [x]"), ("count.py", "cuont.py"), ("class Greet:", "class Greeter:")],
        {"udfs.yaml:9:5 E202", "udfs.yaml:11:13 E305", "greet.py:5:7 E804", NO_LOCK},
    ),
    "a key at the top, and both sources": (
        [("stack:", "stak:"), ("class Greet:", "class Greet"), ("class Count:", "class Count")],
        {NO_LOCK, "udfs.yaml:1:1 E214", "greet.py:5:12 E801", "count.py:5:12 E801"},
    ),
    "a package whose own requirements are wrong, which is not missed where it is used": (
        [("[inflection]", "inflection"), ("class Count:", "class Count")],
        {"udfs.yaml:4:25 E202", "count.py:5:12 E801"},
    ),
    "a package that is called otherwise": ([("words:", "word:")], {"udfs.yaml:9:16 E301", NO_LOCK}),
    "the Python, without which nothing can be said of sources": (
        [("python: cp311", "python: 3.11"), ("class Greet:", "class Greet")],
        {"udfs.yaml:2:9 E203"},
    ),
    "the Python of one function": (
        [
            ("class: Greet", "class: Greet\n    python: 3.11"),
            ("class Greet:", "class Greet"),
            ("class Count:", "class Count"),
        ],
        {NO_LOCK, "udfs.yaml:9:13 E203", "count.py:5:12 E801"},
    ),
    "only the lock and a source": ([("class Greet:", "class Greet")], {NO_LOCK, "greet.py:5:12 E801"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_run_tells_all_that_can_be_known_and_nothing_that_follows_from_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, expected = BROKEN[name]
    texts = {"udfs.yaml": GOOD, "greet.py": CLASS.format("Greet"), "count.py": CLASS.format("Count")}
    for old, new in changes:
        [file] = [file for file, text in texts.items() if old in text]
        texts[file] = texts[file].replace(old, new)
    for file, text in texts.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 3
    told = re.findall(r"^(\S+:\d+:\d+): error\[(\w+)\]", capsys.readouterr().err, re.MULTILINE)
    assert {" ".join(each) for each in told} == expected
    assert run(["lock"]) in (0, 3)
    assert "E476" not in capsys.readouterr().err, "who writes the lock need not hear that there is none"
