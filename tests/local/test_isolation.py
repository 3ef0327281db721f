"""What the function can see: its resources and the standard library, not the machine and not the user."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import (
    FunctionNotLoadable,
    FunctionRaised,
    InterpreterUnsuitable,
    Job,
    ResourceFile,
    TableResource,
    TypedText,
    call,
    locate,
)
from reconciler.local.runner.process import WORKER
from tests.local.conftest import ENVIRONMENT, Runner
from tests.local.test_calls import udf
from tests.local.test_layout import tarred, zipped

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_the_worker_compiles_in_every_runtime(runner: Runner) -> None:
    check = "import sys; [compile(open(path, 'rb').read(), path, 'exec') for path in sys.argv[1:]]"
    files = [str(path) for path in WORKER.parent.glob("*.py")]
    assert len(files) > 10
    subprocess.run([str(runner.interpreter.path), "-W", "error", "-c", check, *files], check=True)


def test_the_users_environment_is_not_visible(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_ACCESS_KEY_SECRET", "sing")
    [seen] = runner.results(udf("->string", "import os; return ' '.join(sorted(os.environ))"))
    assert set(seen.split()) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"HOME", "LANG", "LC_ALL", "PATH", "TMPDIR"}


def test_home_and_temporary_files_are_the_workers_own(runner: Runner) -> None:
    body = """
        import os, tempfile
        return "\\n".join([os.getcwd(), os.path.expanduser("~"), tempfile.gettempdir()])
    """
    cwd, home, tmp = runner.results(udf("->string", body))[0].splitlines()
    assert home == cwd
    assert Path(tmp) == Path(cwd).parent / "tmp"


def test_packages_of_the_machine_are_not_visible(runner: Runner) -> None:
    body = """
        import sys
        found = []
        for name in ("pip", "setuptools", "pytest", "reconciler"):
            try:
                __import__(name)
                found.append(name)
            except ImportError:
                pass
        return ",".join(found + [entry for entry in sys.path if "-packages" in entry])
    """
    assert runner.results(udf("->string", body)) == [""]


def test_the_standard_library_with_its_extensions_is_there(runner: Runner) -> None:
    body = """
        import ctypes, decimal, json, math, sqlite3, unicodedata, zlib, multiprocessing, xml.etree.ElementTree
        return "all there"
    """
    assert runner.results(udf("->string", body)) == ["all there"]


def test_the_working_directory_comes_first_and_the_tools_own_nowhere(runner: Runner) -> None:
    [entries] = runner.results(udf("->string", "import os, sys; return '\\n'.join([os.getcwd()] + sys.path)"))
    cwd, *path = entries.splitlines()
    assert path[0] == cwd
    assert str(WORKER.parent) not in path


def test_modules_of_the_tool_do_not_stand_in_for_the_users(runner: Runner) -> None:
    """The worker's neighbours are called errors, layout, calls; a UDF that imports such a name must fail."""
    with pytest.raises(FunctionNotLoadable, match="No module named"):
        runner.results("import layout")


def test_a_module_of_the_users_wins_over_one_of_the_standard_library(runner: Runner) -> None:
    mine = runner.file("json.py", "who = 'mine'", "py")
    assert runner.results(udf("->string", "import json; return json.who"), resources=[mine]) == ["mine"]


def test_py_resources_import_one_another_by_stem(runner: Runner) -> None:
    helper = runner.file("helper.py", "def double(n): return 2 * n", "py")
    assert runner.results(
        udf("bigint->bigint", "return helper.double(args[0])", "import helper"), [(2,)], resources=[helper]
    ) == [4]


def test_undeclared_files_of_the_source_directory_are_not_there(runner: Runner) -> None:
    runner.file("secret.txt", "x")
    assert runner.results(udf("->string", "import os; return ','.join(os.listdir('.'))")) == ["m.py"]


def test_odps_udf_offers_what_is_documented(runner: Runner) -> None:
    body = """
        import odps, odps.distcache, odps.udf
        from odps import udf
        counter = udf.get_execution_context().get_counters().get_counter("group", "name")
        counter.increment(2)
        counter.increment()
        assert udf.get_execution_context().get_counters().get_counter("group", "name").get_value() == 3
        assert udf.get_annotation(F) == "->string"
        assert udf.int("3") == 3 and udf.int("x") is None and udf.int(None) is None
        try:
            udf.int("x", silent=False)
        except ValueError:
            return "all there"
    """
    assert runner.results(udf("->string", body)) == ["all there"]


# ------------------------------------------------------------------------------------------------------- distcache


def test_a_file_resource_is_read_as_text_or_bytes(runner: Runner) -> None:
    body = """
        from odps.distcache import get_cache_file
        text, data = get_cache_file("data.txt"), get_cache_file("data.txt", "b")
        try:
            return "%s %s" % (type(text.read()).__name__, repr(data.read()))
        finally:
            text.close()
            data.close()
    """
    [seen] = runner.results(udf("->string", body), resources=[runner.file("data.txt", "größe\n")])
    assert seen == ("str " if runner.runtime == "cp27" else "str b") + r"'gr\xc3\xb6\xc3\x9fe\n'"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            "get_cache_file('x.txt')",
            "resource 'x.txt' is not in the list of this function (there: a.zip, d.txt, m.py, t)",
        ),
        ("get_cache_file('m.py')", "resource 'm.py' has type PY, and this call takes FILE"),
        ("get_cache_file('a.zip')", "resource 'a.zip' has type ARCHIVE, and this call takes FILE"),
        ("get_cache_file('d.txt', 'w')", "mode is 't' or 'b', not 'w'"),
        ("get_cache_file('../m.py')", "resource '../m.py' is not in the list"),
        ("get_cache_archive('d.txt')", "resource 'd.txt' has type FILE, and this call takes ARCHIVE"),
        ("get_cache_archive('a.zip', 'nowhere')", "the archive a.zip holds no 'nowhere'"),
        ("get_cache_archive('a.zip', '../..')", "'../..' is not inside the archive a.zip"),
        ("get_cache_table('d.txt')", "resource 'd.txt' has type FILE, and this call takes TABLE"),
        ("get_cache_table('t')", "table resource 't' has no rows here"),
    ],
)
def test_a_resource_that_was_not_declared_as_such_is_refused(runner: Runner, call: str, reason: str) -> None:
    resources = [
        ResourceFile("a.zip", "archive", zipped(runner.directory / "a", {"x": "1"})),
        runner.file("d.txt", "x"),
        ResourceFile("t", "table", None),
    ]
    with pytest.raises(FunctionRaised) as caught:
        runner.results(udf("->string", f"from odps import distcache\ndistcache.{call}"), resources=resources)
    assert reason in str(caught.value)


def test_an_archive_gives_its_files_with_their_paths(runner: Runner) -> None:
    packed = tarred(runner.directory / "a", ("pkg/a.txt", b"one\ntwo"), ("pkg/sub/b", b"b"), ("top", b"t"))
    body = """
        from odps.distcache import get_cache_archive
        found = []
        for opened in get_cache_archive("p.tar.gz", args[0]):
            with opened:
                found.append("%s=%d" % (opened.name, len(list(opened))))
        return " ".join(found)
    """
    rows = [(".",), ("pkg",), ("pkg/a.txt",)]
    assert runner.results(
        udf("string->string", body), rows, resources=[ResourceFile("p.tar.gz", "archive", packed)]
    ) == [
        "work/p.tar.gz/top=1 work/p.tar.gz/pkg/a.txt=2 work/p.tar.gz/pkg/sub/b=1",
        "work/p.tar.gz/pkg/a.txt=2 work/p.tar.gz/pkg/sub/b=1",
        "work/p.tar.gz/pkg/a.txt=2",
    ]


def test_an_archive_of_more_files_than_may_be_open_can_be_listed(runner: Runner) -> None:
    packed = zipped(runner.directory / "a", {f"f{n}": "x" for n in range(3000)})
    body = """
        from odps.distcache import get_cache_archive
        files = list(get_cache_archive("a.zip"))
        assert files[0].read() == b"x" and not hasattr(files[0], "no_such_thing")
        return len(files)
    """
    assert runner.results(udf("->bigint", body), resources=[ResourceFile("a.zip", "archive", packed)]) == [3000]


def test_the_documented_include_package_path_works(runner: Runner) -> None:
    packed = zipped(
        runner.directory / "p", {"pkg/__init__.py": "from pkg.inner import x", "pkg/inner/__init__.py": "x = 5"}
    )
    body = """
        import os, sys
        from odps.distcache import get_cache_archive
        names = [opened.name for opened in get_cache_archive("p.zip")]
        shortest = sorted((os.path.dirname(os.path.normpath(name)) for name in names), key=len)[0]
        sys.path.append(os.path.dirname(shortest))
        import pkg
        return pkg.x
    """
    assert runner.results(udf("->bigint", body), resources=[ResourceFile("p.zip", "archive", packed)]) == [5]


def test_a_table_gives_its_rows_as_tuples(runner: Runner) -> None:
    rows = [(1, "größe", None, TypedText("2026-05-01")), (2, "b", 0.5, None)]
    types = ("bigint", "string", "double", "date")
    table = ResourceFile("t", "table", None, TableResource(types, lambda: rows))
    body = """
        from odps.distcache import get_cache_table
        rows = list(get_cache_table("t"))
        assert all(type(row) is tuple for row in rows)
        return [type(rows[0][1]).__name__, rows[0][1], repr(rows[0][2]), repr(rows[1][2]), str(rows[0][3])]
    """
    for _ in range(2):
        given = runner.results(udf("->array<string>", body), resources=[table])
        assert given == [["str", "größe", "None", "0.5", "2026-05-01"]]


def test_a_row_of_a_table_that_does_not_fit_is_named(runner: Runner) -> None:
    table = ResourceFile("t", "table", None, TableResource(("bigint",), lambda: [(1,), (TypedText("x"),)]))
    body = "from odps.distcache import get_cache_table; return len(list(get_cache_table('t')))"
    with pytest.raises(FunctionRaised, match="row 2 of table resource 't': 'x' is no BIGINT"):
        runner.results(udf("->bigint", body), resources=[table])


# ---------------------------------------------------------------------------------------------------- native files


def native_job(runner: Runner, members: Sequence[str]) -> Job:
    packed = zipped(runner.directory / "n", dict.fromkeys(members, ""))
    job = runner.job(udf("->bigint", "return 1"), resources=[ResourceFile("n.zip", "archive", packed)])
    return replace(job, machine=runner.interpreter.machine)


def test_wide_2_7_runs_pure_python_and_refuses_native_code(runner2: Runner) -> None:
    wide = replace(runner2.interpreter, abi="cp27mu")
    with call(wide, native_job(runner2, ["pkg/a.py"]), [()]) as results:
        assert list(results) == [1]
    with pytest.raises(InterpreterUnsuitable) as caught:
        call(wide, native_job(runner2, ["pkg/_a.so"]), [()])
    assert "n.zip/pkg/_a.so is native code for cp27m" in str(caught.value)
    assert "PyUnicodeUCS2" in str(caught.value)
    assert "UDFS_PYTHON_CP27" in caught.value.hint


def test_the_services_abi_runs_native_code(runner3: Runner) -> None:
    with call(runner3.interpreter, native_job(runner3, ["libx.so.1"]), [()]) as results:
        assert list(results) == [1]


def test_a_stand_in_runs_pure_python_and_refuses_native_code(tmp_path: Path) -> None:
    stand_in = locate("cp37", {}, substitute=Path(sys.executable))
    runner = Runner(stand_in, tmp_path)
    job = native_job(runner, ["a.py"])
    with call(stand_in, replace(job, runtime="cp37"), [()]) as results:
        assert list(results) == [1]
    job = native_job(runner, ["a.so"])
    with pytest.raises(InterpreterUnsuitable, match="native code for cp37m"):
        call(stand_in, replace(job, runtime="cp37"), [()])


def test_native_code_for_another_machine_is_refused_and_pure_python_runs(some_runner: Runner) -> None:
    interpreter = some_runner.interpreter
    with call(interpreter, replace(native_job(some_runner, ["a.py"]), machine="s390x"), [()]) as results:
        assert list(results) == [1]
    with pytest.raises(InterpreterUnsuitable) as caught:
        call(interpreter, replace(native_job(some_runner, ["a.so"]), machine="s390x"), [()])
    assert f"n.zip/a.so is native code for s390x Linux, and {interpreter.path} runs on {interpreter.machine}" in str(
        caught.value
    )


def test_the_environment_of_the_run_is_the_one_the_finder_gets() -> None:
    assert ENVIRONMENT["PATH"]
