"""What the local service's SQL does with tables, limits and what goes wrong; and every type on its way through it."""

from __future__ import annotations

import datetime as dt
import struct
import textwrap
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odps import errors

from reconciler import local
from reconciler.cli.entry import run
from reconciler.local import ProvidedTable
from reconciler.local.runner import Json, TypedText
from reconciler.local.server import instances

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.local import Server
    from tests.contract.conftest import Serve

HINTS = {"odps.sql.python.version": "cp311"}


def deploy(
    odps: Any, name: str, source: str, classes: tuple[str, ...] = ("F",), resources: tuple[Any, ...] = ()
) -> None:
    """Upload a module, and register its classes: the only one under the module's name, several under their own."""
    content = "from odps.udf import BaseUDAF, BaseUDTF, annotate\n" + textwrap.dedent(source)
    module = odps.create_resource(f"{name}.py", "py", file_obj=content.encode())
    for one in classes:
        odps.create_function(name if one == "F" else one, class_type=f"{name}.{one}", resources=[module, *resources])


def rows(odps: Any, sql: str, **hints: str) -> list[list[Any]]:
    with odps.execute_sql(sql, hints={**HINTS, **hints}).open_reader(tunnel=False, limit=True) as reader:
        return [list(record.values) for record in reader]


def numbers(count: int) -> ProvidedTable:
    return ProvidedTable((("a", "bigint"), ("b", "bigint")), lambda: ((n, n + 1) for n in range(count)))


SLOW = """
    import time
    @annotate("bigint->bigint")
    class F(object):
        def evaluate(self, a):
            time.sleep(60)
            return a
"""


def test_a_table_is_what_it_was_provided_with_and_read_again_when_that_changes(odps: Any, server: Server) -> None:
    held = [(1,)]
    server.provide_table("demo", "t", ProvidedTable((("a", "bigint"),), lambda: held, version=lambda: len(held)))
    assert rows(odps, "SELECT a FROM t") == [[1]]
    held.append((2,))
    assert rows(odps, "SELECT demo.t.a FROM demo.t") == [[1], [2]]
    with pytest.raises(errors.NoSuchTable, match=r"\[1,15\] Table not found - table other\.u"):
        rows(odps, "SELECT a FROM other.u")


def test_rows_that_a_person_wrote_are_read_by_their_types(odps: Any, server: Server) -> None:
    columns = {
        "day": ("date", "2026-05-01", dt.date(2026, 5, 1)),
        "moment": ("datetime", "2026-05-01 12:30:00", dt.datetime.fromisoformat("2026-05-01 12:30")),
        "amount": ("decimal(10,2)", 1.5, Decimal("1.50")),
        "tags": ("array<string>", ["a", "b,c"], ["a", "b,c"]),
        "counts": ("map<string,bigint>", {"k": 1}, {"k": 1}),
    }
    given_rows = [[Json(value) for _, value, _ in columns.values()], [Json(None)] * len(columns)]
    types = tuple((name, kind) for name, (kind, _, _) in columns.items())
    server.provide_table("demo", "t", ProvidedTable(types, lambda: given_rows))
    assert rows(odps, "SELECT * FROM t") == [[want for _, _, want in columns.values()], [None] * len(columns)]
    server.provide_table("demo", "bad", ProvidedTable((("day", "date"),), lambda: [[Json("yesterday")]]))
    with pytest.raises(errors.ODPSError, match="table bad cannot be read: column day"):
        rows(odps, "SELECT * FROM bad")


IDENTITIES: dict[str, st.SearchStrategy[Any]] = {
    "tinyint": st.integers(-128, 127),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    # A text that is \N is NULL to PyODPS, whoever sends it.
    "string": st.text(st.characters(codec="utf-8")).filter(lambda text: text != "\\N"),
    "binary": st.binary(max_size=20),
    "date": st.dates(),
    "datetime": st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
    "decimal(38,18)": st.decimals(-(10**19), 10**19, places=18),
    "array<bigint>": st.lists(st.none() | st.integers(-5, 5)),
    "map<string,bigint>": st.dictionaries(st.text("abc:, {}", min_size=1), st.integers(-5, 5), max_size=3),
    "struct<x:bigint,y:string>": st.fixed_dictionaries({"x": st.integers(-5, 5), "y": st.text("abc ")}),
}


@given(
    st.lists(st.tuples(*(st.none() | values for values in IDENTITIES.values())), min_size=1, max_size=30),
)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_of_every_type_goes_through_a_function_and_comes_back(
    odps: Any, server: Server, given_rows: list[tuple[Any, ...]]
) -> None:
    names = [f"F{number}" for number in range(len(IDENTITIES))]
    if not odps.exist_resource("identities.py"):
        classes = [
            f"@annotate('{kind}->{kind}')\nclass {name}(object):\n    def evaluate(self, value):\n        return value\n"
            for name, kind in zip(names, IDENTITIES, strict=True)
        ]
        deploy(odps, "identities", "\n".join(classes), tuple(names))
    types = tuple((f"c{number}", kind) for number, kind in enumerate(IDENTITIES))
    server.provide_table("demo", "t", ProvidedTable(types, lambda: given_rows))
    calls = [f"{name}(c{number})" for number, name in enumerate(names)]
    # PyODPS reads no BINARY from CSV.
    shown = [f"hex({call})" if kind == "binary" else call for call, kind in zip(calls, IDENTITIES, strict=True)]
    found = rows(odps, f"SELECT {', '.join(shown)} FROM t")
    kinds = list(IDENTITIES)
    assert [list(map(plain, row, kinds)) for row in found] == [list(map(plain, row, kinds)) for row in given_rows]


def plain(value: Any, kind: str) -> Any:
    """Return a value without what PyODPS wraps it in, and a FLOAT as its 32 bits."""
    if kind == "float" and value is not None:
        return struct.pack("f", value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    return dict(value) if isinstance(value, dict) else value


def test_a_result_is_cut_at_its_bound_and_says_so(serve: Serve, connect: Callable[..., Any]) -> None:
    server = serve(sql_rows=10)
    odps = connect(url=server.url)
    server.provide_table("demo", "t", numbers(100))
    instance = odps.execute_sql("SELECT a FROM t ORDER BY a LIMIT 100")
    with pytest.raises(errors.NotSupportedError, match="truncated"):
        instance.open_reader(tunnel=False, limit=False)
    with instance.open_reader(tunnel=False, limit=True) as reader:
        assert [record[0] for record in reader] == list(range(10))


def test_a_running_instance_is_stopped(odps: Any, server: Server) -> None:
    deploy(odps, "slow", SLOW)
    instance = odps.run_sql("SELECT slow(1)", hints=HINTS)
    started = time.monotonic()
    instance.stop()
    instance.wait_for_completion()
    assert time.monotonic() - started < 30
    assert not instance.is_successful()
    assert [task.status.name for task in instance.get_task_statuses().values()] == ["CANCELLED"]


def test_a_query_without_functions_is_stopped_too(odps: Any, server: Server) -> None:
    server.provide_table("demo", "t", numbers(30_000))
    instance = odps.run_sql(
        "SELECT /*+ MAPJOIN(y, z) */ COUNT(*) FROM t x JOIN t y ON x.a + y.a > 0 JOIN t z ON y.a + z.a > 0", hints=HINTS
    )
    time.sleep(0.5)
    instance.stop()
    instance.wait_for_completion()
    assert [task.status.name for task in instance.get_task_statuses().values()] == ["CANCELLED"]


def test_a_statement_has_an_end(serve: Serve, connect: Callable[..., Any]) -> None:
    server = serve(sql_seconds=2)
    odps = connect(url=server.url)
    deploy(odps, "slow", SLOW)
    with pytest.raises(errors.ODPSError, match="longer than 2 seconds"):
        rows(odps, "SELECT slow(1)")


def test_a_batch_has_an_end(odps: Any) -> None:
    deploy(odps, "slow", SLOW)
    with pytest.raises(errors.ODPSError, match=r"ODPS-0123144.*kInstanceMonitorTimeout"):
        rows(odps, "SELECT slow(1)", **{"odps.sql.udf.timeout": "1"})


def test_memory_has_a_bound(serve: Serve, connect: Callable[..., Any]) -> None:
    server = serve(sql_megabytes=50)
    odps = connect(url=server.url)
    server.provide_table("demo", "t", numbers(1000))
    with pytest.raises(errors.ODPSError, match=r"ODPS-0010000.*emory"):
        rows(
            odps,
            "SELECT /*+ MAPJOIN(y) */ size(collect_list(concat(repeat('x', 100), x.a, y.a))) FROM t x CROSS JOIN t y",
        )


def test_a_crash_fails_its_instance_alone(odps: Any, server: Server) -> None:
    deploy(
        odps,
        "crash",
        """
        import os
        @annotate("bigint->bigint")
        class F(object):
            def evaluate(self, a):
                os.kill(os.getpid(), 11)
        """,
    )
    with pytest.raises(errors.ODPSError, match=r"ODPS-0123144.*was killed by SIGSEGV at row 1"):
        rows(odps, "SELECT crash(1)", **{"odps.isolation.session.enable": "true"})
    assert rows(odps, "SELECT 1") == [[1]]


def test_functions_of_a_statement_are_loaded_side_by_side(odps: Any, tmp_path: Path) -> None:
    # Each is imported only when the other is being imported too.
    for name, other in (("first", "second"), ("second", "first")):
        deploy(
            odps,
            name,
            f"""
            import os, time
            open({str(tmp_path / name)!r}, "w").close()
            for _ in range(3000):
                if os.path.exists({str(tmp_path / other)!r}):
                    break
                time.sleep(0.01)
            else:
                raise ImportError("alone")
            @annotate("bigint->bigint")
            class F(object):
                def evaluate(self, a):
                    return a
            """,
        )
    sql = "SELECT first(1), second(2)"
    assert rows(odps, sql, **{"odps.isolation.session.enable": "true"}) == [[1, 2]]


def test_a_class_that_is_not_there_is_told_as_a_function_that_is_not(odps: Any) -> None:
    deploy(odps, "here", "class Other(object): pass")
    with pytest.raises(errors.ODPSError, match=r"ODPS-0130071:\[1,8\].*function or view 'here' cannot be resolved"):
        rows(odps, "SELECT here(1)")
    odps.delete_resource("here.py")
    with pytest.raises(errors.ODPSError, match=r"its resource here\.py is not there"):
        rows(odps, "SELECT here(1)")


def test_a_module_that_no_resource_holds_is_an_import_error(odps: Any) -> None:
    deploy(odps, "needy", "import nothing_like_it\n@annotate('->string')\nclass F(object): pass")
    with pytest.raises(errors.ScriptError, match="ModuleNotFoundError: No module named 'nothing_like_it'"):
        rows(odps, "SELECT needy()")


def test_binary_packages_need_isolation_and_no_pypy(odps: Any) -> None:
    binary = odps.create_resource("libx.so.1", "file", file_obj=b"\x7fELF")
    deploy(
        odps,
        "native",
        "@annotate('->string')\nclass F(object):\n    def evaluate(self): return 'x'\n",
        ("F",),
        (binary,),
    )
    isolated = {"odps.isolation.session.enable": "true"}
    with pytest.raises(errors.ODPSError, match=r"please set odps\.isolation\.session\.enable to True"):
        rows(odps, "SELECT native()")
    with pytest.raises(errors.ODPSError, match="PyPy cannot load binary package"):
        rows(odps, "SELECT native()", **isolated, **{"odps.pypy.enabled": "true"})


def test_a_table_function_sees_the_end_also_in_a_lateral_view(odps: Any, server: Server) -> None:
    deploy(
        odps,
        "pairs",
        """
        @annotate("bigint->bigint,bigint")
        class F(BaseUDTF):
            def __init__(self):
                self.left = None
            def process(self, a):
                if self.left is None:
                    self.left = a
                else:
                    self.forward(self.left, a)
                    self.left = None
            def close(self):
                if self.left is not None:
                    self.forward(self.left, None)
        """,
    )
    server.provide_table("demo", "t", numbers(5))
    assert rows(odps, "SELECT pairs(a) AS (x, y) FROM t") == [[0, 1], [2, 3], [4, None]]
    viewed = rows(odps, "SELECT a, x, y FROM t LATERAL VIEW pairs(a) v AS x, y")
    assert viewed == [[1, 0, 1], [3, 2, 3], [4, 4, None]]


def test_a_struct_under_a_star_is_a_named_tuple(odps: Any) -> None:
    deploy(
        odps,
        "names",
        """
        @annotate("*->string")
        class F(object):
            def evaluate(self, point):
                return "%s %d %s" % (point._fields[0], point.x, point.inner.label)
        """,
    )
    statement = "SELECT names(NAMED_STRUCT('x', 1, 'inner', NAMED_STRUCT('label', 'a')))"
    assert rows(odps, statement) == [["x 1 a"]]


def test_many_rows_and_groups_pass_in_pieces(odps: Any, server: Server) -> None:
    deploy(
        odps,
        "pieces",
        """
        @annotate("bigint,bigint->bigint")
        class add(object):
            def evaluate(self, a, b):
                return a + b
        @annotate("bigint->bigint")
        class total(BaseUDAF):
            def new_buffer(self):
                return [0]
            def iterate(self, buffer, a):
                buffer[0] += a
            def merge(self, buffer, other):
                buffer[0] += other[0]
            def terminate(self, buffer):
                return buffer[0]
        """,
        ("add", "total"),
    )
    server.provide_table("demo", "t", numbers(100_000))
    assert rows(odps, "SELECT SUM(add(a, b)), MAX(add(a, 0)) FROM t") == [[100_000**2, 99_999]]
    assert rows(odps, "SELECT a % 3 AS g, total(add(a, 1)) FROM t GROUP BY a % 3 ORDER BY g LIMIT 3") == [
        [rest, sum(n + 1 for n in range(rest, 100_000, 3))] for rest in range(3)
    ]


@pytest.mark.parametrize("kind", ["udf", "udaf", "udtf"])
def test_arguments_are_converted_as_far_as_nothing_is_lost(odps: Any, kind: str) -> None:
    """A DOUBLE is no BIGINT, whoever takes it: it would be rounded."""
    classes = {
        "udf": "class F(object):\n    def evaluate(self, a): return a",
        "udaf": """class F(BaseUDAF):
    def new_buffer(self): return [None]
    def iterate(self, buffer, a): buffer[0] = a
    def merge(self, buffer, other): buffer[0] = other[0]
    def terminate(self, buffer): return buffer[0]""",
        "udtf": "class F(BaseUDTF):\n    def process(self, a): self.forward(a)",
    }
    deploy(odps, "same", f"@annotate('bigint->bigint')\n{classes[kind]}\n")
    assert rows(odps, "SELECT same(CAST(3 AS TINYINT))") == [[3]]
    told = r"\[1,8\].*same cannot match any overloaded functions with \(DOUBLE\), candidates are BIGINT SAME\(BIGINT arg0\)"
    with pytest.raises(errors.ODPSError, match=told):
        rows(odps, "SELECT same(1.5)")


def test_columns_of_one_name_are_numbered(odps: Any, server: Server) -> None:
    server.provide_table("demo", "t", numbers(1))
    sql = "SELECT x.*, y.b, 1 AS A, 2 AS b2 FROM t x JOIN t y ON x.a = y.a"
    with odps.execute_sql(sql).open_reader(tunnel=False) as reader:
        [record] = list(reader)
        assert [column.name for column in record._columns] == ["a", "b", "b2", "A2", "b22"]
        assert list(record.values) == [0, 1, 1, 1, 2]


def test_many_instances_run_side_by_side(odps: Any, server: Server) -> None:
    deploy(odps, "twice", "@annotate('bigint->bigint')\nclass F(object):\n    def evaluate(self, a): return 2 * a\n")
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: rows(odps, f"SELECT twice({n})")})) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [[2 * n]] for n in range(12)}


def test_sql_sees_no_file(odps: Any) -> None:
    for sql in ("SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'"):
        with pytest.raises(errors.ODPSError, match=r"Table not found|cannot be resolved"):
            rows(odps, sql)


def test_without_the_extra_it_is_said_what_to_install(
    odps: Any, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instances, "NEEDED", ("no_such_module",))
    with pytest.raises(errors.ODPSError, match=r"no_such_module is not installed: pip install 'udfs\[sql\]'"):
        rows(odps, "SELECT 1")
    monkeypatch.setattr(local, "SQL_NEEDS", ("no_such_module",))
    manifest = tmp_path / "udfs.yaml"
    manifest.write_text("stack: s\ntargets: {local: {endpoint: local, project: p}}\nfunctions: {}\n")
    assert run(["sql", "-f", str(manifest), "SELECT 1"]) == 3
    assert "E734" in (told := capsys.readouterr().err)
    assert "pip install 'udfs[sql]'" in told


@pytest.mark.parametrize(
    ("kind", "text"),
    [("bigint", "1_000"), ("bigint", "٣"), ("int", "0x10"), ("double", "1_0.5"), ("decimal(10,2)", "1_0")],
)
def test_numbers_of_tables_are_written_as_cast_reads_them(odps: Any, server: Server, kind: str, text: str) -> None:
    server.provide_table("demo", "t", ProvidedTable((("a", kind),), lambda: [[TypedText("7")], [TypedText(text)]]))
    with pytest.raises(errors.ODPSError, match=f"'{text}' is no"):
        rows(odps, "SELECT a FROM t")
