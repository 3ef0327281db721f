"""Texts in the place of numbers: whichever way they get there, they are read as CAST reads them, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from odps import errors

from reconciler.local.sql.problems import SqlFailed
from tests.contract.test_service_sql import HINTS, deploy, rows
from tests.contract.test_sql_functions import ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NUMBERS = {" 1 ": 1.0, "+1": 1.0, "1.6": 1.6, ".5": 0.5, "1.": 1.0, "1e3": 1000.0, "-0": 0.0}
NONE = (
    "1_000",
    "_1",
    "1__0",
    "\uff11\uff12",
    "\u0661",
    "0x10",
    "0b1",
    "1\u00a0",
    "",
    "1,000",
    "1e",
    "--1",
    "one",
    "1L",
)
"""What Python's `int` or `float` takes, or DuckDB's casts, and the service's CAST does not; and what nobody takes."""

ROADS: dict[str, Callable[[float], float]] = {
    "CAST({} AS DOUBLE)": lambda number: number,
    "CAST({} AS DECIMAL(20,2))": lambda number: number,
    "CAST({} AS BIGINT)": int,
    "CAST({} AS INT)": int,
    "ABS({})": abs,
    "POW({}, 1)": lambda number: number,
    "{} = 1": lambda number: number == 1,
    "1000 >= {}": lambda number: number <= 1000,
    "{} IN (1, 1000)": lambda number: number in (1, 1000),
    "{} BETWEEN 1 AND 1000": lambda number: 1 <= number <= 1000,
}


@pytest.mark.parametrize("road", ROADS)
def test_each_road_to_a_number_reads_a_text_as_cast_does(road: str, tmp_path: Path) -> None:
    hints = "SET odps.sql.type.system.odps2=true; SET odps.sql.decimal.odps2=true; SELECT "
    for text in (*NUMBERS, *NONE):
        for written in (f"'{text}'", f"CONCAT('{text}', '')"):  # DuckDB has rules of their own for literals
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            if text in NUMBERS:
                [(value,)] = ask(hints + road.format(written), folder)
                assert float(value) == float(ROADS[road](NUMBERS[text])), (road, written)
            else:
                with pytest.raises(SqlFailed):
                    ask(hints + road.format(written), folder)


def test_numbers_become_texts_among_the_branches_of_a_case(tmp_path: Path) -> None:
    """As the pages of CASE WHEN and of implicit conversions say; DuckDB makes a number of the text."""
    branches = {
        "CASE WHEN true THEN '1_000' ELSE 1 END": "1_000",
        "IF(true, 1, '1000')": "1",
        "IF(false, 'x', 2.50BD)": "2.5",
    }
    for number, (expression, text) in enumerate(branches.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert ask(f"SELECT {expression}", folder) == [(text,)]


def test_functions_and_tables_take_texts_as_cast_does(odps: Any) -> None:
    deploy(odps, "f", "@annotate('double->double')\nclass F(object):\n    def evaluate(self, x):\n        return x\n")
    deploy(odps, "g", "@annotate('bigint->bigint')\nclass F(object):\n    def evaluate(self, x):\n        return x\n")
    odps.execute_sql("CREATE TABLE taken (n BIGINT, x DOUBLE)")
    edition_1 = {"odps.sql.type.system.odps2": "false"}
    for text, number in NUMBERS.items():
        assert rows(odps, f"SELECT f('{text}')") == [[number]]
        assert rows(odps, f"SELECT g('{text}')", **edition_1) == [[int(number)]]
        odps.execute_sql(f"INSERT OVERWRITE TABLE taken SELECT '{text}', '{text}'")
        assert rows(odps, "SELECT * FROM taken") == [[int(number), number]]
    for text in NONE:
        for statement in (
            f"SELECT f('{text}')",
            f"INSERT INTO taken SELECT '{text}', 1.0",
            f"INSERT INTO taken SELECT 1, '{text}'",
        ):
            with pytest.raises(errors.ODPSError):
                odps.execute_sql(statement, hints=HINTS)
        with pytest.raises(errors.ODPSError):
            rows(odps, f"SELECT g('{text}')", **edition_1)
    odps.execute_sql("INSERT OVERWRITE TABLE taken SELECT 1.6, 2")
    assert rows(odps, "SELECT n FROM taken") == [[1]]
    with pytest.raises(errors.ODPSError, match="cannot match any overloaded functions"):
        rows(odps, "SELECT g('1')")
