"""What the service refuses, the local one refuses: each family with the service's code and text, and what lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from odps import errors

from reconciler.local.sql.control import Control, KnownTable, StatementLimits
from reconciler.local.sql.job import run_job
from reconciler.local.sql.problems import SqlFailed
from tests.contract.documented.examples import SampleTables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Serve

LIMIT, CARTESIAN = "odps.sql.validate.orderby.limit", "odps.sql.allow.cartesian"
TYPES, DECIMALS = "odps.sql.type.system.odps2", "odps.sql.decimal.odps2"


class TwoTables(SampleTables):
    """Two tables of the same columns."""

    def known_table(self, name: tuple[str, ...]) -> KnownTable | None:
        columns = {"a": "bigint", "b": "bigint", "s": "string", "m": "datetime"}
        return KnownTable(columns) if name in (("t",), ("u",)) else None

    def table(self, name: tuple[str, ...], connection: Any) -> Any:
        rows = "(1::BIGINT, 2::BIGINT, 'x', NULL::TIMESTAMP), (3, 4, 'y', NULL)"
        return connection.sql(f"SELECT * FROM (VALUES {rows}) t(a, b, s, m)").to_arrow_table()


def ask(sql: str, folder: Path, **hints: str) -> None:
    run_job(sql, hints, TwoTables(), StatementLimits(100, 60, 500), folder, Control())


REFUSED = {
    "SELECT a FROM t\nORDER BY a": r"ODPS-0130071:\[2,1\] Semantic analysis exception - ORDER BY must be used with a LIMIT",
    "SELECT a FROM (SELECT a FROM t ORDER BY a) x": r"ODPS-0130071:\[1,32\].*ORDER BY must be used with a LIMIT clause",
    "WITH w AS (SELECT a FROM t ORDER BY a) SELECT a FROM w": "ORDER BY must be used with a LIMIT clause",
    "SELECT a FROM t UNION ALL SELECT a FROM u ORDER BY a": "ORDER BY must be used with a LIMIT clause",
    "SELECT t.a\nFROM t\nJOIN u": r"ODPS-0130252:\[3,1\] Cartesian product is not allowed - cartesian product is not",
    "SELECT t.a FROM t CROSS JOIN u": "ODPS-0130252",
    "SELECT t.a FROM t, u": "ODPS-0130252",
    "SELECT t.a FROM t JOIN u ON 1 = 1": "ODPS-0130252",
    "SELECT t.a FROM t JOIN u ON t.a < u.a": r"ODPS-0130071:\[1,29\].*expect equality expression \(i\.e\., only use '='",
    "SELECT t.a FROM t JOIN u ON t.a = u.a OR t.b = u.b": "expect equality expression",
    "SELECT DATEADD(s, 1, 'dd') FROM t": r"\[1,8\].*function dateadd cannot match any overloaded functions with "
    r"\(STRING, INT, STRING\), candidates are DATE DATEADD\(DATE arg0, BIGINT arg1, STRING arg2\); DATETIME DATEADD",
    "SELECT SUM(a > 1) FROM t": r"function sum cannot match any overloaded functions with \(BOOLEAN\)",
    "SELECT a || SUBSTR(a > 1, 2) FROM t": "function substr cannot match any overloaded",
    "SELECT LASTDAY(s) FROM t": r"ODPS-0130121:\[1,8\] Invalid argument type - invalid type STRING of argument 1 for "
    "function lastday, expect DATETIME",
    "SELECT DATEDIFF(m) FROM t": r"ODPS-0130221:\[1,8\] Invalid number of arguments - function datediff needs 2 parameters",
    "SELECT a FROM t UNION ALL SELECT s FROM u": "ODPS-0130241.*column 1 is BIGINT on one side and STRING on the other",
    "SELECT a FROM t UNION ALL SELECT a, b FROM u": "ODPS-0130241.*one side has 1 columns, the other 2",
    "SELECT a + 1 AS n FROM t WHERE n > 1": r"ODPS-0130071:\[1,32\].*column n cannot be resolved",
    "SELECT a + 1 AS n, n * 2 AS twice FROM t": "column n cannot be resolved",
    "SELECT CURRENT_TIMESTAMP": "column CURRENT_TIMESTAMP cannot be resolved",
    "SELECT a::STRING FROM t": r"ODPS-0130161:\[1,9\] Parse exception - invalid token '::'",
    "SELECT a FROM t WHERE s ILIKE 'x%'": "ODPS-0130161.*ILIKE",
    "SELECT s->>'x' FROM t": "ODPS-0130161",
    "SELECT CAST(a AS TEXT) FROM t": r"ODPS-0130161:\[1,18\] Parse exception - invalid token 'TEXT'",
    "SELECT CAST(a AS INTEGER) FROM t": "invalid token 'INTEGER'",
    "SELECT [1, 2]": r"ODPS-0130161:.*an array is ARRAY",
    "SELECT {'a': 1}": "ODPS-0130161:.*a struct is STRUCT",
    "SELECT * EXCLUDE (a) FROM t": "invalid token 'EXCLUDE'",
    "SELECT * FROM t USING SAMPLE 1": "invalid token 'USING'",
    "SELECT a << 1 FROM t": "a shift is SHIFTLEFT",
    "SELECT nothing FROM t": r"ODPS-0130071:\[1,8\].*column nothing cannot be resolved",
    "SELECT TRUE + 1": r"ODPS-0130121:.*invalid type BOOLEAN of argument 1 for function \+, expect a number",
    "SELECT m + 1 FROM t": r"ODPS-0130121:\[1,8\].*invalid type DATETIME of argument 1 for function \+",
    "SELECT a FROM t WHERE b": r"ODPS-0130071:\[1,23\].*expect a BOOLEAN expression, and this is BIGINT",
    "SELECT t.a FROM t JOIN u ON t.a": "expect a BOOLEAN expression",
    "SELECT IF(a, 1, 2) FROM t": "expect a BOOLEAN expression",
    "SELECT NOT s FROM t": "expect a BOOLEAN expression, and this is STRING",
    "SELECT a > 1 AND b FROM t": r"\[1,18\].*expect a BOOLEAN expression",
    "SELECT (a > 1) = 1 FROM t": "BOOLEAN and INT cannot be compared",
    "SELECT m > 20200101 FROM t": "DATETIME and INT cannot be compared",
    "SELECT a LIKE '1' FROM t": "invalid type BIGINT of argument 1 for function LIKE, expect STRING",
    "SELECT CASE WHEN a = 1 THEN s ELSE a > 1 END FROM t": "of the types BOOLEAN, STRING, and become none",
    "SELECT CASE WHEN a = 1 THEN m ELSE a END FROM t": "of the types BIGINT, DATETIME, and become none",
    "SELECT ?": "ODPS-0130161:.*values stand in the statement itself",
    "SELECT a FROM t WHERE a = :x": "ODPS-0130161:.*values stand in the statement itself",
    "SELECT a FROM t WHERE s NOTNULL": r"ODPS-0130161:\[1,25\].*the test is IS NULL",
    "SELECT ARRAY(1, 2)[s] FROM t": "an element of an ARRAY is named by its number",
    "SELECT `(a|b)?+.+` FROM t": "missing here: columns by a regular expression",
    "SELECT 0x41": r"ODPS-0130161:\[1,9\] Parse exception - invalid token 'x41'",
    "SELECT CAST(a AS DECIMAL(38,19)) FROM t": "DECIMAL has 1 to 38 and 0 to 18, and no 19",
    "SELECT CAST(a AS BIGINT(3)) FROM t": "BIGINT has no size",
    "SELECT COUNT(*) FROM t GROUP BY a, b WITH ROLLUP": r"columns stand behind the word, ROLLUP \(…\)",
    "SELECT SUM(RANK() OVER (ORDER BY a)) OVER () FROM t": r"\[1,12\].*a window function is not allowed in the arguments of",
    "SELECT SUM(SUM(a)) OVER () FROM t": r"\[1,12\].*aggregate function is not allowed in window, aggregation and table "
    "function arguments",
    "SELECT b, SUM(a), RANK() OVER (ORDER BY b) FROM t GROUP BY b": "window functions do not go with aggregate functions",
    "SELECT b, RANK() OVER (ORDER BY SUM(a)) FROM t GROUP BY b": "window functions do not go with aggregate functions",
    "SELECT a FROM t WHERE RANK() OVER (ORDER BY a) = 1": r"\[1,23\].*a window function is not allowed in WHERE",
    "SELECT a FROM t GROUP BY a, RANK() OVER (ORDER BY a)": "a window function is not allowed in GROUP BY",
    "SELECT a FROM t GROUP BY a HAVING RANK() OVER (ORDER BY a) = 1": "a window function is not allowed in HAVING",
    "SELECT t.a FROM t JOIN u ON t.a = u.a AND RANK() OVER (ORDER BY t.a) = 1": "a window function is not allowed in ON",
    "SELECT RANK() OVER (ORDER BY RANK() OVER (ORDER BY a)) FROM t": "a window function is not allowed in OVER",
    "SELECT RANK() FROM t": r"\[1,8\].*window function rank needs OVER",
    "SELECT UPPER(s) OVER () FROM t": "upper is neither a window function nor an aggregate function",
    "SELECT RANK() OVER w FROM t": r"\[1,20\].*window w cannot be resolved",
    "SELECT ROW_NUMBER() OVER (ORDER BY a ROWS 1 PRECEDING) FROM t": "window function row_number takes no ROWS in its OVER",
    "SELECT SUM(a) OVER (ORDER BY a ROWS b PRECEDING) FROM t": "the ends of a window's frame are constants",
    "SELECT LAG(a) OVER (PARTITION BY b) FROM t": "window function lag needs ORDER BY in its OVER",
    "SELECT LAG(a, -1) OVER (ORDER BY a) FROM t": "LAG: how many rows is at least 0",
    "SELECT LEAD(a, b) OVER (ORDER BY a) FROM t": "LEAD: how many rows is a constant",
    "SELECT LAG(a, 1, '0') OVER (ORDER BY a) FROM t": "has the type of the first argument, BIGINT, and not STRING",
    "SELECT NTH_VALUE(a, 0) OVER (ORDER BY a) FROM t": "NTH_VALUE: rows are counted from 1",
    "SELECT RANK() OVER (PARTITION BY MD5_NUMBER(s)) FROM t": r"\[1,34\].*'md5_number' cannot be resolved",
    "SELECT m + INTERVAL MD5_NUMBER(s) DAY FROM t": "'md5_number' cannot be resolved",
    "SELECT COUNT_IF(a > 1) FILTER (WHERE b > 1) FROM t": "count_if takes no FILTER",
    "SELECT SUM(a) WITHIN GROUP (ORDER BY a) FROM t": "WITHIN GROUP is for collect_list, collect_set, wm_concat",
    "SELECT HASH('x')": "'hash' cannot be resolved: missing here",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_the_service_refuses_is_refused_in_its_words(tmp_path: Path, sql: str) -> None:
    with pytest.raises(SqlFailed, match=f"(?s){REFUSED[sql]}"):
        ask(sql, tmp_path)


PASSES: dict[str, dict[str, str]] = {
    "SELECT a FROM t ORDER BY a LIMIT 9": {},
    "SELECT a FROM t ORDER BY a": {LIMIT: "false"},
    "SELECT ROW_NUMBER() OVER (ORDER BY a) FROM t": {},
    "SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY UPPER(b) ORDER BY a)": {},
    "SELECT b, RANK() OVER (ORDER BY n) FROM (SELECT b, SUM(a) AS n FROM t GROUP BY b) q": {},
    "SELECT b FROM t GROUP BY b HAVING SUM(a) > (SELECT MAX(n) FROM (SELECT RANK() OVER (ORDER BY a) AS n FROM u) q)": {},
    "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1": {},
    "SELECT COLLECT_LIST(s) WITHIN GROUP (ORDER BY s DESC) FROM t": {},
    "SELECT ARRAY(1, 2)[0]": {},
    "SELECT s FROM t GROUP BY s HAVING SIZE(MAP_AGG(a, b)) + SIZE(MULTIMAP_AGG(a, b)) + SIZE(HISTOGRAM(a)) > 3": {},
    "SELECT SIZE(TRANSFORM(ARRAY(a), x -> x + 1)), SIZE(MAP_FROM_ENTRIES(MAP_ENTRIES(MAP(s, a)))) FROM t": {},
    "SELECT /*+ MAPJOIN(u) */ t.a FROM t CROSS JOIN u": {},
    "SELECT t.a FROM t CROSS JOIN u": {CARTESIAN: "true"},
    "SELECT /*+ MAPJOIN(u) */ t.a FROM t JOIN u ON t.a < u.a": {},
    "SELECT t.a FROM t, u WHERE t.a = u.a": {},
    "SELECT t.a FROM t JOIN u ON t.a = u.a AND u.b > 1": {},
    "SELECT t.a FROM t JOIN u ON t.a + 1 = u.a": {},
    "SELECT t.a FROM t LEFT SEMI JOIN u ON t.a = u.a": {},
    "SELECT DATEADD('2020-01-01 00:00:00', 1, 'dd')": {TYPES: "false"},
    "SELECT a FROM t UNION ALL SELECT CAST(s AS BIGINT) FROM u WHERE s = '1'": {},
    "SELECT a FROM t UNION ALL SELECT NULL FROM u": {},
    "SELECT a + 1 AS n FROM t GROUP BY a + 1 HAVING n > 1": {},
    "SELECT a AS n FROM t ORDER BY n LIMIT 1": {},
    "SELECT a + 1 AS b FROM t WHERE b > 1": {},
    "SELECT x.a FROM t x WHERE EXISTS (SELECT 1 FROM u WHERE u.a = x.a)": {},
    "SELECT * EXCEPT (a) FROM t": {},
    "SELECT FILTER(ARRAY(1, 2, 3), x -> x > 1)": {},
    "SELECT CONCAT(a, '-', m, 1.5) FROM t": {},
    "SELECT NULL + 1, NULL AND TRUE, NULL = s, NULL LIKE s FROM t": {},
    "SELECT m - INTERVAL '1' DAY, m + INTERVAL 1 MONTH FROM t": {},
}


@pytest.mark.parametrize("sql", PASSES)
def test_what_the_service_takes_is_taken(tmp_path: Path, sql: str) -> None:
    ask(sql, tmp_path, **PASSES[sql])


@pytest.mark.parametrize(
    ("sql", "flag", "told"),
    [
        (
            "SELECT CAST(1 AS TINYINT)",
            TYPES,
            r"\[1,\d+\].*TINYINT type is not enabled in current mode\. Please set odps\.sql",
        ),
        ("SELECT TIMESTAMP '2020-01-01 00:00:00'", TYPES, "TIMESTAMP type is not enabled in current mode"),
        (
            "SELECT CAST(1 AS DECIMAL(10, 2))",
            DECIMALS,
            "precision and scale is not currently supported in current mode",
        ),
    ],
)
def test_types_belong_to_an_edition_and_the_edition_of_a_project_is_a_switch(
    odps: Any, serve: Serve, connect: Callable[..., Any], sql: str, flag: str, told: str
) -> None:
    odps.execute_sql(sql)
    with pytest.raises(errors.ODPSError, match=told):
        odps.execute_sql(sql, hints={flag: "false"})
    old = connect(url=serve(sql_data_types="1.0").url)
    with pytest.raises(errors.ODPSError, match=told):
        old.execute_sql(sql)
    old.execute_sql(sql, hints={flag: "true"})
