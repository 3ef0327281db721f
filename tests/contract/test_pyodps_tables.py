"""Tables, partitions, views and functions in statements, as PyODPS makes, reads and removes them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from odps import errors, options
from odps.tunnel import TableTunnel

TableNames = Callable[[str], str]
Ask = Callable[..., str]


@pytest.fixture
def named(odps: Any, unique: Callable[[str], str]) -> Iterator[TableNames]:
    """Turn a name into one of a table that is deleted at the end."""
    names: list[str] = []

    def name(stem: str) -> str:
        names.append(unique(stem))
        return names[-1]

    yield name
    for left in reversed(names):
        for kind in ("table", "view"):
            with contextlib.suppress(errors.ODPSError):
                odps.execute_sql(f"DROP {kind} IF EXISTS {left}")


@pytest.fixture
def ask(odps: Any) -> Ask:
    """Run a statement and return the text of its result."""

    def asked(sql: str, **hints: str) -> str:
        instance = odps.execute_sql(sql, hints={"odps.sql.python.version": "cp311", **hints})
        [result] = instance.get_task_results().values()
        return str(result)

    return asked


def test_a_table_is_made_described_listed_and_dropped(odps: Any, named: TableNames) -> None:
    name = named("t")
    table = odps.create_table(name, "a bigint, b array<string>", comment="rows of a test", lifecycle=7)
    assert (table.comment, table.lifecycle, table.is_virtual_view) == ("rows of a test", 7, False)
    described = [(column.name, str(column.type)) for column in odps.get_table(name).table_schema.columns]
    assert described == [("a", "BIGINT"), ("b", "ARRAY<STRING>")]
    required = named("n")
    odps.execute_sql(f"CREATE TABLE {required} (a BIGINT NOT NULL, b BIGINT)")
    assert [column.nullable for column in odps.get_table(required).table_schema.columns] == [False, True]
    with pytest.raises(errors.ODPSError, match="already exists"):
        odps.create_table(name, "a bigint")
    odps.create_table(name, "a bigint", if_not_exists=True)
    assert odps.exist_table(name)
    assert name in [listed.name for listed in odps.list_tables(prefix=name)]
    odps.delete_table(name)
    assert not odps.exist_table(name)
    odps.delete_table(name, if_exists=True)
    with pytest.raises(errors.NoSuchTable, match="ODPS-0130131"):
        odps.delete_table(name)


def test_rows_are_inserted_added_to_and_overwritten(odps: Any, named: TableNames, ask: Ask) -> None:
    name = named("t")
    odps.create_table(name, "a bigint, b string")
    ask(f"INSERT INTO {name} VALUES (1L, 'x'), (2L, NULL)")
    ask(f"INSERT INTO TABLE {name} SELECT a + 10, CONCAT(b, '!') FROM {name}")
    assert ask(f"SELECT * FROM {name} ORDER BY a LIMIT 10") == '"a","b"\n1,"x"\n2,\\N\n11,"x!"\n12,\\N\n'
    ask(f"INSERT OVERWRITE TABLE {name} (a) SELECT 7L")
    assert ask(f"SELECT * FROM {name}") == '"a","b"\n7,\\N\n'
    assert [record.values for record in odps.get_table(name).head(5)] == [[7, None]]
    odps.get_table(name).truncate()
    assert ask(f"SELECT COUNT(*) FROM {name}") == '"_c0"\n0\n'


def test_a_table_takes_no_value_of_another_family_and_no_day_that_it_cannot_give_back(
    named: TableNames, ask: Ask
) -> None:
    name = named("t")
    ask(f"CREATE TABLE {name} (a BIGINT, d DATE, s STRING)")
    ask(f"INSERT INTO {name} SELECT 2.5, CAST('2026-05-01' AS DATE), 7")
    for query, told in {
        "SELECT TRUE, NULL, NULL": "a BOOLEAN does not become BIGINT by itself, column a",
        "SELECT d, NULL, NULL FROM VALUES (DATE '2026-05-01') v(d)": "a DATE does not become BIGINT",
        "SELECT 1, 20260501, NULL": "a INT does not become DATE",
        "SELECT 1, NULL, TRUE": "a BOOLEAN does not become STRING",
        "SELECT 1, DATE_ADD(DATE '9999-12-31', 1), NULL": "a date is out of the range",
    }.items():
        with pytest.raises(errors.ODPSError, match=told):
            ask(f"INSERT INTO {name} {query}")
    assert ask(f"SELECT * FROM {name}") == '"a","d","s"\n2,2026-05-01,"7"\n'
    for kind in ("VARCHAR(0)", "CHAR(256)", "DECIMAL(39,2)", "DECIMAL(5,6)", "STRING(5)"):
        with pytest.raises(errors.ODPSError, match=r"ODPS-0130071:.*( has |no more than its precision)"):
            ask(f"CREATE TABLE {named('bad')} (v {kind})")


def test_a_condition_around_a_subquery_says_which_partitions_are_read(named: TableNames, ask: Ask) -> None:
    name = named("p")
    ask(f"CREATE TABLE {name} (a BIGINT) PARTITIONED BY (day STRING)")
    ask(f"INSERT INTO {name} PARTITION (day='x') VALUES (1L)")
    for sql in (
        f"SELECT a FROM (SELECT * FROM {name}) q WHERE q.day = 'x'",
        f"WITH q AS (SELECT a, day FROM {name}) SELECT a FROM q WHERE day = 'x'",
        f"SELECT a FROM (SELECT * FROM (SELECT a, day FROM {name}) r) q WHERE day = 'x'",
    ):
        assert ask(sql) == '"a"\n1\n'
    for sql in (
        f"SELECT a FROM (SELECT a, 'x' AS day FROM {name}) q WHERE day = 'x'",
        f"SELECT a FROM (SELECT * FROM {name} LIMIT 1) q WHERE day = 'x'",
        f"SELECT n FROM (SELECT day, COUNT(*) AS n FROM {name} GROUP BY day) q WHERE n > 0",
        f"SELECT day FROM VALUES ('x') v(day) WHERE day IN (SELECT day FROM {name})",
    ):
        with pytest.raises(errors.ODPSError, match="full scan with all partitions"):
            ask(sql)


def test_a_partition_has_values_that_its_keys_can_have_whoever_makes_it(odps: Any, named: TableNames, ask: Ask) -> None:
    name = named("p")
    ask(f"CREATE TABLE {name} (a BIGINT) PARTITIONED BY (day STRING, hour INT)")
    ask(f"INSERT INTO {name} PARTITION (day='2026-05-01 10:00', hour='07') VALUES (1L)")
    for values in (
        "day='x', hour='abc'",
        "day='x', hour=1.5",
        "day='x', hour=2147483648",
        "day='', hour=1",
        "day='中', hour=1",
    ):
        for statement in (
            f"INSERT INTO {name} PARTITION ({values}) VALUES (1L)",
            f"ALTER TABLE {name} ADD PARTITION ({values})",
        ):
            with pytest.raises(errors.ODPSError, match="ODPS-0123031:Partition exception - invalid partition value"):
                ask(statement)
    with pytest.raises(errors.ODPSError, match="a value expected"):
        ask(f"INSERT INTO {name} PARTITION (day=NULL, hour=1) VALUES (1L)")
    with pytest.raises(errors.ODPSError, match="partition value"):
        odps.write_table(name, [[2]], partition="day=x,hour=abc", create_partition=True)
    assert ask(f"SELECT * FROM {name} WHERE hour = 7") == '"a","day","hour"\n1,"2026-05-01 10:00",7\n'


LIMITS = {
    "CREATE TABLE {} (a BIGINT) PARTITIONED BY (k DOUBLE)": "a partition key is of one of the types",
    "CREATE TABLE `1st` (a BIGINT)": "a table's name has letters",
    f"CREATE TABLE {'x' * 129} (a BIGINT)": "128 bytes at most",
    "CREATE TABLE {} (`a b` BIGINT)": "a column's name has letters",
    "CREATE TABLE {} AS SELECT 1 AS `a b`": "a column's name has letters",
    f"CREATE TABLE {{}} ({', '.join(f'c{n} BIGINT' for n in range(1201))})": "1200 columns at most",
    f"CREATE TABLE {{}} (a BIGINT) PARTITIONED BY ({', '.join(f'k{n} STRING' for n in range(7))})": "6 partition keys",
    f"CREATE TABLE {{}} (a BIGINT COMMENT '{'x' * 1025}')": "1024 bytes at most",
    "SELECT 1 " + "UNION ALL SELECT 1 " * 256: "ODPS-0130241:.*256 sides at most",
    f"SELECT '{'x' * (2 << 20)}'": "2 MB at most",
}
"""What "SQL limitations" says, and how going past it is told."""


@pytest.mark.parametrize("sql", LIMITS, ids=LIMITS.values())
def test_what_is_larger_than_the_service_has_it_is_refused(sql: str, named: TableNames, ask: Ask) -> None:
    with pytest.raises(errors.ODPSError, match=LIMITS[sql]):
        ask(sql.replace("{}", named("t")))


def test_a_view_has_no_first_rows_and_partitions_come_backwards_if_they_are_asked_for(
    odps: Any, named: TableNames, ask: Ask
) -> None:
    table, view = named("t"), named("v")
    ask(f"CREATE TABLE {table} (a BIGINT) PARTITIONED BY (day STRING)")
    ask(f"ALTER TABLE {table} ADD PARTITION (day='1') PARTITION (day='2') PARTITION (day='3')")
    listed = [str(partition) for partition in odps.get_table(table).iterate_partitions(reverse=True)]
    assert listed == ["day='3'", "day='2'", "day='1'"]
    ask(f"CREATE VIEW {view} AS SELECT 1L AS a")
    with pytest.raises(errors.ODPSError, match="is a view"):
        list(odps.get_table(view).head(1))
    with pytest.raises(errors.ODPSError, match="missing here: ALTER TABLE … CHANGE"):
        odps.get_table(table).rename_column("a", "b")


def test_partitions_come_and_go_and_hold_their_rows(odps: Any, named: TableNames, ask: Ask) -> None:
    name = named("p")
    table = odps.create_table(name, ("a bigint", "day string, hour bigint"))
    table.create_partition("day=2026-05-01,hour=1")
    table.create_partition("day=2026-05-01,hour=1", if_not_exists=True)
    with pytest.raises(errors.ODPSError, match="Partition already exists"):
        table.create_partition("day=2026-05-01,hour=1")
    assert table.exist_partition("day=2026-05-01,hour=1")
    assert not table.exist_partition("day=2026-05-01,hour=2")
    ask(f"INSERT INTO {name} PARTITION (day='2026-05-01', hour=1) VALUES (1L), (2L)")
    ask(f"INSERT INTO {name} PARTITION (day='2026-05-02', hour) SELECT * FROM VALUES (3L, 4L), (5L, 6L) t(a, h)")
    assert [str(partition) for partition in table.iterate_partitions("day=2026-05-02")] == [
        "day='2026-05-02',hour='4'",
        "day='2026-05-02',hour='6'",
    ]
    assert ask(f"SELECT a, hour FROM {name} WHERE day = '2026-05-02' ORDER BY a LIMIT 9") == '"a","hour"\n3,4\n5,6\n'
    ask(f"INSERT OVERWRITE TABLE {name} PARTITION (day, hour) SELECT 9L, '2026-05-02', 4L")
    with pytest.raises(errors.ODPSError, match=rf"Table\({odps.project},{name}\) is full scan with all partitions"):
        ask(f"SELECT SUM(a) FROM {name}")
    every = {"odps.sql.allow.fullscan": "true"}
    assert ask(f"SELECT SUM(a) FROM {name}", **every) == '"_c0"\n17\n', "other partitions keep their rows"
    assert table.get_partition("day=2026-05-01,hour=1").record_num == 2
    table.delete_partition("day=2026-05-01,hour=1")
    assert not table.exist_partition("day=2026-05-01,hour=1")
    assert ask(f"SHOW PARTITIONS {name}") == "day=2026-05-02/hour=4\nday=2026-05-02/hour=6\n"


def test_a_preview_has_the_rows_of_the_plain_head(odps: Any, named: TableNames, ask: Ask) -> None:
    """By Arrow, as PyODPS 0.13 and the console client's ``read`` ask for it."""
    name = named("t")
    table = odps.create_table(name, "n bigint, s string, d decimal(10,2), t timestamp, w datetime, l array<bigint>")
    assert list(table.head(10, use_legacy=False)) == []
    ask(
        f"INSERT INTO {name} SELECT 1L, 'x', 2.50BD, TIMESTAMP '2026-05-01 01:02:03.456789', DATETIME '2026-05-01 04:05:06', ARRAY(1L, 2L)"
    )
    ask(f"INSERT INTO {name} SELECT 2L, NULL, NULL, NULL, NULL, NULL")
    zone = options.local_timezone
    options.local_timezone = "Asia/Shanghai"
    try:
        with TableTunnel(odps).open_preview_reader(table, limit=10) as reader:
            rows = reader.read().sort_by("n").to_pylist()
    finally:
        options.local_timezone = zone
    assert [rows[0][name].replace(tzinfo=None) for name in "tw"] == [
        dt.datetime(2026, 5, 1, 1, 2, 3, 456789),  # noqa: DTZ001
        dt.datetime(2026, 5, 1, 4, 5, 6),  # noqa: DTZ001
    ]
    assert [rows[0][name] for name in "nsdl"] == [1, "x", Decimal("2.50"), [1, 2]]
    assert rows[1] == {"n": 2} | dict.fromkeys("sdtwl")
    [record] = table.head(1, columns=["s", "n"], use_legacy=False)
    assert record.values in (["x", 1], [None, 2])


def test_a_preview_is_of_a_partition_or_of_all_and_has_its_keys_last(odps: Any, named: TableNames, ask: Ask) -> None:
    """The Java SDK reads the keys from what comes."""
    name = named("p")
    table = odps.create_table(name, ("n bigint", "day string"))
    ask(
        f"INSERT INTO {name} PARTITION (day) SELECT * FROM VALUES (0L, 'first'), (1L, 'second'), (2L, 'second') t(n, d)"
    )

    def rows(limit: int = 10, **asked: Any) -> list[list[Any]]:
        return sorted(record.values for record in table.head(limit, use_legacy=False, **asked))

    assert rows() == [[0, "first"], [1, "second"], [2, "second"]]
    assert rows(partition="day=second") == [[1, "second"], [2, "second"]]
    assert len(rows(limit=2)) == 2
    with pytest.raises(errors.ODPSError, match="does not exist"):
        rows(partition="day=never")

    # Of a TIMESTAMP beside keys PyODPS has to be told the columns: it forgets the keys otherwise.
    ask(f"ALTER TABLE {name} ADD COLUMNS (t TIMESTAMP)")
    ask(f"INSERT INTO {name} PARTITION (day='third') SELECT 3L, TIMESTAMP '2026-05-01 01:02:03.456789'")
    named_columns = TableTunnel(odps).open_preview_reader(
        odps.get_table(name), "day=third", columns=["n", "day", "t"], limit=1
    )
    [row] = named_columns.read().to_pylist()
    assert (row["n"], row["day"], row["t"].microsecond) == (3, "third", 456_789)


def test_types_that_duckdb_has_once_stay_what_they_are_in_results_and_in_tables_of_them(
    odps: Any, named: TableNames, ask: Ask
) -> None:
    name, copy = named("t"), named("c")
    ask(f"CREATE TABLE {name} (n TIMESTAMP_NTZ, j JSON, s STRUCT<a:INT,b:STRING>, t TIMESTAMP)")
    clock, instant = "2026-05-01 01:02:03.123456789", "2026-05-01 01:02:03"
    ask(
        f"INSERT INTO {name} SELECT CAST('{clock}' AS TIMESTAMP_NTZ), JSON '{{\"z\":1}}', NAMED_STRUCT('a', 1, 'b', 'x'), TIMESTAMP '{instant}'"
    )
    ask(f"CREATE TABLE {copy} AS SELECT n, j, t FROM {name}")
    assert [str(column.type) for column in odps.get_table(copy).table_schema.columns] == [
        "TIMESTAMP_NTZ",
        "JSON",
        "TIMESTAMP",
    ]
    with odps.execute_sql(f"SELECT n, s FROM {name}").open_reader(tunnel=True) as reader:
        schema = [str(column.type) for column in reader.schema.columns]
    assert schema[0] == "TIMESTAMP_NTZ"
    [first] = ask(f"SELECT n, CAST(n AS STRING) FROM {name}").splitlines()[1:]
    assert first == f'{clock},"{clock}"'
    content = odps.rest.get(
        odps.get_table(name).resource(), params={"data": "", "linenum": 1, "curr_project": odps.project}
    )
    assert content.text.splitlines()[1] == f'{clock},"{{""z"":1}}","{{""a"":1,""b"":""x""}}",{instant}'


def test_a_table_is_made_of_a_query_and_like_another(odps: Any, named: TableNames, ask: Ask) -> None:
    source, copy, like = named("s"), named("c"), named("l")
    odps.create_table(source, ("a bigint", "day string"))
    ask(f"INSERT INTO {source} PARTITION (day='x') VALUES (1L), (2L)")
    ask(
        f"CREATE TABLE {copy} LIFECYCLE 1 AS SELECT day, SUM(a) AS total, COUNT(*) FROM {source} WHERE day = 'x' GROUP BY day"
    )
    assert ask(f"SELECT * FROM {copy}") == '"day","total","_c2"\n"x",3,2\n'
    ask(f"CREATE TABLE {like} LIKE {source}")
    assert [key.name for key in odps.get_table(like).table_schema.partitions] == ["day"]
    assert ask(f"SELECT COUNT(*) FROM {like} WHERE day = 'x'") == '"_c0"\n0\n'


def test_a_view_is_a_query_that_is_asked_when_it_is_named(odps: Any, named: TableNames, ask: Ask) -> None:
    table, view = named("t"), named("v")
    odps.create_table(table, "a bigint")
    ask(f"CREATE VIEW {view} (b) AS SELECT a * 2 FROM {table}")
    ask(f"INSERT INTO {table} VALUES (4L)")
    assert ask(f"SELECT x.b FROM {view} x JOIN {view} y ON x.b = y.b") == '"b"\n8\n'
    assert odps.get_table(view).is_virtual_view
    ask(f"CREATE OR REPLACE VIEW {view} AS SELECT a + 1 AS b FROM {table}")
    assert ask(f"SELECT b FROM {view}") == '"b"\n5\n'
    renamed = named("w")
    ask(f"ALTER VIEW {view} RENAME TO {renamed}")
    assert ask(f"SELECT b FROM {renamed}") == '"b"\n5\n'
    assert not odps.exist_table(view)
    ask(f"DROP VIEW {renamed}")
    assert not odps.exist_table(renamed)


@pytest.fixture
def double(odps: Any, unique: Callable[[str], str]) -> str:
    """A function that gives twice its argument."""
    name = unique("f.py").removesuffix(".py")
    source = b"from odps.udf import annotate\n@annotate('bigint->bigint')\nclass F(object):\n    def evaluate(self, a): return a * 2\n"
    odps.create_resource(f"{name}.py", "py", file_obj=source)
    odps.create_function(name, class_type=f"{name}.F", resources=[f"{name}.py"])
    return name


def test_a_function_fills_tables_and_stands_in_views(odps: Any, named: TableNames, ask: Ask, double: str) -> None:
    table, view = named("t"), named("v")
    ask(f"CREATE TABLE {table} AS SELECT {double}(21L) AS a")
    ask(f"CREATE VIEW {view} AS SELECT {double}(a) AS b FROM {table}")
    ask(f"INSERT INTO {table} SELECT {double}(b) FROM {view}")
    assert ask(f"SELECT b FROM {view} ORDER BY b LIMIT 9") == '"b"\n84\n336\n'


def test_a_function_reads_a_stored_table_or_a_partition_of_it(
    odps: Any, named: TableNames, unique: Callable[[str], str], ask: Ask
) -> None:
    table, resource, function = named("p"), unique("r"), unique("f.py").removesuffix(".py")
    odps.create_table(table, ("a bigint", "day string"))
    odps.write_table(table, [[20], [3]], partition="day=x", create_partition=True)
    odps.write_table(table, [[500]], partition="day=y", create_partition=True)
    odps.create_resource(resource, "table", table_name=table, partition="day=x")
    source = f"""
from odps.distcache import get_cache_table
from odps.udf import annotate
@annotate("bigint->bigint")
class F(object):
    def evaluate(self, a):
        return a + sum(row[0] for row in get_cache_table("{resource}"))
"""
    odps.create_resource(f"{function}.py", "py", file_obj=source.encode())
    odps.create_function(function, class_type=f"{function}.F", resources=[f"{function}.py", resource])
    assert ask(f"SELECT {function}(1L)") == '"_c0"\n24\n'


def test_a_function_is_called_by_its_project(odps: Any, ask: Ask, double: str) -> None:
    project = odps.project
    calls = (f"{project}.{double}(1L)", f"{project}:{double}(2L)", f"`{project}`.`default`.`{double}`(3L)")
    assert ask(f"SELECT {', '.join(calls)}") == '"_c0","_c1","_c2"\n2,4,6\n'


def test_a_script_is_several_statements_with_variables(odps: Any, named: TableNames, ask: Ask) -> None:
    table = named("t")
    script = f"""
        CREATE TABLE {table} (a bigint);
        @few := SELECT a FROM VALUES (1L), (2L), (3L) t(a) WHERE a > 1;
        @sums := SELECT SUM(a) AS s FROM @few;
        INSERT INTO {table} SELECT x.a + y.s FROM @few x CROSS JOIN @sums y;
        SELECT s FROM @sums;
    """
    hints = {"odps.sql.submit.mode": "script", "odps.sql.allow.cartesian": "true"}
    assert ask(script, **hints) == '"s"\n5\n'
    assert ask(f"SELECT a FROM {table} ORDER BY a LIMIT 9") == '"a"\n7\n8\n'
    with pytest.raises(errors.ODPSError, match="ODPS-0130"):
        ask(f"INSERT INTO {table} VALUES (1L); INSERT INTO {table} SELECT a FROM nowhere_to_be", **hints)
    assert ask(f"SELECT COUNT(*) FROM {table}") == '"_c0"\n2\n', "of a script that fails nothing is done"
    again = f"INSERT INTO {table} VALUES (1L); SELECT COUNT(*) FROM {table}"
    with pytest.raises(errors.ODPSError, match="ODPS-0130"):
        ask(again, **hints)
    assert ask(again, **hints, **{"odps.sql.step.script.mode": "true"}) == '"_c0"\n3\n'


def test_a_schema_has_tables_of_its_own(odps: Any, unique: Callable[[str], str], ask: Ask) -> None:
    schema = unique("s")
    odps.create_schema(schema)
    table = odps.create_table("t", "a bigint", schema=schema)
    try:
        levels = {"odps.namespace.schema": "true"}
        ask(f"INSERT INTO {odps.project}.{schema}.t VALUES (5L)", **levels)
        assert ask(f"SELECT a FROM {schema}.t", **levels) == '"a"\n5\n'
        assert ask("SELECT a FROM t", **levels, **{"odps.default.schema": schema}) == '"a"\n5\n'
        assert odps.exist_table("t", schema=schema)
    finally:
        table.drop()
    odps.delete_schema(schema)


def values(odps: Any, name: str, **how: Any) -> list[list[Any]]:
    """Read a table by the tunnel."""
    return [list(record.values) for record in odps.read_table(name, **how)]


def test_rows_go_up_and_come_down_by_the_tunnel(odps: Any, named: TableNames, ask: Ask) -> None:
    name = named("t")
    odps.create_table(name, "a bigint, b string, c double, d datetime, e decimal(10,2), f array<bigint>, g boolean")
    moment = dt.datetime(2026, 5, 1, 12, 30, 15)  # noqa: DTZ001 - PyODPS takes it as the machine's own
    rows = [[1, "x", 0.5, moment, Decimal("1.50"), [1, None], True], [None] * 7]
    odps.write_table(name, rows)
    assert values(odps, name) == rows
    odps.write_table(name, [[2, "y", *[None] * 5]])
    assert [row[0] for row in values(odps, name)] == [1, None, 2]
    assert ask(f"SELECT SUM(a), COUNT(*) FROM {name}") == '"_c0","_c1"\n3,3\n'
    odps.write_table(name, [[9, *[None] * 6]], overwrite=True)
    assert values(odps, name, reopen=True) == [[9, *[None] * 6]]
    with odps.get_table(name).open_reader(reopen=True, columns=["b", "a"]) as reader:
        assert [list(record.values) for record in reader[0:1]] == [[None, 9]]


def test_a_partition_is_written_and_read_by_the_tunnel(odps: Any, named: TableNames, ask: Ask) -> None:
    name = named("p")
    odps.create_table(name, ("a bigint", "day string"))
    with pytest.raises(errors.ODPSError):
        odps.write_table(name, [[1]], partition="day=x")
    odps.write_table(name, [[1], [2]], partition="day=x", create_partition=True)
    odps.write_table(name, [[3]], partition="day=y", create_partition=True)
    assert [row[0] for row in values(odps, name, partition="day=y")] == [3]
    assert (
        ask(f"SELECT day, SUM(a) FROM {name} WHERE day > '' GROUP BY day ORDER BY day LIMIT 5")
        == '"day","_c1"\n"x",3\n"y",3\n'
    )


def test_arrow_goes_both_ways(odps: Any, named: TableNames, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    # PyODPS asks for the class of a data frame even where there is no pandas.
    monkeypatch.setattr("odps.tunnel.io.writer.pd", SimpleNamespace(DataFrame=()))
    name = named("t")
    table = odps.create_table(name, "a bigint, b string")
    with table.open_writer(arrow=True) as writer:
        writer.write(pa.table({"a": [1, 2], "b": ["x", None]}))
    assert ask(f"SELECT * FROM {name}") == '"a","b"\n1,"x"\n2,\\N\n'
    with table.open_reader(arrow=True) as reader:
        assert [batch.to_pydict() for batch in reader] == [{"a": [1, 2], "b": ["x", None]}]


def test_blocks_become_rows_when_they_are_committed_and_not_before(odps: Any, named: TableNames) -> None:
    name = named("t")
    table = odps.create_table(name, "a bigint")
    with table.open_writer(blocks=[0, 1], commit=False) as writer:
        writer.write(0, [[1]])
        writer.write(1, [[2], [3]])
    assert values(odps, name) == []
    with table.open_writer(blocks=[0, 1], reopen=True) as writer:
        writer.write(1, [[2], [3]])
        writer.write(0, [[1]])
    assert values(odps, name, reopen=True) == [[1], [2], [3]]
