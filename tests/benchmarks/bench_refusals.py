"""
How long the pass over a statement takes that refuses what the service refuses, beside sqlglot's own parsing of the same text.

    python -m tests.benchmarks.bench_refusals
"""

from __future__ import annotations

import sys
import time

import sqlglot

from reconciler.local.sql.analysis import Analysis
from reconciler.local.sql.control import KnownTable
from reconciler.local.sql.reading import parse_statement
from reconciler.local.sql.refusals import Locator
from reconciler.local.sql.rules import SessionRules

AT_MOST = 0.2
"""Of the time of the parsing."""
ROUNDS = 30
COLUMNS = 40
TABLE = KnownTable({f"a{n}": "bigint" for n in range(COLUMNS)} | {"s": "string"})
STATEMENT = (
    "SELECT "
    + ", ".join(f"CONCAT(s, CAST(ROUND(a{n} / {n + 1}.5, 2) AS STRING)) AS c{n}" for n in range(COLUMNS))
    + " FROM t WHERE "
    + " AND ".join(f"CASE WHEN a{n} > {n} THEN ABS(a{n}) ELSE 0 END < 9" for n in range(COLUMNS))
    + " ORDER BY c1 LIMIT 9"
)


def main() -> int:
    parsing, passing = [], []
    # The two alternate, so that a machine busy with something else is busy for both; the best round of each.
    for _ in range(ROUNDS):
        started = time.perf_counter()
        sqlglot.parse_one(STATEMENT, dialect="hive")
        parsing.append(time.perf_counter() - started)
        tree = parse_statement(STATEMENT, ())
        started = time.perf_counter()
        Analysis(Locator(STATEMENT), SessionRules(), lambda _: TABLE, {}, {}).run(tree)
        passing.append(time.perf_counter() - started)
    share = min(passing) / min(parsing)
    print(
        f"sqlglot parses in {min(parsing) * 1000:.1f} ms, the pass takes {min(passing) * 1000:.1f} ms: {share:.2f} of it"
    )
    return share > AT_MOST


if __name__ == "__main__":
    sys.exit(main())
