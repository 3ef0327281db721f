"""Files of jobs: jars, archives of packages and sources are judged by the commands that people type, before there is a cluster."""

from __future__ import annotations

import ast
import struct
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.targets.flink.job_sources import judge_name
from reconciler.targets.flink.service_ends import find_end_of_service
from tests.environments import FILE, SITE, SOUND, write_archive
from tests.invariants.world import here

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = """\
stack: risk
target: {kind: flink}
environments:
  main: {python: cp311, archive: venv.zip}
packages:
  edit: {archive: deps.zip}
functions:
  near: {source: udfs.py, class: near}
jobs:
  near-job:
    main: main.py
    functions: [near]
    environment: main
    packages: [edit]
    archives: [{file: mydata.zip, as: data}]
    jars: [upper.jar]
    files: [rates.csv]
"""
NEAR = "from pyflink.table.udf import udf\n\n\n@udf(result_type='INT')\ndef near(a):\n    return a\n"
OVER_PANDAS = NEAR.replace("'INT'", "'INT', func_type='pandas'")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    for name, text in {"udfs.yaml": MANIFEST, "udfs.py": NEAR, "main.py": "", "rates.csv": ""}.items():
        Path(name).write_text(text)
    write_archive(tmp_path / "venv.zip", SOUND)
    write_archive(tmp_path / "mydata.zip", {"names.txt": (FILE, b"")})
    write_archive(tmp_path / "deps.zip", {"edit/__init__.py": (FILE, b""), "edit-1.0.dist-info/METADATA": (FILE, b"")})
    write_archive(tmp_path / "upper.jar", {"com/example/Upper.class": (FILE, java_class(11))})


def java_class(java: int) -> bytes:
    return struct.pack(">IHH", 0xCAFEBABE, 0, 44 + java)


def check() -> tuple[int, str]:
    told = here("validate")
    return told.code, told.err


def test_files_without_a_mistake_are_quiet() -> None:
    Path("main.py").write_text("open('data/names.txt'), open('/flink/usrlib/rates.csv'), open('http://a/x.zip/y')")
    code, text = check()
    assert (code, text.count("[E")) == (0, 0), text


def test_a_jar_for_a_newer_java_is_told_and_one_with_the_engines_classes_too(tmp_path: Path) -> None:
    own = {"com/example/Upper.class": (FILE, java_class(17)), "org/apache/flink/core/A.class": (FILE, java_class(8))}
    write_archive(tmp_path / "upper.jar", own)
    code, text = check()
    assert code == 3
    assert (
        "udfs.yaml:16:12: error[E653]: 'upper.jar' is for Java 17, and the engine has 11: com/example/Upper.class"
        in text
    )
    assert (
        "udfs.yaml:16:12: warning[E654]: 'upper.jar' brings classes that the engine has itself: org/apache/flink/core/"
        in text
    )


def test_a_deps_zip_one_folder_too_deep_is_told_at_its_place(tmp_path: Path) -> None:
    deep = {"deps/edit/__init__.py": (FILE, b""), "deps/edit-1.0.dist-info/METADATA": (FILE, b"")}
    write_archive(tmp_path / "deps.zip", deep)
    code, text = check()
    assert (code, "udfs.yaml:6:19: error[E652]: 'deps.zip' has its packages one folder too deep" in text) == (
        3,
        True,
    ), text


@pytest.mark.parametrize("file", ["deps.zip", "upper.jar"])
def test_a_file_that_is_no_archive_is_told(file: str) -> None:
    Path(file).write_text("")
    code, text = check()
    assert (code, f"error[E423]: '{file}' is not a" in text) == (3, True), text


def test_functions_over_pandas_need_it_in_the_environment_or_among_the_packages_of_the_job(tmp_path: Path) -> None:
    Path("udfs.py").write_text(OVER_PANDAS)
    code, text = check()
    assert code == 3
    assert "udfs.yaml:13:18: error[E651]: 'venv.zip' has no pandas and no pyarrow, and 'near' takes pandas" in text
    write_archive(tmp_path / "venv.zip", {**SOUND, f"{SITE}/pandas/__init__.py": (FILE, b"")})
    write_archive(tmp_path / "deps.zip", {"edit.py": (FILE, b""), "pyarrow/__init__.py": (FILE, b"")})
    assert check()[0] == 0


def test_paths_that_the_job_brings_nothing_for_are_told_on_their_line() -> None:
    Path("udfs.py").write_text(
        f"{NEAR}\ndef read():\n    return open('mydata.zip/names.txt'), open('/flink/usrlib/rats.csv')\n"
    )
    code, text = check()
    assert code == 3
    assert (
        "udfs.py:9:17: error[E345]: 'mydata.zip/names.txt' is there for no worker: the job 'near-job' has no archive"
        in text
    )
    assert "udfs.py:9:47: error[E345]: '/flink/usrlib/rats.csv' is there for no worker" in text
    assert "did you mean 'rates.csv'?" in text


def test_paths_in_sql_are_looked_at_and_its_comments_are_not() -> None:
    Path("job.sql").write_text(
        "-- /flink/usrlib/old.csv\nCREATE TABLE a (x INT) WITH ('path' = 'file:///flink/usrlib/b.csv');\n"
    )
    Path("udfs.yaml").write_text(MANIFEST.replace("main: main.py", "sql: job.sql"))
    code, text = check()
    assert (code, text.count("E345"), "job.sql:2:47: error[E345]: '/flink/usrlib/b.csv'" in text) == (3, 1, True), text


def test_a_source_that_no_python_reads_is_told_on_its_line() -> None:
    Path("main.py").write_text("def (:\n")
    code, text = check()
    assert (code, "main.py:1:5: error[" in text) == (3, True), text


NAMES: Mapping[str, tuple[str, str]] = {
    "a decorated function": ("@udf(result_type='INT')\ndef near(a): ...", "udf"),
    "a decorator by its module": ("@pyflink.table.udf.udtf(result_types=['INT'])\ndef near(a): ...", "udf"),
    "a wrapped instance": ("near = udf(Near(), result_type='INT')", "udf"),
    "an aggregate": ("near = udaf(Near(), accumulator_type='INT')", "udf"),
    "over columns": ("near = udf(f, result_type='INT', func_type='pandas')", "pandas"),
    "an import": ("from lib import near", "unknown"),
    "a star import": ("from lib import *", "unknown"),
    "another call": ("near = make()", "unknown"),
    "another decorator": ("@cached\ndef near(a): ...", "unknown"),
    "one of two branches": ("if x:\n    near = 1\nelse:\n    near = udf(f)", "udf"),
    "a handled import": ("try:\n    from lib import near\nexcept ImportError:\n    near = None", "unknown"),
    "part of a tuple": ("near, far = make()", "unknown"),
    "a loop": ("for near in all_of_them: pass", "unknown"),
    "a plain function": ("def near(a): ...", "a plain function"),
    "a lambda": ("near = lambda a: a", "a plain function"),
    "a class": ("class near(ScalarFunction): ...", "a class"),
    "a value": ("near: int = 3", "a value"),
    "something inside of a function": ("def f():\n    near = udf(g)", "absent"),
    "nothing": ("far = udf(g)", "absent"),
}


@pytest.mark.parametrize("case", NAMES)
def test_what_a_name_is_bound_to_is_read_without_running_the_source(case: str) -> None:
    text, shape = NAMES[case]
    told, message, hint = judge_name("near", "lib/udfs.py", ast.parse(text))
    assert told == shape
    assert bool(message) == bool(hint) == (shape not in {"udf", "pandas", "unknown"})


def test_a_name_that_is_no_function_for_flink_is_told_at_its_place() -> None:
    Path("udfs.py").write_text("def near(a):\n    return a\n")
    code, text = check()
    assert code == 3
    assert (
        "udfs.yaml:8:34: error[E344]: 'near' in line 1 of 'udfs.py' is a plain function, and no function for Flink"
        in text
    )


@pytest.mark.parametrize(
    ("release", "end"),
    [
        ((8, 0, 10), (date(2026, 5, 21), True)),
        ((8, 0, 5), (date(2026, 5, 21), False)),
        ((4, 0, 0), (date(2026, 5, 21), False)),
        ((8, 0, 11), None),
        ((11, 3), (date(2027, 12, 3), False)),
        ((12, 0), None),
    ],
)
def test_the_end_of_a_release_is_its_own_or_that_of_a_newer_one(
    release: tuple[int, ...], end: tuple[date, bool] | None
) -> None:
    assert find_end_of_service(release) == end


@pytest.mark.parametrize(("engine", "is_told"), [("vvr-8.0.10-flink-1.17", True), ("flink-1.17", False)])
def test_an_engine_that_is_past_its_end_of_service_is_a_warning(engine: str, is_told: bool) -> None:
    from reconciler.manifest.load import load_manifest
    from reconciler.targets.dialects import DIALECTS
    from reconciler.targets.flink.service_ends import check_service

    Path("udfs.yaml").write_text(f"stack: risk\ntarget: {{kind: flink}}\ntargets:\n  local: {{engine: {engine}}}\n")
    loaded = load_manifest(Path("udfs.yaml"), DIALECTS, env={})
    assert not [*check_service(loaded, date(2026, 5, 21))]
    problems = [*check_service(loaded, date(2026, 5, 22))]
    assert [(problem.code, problem.severity) for problem in problems] == [("E348", "warning")] * is_told
