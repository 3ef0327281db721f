"""SQL with Python functions, as PyODPS sends it and reads what comes of it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from odps import errors, options

Register = Callable[[str], str]

ADD = """
    @annotate("bigint,bigint->bigint")
    class F(object):
        def evaluate(self, a, b):
            return None if a is None or b is None else a + b
"""
SHOUT = """
    @annotate("string->string")
    class F(object):
        def evaluate(self, text):
            if text == "boom":
                raise ValueError("not that")
            return None if text is None else text.upper() + "!"
"""
WORDS = """
    @annotate("string->string,bigint")
    class F(BaseUDTF):
        def process(self, text):
            for number, word in enumerate((text or "").split()):
                self.forward(word, number)
"""
MEAN = """
    @annotate("double->double")
    class F(BaseUDAF):
        def new_buffer(self):
            return [0.0, 0]

        def iterate(self, buffer, value):
            if value is not None:
                buffer[0] += value
                buffer[1] += 1

        def merge(self, buffer, other):
            buffer[0] += other[0]
            buffer[1] += other[1]

        def terminate(self, buffer):
            return buffer[0] / buffer[1] if buffer[1] else None
"""

NUMBERS = "VALUES (1L, 'x'), (2L, 'x'), (CAST(NULL AS BIGINT), 'y'), (4L, 'y') t(a, g)"
TEXTS = "VALUES (1L, 'to be or'), (2L, NULL), (3L, 'not') t(a, s)"


@pytest.fixture
def register(odps: Any, unique: Callable[[str], str]) -> Register:
    """Deploy a function and return its name."""

    def made(source: str) -> str:
        name = unique("f.py").removesuffix(".py")
        head = "# coding: utf-8\nfrom odps.udf import BaseUDAF, BaseUDTF, annotate\n\n"
        resource = odps.create_resource(f"{name}.py", "py", file_obj=(head + textwrap.dedent(source)).encode())
        odps.create_function(name, class_type=f"{name}.F", resources=[resource])
        return name

    return made


@pytest.fixture
def ask(odps: Any) -> Callable[..., list[list[Any]]]:
    """Run a statement and return its rows."""

    def asked(sql: str, python: str = "cp311", **hints: str) -> list[list[Any]]:
        instance = odps.execute_sql(sql, hints={"odps.sql.python.version": python, **hints})
        with instance.open_reader(tunnel=False) as reader:
            return [list(record.values) for record in reader]

    return asked


Ask = Callable[..., list[list[Any]]]


def test_a_function_is_called_wherever_an_expression_may_stand(ask: Ask, register: Register) -> None:
    add, shout = register(ADD), register(SHOUT)
    rows = ask(
        f"SELECT {shout}(g) AS g, SUM({add}({add}(a, 1), a)) AS n FROM {NUMBERS} "
        f"WHERE {add}(a, 1) > 2 OR a IS NULL GROUP BY {shout}(g) HAVING COUNT(*) > 0 ORDER BY n DESC LIMIT 9"
    )
    assert rows == [["Y!", 9], ["X!", 5]]


def test_a_condition_keeps_rows_from_a_function(ask: Ask, register: Register) -> None:
    shout = register(SHOUT)
    assert ask(f"SELECT CASE WHEN s <> 'boom' THEN {shout}(s) ELSE 'kept' END FROM VALUES ('a'), ('boom') t(s)") == [
        ["A!"],
        ["kept"],
    ]


def test_a_table_function_gives_rows(ask: Ask, register: Register) -> None:
    words = register(WORDS)
    assert ask(f"SELECT {words}(s) AS (w, n) FROM {TEXTS}") == [["to", 0], ["be", 1], ["or", 2], ["not", 0]]
    assert ask(f"SELECT {words}(s) AS (w, n) FROM {TEXTS} ORDER BY w LIMIT 2") == [["be", 1], ["not", 0]]


def test_a_lateral_view_joins_rows_to_those_they_come_from(ask: Ask, register: Register) -> None:
    words = register(WORDS)
    rows = ask(f"SELECT t.a, v.w FROM {TEXTS} LATERAL VIEW {words}(s) v AS w, n WHERE n < 2 ORDER BY a, w LIMIT 99")
    assert rows == [[1, "be"], [1, "to"], [3, "not"]]
    outer = ask(f"SELECT a, w FROM {TEXTS} LATERAL VIEW OUTER {words}(s) v AS w, n WHERE a > 1 ORDER BY a LIMIT 99")
    assert outer == [[2, None], [3, "not"]]


def test_an_aggregate_merges_the_parts_of_a_group(ask: Ask, register: Register) -> None:
    mean = register(MEAN)
    assert ask(f"SELECT g, {mean}(a), COUNT(*) FROM {NUMBERS} GROUP BY g ORDER BY g LIMIT 9") == [
        ["x", 1.5, 2],
        ["y", 4.0, 2],
    ]
    assert ask(f"SELECT {mean}(a) FROM {NUMBERS} WHERE a > 100") == [[None]]
    assert ask(f"SELECT {mean}(DISTINCT a % 2) FROM {NUMBERS}") == [[0.5]]


@pytest.mark.parametrize("runtime", ["cp27", "cp37", "cp311"])
def test_the_python_version_of_the_session_is_the_one_that_runs(ask: Ask, register: Register, runtime: str) -> None:
    version = register(
        """
        import sys
        @annotate("->string")
        class F(object):
            def evaluate(self):
                return "cp%d%d" % sys.version_info[:2]
        """
    )
    try:
        assert ask(f"SELECT {version}()", python=runtime) == [[runtime]]
    except errors.ODPSError as error:
        if "no CPython" not in str(error):
            raise
        pytest.skip(str(error))


def test_without_a_flag_it_is_python_2(odps: Any, register: Register) -> None:
    new = register(
        """
        @annotate("->string")
        class F:
            def evaluate(self):
                return f"new"
        """
    )
    with pytest.raises(errors.ODPSError) as caught:
        odps.execute_sql(f"SELECT {new}()")
    if "no CPython" in str(caught.value):
        pytest.skip(str(caught.value))
    assert "ODPS-0123055" in str(caught.value)
    assert "SyntaxError: invalid syntax" in str(caught.value)


def test_set_lines_may_stand_in_the_text(odps: Any, register: Register) -> None:
    options.sql.parse_set_as_hints, before = False, options.sql.parse_set_as_hints
    try:
        instance = odps.execute_sql(f"SET odps.sql.python.version=cp311;\n\nSELECT {register(ADD)}(1, 2) AS three;")
    finally:
        options.sql.parse_set_as_hints = before
    with instance.open_reader(tunnel=False) as reader:
        [record] = reader
        assert record["three"] == 3


def test_an_exception_fails_the_instance_with_its_traceback(odps: Any, register: Register) -> None:
    shout = register(SHOUT)
    instance = odps.run_sql(
        f"SELECT {shout}(s) FROM VALUES ('a'), ('boom') t(s)", hints={"odps.sql.python.version": "cp311"}
    )
    with pytest.raises(errors.ODPSError) as caught:
        instance.wait_for_success()
    told = str(caught.value)
    assert "ODPS-0123055:User script exception - Traceback (most recent call last):" in told
    assert f'File "{shout}.py", line 9, in evaluate' in told
    assert "ValueError: not that" in told
    assert not instance.is_successful()
    assert [task.status.name for task in instance.get_task_statuses().values()] == ["FAILED"]


@pytest.mark.parametrize(
    ("sql", "code", "told"),
    [
        ("SELECT nowhere_to_be(1)", "ODPS-0130071:[1,8]", "function or view 'nowhere_to_be' cannot be resolved"),
        ("SELECT a\nFROM nowhere_to_be", "ODPS-0130131:[2,6]", "Table not found"),
        ("SELECT b FROM VALUES (1) t(a)", "ODPS-0130071:[1,8]", "column b cannot be resolved"),
        ("SELECT a,\nFROM WHERE", "ODPS-0130161:[2,", "Parse exception"),
        ("SLEECT 1", "ODPS-0130161:[1,1]", "Parse exception - invalid token 'SLEECT'"),
        ("SELECT 'abc", "ODPS-0130161:[1,8]", "Parse exception"),
    ],
)
def test_what_is_no_statement_is_told_with_its_place(odps: Any, sql: str, code: str, told: str) -> None:
    with pytest.raises(errors.ODPSError) as caught:
        odps.execute_sql(sql)
    assert code in str(caught.value)
    assert told in str(caught.value)


def test_arguments_that_do_not_fit_are_told(odps: Any, register: Register) -> None:
    add = register(ADD)
    for given in ("1", "1, 2, 3"):
        with pytest.raises(errors.ODPSError, match=r"ODPS-0130221:\[1,8\]"):
            odps.execute_sql(f"SELECT {add}({given})", hints={"odps.sql.python.version": "cp311"})
    with pytest.raises(errors.ODPSError, match=r"cannot match any overloaded functions with \(STRING, INT\)"):
        odps.execute_sql(f"SELECT {add}(s, 1) FROM VALUES ('x') t(s)", hints={"odps.sql.python.version": "cp311"})


def test_what_an_instance_is_can_be_asked(odps: Any) -> None:
    instance = odps.execute_sql("SELECT 1 AS one, 'a' AS two")
    assert instance.is_terminated()
    assert instance.is_successful()
    assert instance.get_sql_query().strip().startswith("SELECT 1 AS one")
    [progress] = instance.get_all_task_progresses().values()
    assert progress.stages[0].finished_percentage == 100
    assert instance.start_time <= instance.end_time
    assert instance.get_logview_address().startswith("http")
    assert odps.get_instance(instance.id).is_successful()
    assert odps.exist_instance(instance.id)
    assert instance.id in [one.id for one in odps.list_instances()]
    assert not odps.exist_instance("20200101000000000gnone")
    with instance.open_reader(tunnel=False) as reader:
        assert [(column.name, column.type.name) for column in (reader._load_columns() or reader._csv_columns)] == [
            ("one", "int"),
            ("two", "string"),
        ]
