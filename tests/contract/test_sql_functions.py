"""What SQL means on the local service: built-in functions, numbers and conversions as MaxCompute documents them, or an error."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.sql.built_ins import table
from reconciler.local.sql.control import Control, KnownTable, StatementLimits
from reconciler.local.sql.job import run_job
from reconciler.local.sql.problems import SqlFailed, Stopped
from reconciler.local.sql.rules import SessionRules
from reconciler.local.sql.translate import Statement
from tests.contract.sql_project import FunctionlessProject

if TYPE_CHECKING:
    from pathlib import Path

DAY, MOMENT = dt.date(2020, 1, 31), dt.datetime.fromisoformat("2020-01-31 03:04:05")


class Project(FunctionlessProject):
    """One table."""

    def table(self, parts: tuple[str, ...], connection: Any) -> Any:
        import pyarrow as pa

        rows = {"s": ["1.7", "12"], "d": [DAY, DAY], "m": [MOMENT, MOMENT], "x": [1.5, 2.5], "n": [1, None]}
        return pa.table(rows) if parts == ("t",) else None

    def known_table(self, name: tuple[str, ...]) -> KnownTable | None:
        columns = {"s": "string", "d": "date", "m": "datetime", "x": "double", "n": "bigint"}
        return KnownTable(columns) if name == ("t",) else None

    def known(self, node: Any) -> KnownTable | None:
        return self.known_table((node.name,))


def ask(sql: str, folder: Path) -> list[tuple[Any, ...]]:
    outcome = run_job(sql, {}, Project(), StatementLimits(100, 60, 500), folder, Control())
    assert outcome.result is not None
    return [tuple(row) for row in outcome.result.rows]


MEANINGS = {
    # "Data type conversion": the fraction is cut off; no number is no NULL.
    "CAST(1.7 AS BIGINT)": 1,
    "CAST(-2.5 AS INT)": -2,
    "CAST('1.6' AS BIGINT)": 1,
    "CAST('1e3' AS BIGINT)": 1000,
    "CAST(9.3E17 AS BIGINT)": 930_000_000_000_000_000,
    "CAST(9223372036854775807 AS BIGINT)": 2**63 - 1,
    "CAST('9223372036854775807' AS BIGINT)": 2**63 - 1,
    "CAST(2.7BD AS BIGINT)": 2,
    "CAST(true AS BIGINT)": 1,
    "CAST('false' AS BOOLEAN)": True,
    "CAST('' AS BOOLEAN)": False,
    "CAST('3' AS DECIMAL)": Decimal("3.000000000000000000"),
    # "Data type editions": a number with a point is a DOUBLE.
    "0.1 + 0.2": 0.1 + 0.2,
    "99999999999999999999": 1e20,
    "-9223372036854775808": -(2**63),
    "ARRAY(NULL)": [None],
    "NAMED_STRUCT('a', 1, 'b c', ARRAY('x'))": {"a": 1, "b c": ["x"]},
    "NAMED_STRUCT('a', 1).a": 1,
    "1.5BD": Decimal("1.5"),
    "5 / 2": 2.5,
    "5 DIV 2": 2,
    "-7 DIV 2": -3,
    "5.5 DIV 2": 2,
    "5 DIV 0": None,
    # "Data type conversion", arithmetic operators: a text becomes a DOUBLE, a whole number in it too.
    "n + s": 2.7,
    "n + '1'": 2.0,
    "'3' * '4'": 12.0,
    "-s": -1.7,
    "'7' % 2": 1.0,
    "m > '2019-12-31'": True,
    "s BETWEEN 1 AND '2'": True,
    # "CASE WHEN": numbers become a text beside one.
    "CASE WHEN n = 1 THEN s ELSE n END": "1.7",
    "CASE WHEN n = 2 THEN 'x' ELSE n END": "1",
    "IF(n = 2, 'x', 2.50BD)": "2.5",
    "CASE n WHEN '1' THEN 1 ELSE 2.5 END": 1.0,
    # "LIKE": a backslash takes the meaning of what it stands before.
    "'ab_cde' LIKE 'ab\\\\_c%'": True,
    "'abxcde' LIKE 'ab\\\\_c%'": False,
    "'a%' NOT LIKE CONCAT('a', '\\\\%')": False,
    "'a\\\\b' LIKE 'a\\\\b'": True,
    "'abc' LIKE '%\\\\'": False,
    "ARRAY(1, 2)[0]": 1,
    "LAST_VALUE(NULLIF(n, 9), true) OVER (ORDER BY n DESC)": 1,
    # "MAP": the last of several keys wins.
    "MAP('a', 1, 'b', 2, 'a', 3)": {"a": 3, "b": 2},
    "MAP_FROM_ARRAYS(ARRAY('a', 'a'), ARRAY(1, 2))": {"a": 2},
    "MAP_FROM_ENTRIES(ARRAY(STRUCT('k', 1), STRUCT('k', 2)))": {"k": 2},
    # One page for each function.
    "SUBSTR('abc', 0)": "",
    "SUBSTR('abc', -5)": "",
    "SUBSTR('abc', -2, 1)": "b",
    "SUBSTRING('hello', 2, 3)": "ell",
    "SUBSTR('abc', 1, 0)": "",
    "SUBSTR(NULL, 0)": None,
    "LENGTHB('hé')": 3,
    "REGEXP_REPLACE('aaa', 'a', 'b')": "bbb",
    "REGEXP_EXTRACT('8d99d8', '8d(\\\\d+)d8')": "99",
    "REGEXP_EXTRACT('foobar', 'foo(.*)', 0)": "foobar",
    "SPLIT('a,,b,,', ',')": ["a", "", "b"],
    "SPLIT('a,', ',', false)": ["a", ""],
    "CONCAT('a', NULL)": None,
    "GREATEST(1, NULL, 3)": 3,
    "LEAST(1, NULL)": None,
    "LEAST(2, 1)": 1,
    "SIGN(-2)": -1.0,
    "CEIL(1.2)": 2,
    "SQRT(-1)": None,
    "INSTR('hello', 'l', 4)": 4,
    "NVL(NULL, 1)": 1,
    "DECODE(1, 1, 'a', 'b')": "a",
    'GET_JSON_OBJECT(\'{"a": {"b": "x"}}\', \'$.a.b\')': "x",
    "GET_JSON_OBJECT('{\"a\": [{\"b\": 1}]}', '$.a[0].b')": "1",
    "GET_JSON_OBJECT('no JSON', '$.a')": None,
    "DATEADD(m, 1, 'mm')": dt.datetime.fromisoformat("2020-02-29 03:04:05"),
    "DATEADD(d, 1, 'mm')": dt.date(2020, 2, 29),
    "DATETRUNC(d, 'mm')": dt.date(2020, 1, 1),
    "DATEADD(CAST('2020-01-31 00:00:00' AS DATETIME), -1, 'q')": dt.datetime.fromisoformat("2019-10-31"),
    "DATE_ADD(d, 1)": dt.date(2020, 2, 1),
    "DATE_SUB(m, 31)": dt.date(2019, 12, 31),
    "DATEDIFF(CAST('2020-02-01 00:00:00' AS DATETIME), m, 'mm')": 1,
    "DATEDIFF(d, DATE '2020-01-01')": 30,
    "DATEPART(m, 'hh')": 3,
    "DATETRUNC(m, 'mm')": dt.datetime.fromisoformat("2020-01-01"),
    "TO_DATE('20200203', 'yyyymmdd')": dt.datetime.fromisoformat("2020-02-03"),
    "TO_DATE('2020-02-03')": dt.date(2020, 2, 3),
    "TO_CHAR(m, 'yyyy-mm-dd hh:mi:ss')": "2020-01-31 03:04:05",
    "TO_CHAR(m, 'YYYYMM 100%')": "202001 100%",
    "WEEKDAY(d)": 4,
    "LASTDAY(m)": dt.datetime.fromisoformat("2020-01-31"),
    "MONTH(d)": 1,
}


def test_functions_numbers_and_conversions_mean_what_is_documented(tmp_path: Path) -> None:
    [found] = ask(f"SELECT {', '.join(MEANINGS)} FROM t LIMIT 1", tmp_path)
    assert dict(zip(MEANINGS, found, strict=True)) == MEANINGS


def test_json_becomes_what_its_type_says_and_what_does_not_is_left_out(tmp_path: Path) -> None:
    text = '{"a":1,"b":[{"c":1.25,"d":["x",2,{"e":null}]}, 7],"f":"2020-01-02","g":"1","H":true}'
    kind = "a bigint, b array<struct<c:decimal(10,2),d:array<string>>>, f date, g int, h boolean"
    sql = f"SELECT TO_JSON(j), j.b[0].c, j.f FROM (SELECT FROM_JSON('{text}', '{kind}') AS j) q"
    json = '{"a":1,"b":[{"c":1.25,"d":["x","2","{\\"e\\":null}"]}],"f":"2020-01-02"}'
    assert ask(sql, tmp_path) == [(json, Decimal("1.25"), dt.date(2020, 1, 2))]


def test_aggregates_mean_what_is_documented(tmp_path: Path) -> None:
    meanings = {
        "STDDEV(x)": 0.5,
        "STDDEV_SAMP(x)": pytest.approx(0.5**0.5),
        "VARIANCE(x)": 0.25,
        "VAR_SAMP(x)": 0.5,
        "PERCENTILE(n, 0.5)": 1.0,
        "MEDIAN(x)": 2.0,
        "WM_CONCAT('-', s)": "1.7-12",
        "WM_CONCAT(DISTINCT '-', n)": "1",
        "SIZE(COLLECT_LIST(n))": 1,
        # What is NULL in the row of the largest is the result, and not what stands in the next.
        "ARG_MAX(x, n)": None,
        "MAX_BY(n, x)": None,
        "MIN_BY(n, x)": 1,
    }
    [found] = ask(f"SELECT {', '.join(meanings)} FROM t", tmp_path)
    assert dict(zip(meanings, found, strict=True)) == meanings


def test_fields_of_fields_are_named_with_and_without_the_table(tmp_path: Path) -> None:
    rows = "(SELECT NAMED_STRUCT('b', NAMED_STRUCT('c', n)) AS a FROM t)"
    for number, (expression, value) in enumerate(
        {"a.b.c": 1, "x.a.b.c": 1, "y.a.b.c + x.a.b.c": 2, "MAX(x.a.b.c)": 1}.items()
    ):
        joined = f" x JOIN {rows} y ON x.a.b.c = y.a.b.c" if "y." in expression else " x"
        (tmp_path / str(number)).mkdir()
        assert ask(f"SELECT {expression} FROM {rows}{joined}", tmp_path / str(number))[0] == (value,)


def test_grouping_sets_are_the_same_in_both_spellings_and_tell_their_places(tmp_path: Path) -> None:
    newer = "SELECT s, GROUPING(s), GROUPING_ID(s, n), COUNT(*) FROM t GROUP BY GROUPING SETS ((s, n), ())"
    older = newer.replace("GROUP BY", "GROUP BY s, n")
    rows = [("1.7", 0, 0, 1), ("12", 0, 0, 1), (None, 1, 3, 2)]
    for folder, sql in (("newer", newer), ("older", older)):
        (tmp_path / folder).mkdir()
        assert sorted(ask(sql, tmp_path / folder), key=str) == sorted(rows, key=str)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "SELECT n,\n  HASH('ff') FROM t",
            r"\[2,3\].*'hash' cannot be resolved: missing here: it is built into MaxCompute",
        ),
        ("SELECT nosuch(1)", r"\[1,8\].*'nosuch' cannot be resolved$"),
        ("SELECT CAST('abc' AS BIGINT)", "Illegal type cast - Could not convert string 'abc' to BIGINT$"),
        ("SELECT CAST('1_000' AS BIGINT)", "Illegal type cast - Could not convert string '1_000' to BIGINT"),
        ("SELECT CAST('0x10' AS BIGINT)", "Illegal type cast"),
        ("SELECT CAST('1_000.5' AS DOUBLE)", "Illegal type cast"),
        ("SELECT CAST('1_000' AS DECIMAL(10,2))", "Illegal type cast"),
        ("SELECT DATEADD(m, 1, 'parsec') FROM t", r"\[1,8\].*a part of dates is a constant: yyyy, year"),
        ("SELECT SUM(v) FROM VALUES (9223372036854775807), (1) w(v)", "out of the range of BIGINT"),
        ("SELECT x FROM t ORDER BY 1 LIMIT 1", r"SET odps\.sql\.orderby\.position\.alias=true makes it a column"),
        ("SELECT s FROM (SELECT s FROM t GROUP BY 1) q", r"SET odps\.sql\.groupby\.position\.alias=true"),
        ("SELECT x FROM t PIVOT (MAX(n) FOR s IN ('a'))", "PIVOT"),
        ("SELECT DATEDIFF(m) FROM t", r"\[1,8\] Invalid number of arguments"),
        ("SELECT REGEXP_EXTRACT('a', '(b)')", "not documented"),
        ("SELECT FROM_CHARSET(UNHEX('ff'), 'UTF-8')", "these bytes are no UTF-8"),
        ("SELECT FROM_CHARSET(UNHEX('ff'), 'UTF-8', 'TRANSLIT')", "missing here: TRANSLIT"),
        ("SELECT DECOMPRESS(UNHEX('1f8b08000000000000034b'))", "DECOMPRESS: the bytes are cut off"),
        ("SELECT DECOMPRESS(UNHEX('0102030405060708090a'))", "DECOMPRESS: "),
        ("SELECT SOUNDEX('a1')", "missing here: SOUNDEX"),
        ("SELECT FROM_JSON('{}', s) FROM t", r"\[1,8\].*FROM_JSON: the type is a constant"),
        ("SELECT FROM_JSON('{}', 'map<string>')", r"\[1,8\].*map<string> is no type"),
        ("SELECT FROM_JSON('{}', 'a int>) + (1')", "is no type"),
        ("SELECT FROM_JSON('5', 'bigint')", "STRUCT<bigint> is no type"),
        ("SELECT FROM_JSON('{}', 'a timestamp')", "missing here: FROM_JSON of .* for its TIMESTAMP"),
        ("SELECT FROM_JSON('nothing', 'a int')", "missing here: FROM_JSON of a text that is no JSON"),
        ("SELECT FROM_JSON('[1]', 'a int')", "missing here: FROM_JSON of another value than the type's"),
        ("SELECT FROM_JSON('{\"a\":1.5}', 'a int')", "missing here: FROM_JSON of 1.5 as a INT"),
        ("SELECT FROM_JSON('{\"a\":[1, 2]}', 'a string')", "missing here: FROM_JSON of an array or object with blanks"),
        ("SELECT MULTIMAP_AGG(DISTINCT n, s) FROM t", r"\[1,8\].*MULTIMAP_AGG: missing here with DISTINCT"),
        ("SELECT GET_JSON_OBJECT('{}', '$..a')", "missing here: GET_JSON_OBJECT with the path"),
        ("SELECT DATE_ADD(DATE '9999-12-31', 1)", "a date is out of the range that the local service has"),
        ("SELECT MAP('k', ARRAY(DATE_ADD(d, 9999999))) FROM t", "a date is out of the range"),
        ("SELECT STRUCT(DATEADD(m, 9000, 'yyyy')) FROM t", "a date is out of the range"),
        ("SELECT TIMESTAMP '0001-01-01 00:00:00'", "missing here: a TIMESTAMP before 1677"),
        ("SELECT m - m FROM t", "missing here: a result of the type INTERVAL"),
        ("SELECT CAST('epoch' AS DATE)", "Illegal type cast - Could not convert string 'epoch' to DATE"),
        ("SELECT CAST('2020-1-2 3:4:5' AS DATETIME)", "which is yyyy-mm-dd hh:mi:ss"),
        ("SELECT DATETIME '2020-01-02T03:04:05'", "is no DATETIME"),
        ("SELECT s RLIKE '(' FROM t", r"ODPS-0121095:Invalid arguments - missing \)"),
        ("SET odps.sql.map.key.dedup.policy=exception; SELECT MAP('a', 1, 'a', 2)", "ODPS-0121095.*Map keys must be"),
        ("SELECT s, COUNT(*) FROM t", r"\[1,8\].*column s has to be in GROUP BY"),
    ],
)
def test_what_the_local_service_cannot_do_as_documented_is_an_error(sql: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SqlFailed, match=told):
        ask(sql, tmp_path)


def test_positions_are_columns_where_that_is_set(tmp_path: Path) -> None:
    settings = "SET odps.sql.orderby.position.alias=true; SET odps.sql.groupby.position.alias=true;"
    sql = f"{settings} SELECT s, COUNT(*) FROM t GROUP BY 1 ORDER BY 1 DESC LIMIT 1"
    assert ask(sql, tmp_path) == [("12", 1)]


def test_no_function_of_duckdb_is_reached_that_was_not_looked_at() -> None:
    """Neither in SELECT nor in FROM: what DuckDB tells of itself, what reads files, and what means something else."""
    import duckdb

    rows = duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    names = sorted({name for (name,) in rows if name.isidentifier()})
    passed = []
    for name in names:
        if table.rows(name) or name in ("cast", "case", "extract", "if", "trim", "unnest"):
            continue
        for sql in (f"SELECT {name}('x')", f"SELECT * FROM {name}('x')", f"SELECT {name}(x, 1) FROM t"):
            try:
                statement = Statement(sql, ())
                statement.analyse(SessionRules(), Project().known, {})
                said = statement.sql()
            except SqlFailed:
                said = ""
            if f"{name}(" in said.lower():
                passed.append(f"{sql}: {said}")
    assert len(names) > 300
    assert passed == []


def test_a_function_of_the_project_is_called_whatever_its_name_means_elsewhere() -> None:
    from sqlglot.dialects.hive import Hive

    parser: Any = Hive().parser_class
    words = {*parser.FUNCTIONS, *parser.FUNCTION_PARSERS, *Hive().tokenizer_class.KEYWORDS}
    # Words of SQL that no function can be called by without quotes, and none is likely to be.
    reserved = """
        all and as between by case distinct else end except exists from group having if in intersect interval is join like
        limit not null on or order select then union using when where with
    """
    lost = []
    for word in sorted({one.lower() for one in words if one.isidentifier()} - set(reserved.split())):
        try:
            calls = Statement(f"SELECT {word}(1, 2)", {word}).calls
        except SqlFailed:
            calls = {}
        if set(calls) != {word}:
            lost.append(word)
    assert lost == []


def test_a_stop_that_comes_before_the_query_has_begun_is_not_lost(tmp_path: Path) -> None:
    control = Control()

    class Stopping(Project):
        def known_table(self, name: tuple[str, ...]) -> KnownTable | None:
            return KnownTable({"a": "bigint"})

        def table(self, parts: tuple[str, ...], connection: Any) -> Any:
            import pyarrow as pa

            control.stop()
            return pa.table({"a": range(30_000)})

    sql = "SELECT /*+ MAPJOIN(y, z) */ COUNT(*) FROM t x JOIN t y ON x.a + y.a > 0 JOIN t z ON y.a + z.a > 0"
    with pytest.raises(Stopped):
        run_job(sql, {}, Stopping(), StatementLimits(100, 60, 500), tmp_path, control)


def test_a_chain_of_operators_is_as_long_as_one_writes_it_and_what_is_nested_too_deep_is_told(tmp_path: Path) -> None:
    asked = {
        "SELECT " + "+".join(["1"] * 500): [(500,)],
        "SELECT COUNT(*) FROM t WHERE " + " OR ".join(f"n = {number}" for number in range(500)): [(1,)],
        "SELECT COUNT(*) FROM (SELECT 1 " + "UNION ALL SELECT 1 " * 250 + ") u": [(251,)],
    }
    for number, (sql, rows) in enumerate(asked.items()):
        (tmp_path / str(number)).mkdir()
        assert ask(sql, tmp_path / str(number)) == rows
    nested = (
        "SELECT " + "NOT " * 900 + "TRUE",
        "SELECT " + "ABS(" * 150 + "1" + ")" * 150,
        "SELECT " + "1+" * 3000 + "1",
    )
    for number, sql in enumerate(nested):
        (tmp_path / f"nested {number}").mkdir()
        with pytest.raises(SqlFailed, match=r"ODPS-0130161.*the statement is nested too deep"):
            ask(sql, tmp_path / f"nested {number}")


def test_a_number_of_any_length_stands_anywhere_and_is_an_error_of_the_statement(tmp_path: Path) -> None:
    places = (
        "SELECT CAST(1 AS DECIMAL({0}, 2))", "SELECT STACK({0}, 1, 2)", "SELECT STACK('{0}', 1, 2)", "SELECT STACK('x', 1, 2)",
        "SELECT TRANS_ARRAY('{0}', ',', 'a') AS (x)", "SELECT TRANS_COLS('one', 'a') AS (i, x)", "SELECT {0}", "SELECT -{0}",
        "SELECT ROUND(1.5, {0})", "SELECT n FROM t LIMIT {0}", "SELECT GET_JSON_OBJECT('[1]', '$[{0}]')",
        "SELECT SUM(n) OVER (ORDER BY n ROWS BETWEEN {0} PRECEDING AND CURRENT ROW) FROM t",
    )  # fmt: skip
    for number, place in enumerate(places):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(SqlFailed) as failure:
            ask(place.format("9" * 5000), folder)
        assert "ODPS-0010000" not in str(failure.value)


def test_a_value_that_is_too_large_is_refused_before_it_is_made(tmp_path: Path) -> None:
    makers = (
        "REPEAT('x', 9000000)", "REPEAT('ab', 9223372036854775807)", "LPAD('a', 9000000, 'b')", "RPAD('a', 9000000, 'b')",
        "SPACE(9000000)", "ARRAY_REPEAT(1, 2000000)", "SEQUENCE(1, 2000000)", "SEQUENCE(-9223372036854775807, 9223372036854775807, 3)",
    )  # fmt: skip
    for number, maker in enumerate(makers):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(SqlFailed, match=r"ODPS-0121095.*at most 8 MB"):
            ask(f"SET odps.sql.max.sequence.length=999999999999999999; SELECT {maker}", folder)
    (tmp_path / "small").mkdir()
    sizes = "LENGTH(REPEAT('x', 8000000)), SIZE(SEQUENCE(1, 10000000, 100))"
    sql = f"SET odps.sql.max.sequence.length=100000; SELECT {sizes}"
    assert ask(sql, tmp_path / "small") == [(8_000_000, 100_000)]


NESTED = {
    # DuckDB counts from 1, and from the end where a number is negative; a key that is a number is no place.
    "MAP(1, 'a', 2, 'b')[1]": "a",
    "MAP('k', 1, 'l', 'x')['k']": "1",
    "ARRAY(1, 2, 3)[-2]": None,
    "SLICE(ARRAY(1, 2, 3, 4), -5, 2)": [],
    "SEQUENCE(5, 1, -2)": [5, 3, 1],
    "SEQUENCE(DATE '2020-02-28', DATE '2020-03-01')": [dt.date(2020, 2, 28), dt.date(2020, 2, 29), dt.date(2020, 3, 1)],
    "SIZE(SEQUENCE(CAST('2020-01-02 00:00:00' AS DATETIME), m))": 30,
    "SEQUENCE(1, NULL)": None,
    # NULL in an array is a value to some of them, and what is not known to others.
    "ARRAY_POSITION(ARRAY(1, NULL), NULL)": None,
    "ARRAY_REMOVE(ARRAY(1, NULL, 2), 2)": [1, None],
    "ARRAY_EXCEPT(ARRAY(1, NULL), ARRAY(NULL))": [1],
    "ARRAYS_OVERLAP(ARRAY(1, NULL), ARRAY(1))": True,
    "ARRAYS_OVERLAP(ARRAY(1, NULL), ARRAY(2))": None,
    "ALL_MATCH(ARRAY(1, NULL), x -> x > 5)": False,
    "ANY_MATCH(ARRAY(9, NULL), x -> x > 5)": True,
    "ARRAY_JOIN(ARRAY(NULL, NULL), ',')": "",
    "ARRAY_JOIN(ARRAY(1.50BD, NULL), ',', '-')": "1.5,-",
    "ARRAY_UNION(ARRAY(1), NULL)": None,
    "MAP_CONCAT(MAP(1, 2), NULL)": None,
    # A lambda of several values.
    "ARRAY_SORT(ARRAY(2, 3, 1), (a, b) -> b - a)": [3, 2, 1],
    "MAP_VALUES(MAP_FILTER(MAP('a', 1, 'b', 2), (k, v) -> k = 'b' OR v = 1))": [1, 2],
    "MAP_KEYS(TRANSFORM_KEYS(MAP(1, 2, 3, 4), (k, v) -> k * v))": [2, 12],
    "ZIP_WITH(TRANSFORM(ARRAY(1, 2), x -> x + 1), ARRAY('a'), (x, y) -> CONCAT(y, x))": ["a2", None],
    "SORT_ARRAY(SHUFFLE(ARRAY(3, 1, 2)))": [1, 2, 3],
    "ARRAY(CAST('2020-01-31 03:04:05.123456789' AS TIMESTAMP))": ["2020-01-31 03:04:05.123456789"],
}


def test_table_functions_name_their_columns_as_their_pages_do(tmp_path: Path) -> None:
    rows = "ARRAY(NAMED_STRUCT('a', 1, 'b', ARRAY('x')), NAMED_STRUCT('a', 2, 'b', ARRAY('y')))"
    queries = {
        f"SELECT b, a FROM (SELECT INLINE({rows})) x": [(["x"], 1), (["y"], 2)],
        f"SELECT v.b[0], n FROM t LATERAL VIEW INLINE({rows}) v WHERE v.a > 1 AND n = 1": [("y", 1)],
        f"SELECT k FROM (SELECT INLINE({rows}) AS (k, l)) x": [(1,), (2,)],
        "SELECT val, pos FROM (SELECT POSEXPLODE(ARRAY('x', 'y'))) x": [("x", 0), ("y", 1)],
        "SELECT value, key FROM (SELECT JSON_EXPLODE(JSON '{\"k\":1}')) x": [("1", "k")],
    }
    for number, (sql, expected) in enumerate(queries.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert ask(sql, folder) == expected


def test_json_is_kept_in_the_order_of_its_keys_and_shown_with_lines_where_that_is_asked(tmp_path: Path) -> None:
    text = '{"b":[1.50,{},"{"], "a":{"x":true}}'
    sql = f"SELECT JSON_FORMAT(j), JSON_PRETTY(j), JSON_FORMAT(j['b'][2]), JSON_TYPE(j['c']) FROM (SELECT JSON '{text}' AS j) x"
    lines = [
        "{",
        '    "a":{',
        '        "x":true',
        "    },",
        '    "b":[',
        "        1.50,",
        "        {},",
        '        "{"',
        "    ]",
        "}",
    ]
    assert ask(sql, tmp_path) == [('{"a":{"x":true},"b":[1.50,{},"{"]}', "\n".join(lines), '"{"', None)]


def test_arrays_and_maps_are_counted_searched_and_joined_as_their_pages_say(tmp_path: Path) -> None:
    [values] = ask(f"SELECT {', '.join(NESTED)} FROM t LIMIT 1", tmp_path)
    assert dict(zip(NESTED, values, strict=True)) == NESTED


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT SEQUENCE(1, 5, -1)", "SEQUENCE: the step leads away from the end"),
        ("SELECT SEQUENCE(1, 5, 0)", "SEQUENCE: the step leads away from the end"),
        ("SELECT SEQUENCE(1, 10001)", "at most 10000 elements; SET odps.sql.max.sequence.length"),
        ("SELECT SEQUENCE(m, DATEADD(m, 1, 'dd'), INTERVAL '1' SECOND) FROM t", "at most 10000 elements"),
        ("SELECT SEQUENCE(d, DATE '2020-05-31', INTERVAL 1 MONTH) FROM t", "missing here: SEQUENCE of months"),
        ("SELECT SEQUENCE(s, s) FROM t", r"\[1,8\].*ARRAY<BIGINT> SEQUENCE\(BIGINT arg0, BIGINT arg1\)"),
        ("SELECT SLICE(ARRAY(1), 0, 1)", "SLICE counts from 1"),
        ("SELECT SLICE(ARRAY(1), 1, -1)", "SLICE: the length is at least 0"),
        ("SELECT COMBINATIONS(ARRAY(1, 2, 3, 4, 5, 6), 6)", "SET odps.sql.max.combination.length"),
        ("SELECT MAP_CONCAT('exception', MAP(1, 2), MAP(1, 3))", "Map keys must be unique"),
        ("SELECT MAP_CONCAT(s, MAP(1, 2), MAP(1, 3)) FROM t", r"\[1,8\].*MAP_CONCAT: the policy .* is a constant"),
        ("SET odps.sql.map.key.dedup.policy=exception; SELECT MAP_CONCAT(MAP(1, 2), MAP(1, 3))", "must be unique"),
        ("SELECT MAP('k', 1, 'l', d) FROM t", r"\[1,8\].*map cannot match .* with \(STRING, INT, STRING, DATE\)"),
        ("SELECT MAP_FROM_ARRAYS(ARRAY(1, 2), ARRAY(1))", "a MAP has as many keys as values"),
        ("SELECT ZIP_WITH(ARRAY(1), ARRAY(1), x -> x)", r"\[1,8\].*ZIP_WITH: .*the number of its values is 2"),
        ("SELECT FILTER(ARRAY(5, 6), (x, i) -> i > 1)", r"\[1,8\].*FILTER: .*the number of its values is 1"),
        ("SELECT ALL_MATCH(ARRAY(5, 6), (x, i) -> i > 1)", r"\[1,8\].*ALL_MATCH: .*the number of its values is 1"),
        ("SELECT ARRAY_SORT(ARRAY(1, NULL), (a, b) -> a - b)", "ARRAY_SORT: the comparator gives NULL"),
        ("SELECT INLINE(ARRAY(NAMED_STRUCT('a', 1, 'b', 2))) AS x", "INLINE has a column for each field"),
        ("SELECT INLINE(ARRAY(1))", "struct_extract_at cannot match"),
        ("SELECT JSON '{'", r"ODPS-0121095.*'\{' is no JSON"),
        ("SELECT JSON_EXTRACT(JSON '{}', '$a')", r"Param json path \$a is invalid"),
        ("SELECT JSON_EXTRACT(JSON '{}', '$.*')", r"missing here: the JSON path \$\.\*"),
        ("SELECT JSON_OBJECT('a', 1.5)", r"\[1,8\].*JSON_OBJECT: a value is one of .* and not DOUBLE"),
        ("SELECT JSON_OBJECT('a', 1, 'b')", r"\[1,8\].*JSON_OBJECT: a value stands behind each key"),
        ("SELECT JSON_PARSE(s)[n] FROM t", "missing here: an element of JSON that no constant names"),
        ("SELECT JSON_EXPLODE(JSON_PARSE('1'))", "JSON_EXPLODE takes an array or an object"),
        ("SELECT JSON_LENGTH(JSON '1')", "json_length.*missing here"),
        ("SELECT s[0] FROM t", r"\[1,8\].*an ARRAY or a MAP has elements, and STRING has none"),
    ],
)
def test_what_no_array_or_map_can_be_made_of_is_an_error(sql: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SqlFailed, match=message):
        ask(sql, tmp_path)
