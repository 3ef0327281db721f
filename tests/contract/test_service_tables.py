"""What the local service does with tables beside what PyODPS shows: refusals, the store, and what a kill leaves."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest
from odps import errors
from odps.tunnel import TableTunnel

from reconciler.local import ProvidedTable, Server
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Connect, Process


def text(odps: Any, sql: str, **hints: str) -> str:
    [result] = odps.execute_sql(sql, hints=hints).get_task_results().values()
    return str(result)


REFUSED = {
    "SELECT a FROM nowhere": r"ODPS-0130131:\[1,15\] Table not found - table demo.nowhere",
    "INSERT INTO nowhere VALUES (1)": r"ODPS-0130131:\[1,13\] Table not found",
    "CREATE TABLE IF NOT EXISTS t AS SELECT * FROM nowhere": r"ODPS-0130131:\[1,47\] Table not found",
    "CREATE TABLE u (a UUID)": r"ODPS-0130161:\[1,19\] Parse exception - invalid token 'uuid'",
    "CREATE TABLE u (a BIGINT, A STRING)": r"ODPS-0130071:\[1,14\] .*column a is defined twice",
    "CREATE TABLE u (a BIGINT) PARTITIONED": r"ODPS-0130161:\[1,27\]",
    "CREATE TABLE nowhere.s.u (a BIGINT)": "ODPS-0420111:Project not found",
    "CREATE TABLE demo.nowhere.u (a BIGINT)": "ODPS-0422155:Schema not found",
    "CREATE VIEW t AS SELECT 1": r"ODPS-0130211:\[1,13\] Table or view already exists",
    "ALTER VIEW t RENAME TO u": r"ODPS-0130201:\[1,12\] View not found",
    "ALTER VIEW v RENAME TO t": r"ODPS-0130211:\[1,24\] Table or view already exists",
    "ALTER VIEW v CHANGEOWNER TO 'x'": "ODPS-0130161",
    "DROP VIEW t": r"ODPS-0130201:\[1,11\] View not found",
    "DROP TABLE v": "DROP VIEW removes it",
    "INSERT INTO t SELECT 1, 2": r"ODPS-0130071:\[1,13\] .*takes 1 columns, and the query has 2",
    "INSERT INTO t PARTITION (p='x') SELECT 1": "the table takes no PARTITION",
    "INSERT INTO t (b) SELECT 1": r"ODPS-0130071:\[1,16\] .*column b cannot be resolved",
    "INSERT INTO t VALUES ('x')": "ODPS-0123091:Illegal type cast",
    "INSERT INTO p SELECT 1": r"takes PARTITION \(day\)",
    "INSERT INTO p PARTITION (day) SELECT 1, NULL": "ODPS-0123031:Partition exception",
    "TRUNCATE TABLE p": "is partitioned",
    "ALTER TABLE p DROP PARTITION (day='x')": "partition not found",
    "ALTER TABLE p ADD PARTITION (hour=1)": "the partition keys are day",
    "SHOW PARTITIONS t": "not a partitioned table",
    "INSERT INTO given VALUES (1)": "stands under tables: in the manifest",
    "DROP TABLE given": "stands under tables: in the manifest",
    "ADD PY a/b-c.py": "udfs apply uploads",
    "SELECT 1; SELECT 2": r"ODPS-0130161:\[1,11\].*SET odps.sql.submit.mode=script",
    "@x := SELECT 1": "is for scripts",
    "SET odps.sql.submit.mode=script; SELECT 1 AS a; SELECT 2 AS a": "shows the result of one SELECT",
    "SET odps.sql.submit.mode=script; DESC t": "DESC and SHOW",
    "SET odps.sql.submit.mode=script; CREATE TABLE u AS SELECT 1 AS a; SELECT 1 AS a": r"\[1,67\].*the last statement",
    "SET odps.sql.submit.mode=script; SELECT * FROM @x": "variable @x cannot be resolved",
}


@pytest.fixture
def tables(odps: Any, server: Server) -> Any:
    """A table, one with partitions, a view, and a table that the manifest provides."""
    for sql in ("TABLE t (a bigint)", "TABLE p (a bigint) PARTITIONED BY (day string)", "VIEW v AS SELECT 1 AS one"):
        odps.execute_sql(f"CREATE {sql}")
    server.provide_table("demo", "given", ProvidedTable((("a", "bigint"),), lambda: [(4,)]))
    return odps


def test_what_is_wrong_is_refused_at_its_place_and_changes_nothing(tables: Any) -> None:
    before = text(tables, "SHOW TABLES")
    for sql, message in REFUSED.items():
        with pytest.raises(errors.ODPSError, match=message):
            text(tables, sql)
    assert text(tables, "SHOW TABLES") == before
    assert text(tables, "SELECT COUNT(*) FROM t") == '"_c0"\n0\n'


def test_a_provided_table_is_read_listed_and_described(tables: Any) -> None:
    assert text(tables, "SELECT a FROM given") == '"a"\n4\n'
    assert "given" in [table.name for table in tables.list_tables()]
    assert [column.name for column in tables.get_table("given").table_schema.columns] == ["a"]
    assert [record.values for record in tables.get_table("given").head(3)] == [[4]]


def test_statements_of_the_console_client_do_what_its_requests_do(tables: Any) -> None:
    tables.create_resource("f-1.py", "py", file_obj=b"class F: pass")
    text(tables, "CREATE FUNCTION f AS 'f-1.F' USING 'f-1.py'")
    with pytest.raises(errors.ODPSError, match="ODPS-0421121"):
        text(tables, "CREATE FUNCTION F AS 'g.G' USING 'f-1.py'")
    text(tables, "CREATE FUNCTION F AS 'g.G' USING 'f-1.py' -f")
    assert tables.get_function("f").class_type == "g.G"
    assert "demo/resources/f-1.py" in text(tables, "DESC FUNCTION f")
    assert text(tables, "SHOW FUNCTIONS LIKE 'f*'").startswith("f\t")
    text(tables, "DROP FUNCTION f")
    text(tables, "DROP FUNCTION IF EXISTS f")
    text(tables, "DROP RESOURCE f-1.py")
    assert not tables.exist_resource("f-1.py")
    text(tables, "ADD TABLE p PARTITION (day='x') AS lookup COMMENT 'said'")
    assert tables.get_resource("lookup").source_table_name == "demo.p partition(day='x')"


def test_columns_that_are_added_are_null_in_rows_of_before(tables: Any) -> None:
    text(tables, "INSERT INTO t VALUES (1L)")
    text(tables, "ALTER TABLE t ADD COLUMNS (b decimal(10,2), c string COMMENT 'said')")
    text(tables, "INSERT INTO t VALUES (2L, 1.5BD, 'x')")
    text(tables, "ALTER TABLE t RENAME TO renamed")
    assert text(tables, "SELECT * FROM renamed ORDER BY a LIMIT 9") == '"a","b","c"\n1,\\N,\\N\n2,1.50,"x"\n'
    assert not tables.exist_table("t")


def test_several_tables_are_filled_from_one_source(tables: Any) -> None:
    text(
        tables,
        "FROM given INSERT INTO t SELECT a INSERT OVERWRITE TABLE p PARTITION (day='x') SELECT a * 2 WHERE a > 3",
    )
    text(tables, "WITH w AS (SELECT a FROM t) INSERT INTO t SELECT a + 1 FROM w")
    assert text(tables, "SELECT a FROM t ORDER BY a LIMIT 9") == '"a"\n4\n5\n'
    assert text(tables, "SELECT * FROM p WHERE day > ''") == '"a","day"\n8,"x"\n'


def test_answers_about_tables_have_the_shapes_that_clients_read(tables: Any, raw: Client) -> None:
    listed = raw.get("/projects/demo/tables?expectmarker=true&type=virtual_view").xml
    assert [(entry.findtext("Name"), entry.findtext("Type")) for entry in listed.iter("Table")] == [
        ("v", "VIRTUAL_VIEW")
    ]
    assert (raw.get("/projects/demo/tables/none").status, raw.get("/projects/demo/tables/none").code) == (
        404,
        "NoSuchTable",
    )
    missing = raw.get("/projects/demo/tables/p?partition=day=x")
    assert (missing.status, missing.code) == (404, "NoSuchPartition")
    assert raw.get("/projects/demo/tables/p?partition=hour=x").status == 400
    assert raw.get("/projects/demo/tables/t").xml.get("format") == "Json"


def test_the_tunnel_refuses_by_the_codes_of_its_page(tables: Any, raw: Client) -> None:
    path = "/projects/demo/tables"
    document = json.loads(raw.ask("POST", f"{path}/t?downloads").body)
    read = f"{path}/t?downloadid={document['DownloadID']}&data&rowrange="
    assert raw.get(f"{read}(0,1)").code == "InvalidRowRange"
    text(tables, "INSERT INTO t VALUES (1L)")
    modified = raw.get(f"{read}(0,0)")
    assert (modified.status, modified.code) == (412, "TableModified")
    assert raw.ask("POST", f"{path}/p?uploads").code == "MissingPartitionSpec"
    assert raw.ask("POST", f"{path}/p?uploads&partition=day=x").code == "NoSuchPartition"
    assert raw.ask("POST", f"{path}/v?downloads").code == "InvalidArgument"
    assert raw.get(f"{path}/t?downloadid=none").code == "NoSuchDownload"
    assert raw.get(f"{path}/v/preview").code == "InvalidArgument"
    assert raw.get(f"{path}/t/preview?limit=many").status == 400
    assert raw.get(f"{path}/none/preview").code == "NoSuchTable"
    upload = json.loads(raw.ask("POST", f"{path}/t?uploads").body)["UploadID"]
    broken = raw.ask("PUT", f"{path}/t?uploadid={upload}&blockid=0", b"\x08\x02 no records")
    assert (broken.status, broken.code) == (400, "MalformedDataStream")
    assert raw.ask("POST", f"{path}/t?uploadid={upload}").status == 200
    assert raw.ask("PUT", f"{path}/t?uploadid={upload}&blockid=0", b"").code == "StatusConflict"
    assert text(tables, "SELECT COUNT(*) FROM t") == '"_c0"\n1\n', "of a broken block nothing is there"


def test_a_store_of_the_version_before_gets_tables(tmp_path: Path, connect: Connect) -> None:
    with Server(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "maxcompute.db") as db:
        for table in ("tables", "partitions", "row_files"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    with Server(tmp_path) as server:
        connect(url=server.url).create_table("t", "a bigint")


def job(raw: Client, sql: str, settings: str = "{}") -> bool:
    """Run a statement; whether it succeeded."""
    setting = f"<Config><Property><Name>settings</Name><Value>{settings}</Value></Property></Config>"
    task = f"<SQL><Name>t</Name>{setting}<Query><![CDATA[{sql};]]></Query></SQL>"
    location = raw.ask("POST", "/projects/demo/instances", f"<Instance><Job><Tasks>{task}</Tasks></Job></Instance>")
    path = str(location.headers["Location"])
    while (status := raw.get(f"{path}?instancestatus").xml.findtext("Status")) != "Terminated":
        if status != "Running":  # the server is gone, and another one may have its port
            raise HTTPException(f"no status of {path}")
    return raw.get(f"{path}?result").xml.findtext("Tasks/Task/Status") == "Success"


def test_a_kill_at_any_moment_leaves_each_statement_done_or_not(
    tmp_path: Path, connect: Connect, spawn: Callable[[Path], Process]
) -> None:
    """Each script adds ten rows to two tables; what was answered is there, and nothing is there by halves."""
    moments = random.Random(5)
    answered = begun = 0
    ten = ", ".join(f"({number}L)" for number in range(10))
    for attempt in range(2):
        process = spawn(tmp_path)
        with Client(process.url) as raw:
            if attempt == 0:
                assert job(raw, "CREATE TABLE a (n bigint)")
                assert job(raw, "CREATE TABLE b (n bigint) PARTITIONED BY (k string)")
            assert job(raw, "SELECT 1")
            end = threading.Timer(moments.uniform(0.1, 1.0), process.kill)
            with suppress(OSError, HTTPException):
                while True:
                    begun += 1
                    script = (
                        f"@x := SELECT n FROM VALUES {ten} t(n); INSERT INTO a SELECT n FROM @x; "
                        f"INSERT INTO b PARTITION (k='{begun % 2}') SELECT n FROM @x"
                    )
                    answered += job(raw, script, '{"odps.sql.submit.mode": "script"}')
                    if end.ident is None:  # the first is answered, however long that took
                        end.start()
            end.join()
    assert answered
    with Server(tmp_path) as server:
        odps = connect(url=server.url)
        counts = [
            int(text(odps, f"SELECT COUNT(*) FROM {name}", **{"odps.sql.allow.fullscan": "true"}).split()[1])
            for name in "ab"
        ]
    assert counts[0] == counts[1], "a script is done as a whole"
    assert counts[0] % 10 == 0
    assert answered * 10 <= counts[0] <= begun * 10
    with sqlite3.connect(tmp_path / "maxcompute.db") as db:
        used = {sha256 for (sha256,) in db.execute("SELECT sha256 FROM row_files")}
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == used, "no file is left of what was not done"


def test_of_two_that_make_one_table_exactly_one_does(odps: Any) -> None:
    instances = [odps.run_sql("CREATE TABLE same (a bigint)") for _ in range(6)]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(instance.is_terminated() for instance in instances):
        time.sleep(0.05)
    assert sum(instance.is_successful() for instance in instances) == 1


def test_an_upload_with_null_for_a_column_that_takes_none_is_refused_and_changes_nothing(tables: Any) -> None:
    tables.execute_sql("CREATE TABLE filled (a BIGINT NOT NULL, b STRING)")
    session = TableTunnel(tables).create_upload_session("filled")
    with (
        pytest.raises(errors.ODPSError, match="column a is NOT NULL") as refused,
        session.open_record_writer(0) as writer,
    ):
        writer.write(session.new_record([None, "x"]))
    assert refused.value.code == "MalformedDataStream"
    with session.open_record_writer(0) as writer:
        writer.write(session.new_record([1, None]))
    session.commit([0])
    assert text(tables, "SELECT * FROM filled") == '"a","b"\n1,\\N\n'
