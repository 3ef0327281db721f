"""Sources become wheels that load in their runtime, or a reason."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.base.errors import InterpreterError, PackageError
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import spell
from reconciler.packages.build import BuildOptions, BuildSource, zig
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.elf import version_key
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES
from tests.local.conftest import found as interpreter
from tests.natives import compiled
from tests.packages.build.conftest import EXTENSION, digest_of, needs_zig

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.packages.build import BuiltWheel
    from tests.packages.build.conftest import Workbench


def imported(built: BuiltWheel, python: str | Path, expression: str, folder: Path) -> object:
    """Unpack a wheel as a worker does and evaluate something with it in the runtime's CPython."""
    with ZipFile(built.content.path) as archive:
        archive.extractall(folder)
    module = expression.partition(".")[0]
    code = f"import json, sys; sys.path.insert(0, {str(folder)!r}); import {module}; print(json.dumps({expression}))"
    path = interpreter(python).path if isinstance(python, str) else python
    command = [str(path), "-E", "-S", "-c", code]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def newest_glibc(built: BuiltWheel) -> tuple[int, ...]:
    names = gate.newest_versions(inspect_file(built.content.path, "wheel").natives)
    return max(number for family, number in map(version_key, names) if family == "GLIBC" and number)


def code_of(error: pytest.ExceptionInfo[PackageError]) -> list[str]:
    codes = [problem.code for problem in error.value.problems]
    assert set(codes) <= set(load_explanations())
    return codes


# --- What works -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Fetch one sdist of the index."""

    def get(requirement: str) -> Path:
        folder = tmp_path_factory.mktemp("sdists")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--retries", "0"]
        done = subprocess.run([*command, "-d", str(folder), requirement], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"needs {requirement} from a package index: {done.stderr.strip()[-200:]}")
        return next(folder.iterdir())

    return get


@pytest.mark.parametrize(
    ("requirement", "runtime", "platform", "expression", "value"),
    [
        ("regex==2022.10.31", "cp37", "rhel5", r"regex.findall('(?:a|b)+', 'xabby')", ["abb"]),
        ("ujson==1.35", "cp311", "rhel7", "ujson.loads('[1, 2.5]')", [1, 2.5]),
    ],
)
def test_an_extension_of_the_index_is_compiled_for_the_clusters_glibc_and_loads(
    bench: Workbench,
    sdist: Callable[[str], Path],
    tmp_path: Path,
    requirement: str,
    runtime: str,
    platform: str,
    expression: str,
    value: object,
) -> None:
    needs_zig()
    built = bench.build(sdist(requirement), runtime, platform=platform)
    assert re.search(r"-manylinux_2_(5|12|17)_x86_64\.whl\Z", built.content.path.name)
    assert newest_glibc(built) <= PLATFORMS[platform].glibc
    assert any(one.startswith("setuptools==") for one in built.requires)
    assert imported(built, runtime, expression, tmp_path / "work") == value


def test_the_same_project_gives_the_same_bytes_in_any_folder_under_any_umask_and_locale(
    bench: Workbench, cache_of_builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_zig()
    first = bench.build(bench.project({"greeting.c": EXTENSION, "own.py": "", "sub/data": "no code"}))
    shutil.copytree(bench.folder / "project", tmp_path / "else" / "where", dirs_exist_ok=True)
    (tmp_path / "else" / "where" / "own.py").chmod(0o600)
    (tmp_path / "else" / "where" / "build").mkdir()
    (tmp_path / "else" / "where" / "build" / "left.c").write_text("not C")
    bench.root = tmp_path / "another" / "cache"
    bench.root.mkdir(parents=True)
    (bench.root / "zig").symlink_to(cache_of_builds / "zig")  # compiling it anew would change nothing
    monkeypatch.chdir(tmp_path)  # and all paths relative
    bench.root = bench.root.relative_to(tmp_path)
    bench.environment |= {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "CFLAGS": "-DOTHER", "PYTHONHASHSEED": "7"}
    umask = os.umask(0o077)
    try:
        second = bench.build(Path("else/where"))
    finally:
        os.umask(umask)
    assert second.content.path != first.content.path
    assert second.content.sha256 == first.content.sha256
    said = imported(first, "cp37", "greeting.greet('you')", tmp_path / "work")
    assert said == ["hello you", "/build/source/greeting.c", "Jan  1 1980 00:00:00"]


def test_what_was_built_is_built_again_only_if_something_changed_or_the_cache_was_tampered_with(
    bench: Workbench,
) -> None:
    project = bench.project({"own.py": "VALUE = 1\n"})
    first = bench.build(project)
    again = bench.build(project)
    assert again == first
    assert bench.started == ["project"]

    first.content.path.chmod(0o644)
    first.content.path.write_bytes(b"something else")
    assert bench.build(project).content == first.content
    assert bench.started == ["project"] * 2

    bench.build(project, options=BuildOptions(environment=(("X", "1"),)))
    (project / "own.py").write_text("VALUE = 2\n")
    assert bench.build(project).content.sha256 != first.content.sha256
    assert bench.started == ["project"] * 4
    bench.build(project, fresh=True)
    assert bench.started == ["project"] * 5


def test_cplusplus_brings_its_library_along(bench: Workbench, tmp_path: Path) -> None:
    needs_zig()
    text = """
        #include <string>
        #include <stdexcept>
        #include <Python.h>
        static PyObject *run(PyObject *self, PyObject *args) {
            try { throw std::runtime_error(std::string("thrown ") + "and caught"); }
            catch (const std::exception &e) { return Py_BuildValue("s", e.what()); }
        }
        static PyMethodDef methods[] = {{"run", run, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "plus", NULL, -1, methods};
        PyMODINIT_FUNC PyInit_plus(void) { return PyModule_Create(&module); }
    """
    built = bench.build(bench.project({"plus.cpp": text}))
    (native,) = inspect_file(built.content.path, "wheel").natives
    assert not [name for name in native.elf.needed if "++" in name]
    assert imported(built, "cp37", "plus.run()", tmp_path / "work") == "thrown and caught"


def test_a_local_project_of_setuptools_builds_with_the_versions_that_were_asked_for(bench: Workbench) -> None:
    project = bench.project({
        "setup.py": """
            import os, setuptools
            open("seen.py", "w").write("SEEN = %r" % sorted(os.environ))
            setuptools.setup(name="own", version="1.0", py_modules=["seen"])
        """
    })  # fmt: skip
    bench.environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "topsecret"
    built = bench.build(
        project, options=BuildOptions(constraints=("setuptools==67.8.0",), environment=(("MINE", "1"),))
    )
    assert "setuptools==67.8.0" in built.requires
    with ZipFile(built.content.path) as archive:
        seen = archive.read("seen.py").decode()
    assert "'MINE'" in seen
    assert "ALIBABA" not in seen
    assert "CPython 3.7" in built.how


# --- Which Python ---------------------------------------------------------------------------------------------------------


def test_without_the_runtimes_cpython_python_alone_is_built_and_nothing_else(bench: Workbench) -> None:
    bench.has_interpreters = False
    built = bench.build(bench.project({"own.py": ""}))
    assert built.content.path.name == "own-1.0-py3-none-any.whl"
    assert "standing in for CPython 3.7" in built.how
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"greeting.c": EXTENSION}, "native"))
    assert code_of(error) == ["E446"]
    with pytest.raises(InterpreterError):
        bench.build(bench.project({"own.py": ""}, "two"), "cp27")


def test_a_python_2_with_wide_unicode_makes_nothing_that_loads(bench: Workbench) -> None:
    needs_zig()
    if interpreter("cp27").abi != "cp27mu":
        pytest.skip("the Python 2.7 of this machine has narrow Unicode")
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"greeting.c": EXTENSION}), "cp27")
    assert code_of(error) == ["E414"]
    assert "only a Python 2 with wide Unicode" in str(error.value)


def test_a_python_2_with_narrow_unicode_builds_what_it_then_imports(
    bench: Workbench, cp27m: Path, tmp_path: Path
) -> None:
    needs_zig()
    bench.interpreters["cp27"] = cp27m
    built = bench.build(bench.project({"greeting.c": EXTENSION}), "cp27")
    assert "-cp27-cp27m-manylinux_2_" in built.content.path.name
    assert imported(built, cp27m, "greeting.greet('you')[0]", tmp_path / "work") == "hello you"


# --- What does not --------------------------------------------------------------------------------------------------------


def test_a_failing_build_is_told_in_its_own_last_words_and_its_log_is_kept(bench: Workbench) -> None:
    text = "print('asking https://me:hunter2@index/x')\nraise RuntimeError('no such release')\n"
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"setup.py": text}))
    (problem,) = error.value.problems
    assert problem.code == "E440"
    assert problem.message == "project cannot be built for cp37: RuntimeError: no such release"
    log = Path(re.findall(r"\S+\.log", spell(problem.hint))[0])
    assert log.is_relative_to(bench.root)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "asking https://***@index/x" in log.read_text()
    assert "hunter2" not in log.read_text() + str(problem)


HIDDEN = """
import os, subprocess, time
from setuptools import setup
subprocess.check_output([os.environ["CC"], "-c", "part.c", "-o", "part.o"])
print("the next thing takes long", flush=True)
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
setup(name="own", version="1.0", py_modules=[])
"""


def test_a_long_build_tells_what_it_is_at_also_where_it_hides_its_compiler_and_its_log_grows(bench: Workbench) -> None:
    needs_zig()
    go, over = bench.folder / "go", threading.Event()
    path = bench.project({"setup.py": HIDDEN, "part.c": "int part(void) { return 1; }"})
    seen: list[str] = []

    def watch(log: Path, doing: Callable[[], str]) -> None:
        while not over.is_set() and not go.exists():
            words = doing()
            if words and words not in seen:
                seen.append(words)
            if words == "compiling part.c" and "the next thing takes long" in log.read_text():
                go.touch()
            time.sleep(0.02)

    def on_start(label: str, log: Path, doing: Callable[[], str]) -> None:
        threading.Thread(target=watch, args=(log, doing)).start()

    interpreter("cp37")
    options = BuildOptions(environment=(("GO", str(go)),), requires=("setuptools<60",))
    try:
        bench.builder.wheel(BuildSource(path, "own", digest_of(path)), RUNTIMES["cp37"], options, on_start=on_start)
    finally:
        over.set()
    assert seen[-1] == "compiling part.c"


def test_a_build_that_asks_for_a_compiler_that_is_not_there_is_refused_whatever_it_makes(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zig, "find_zig", lambda: None)
    optional = """
        import backend, subprocess
        from backend import *
        def compiled(source):
            try:
                return real(source)
            except subprocess.CalledProcessError:
                return "own.py"
        real, backend.compiled = backend.compiled, compiled
    """
    project = bench.project({"greeting.c": EXTENSION, "own.py": "", "optional.py": optional})
    for backend in ("backend", "optional"):
        text = f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\nbackend-path = ["."]\n'
        (project / "pyproject.toml").write_text(text)
        with pytest.raises(PackageError) as error:
            bench.build(project)
        assert code_of(error) == ["E441"]
        assert "udfs[build]" in str(error.value.problems[0].hint)


@pytest.mark.parametrize(
    ("source", "environment", "code", "words"),
    [
        ("#include <ffi.h>", (), "E444", "the header ffi.h, of libffi"),
        (EXTENSION, (("LIBS", "-lproj"),), "E444", "the library libproj"),
        ("int this is no C", (), "E440", "error: expected"),
    ],
)
def test_what_a_compiler_misses_is_named(
    bench: Workbench, source: str, environment: tuple[tuple[str, str], ...], code: str, words: str
) -> None:
    needs_zig()
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"greeting.c": source}), options=BuildOptions(environment=environment))
    assert code_of(error) == [code]
    assert words in str(error.value)


def test_fortran_is_said_to_be_beyond_it(bench: Workbench) -> None:
    text = "import subprocess\nsubprocess.check_call(['gfortran', 'x.f'])\n"
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"backend.py": text}))
    assert code_of(error) == ["E445"]


def test_what_this_machines_compiler_made_is_refused_by_the_gate(bench: Workbench) -> None:
    gcc = shutil.which("gcc", path="/usr/bin:/bin:/usr/local/bin")
    if gcc is None:
        pytest.skip("needs a C compiler: gcc")
    text = (
        "#include <pthread.h>\nvoid *f(void) { pthread_t t; return (void *)(long)pthread_create(&t, 0, (void *)f, 0); }"
    )
    project = bench.project({"greeting.c": text})
    (project / "backend.py").write_text(
        f"import os\nos.environ['CC'] = {gcc!r}\n" + (project / "backend.py").read_text()
    )
    (probe,) = inspect_file(compiled(bench.folder, "probe.so", text), "library").natives
    if not gate.newest_versions([probe]) or version_key(gate.newest_versions([probe])[-1])[1] <= (2, 17):  # type: ignore[operator]
        pytest.skip("this machine's glibc is as old as the workers'")
    with pytest.raises(PackageError) as error:
        bench.build(project)
    assert code_of(error) == ["E412"]


def test_what_a_build_needs_and_the_index_has_not_is_named(bench: Workbench) -> None:
    own = '[build-system]\nrequires = ["setuptools>=9999"]\nbuild-backend = "setuptools.build_meta"\n'
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"pyproject.toml": own}))
    assert code_of(error) == ["E443"]
    assert str(error.value) == "project needs setuptools>=9999 to be built, and the index has none for its Python"


def test_a_cache_in_which_no_compiler_can_be_called_is_refused_by_its_path(bench: Workbench) -> None:
    bench.root = bench.folder / "my cache"
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"own.py": ""}))
    assert code_of(error) == ["E407"]


@pytest.mark.parametrize("kind", ["changed", "two folders", "a way out", "no archive", "no project", "a bomb"])
def test_a_source_that_is_not_what_it_should_be_is_refused_before_anything_runs(bench: Workbench, kind: str) -> None:
    project = bench.project({"backend.py": "raise SystemExit('it ran')"})
    path = bench.folder / "own-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(project, "../out" if kind == "a way out" else "own-1.0")
        if kind == "two folders":
            archive.add(project, "other")
        if kind == "a bomb":
            zeros = tarfile.TarInfo("own-1.0/zeros")
            zeros.size = 300 << 20
            with Path("/dev/zero").open("rb") as endless:
                archive.addfile(zeros, endless)
    if kind == "no archive":
        path.write_bytes(b"<html>not found</html>")
    if kind == "no project":
        path = bench.folder / "empty"
        path.mkdir()
    source = BuildSource(path, "own", "0" * 64 if kind == "changed" else digest_of(path))
    with pytest.raises(PackageError) as error:
        bench.builder.wheel(source, RUNTIMES["cp37"])
    assert code_of(error) == ["E402" if kind == "changed" else "E442"]
    assert "it ran" not in str(error.value)


# --- Libraries ------------------------------------------------------------------------------------------------------------


def test_a_library_outside_is_linked_by_its_soname_and_grafted_where_that_is_wanted(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_zig()
    monkeypatch.chdir(tmp_path)
    vendor = Path("vendor")
    answer = compiled(vendor, "answer.bin", "int answer(void) { return 42; }", "-Wl,-soname,libanswer.so.26")
    other = compiled(vendor, "libother.so", "int other(void) { return 1; }")
    (vendor / "answer.h").write_text("int answer(void);\nint other(void);\n")
    text = EXTENSION.replace("#include <string.h>", "#include <string.h>\n#include <answer.h>")
    text = text.replace("char text[64];", "char text[64]; if (answer() + other() != 43) return NULL;")
    project = bench.project({"greeting.c": text})
    flags = (("LIBS", "-lanswer -lother"),)

    outside = bench.build(
        project, options=BuildOptions(libraries=(answer, other), headers=(vendor,), environment=flags)
    )
    (native,) = inspect_file(outside.content.path, "wheel").natives
    assert {"libanswer.so.26", "libother.so"} <= set(native.elf.needed)

    pytest.importorskip("repairwheel", reason="needs repairwheel")
    options = BuildOptions(libraries=(other,), grafted=(answer,), headers=(vendor,), environment=flags)
    inside = bench.build(project, options=options)
    natives = inspect_file(inside.content.path, "wheel").natives
    assert [native.name for native in natives if re.fullmatch(r"libanswer-\w+\.so\.26", native.name)]
    assert not [native.name for native in natives if "other" in native.name]
    assert bench.build(project, options=options, fresh=True).content == inside.content

    options = replace(options, libraries=(), grafted=(answer, other))
    both = bench.build(project, options=options)
    assert imported(both, "cp37", "greeting.greet('you')[0]", tmp_path / "work") == "hello you"
