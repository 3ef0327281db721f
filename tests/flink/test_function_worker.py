"""Functions in a process that stands where a worker of Flink does; PyFlink's wrappers are stood for by classes of their names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.flink.functions import FlinkFunction
from reconciler.local.runner import FunctionNotLoadable, FunctionRaised, WorkerDied, WorkerTimedOut
from reconciler.targets.flink.local_runtime import FunctionProgram
from reconciler.testing.trials import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

# What PyFlink 1.20 gives of udf(), udtf() and udaf() has these names and these attributes.
WRAPPERS = """\
class Wrapper:
    def __init__(self, func, func_type="general"):
        self._func, self._func_type = func, func_type

class UserDefinedScalarFunctionWrapper(Wrapper): pass
class UserDefinedTableFunctionWrapper(Wrapper): pass
class UserDefinedAggregateFunctionWrapper(Wrapper): pass
"""

SOURCE = """\
import os, time
from pyflink.table.udf import *

class Near:
    def open(self, context):
        self.names = open("data/mydata/names.txt").read().split()

    def eval(self, word):
        print("asked", word)
        return word in self.names

near = UserDefinedScalarFunctionWrapper(Near())

@UserDefinedTableFunctionWrapper
def letters(word):
    yield from word

class Count:
    def create_accumulator(self): return [0]
    def accumulate(self, accumulator, word): accumulator[0] += 1
    def get_value(self, accumulator): return accumulator[0]

counted = UserDefinedAggregateFunctionWrapper(Count())
divided = UserDefinedScalarFunctionWrapper(lambda number: 1 // number)
@UserDefinedScalarFunctionWrapper
def appended(word):
    with open("data/mydata/names.txt", "a+") as names:
        names.write(word)
        names.seek(0)
        return names.read()

killed = UserDefinedScalarFunctionWrapper(lambda number: os._exit(3))
slow = UserDefinedScalarFunctionWrapper(lambda number: time.sleep(60))
plain = len
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., FlinkFunction]:
    modules, archives = tmp_path / "python-files", tmp_path / "python-archives"
    (modules / "pyflink" / "table").mkdir(parents=True)
    (modules / "pyflink" / "table" / "udf.py").write_text(WRAPPERS)
    (modules / "udfs.py").write_text(SOURCE)
    (archives / "data" / "mydata").mkdir(parents=True)
    (archives / "data" / "mydata" / "names.txt").write_text("ab cd")

    def start(name: str, timeout: float = 60) -> FlinkFunction:
        return FlinkFunction(Path(sys.executable), ("udfs", name), archives, [modules], timeout, lambda: False)

    return start


def test_a_function_opens_its_files_where_a_worker_does_and_what_it_prints_is_kept(
    load: Callable[..., FlinkFunction],
) -> None:
    function = load("near")
    assert function.kind == "udf"
    assert function.call([["ab"], ["x"]], None) == [True, False]
    assert "asked ab" in str(function.log)
    assert function.call([["cd"]], None) == [True]
    assert "asked ab" not in str(function.log)


def test_rows_of_table_functions_are_lists_and_an_aggregate_takes_all_rows(load: Callable[..., FlinkFunction]) -> None:
    assert load("letters").call([["ab"]], None) == [["a"], ["b"]]
    assert load("counted").call([["ab"], ["cd"]], None) == [2]


def test_what_a_function_raises_is_told_with_its_own_frames_alone(load: Callable[..., FlinkFunction]) -> None:
    function = load("divided")
    with pytest.raises(FunctionRaised) as caught:
        function.call([[0]], None)
    assert caught.value.exception == "ZeroDivisionError: integer division or modulo by zero"
    assert "__main__" not in caught.value.traceback
    assert function.call([[1]], None) == [1]


def test_what_pyflink_did_not_wrap_is_no_function(load: Callable[..., FlinkFunction]) -> None:
    with pytest.raises(FunctionNotLoadable, match="plain is nothing that udf"):
        load("plain")


def test_a_process_that_ends_or_hangs_is_told(load: Callable[..., FlinkFunction]) -> None:
    with pytest.raises(WorkerDied, match="exit code 3"):
        load("killed").call([[1]], None)
    with pytest.raises(WorkerTimedOut):
        load("slow").call([[1]], 0.5)


def test_what_a_function_writes_into_an_archive_is_gone_with_its_process(
    load: Callable[..., FlinkFunction], tmp_path: Path
) -> None:
    load("near").close()
    modules, data = tmp_path / "python-files", {"data": tmp_path / "python-archives" / "data"}
    program = FunctionProgram("3.11", Path(sys.executable), ("udfs", "appended"), {}, data, {}, {}, (modules,))
    for _ in range(2):
        session = program.start(Bounds(60), lambda: False)
        assert session.function.call([["!"]], None) == ["ab cd!"]
        session.close()
