"""What a job's SQL is cut into, and the program that is written of it."""

from __future__ import annotations

import ast
import traceback
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.targets.flink.causes import find_cause
from reconciler.targets.flink.graphs import find_changes, has_python_state, read_graph
from reconciler.targets.flink.head import Registration, program_text
from reconciler.targets.flink.programs import write_files_archive
from reconciler.targets.flink.statements import read_statements

if TYPE_CHECKING:
    from pathlib import Path

SQL = """\
-- what's to be read; with a quote
SET 'table.exec.mini-batch.enabled' = 'true';
CREATE TABLE words (word STRING) WITH ('path' = 'a;b', 'mark' = 'it''s'); /* ; */
EXECUTE STATEMENT SET BEGIN
INSERT INTO counts SELECT near(word) FROM words /*+ OPTIONS('a'='b;') */;
INSERT INTO others SELECT 1;
END;
"""


def test_statements_are_cut_at_semicolons_that_are_neither_quoted_nor_in_comments() -> None:
    statements = read_statements(SQL, "job.sql")
    assert [(statement.line, statement.text[:12]) for statement in statements] == [
        *((2, "SET 'table.e"), (3, "CREATE TABLE")),
        *((5, "INSERT INTO "), (6, "INSERT INTO ")),
    ]
    assert statements[0].setting == ("table.exec.mini-batch.enabled", "true")
    assert statements[1].text.endswith("'it''s')")
    assert statements[2].text.endswith("/*+ OPTIONS('a'='b;') */")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("INSERT INTO a\nSELECT 'x;", "job.sql:2: ' is not closed"),
        ("/* INSERT INTO a SELECT 1;", r"job.sql:1: /\* is not closed"),
        ("CREATE TABLE a (b INT);", "has no INSERT"),
        ("INSERT INTO a SELECT 1;\n\nSELECT 2;", "job.sql:3: the rows of SELECT go nowhere"),
    ],
)
def test_sql_that_is_no_job_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidManifest, match=says):
        read_statements(text, "job.sql")


def test_a_program_is_python_and_registers_functions_of_both_languages() -> None:
    functions = [Registration("near", "PYTHON", "udfs.near"), Registration("upper", "JAVA", "com.example.Upper")]
    text = program_text(functions, main=None, sql=SQL, name="job.sql", batch=True)
    ast.parse(text)
    assert "CREATE TEMPORARY SYSTEM FUNCTION `near` AS 'udfs.near' LANGUAGE PYTHON" in text
    assert "AS 'com.example.Upper' LANGUAGE JAVA" in text
    assert text == program_text(functions, main=None, sql=SQL, name="job.sql", batch=True)


def test_a_program_of_python_names_the_users_own() -> None:
    text = program_text([], main="/mnt/it's/main.py", sql=None)
    ast.parse(text)
    assert repr("/mnt/it's/main.py") in text


def test_files_lie_in_an_archive_that_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("2")
    (tmp_path / "a").write_text("1")
    files = {"b.csv": tmp_path / "b", "a.csv": tmp_path / "a"}
    write_files_archive(tmp_path / "one.zip", files)
    write_files_archive(tmp_path / "two.zip", dict(reversed(files.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with ZipFile(tmp_path / "one.zip") as archive:
        assert [archive.read(name) for name in ("a.csv", "b.csv")] == [b"1", b"2"]


def graph_of(*descriptions: str) -> object:
    """Return a graph as Flink answers it: its numbers differ from one planning to the next."""
    nodes = [{"id": f"{number:032x}", "description": text} for number, text in enumerate(descriptions)]
    return {"plan": {"nodes": nodes}}


SOURCE = (
    "[1]:TableSourceScan(table=[[default_catalog, default_database, g]], fields=[n])<br/>+- [2]:Calc(select=[n])<br/>"
)
COUNTED = "[4]:GroupAggregate(groupBy=[w], select=[w, COUNT(*) AS c])<br/>+- [5]:PythonCalc(select=[mark(w)])<br/>"


def test_the_state_fits_where_only_what_holds_none_changed() -> None:
    other = COUNTED.replace("[4]", "[14]").replace("mark(w)", "UPPER(mark(w))")
    assert find_changes(read_graph(graph_of(SOURCE, COUNTED)), read_graph(graph_of(SOURCE, other))) == ()


def test_aggregates_over_groups_are_those_whose_state_a_worker_in_python_keeps() -> None:
    kept = COUNTED.replace("GroupAggregate", "PythonGroupAggregate")
    assert has_python_state(read_graph(graph_of(SOURCE + kept)))
    assert not has_python_state(read_graph(graph_of(SOURCE + COUNTED)))


def test_a_changed_aggregation_is_told_with_both_texts() -> None:
    other = COUNTED.replace("COUNT(*)", "MAX(n)")
    assert find_changes(read_graph(graph_of(SOURCE, COUNTED)), read_graph(graph_of(SOURCE, other))) == (
        "- GroupAggregate(groupBy=[w], select=[w, COUNT(*) AS c])",
        "+ GroupAggregate(groupBy=[w], select=[w, MAX(n) AS c])",
    )


def test_operators_that_changed_places_do_not_fit() -> None:
    old, new = read_graph(graph_of(SOURCE, COUNTED)), read_graph(graph_of(COUNTED, SOURCE))
    assert find_changes(old, new) == ("the operators are connected in another way",)


JAVA = "An error occurred while calling o5.executeSql.\n: org.a.ValidationException: it cannot be made\n\tat a.B.c(B.java:1)\nCaused by: "


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("only Python's own", "RuntimeError: only Python's own"),
        (JAVA + "org.a.Inner: too deep\n\tat a.B.d(B.java:2)\n\t... 3 more\n", "org.a.Inner: too deep"),
        (
            JAVA + "py4j.Py4JException: Return Message: Traceback (most recent call last):\n"
            "  File \"udfs.py\", line 1, in <module>\nModuleNotFoundError: No module named 'x'\n\n\tat a.B.d(B.java:2)\n",
            "ModuleNotFoundError: No module named 'x'",
        ),
    ],
)
def test_a_failed_program_says_the_last_cause_be_it_javas_or_pythons(text: str, last: str) -> None:
    program = ast.parse(program_text([], main="/m.py", sql=None))
    [function] = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == "reason_of"]
    names: dict[str, Any] = {"traceback": traceback, "__file__": "/job.py"}
    exec(compile(ast.Module([function], []), "job.py", "exec"), names)  # noqa: S102 - this is the text that Flink runs
    assert names["reason_of"](RuntimeError(text)).splitlines()[-1] == last


def test_of_a_traceback_the_frames_of_the_users_own_are_shown() -> None:
    text = """\
Caused by: java.lang.RuntimeException: Error received from SDK harness
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/apache_beam/runners/worker/sdk_worker.py", line 295, in _execute
    response = task()
               ^^^^^^
  File "apache_beam/runners/worker/operations.py", line 526, in apache_beam.runners.worker.operations.Operation.output
  File "pyflink/fn_execution/beam/beam_operations_fast.pyx", line 169, in pyflink.fn_execution.beam.beam_operations_fast
  File "<string>", line 1, in <lambda>
  File "/tmp/pyflink/af70/udfs.py", line 18, in inverse
    return 1 // number
ZeroDivisionError: integer division or modulo by zero
\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient.handle(FnApiControlClient.java:180)
"""
    assert find_cause(text) == (
        "Traceback (most recent call last):",
        '  File "/tmp/pyflink/af70/udfs.py", line 18, in inverse',
        "    return 1 // number",
        "ZeroDivisionError: integer division or modulo by zero",
    )
    only_theirs = text.replace('  File "/tmp/pyflink/af70/udfs.py", line 18, in inverse\n    return 1 // number\n', "")
    assert "sdk_worker.py" in find_cause(only_theirs)[1], "where there are no others, theirs are"
