"""``udfs test`` as a process: interrupted, bounded, reported to a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from reconciler.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

UDFS = [sys.executable, "-m", "reconciler"]

SOURCE = """\
from odps.udf import annotate


@annotate("string->bigint")
class Says(object):
    def evaluate(self, path):
        open(path, "w").close()
        while True:
            pass


@annotate("bigint->bigint")
class Eats(object):
    def evaluate(self, size):
        return len(bytearray(size))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "f.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def manifest(folder: Path, *tests: str, name: str = "Says") -> None:
    lines = [
        "stack: s",
        "python: cp311",
        "functions:",
        "  f:",
        "    source: f.py",
        f"    class: {name}",
        "    isolation: true",
    ]
    lines.append("    tests:")
    (folder / "udfs.yaml").write_text("\n".join([*lines, *(f"      - {one}" for one in tests)]) + "\n")


def test_ctrl_c_ends_the_tests_that_run(folder: Path) -> None:
    begun = folder / "begun"
    manifest(folder, f"{{args: ['{begun}'], returns: 1}}")
    process = subprocess.Popen([*UDFS, "test"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_a_test_has_only_so_much_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(folder, f"{{args: ['{os.devnull}'], returns: 1}}")
    assert run(["test", "--timeout", "5"]) == 9
    output = capsys.readouterr()
    assert "Says did not answer in 5 s, at row 1" in output.out
    assert "--timeout SECONDS lets it take longer" in output.out + output.err


def test_a_test_says_how_long_it_may_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(folder, f"{{args: ['{os.devnull}'], returns: 1, timeout: 1}}")
    assert run(["test"]) == 9
    assert "Says did not answer in 1 s, at row 1" in capsys.readouterr().out
    assert run(["apply", "--yes"]) == 0
    assert run(["verify"]) == 9
    assert "Says did not answer in 1 s, at row 1" in capsys.readouterr().out
    manifest(folder, f"{{args: ['{os.devnull}'], returns: 1, timeout: 0}}")
    assert run(["validate"]) == 3


def test_a_test_has_only_so_much_memory_and_a_report_is_written(folder: Path) -> None:
    manifest(folder, "{args: [1000], returns: 1000}", "{args: [100000000], raises: MemoryError}", name="Eats")
    assert run(["test", "--memory", "64", "--junit", "report.xml"]) == 0
    (suite,) = ET.parse(folder / "report.xml").getroot()
    assert [one.get("name") for one in suite] == ["1: f(1000)", "2: f(100000000)"]


def test_a_report_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(folder, "{args: [1], returns: 1}", name="Eats")
    assert run(["test", "--junit", "nowhere/report.xml"]) == 3
    assert "'nowhere/report.xml' cannot be written: No such file or directory" in capsys.readouterr().err


TWO = """\
stack: s
python: cp311
functions:
  f: {source: f.py, class: F, tests: [{args: [1], returns: 2}]}
  g: {source: g.py, class: F, tests: [{args: [1], returns: 2}]}
"""
ADDS = '@annotate("bigint->bigint")\nclass F(object):\n    def evaluate(self, x):\n        return x + {n}\n'


def test_watching_runs_what_a_saved_file_changes_and_ends_by_ctrl_c(folder: Path) -> None:
    def save(name: str, n: str) -> None:
        (folder / name).write_text("from odps.udf import annotate\n" + ADDS.replace("{n}", n))

    (folder / "udfs.yaml").write_text(TWO)
    save("f.py", "1")
    save("g.py", "1")
    log = folder / "log"
    seen = 0
    with log.open("wb") as out:
        child = subprocess.Popen([*UDFS, "test", "--watch"], stdout=out, stderr=out, start_new_session=True)

    def wait_for(*texts: str) -> None:
        """Wait for texts in what was printed since the last time, which then is forgotten."""
        nonlocal seen
        while not all(text in log.read_text()[seen:] for text in (*texts, "Ctrl-C ends")):
            assert child.poll() is None, log.read_text()
            time.sleep(0.05)
        seen = len(log.read_text())

    try:
        wait_for("2 passed")
        save("f.py", "2")
        wait_for("FAIL", "f(1)", "1 function of 2 to test")
        (folder / "udfs.yaml").write_text(TWO.replace("stack: s", "stakc: s"))
        wait_for("did you mean 'stack'")
        (folder / "udfs.yaml").write_text(TWO)
        wait_for("1 function of 2 to test", "FAIL")
        save("f.py", "1")
        wait_for("1 passed")
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    finally:
        child.kill()
        child.wait()
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)
    assert "\x1b" not in log.read_text(), "off a terminal nothing is cleared"


@pytest.mark.parametrize("more", [["--changed"], ["--junit", "x.xml"], ["--format", "json"]])
def test_watching_is_for_people(folder: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    manifest(folder, "{args: [1], returns: 1}")
    assert run(["test", "--watch", *more]) == 3
    assert "E901" in "".join(capsys.readouterr())
