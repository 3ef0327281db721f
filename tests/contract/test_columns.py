"""What a column's definition asks for is kept and held to: NOT NULL, DEFAULT, types by edition; and rows that cannot be changed."""

from __future__ import annotations

from typing import Any

import pytest
from odps import errors

from tests.contract.test_service_sql import rows
from tests.contract.test_service_tables import text


def test_a_column_that_is_not_null_takes_no_null_and_a_default_fills_what_is_left_out(odps: Any) -> None:
    columns = "n BIGINT NOT NULL, s STRING DEFAULT 'it\\'s', d DATETIME DEFAULT '2026-01-02 03:04:05', m BIGINT DEFAULT 7L, x DOUBLE"
    odps.execute_sql(f"CREATE TABLE held ({columns}) PARTITIONED BY (p STRING)")
    assert "n BIGINT NOT NULL, s STRING DEFAULT 'it\\'s'" in text(odps, "SHOW CREATE TABLE held")
    assert "| n               | bigint" in text(odps, "DESC held")
    odps.execute_sql("INSERT INTO held PARTITION (p='a') (n) VALUES (1), (2)")
    odps.execute_sql("INSERT INTO held PARTITION (p) (n, s) SELECT 3, NULL, 'b'")
    for into in ("PARTITION (p='a') (x) VALUES (1.5)", "PARTITION (p) (n) SELECT CAST(NULL AS BIGINT), 'b'"):
        with pytest.raises(errors.ODPSError, match="column n is NOT NULL"):
            odps.execute_sql(f"INSERT INTO held {into}")
    answer = rows(odps, "SELECT n, s, CAST(d AS STRING), m, x FROM held WHERE p IN ('a', 'b') ORDER BY n LIMIT 9")
    moment = "2026-01-02 03:04:05"
    assert answer == [[1, "it's", moment, 7, None], [2, "it's", moment, 7, None], [3, None, moment, 7, None]]


def test_a_column_has_a_type_of_the_edition_alone(odps: Any) -> None:
    edition_1 = {"odps.sql.type.system.odps2": "false", "odps.sql.decimal.odps2": "false"}
    for kind, words in {
        "INT": "INT type is not enabled in current mode",
        "ARRAY<VARCHAR(3)>": "VARCHAR type is not enabled",
        "STRUCT<date:DATE>": "DATE type is not enabled",
        "DECIMAL(10,2)": "precision and scale is not currently supported",
    }.items():
        for statement in (f"CREATE TABLE typed (c {kind})", f"CREATE TABLE typed (c BIGINT) PARTITIONED BY (p {kind})"):
            if "<" in kind and "PART" in statement:
                continue
            with pytest.raises(errors.ODPSError, match=words):
                odps.execute_sql(statement, hints=edition_1)
    odps.execute_sql("CREATE TABLE typed (c BIGINT, date STRING, s STRUCT<int:BIGINT>)", hints=edition_1)
    with pytest.raises(errors.ODPSError, match="TINYINT type is not enabled"):
        odps.execute_sql("ALTER TABLE typed ADD COLUMNS (t TINYINT)", hints=edition_1)
    odps.execute_sql("ALTER TABLE typed ADD COLUMNS (t TINYINT)")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET n = 2 WHERE n = 1",
        "DELETE FROM {} WHERE n = 1",
        "MERGE INTO {} USING (SELECT 1 a) s ON n = a WHEN MATCHED THEN DELETE",
    ],
)
def test_rows_are_changed_in_transactional_tables_alone_and_here_not_yet(odps: Any, statement: str) -> None:
    odps.execute_sql("CREATE TABLE plain (n BIGINT)")
    odps.execute_sql("CREATE TABLE changing (n BIGINT) TBLPROPERTIES ('transactional'='true')")
    for table, words in {
        "plain": "no transactional table",
        "changing": "missing here",
        "absent": "cannot be resolved",
    }.items():
        with pytest.raises(errors.ODPSError, match=words):
            odps.execute_sql(statement.format(table))
