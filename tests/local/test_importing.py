"""A real CPython says which modules can be imported from archives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local.runner import failures
from tests.builders import wheel

if TYPE_CHECKING:
    from tests.local.conftest import Runner

MODULES = {
    "good/__init__.py": "import sys; sys.stdout.write('noise'); sys.stderr.write('noise')",
    "plain.py": "import good, neighbour",
    "lacking.py": "import nobody_has_this",
    "broken.py": "1/0",
    "quits.py": "raise SystemExit(3)",
    "exits.py": "import os; os._exit(3)",
    "crashes.py": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs.py": "import time; time.sleep(600)",
}


def test_each_module_succeeds_or_fails_alone(runner: Runner, tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", files={**MODULES})
    two = wheel(tmp_path, "two", files={"neighbour.py": ""})
    names = [name.partition("/")[0].removesuffix(".py") for name in MODULES]
    found = failures(runner.interpreter, [("one.zip", one), ("two.zip", two)], [*names, "absent"], seconds=2)
    assert found is not None
    assert found.keys() == {"lacking", "broken", "quits", "exits", "crashes", "hangs", "absent"}
    assert "nobody_has_this" in found["lacking"]
    assert found["broken"].startswith("ZeroDivisionError: ")
    assert found["quits"] == "SystemExit: 3"
    assert (found["exits"], found["crashes"]) == ("ended its process", "died of signal 11")
    assert found["hangs"] == "took longer than 2 s"


def test_an_interpreter_that_does_not_answer_tells_nothing(some_runner: Runner) -> None:
    for path in (Path("/bin/false"), Path("/nowhere/python")):
        assert failures(replace(some_runner.interpreter, path=path), [], ["sys"]) is None
