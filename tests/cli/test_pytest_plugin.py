"""The fixture ``udf``, in a run of pytest of its own, as in a user's project."""

from __future__ import annotations

import pytest

from tests.local.conftest import interpreter_or_reason

pytest_plugins = ["pytester"]

MANIFEST = """\
stack: s
python: cp37
functions:
  ratio: {source: f.py, class: Ratio}
  split: {source: f.py, class: Split, python: cp27}
  total: {source: f.py, class: Total}
  pairs: {source: f.py, class: Pairs}
  crash: {source: f.py, class: Crash}
"""

SOURCE = """\
from __future__ import print_function
import os
from odps.udf import BaseUDAF, BaseUDTF, annotate


@annotate("bigint,bigint->double")
class Ratio(object):
    def evaluate(self, a, b):
        print("dividing", a, "by", b)
        return float(a) / b


@annotate("string->string,bigint")
class Split(BaseUDTF):
    def process(self, text):
        for word in text.split():
            self.forward(word, len(word))


class Sum(BaseUDAF):
    def new_buffer(self):
        return [0]

    def iterate(self, buffer, *values):
        buffer[0] += sum(value or 0 for value in values)

    def merge(self, buffer, other):
        buffer[0] += other[0]

    def terminate(self, buffer):
        return buffer[0]


@annotate("bigint->bigint")
class Total(Sum):
    pass


@annotate("bigint,bigint->bigint")
class Pairs(Sum):
    pass


@annotate("bigint->bigint")
class Crash(object):
    def evaluate(self, number):
        print("about to")
        if number:
            os._exit(number)
        return os.getpid()
"""

TESTS = """\
import pytest
from reconciler.pytest_plugin import UdfFailed


def test_values(udf):
    assert udf.ratio(1, 3) == pytest.approx(1 / 3)
    assert udf.RATIO(1, 2) == udf["ratio"](1, 2) == 0.5
    assert udf.ratio.over([(1, 2), (3, 2)]) == [0.5, 1.5]


def test_rows(udf):
    assert udf.split("to be") == [("to", 2), ("be", 2)]
    assert udf.split.over(["a b", "c"]) == [("a", 1), ("b", 1), ("c", 1)]


def test_aggregates(udf):
    assert udf.total([1, 2, None]) == 3
    assert udf.total([]) == 0
    assert udf.pairs([(1, 2), (3, None)]) == 6


def test_a_process_is_kept_until_it_dies(udf):
    first = udf.crash(0)
    assert udf.crash(0) == first
    with pytest.raises(UdfFailed, match="ended with exit code 3 at row 1"):
        udf.crash(3)
    assert udf.crash(0) != first


def test_what_is_expected_to_fail(udf):
    with pytest.raises(UdfFailed, match="ZeroDivisionError"):
        udf.ratio(1, 0)


def test_a_wrong_value(udf):
    assert udf.ratio(1, 2) == 2


def test_an_exception(udf):
    udf.ratio(1, 0)


def test_a_crash(udf):
    udf.crash(4)


def test_a_wrong_argument(udf):
    udf.ratio("one", 2)


def test_no_such_function(udf):
    udf.rato(1, 2)


def test_one_argument_too_many(udf):
    udf.total([1], [2])
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # pytester gives the run a home of its own, where no CPython would be found.
    for runtime in ("cp27", "cp37"):
        found = interpreter_or_reason(runtime)
        if isinstance(found, str):
            pytest.skip(found)
        monkeypatch.setenv(f"UDFS_PYTHON_{runtime.upper()}", str(found.path))
    pytester.path.joinpath("udfs.yaml").write_text(MANIFEST)
    pytester.path.joinpath("f.py").write_text(SOURCE)
    return pytester


def test_functions_are_called_from_tests(project: pytest.Pytester) -> None:
    folder = project.mkdir("tests")
    folder.joinpath("test_functions.py").write_text(TESTS)
    done = project.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=5, failed=6)
    done.stdout.no_fnmatch_line("*pytest_plugin.py:*")
    done.stdout.fnmatch_lines(
        [
            "*assert 0.5 == 2*",
            "*Captured stdout call*",
            "dividing 1 by 2",
            "E*UdfFailed: f__*.Ratio raised ZeroDivisionError: float division by zero at row 1",
            'E*File "f__*.py", line 10, in evaluate',
            "E*return float(a) / b",
            "E*printed:",
            "E*dividing 1 by 0",
            "E*UdfFailed: the process of f__*.Crash ended with exit code 4 at row 1",
            "E*about to",
            "E*UdfFailed: f__*.Ratio cannot take its arguments at row 1: argument 1: 'one' is no BIGINT",
            "E*AttributeError: the manifest has no function 'rato'; did you mean 'ratio'[?]",
            "E*TypeError: total is an aggregate and takes one argument, the list of its rows",
        ]
    )


def test_what_stops_every_function_is_told_without_a_traceback(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(udf): udf.ratio(1, 2)")
    project.makeini("[pytest]\nudfs_manifest = other/udfs.yaml\nudfs_timeout = 5")
    other = project.mkdir("other")
    other.joinpath("udfs.yaml").write_text("stack: s\nfunctions: {ratio: {source: f.py, clas: Ratio}}\n")
    done = project.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["other/udfs.yaml:2:35: error?E214?: unknown key 'clas'"])
    done.stdout.no_fnmatch_line("*During handling*")


def test_a_manifest_is_looked_for_upwards(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(udf): pass")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["no udfs.yaml in * or above it; udfs_manifest in pytest's ini file names another"])


EVENTS = """\
stack: s
target: {kind: fc}
functions:
  double: {runtime: python3.10, source: fn, handler: index.handler}
  spell: {runtime: python3.10, source: fn, handler: index.spell}
  broken: {runtime: python3.10, source: fn, handler: index.broken}
"""
HANDLERS = """\
import json
import os

def handler(event, context):
    print("doubling in", os.getpid())
    return {"twice": 2 * json.loads(event)["number"], "process": os.getpid()}

def spell(event, context):
    return event.decode().upper()

def broken(event, context):
    return {}[event.decode()]
"""


def test_functions_that_take_events_are_called_and_their_processes_stay(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", udfs=EVENTS)
    (pytester.mkdir("fn") / "index.py").write_text(HANDLERS)
    pytester.makepyfile(
        """
        import pytest
        from reconciler.pytest_plugin import UdfFailed

        def test_values(udf, capsys):
            first, second = udf.double({"number": 2}), udf["double"]({"number": 4})
            assert (first["twice"], second["twice"]) == (4, 8)
            assert first["process"] == second["process"]
            assert "doubling in" in capsys.readouterr().out
            assert udf.spell("ab") == "AB"
            assert udf.spell.raw(b"cd") == b"CD"

        def test_failures(udf):
            with pytest.raises(UdfFailed, match="broken raised KeyError: 'x'") as failure:
                udf.broken("x")
            assert "return {}[event.decode()]" in str(failure.value)
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)
