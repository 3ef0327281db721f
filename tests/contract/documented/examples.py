"""
The examples, run: which come out as their page shows, which are refused, and which are different.

A result is a line: cells parted by blanks, rows by "; ". Numbers are equal up to the last digit but one of a DOUBLE, rows in any
order, and quotes are not looked at.

    python -m tests.contract.documented.examples
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.local.sql.control import Control, KnownTable, StatementLimits
from reconciler.local.sql.job import run_job
from reconciler.local.sql.problems import SqlFailed
from reconciler.local.sql.value_types import duckdb_type, render_cell
from tests.contract.sql_project import FunctionlessProject

HERE = Path(__file__).parent
FAMILIES = ("date", "mathematical", "window", "aggregate", "string", "complex", "other")

_EMP = """
7369,SMITH,CLERK,7902,1980-12-17 00:00:00,800,,20
7499,ALLEN,SALESMAN,7698,1981-02-20 00:00:00,1600,300,30
7521,WARD,SALESMAN,7698,1981-02-22 00:00:00,1250,500,30
7566,JONES,MANAGER,7839,1981-04-02 00:00:00,2975,,20
7654,MARTIN,SALESMAN,7698,1981-09-28 00:00:00,1250,1400,30
7698,BLAKE,MANAGER,7839,1981-05-01 00:00:00,2850,,30
7782,CLARK,MANAGER,7839,1981-06-09 00:00:00,2450,,10
7788,SCOTT,ANALYST,7566,1987-04-19 00:00:00,3000,,20
7839,KING,PRESIDENT,,1981-11-17 00:00:00,5000,,10
7844,TURNER,SALESMAN,7698,1981-09-08 00:00:00,1500,0,30
7876,ADAMS,CLERK,7788,1987-05-23 00:00:00,1100,,20
7900,JAMES,CLERK,7698,1981-12-03 00:00:00,950,,30
7902,FORD,ANALYST,7566,1981-12-03 00:00:00,3000,,20
7934,MILLER,CLERK,7782,1982-01-23 00:00:00,1300,,10
7948,JACCKA,CLERK,7782,1981-04-12 00:00:00,5000,,10
7956,WELAN,CLERK,7649,1982-07-20 00:00:00,2450,,10
7956,TEBAGE,CLERK,7748,1982-12-30 00:00:00,1300,,10
"""
_NUMBERS = """
,-10,0.525,0.525,0.525,10
-20,,-0.1,-0.1,-0.1,-10
0,-1,,20.45,-1,30
-40,4,0.89,,0.89,-30
5,-50,-1,-1,,50
-60,6,1.5,1.5,1.5,-50
-1,-70,-7.5,-7.5,-7.5,
-80,1,-10.2,-10.2,-10.2,-1
9,-90,2.58,2.58,2.58,0
-100,10,-5.8,-5.8,-5.8,-90
"""
_DATES = """
2021-11-29,2021-11-29 00:01:00,2021-01-11 00:00:00.123456789,2021-10-29,2021-10-29 00:00:00,2021-10-11 00:00:00.123456789,2021-11-20,123456780
2021-11-28,2021-11-28 00:02:00,2021-02-11 00:00:00.123456789,2021-10-29,2021-10-29 00:00:00,2021-10-11 00:00:00.123456789,2021-11-21,123456781
"""
_SALES = """
s1,c1,100.1,2013,china
s2,c2,100.2,2013,china
s3,c3,100.3,2013,china
,c5,,2014,shanghai
s6,c6,100.4,2014,shanghai
s7,c7,100.5,2014,shanghai
"""
_PRICES = """
1,5.5
1,4.5
1,6.5
1,5.5
2,
2,3.0
3,4.0
3,
"""
_TABLES = {
    "emp": (
        "empno bigint, ename string, job string, mgr bigint, hiredate datetime, sal bigint, comm bigint, deptno bigint",
        _EMP,
    ),
    "mf_math_fun_t": (
        "int_data int, bigint_data bigint, double_data double, decimal_data decimal, float_data float, string_data string",
        _NUMBERS,
    ),
    "mf_date_fun_t": (
        (
            "date1 date, datetime1 datetime, timestamp1 timestamp, date2 date, datetime2 datetime, timestamp2 timestamp, "
            "date3 string, date4 bigint"
        ),
        _DATES,
    ),
    "sale_detail": (
        "shop_name string, customer_id string, total_price double, sale_date string, region string",
        _SALES,
    ),
    "test_src": ("user_id bigint, price double", _PRICES),
    "sliding_window": ("window string, seq bigint", "\n".join(f"w,{seq}" for seq in range(10))),
}


class SampleTables(FunctionlessProject):
    """The tables that the pages use."""

    def known_table(self, name: tuple[str, ...]) -> KnownTable | None:
        described = _TABLES.get(name[-1])
        if described is None:
            return None
        return KnownTable(dict(tuple(column.split()) for column in described[0].split(", ")))  # type: ignore[misc]

    def table(self, name: tuple[str, ...], connection: Any) -> Any:
        known = self.known_table(name)
        if known is None:
            return None
        rows = [
            "(" + ", ".join(f"'{cell}'" if cell else "NULL" for cell in line.split(",")) + ")"
            for line in _TABLES[name[-1]][1].strip().splitlines()
        ]
        columns = ", ".join(
            f'CAST("{column}" AS {duckdb_type(kind)}) AS "{column}"' for column, kind in known.columns.items()
        )
        names = ", ".join(f'"{column}"' for column in known.columns)
        return connection.sql(f"SELECT {columns} FROM (VALUES {', '.join(rows)}) t({names})").to_arrow_table()


@dataclass(frozen=True)
class Outcome:
    """What came of one example."""

    statement: str
    expected: str
    actual: str
    kind: str
    """``equal``, ``refused`` or ``different``."""


def outcomes(family: str, step: int = 1) -> list[Outcome]:
    """Run the examples of one family, or one of `step`."""
    lines = [line for line in (HERE / f"{family}.txt").read_text("utf-8").splitlines() if line and line[0] != "#"]
    parts = (line.partition(" -->") for line in lines[::step])
    return [_outcome(statement, expected.strip()) for statement, _, expected in parts]


def _outcome(statement: str, expected: str) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        limits = StatementLimits(1000, 60, 500)
        try:
            result = run_job(statement, {}, SampleTables(), limits, Path(folder), Control()).result
            assert result is not None
            rows = [" ".join(map(_shown, row, result.types)) for row in result.rows]
        except SqlFailed as failed:
            told = str(failed)
            if expected == "ERROR" and "missing here" not in told:
                return Outcome(statement, expected, told, "equal")
            return Outcome(statement, expected, told, "refused")
    is_equal = _same(rows, expected.split("; ") if "; " in expected else [expected])
    return Outcome(statement, expected, "; ".join(rows), "equal" if is_equal else "different")


def _shown(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    return render_cell(value, kind).replace("\\N", "NULL").replace('""', '"')


def _same(actual: list[str], expected: list[str]) -> bool:
    left, right = (sorted(map(_tokens, rows), key=str) for rows in (actual, expected))
    return len(left) == len(right) and all(
        len(one) == len(other) and all(map(_equal, one, other)) for one, other in zip(left, right, strict=True)
    )


def _tokens(row: str) -> list[str]:
    plain = re.sub(r"([\[{,:])\s+", r"\1", row.replace('"', "").strip())
    if plain.startswith("{"):
        plain = "{" + ",".join(sorted(plain[1:-1].split(","))) + "}"
    return plain.split()


def _equal(left: str, right: str) -> bool:
    if left == right:
        return True
    pieces = [text.strip("[]{}").split(",") for text in (left, right)]
    if len(pieces[0]) != len(pieces[1]):
        return False
    try:
        return all(math.isclose(float(one), float(other), rel_tol=1e-14) for one, other in zip(*pieces, strict=True))
    except ValueError:
        # A TIMESTAMP shows as many digits as it has.
        return re.sub(r"\.0+$", "", left) == re.sub(r"\.0+$", "", right)


def main() -> int:
    """Print what came of each family; 1 if an example is different, or more than a tenth refused."""
    different = refused = total = 0
    for family in FAMILIES:
        found = outcomes(family)
        counts = {kind: [o for o in found if o.kind == kind] for kind in ("equal", "refused", "different")}
        print(f"{family}: " + ", ".join(f"{len(those)} {kind}" for kind, those in counts.items()))
        for outcome in counts["refused"] + counts["different"]:
            print(f"  {outcome.kind}: {outcome.statement}\n    page: {outcome.expected}\n    here: {outcome.actual}")
        total += len(found)
        different += len(counts["different"])
        refused += len(counts["refused"])
    print(f"{total} examples: {total - refused - different} equal, {refused} refused, {different} different")
    return 1 if different or refused * 10 > total else 0


if __name__ == "__main__":
    sys.exit(main())
