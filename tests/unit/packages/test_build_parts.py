"""The parts of a build that need no build."""

from __future__ import annotations

import os
import random
import signal
import stat
import threading
import time
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import PackageError
from reconciler.base.hints import spell
from reconciler.base.processes import Tools
from reconciler.packages.build.compiler import translate_arguments
from reconciler.packages.build.log import BuildLog, build_failure, more_to_build_with, run_logged, telling_lines
from reconciler.packages.build.sources import tree_digest
from reconciler.packages.build.wheels import normalize_wheel
from reconciler.packages.inspect.contents import inspect_file
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests import builders
from tests.natives import elf

# --- Compilers ------------------------------------------------------------------------------------------------------------

NOTHING: dict[str, list[str]] = {"before": [], "after": []}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("-O2 -fPIC -c a.c -o a.o", "-O2 -fPIC -c a.c -o a.o"),
        ("-shared a.o -lm", "-shared a.o -lm -s"),
        ("-shared a.o -s -Wl,-s", "-shared a.o -Wl,-s -s"),
        ("-march=native -mtune=native -mavx2 -c a.c", "-mavx2 -c a.c"),
        (
            "-I/usr/include -I /usr/local/include -I/opt/x -isystem /usr/include/x86_64-linux-gnu -c a.c",
            "-I/opt/x -c a.c",
        ),
        ("-I/usr/include/python3.11 -c a.c", "-I/usr/include/python3.11 -c a.c"),
        ("-L/usr/lib/x86_64-linux-gnu -L/lib64 -L/opt/lib a.o", "-L/opt/lib a.o -s"),
        ("-Wl,-rpath,/home/me/lib,-z,now -Wl,-rpath,$ORIGIN a.o", "-Wl,-z,now -Wl,-rpath,$ORIGIN a.o -s"),
        ("-Wl,-rpath=/home/me/lib -Xlinker --build-id=sha1 a.o", "a.o -s"),
        ("-Wl,--exclude-libs,ALL,--as-needed a.o", "-Wl,--as-needed a.o -s"),
        ("-Wp,-D_FORTIFY_SOURCE=2 -fsanitize=address -flto=auto -c a.c", "-D_FORTIFY_SOURCE=2 -c a.c"),
        ("-shared -fPIE -lpython3.7m -lpythonic a.o", "-shared -lpythonic a.o -s"),
        ("-I", "-I  -s"),
    ],
)
def test_flags_of_gcc_and_folders_of_this_machine_do_not_reach_zig(given: str, taken: str) -> None:
    assert " ".join(translate_arguments(given.split(), NOTHING)) == taken


@given(
    st.lists(
        st.sampled_from(
            [
                "-c",
                "-shared",
                "-Wl,-rpath,/x",
                "-Wl,",
                "-L",
                "-I",
                "-z",
                "-Xlinker",
                "-Wl,-z",
                "-lm",
                "a.c",
                "-flto",
                "/x",
                "-Wl,-Map",
            ]
        )
    )
)
def test_no_command_line_breaks_the_translation_and_a_second_one_changes_nothing(arguments: list[str]) -> None:
    once = translate_arguments(arguments, NOTHING)
    if "-Xlinker" not in arguments and not {"-I", "-L"} & set(arguments):
        assert [one for one in translate_arguments(once, NOTHING) if one != "-s"] == [
            one for one in once if one != "-s"
        ]


# --- Sources --------------------------------------------------------------------------------------------------------------


def test_a_folder_is_named_by_what_a_build_takes_of_it(tmp_path: Path) -> None:
    (tmp_path / "pkg" / "build").mkdir(parents=True)
    (tmp_path / "setup.py").write_text("x")
    (tmp_path / "pkg" / "build" / "a.py").write_text("a")
    (tmp_path / "pkg" / "link.py").symlink_to("build/a.py")
    first = tree_digest(tmp_path)

    for left in (
        ".git/HEAD",
        "build/lib/x.py",
        "dist/x.whl",
        "own.egg-info/PKG-INFO",
        "pkg/__pycache__/a.pyc",
        "a.pyc",
    ):
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).write_text("left behind")
    (tmp_path / "anything").mkdir()
    (tmp_path / "anything" / "pyvenv.cfg").touch()
    os.utime(tmp_path / "setup.py", (0, 0))
    (tmp_path / "setup.py").chmod(0o600)
    assert tree_digest(tmp_path) == first

    seen = {first}
    for change in (
        lambda: (tmp_path / "setup.py").write_text("y"),
        lambda: (tmp_path / "setup.py").chmod(0o700),
        lambda: (tmp_path / "setup.py").rename(tmp_path / "setup2.py"),
        lambda: (tmp_path / "pkg" / "build" / "a.py").write_text("b"),
        lambda: (tmp_path / "pkg" / "folder").symlink_to("build"),
        lambda: (tmp_path / "new").touch(),
    ):
        change()
        seen.add(tree_digest(tmp_path))
    assert len(seen) == 7


# --- Wheels ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers())
def test_a_wheel_is_the_same_whatever_the_order_times_and_modes_it_was_packed_in(seed: int) -> None:
    import tempfile

    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files: dict[str, bytes | str] = {"own.py": "x = 1"}
        files |= {"sub/a.so": elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.14",)})}
        plain = builders.wheel(folder, "own", tag="cp37-cp37m-linux_x86_64", files=files)
        with ZipFile(plain) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        first = normalize_wheel(plain, folder / "first")

        chance.shuffle(members)
        with ZipFile(plain, "w") as archive:
            for member, content in members:
                info = ZipInfo(member, (chance.randint(1980, 2100), 1, 1, 0, 0, 0))
                info.external_attr = (stat.S_IFREG | chance.choice([0o600, 0o644, 0o664])) << 16
                archive.writestr(info, b"nonsense" if member.endswith("RECORD") else content, ZIP_STORED)
        second = normalize_wheel(plain, folder / "second")

        assert second.read_bytes() == first.read_bytes()
        assert second.name == "own-1.0-cp37-cp37m-manylinux_2_17_x86_64.whl"
        facts = inspect_file(second, "wheel")
        assert facts.faults == ()
        with ZipFile(second) as archive:
            assert b"Tag: cp37-cp37m-manylinux_2_17_x86_64\n" in archive.read("own-1.0.dist-info/WHEEL")


# --- Processes ------------------------------------------------------------------------------------------------------------

FAMILY = ["/bin/sh", "-c", "sleep 600 & echo $!; echo https://me:hunter2@index; wait"]


def _is_gone(pid: int) -> bool:
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", ["timeout", "stop", "interrupt"])
def test_whatever_ends_a_command_ends_all_that_it_started(tmp_path: Path, how: str) -> None:
    tools = Tools()
    log = BuildLog(tmp_path / "log")
    log.start()
    if how != "timeout":
        end = tools.stop if how == "stop" else lambda: signal.raise_signal(signal.SIGINT)
        waiting = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT) if how == "interrupt" else end())
        waiting.start()
    abandoned: list[str] = []
    with pytest.raises(KeyboardInterrupt if how == "interrupt" else PackageError):
        run_logged(
            tools,
            FAMILY,
            cwd=tmp_path,
            environment={"PATH": "/usr/bin:/bin"},
            log=log,
            label="own",
            timeout=1.0 if how == "timeout" else 600,
            on_abandon=lambda: abandoned.append("told"),
        )
    said = log.text().splitlines()
    assert _is_gone(int(said[1]))
    assert said[2] == "https://***@index"
    assert abandoned == ["told"]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


# --- Failures -------------------------------------------------------------------------------------------------------------


def test_the_line_that_tells_most_comes_first() -> None:
    compiled = "a.c:1:1: error: unknown type name 'foo'\na.c:2:1: error: too many\n2 errors generated.\nerror: command '/x/cc' failed"
    assert telling_lines(compiled)[0] == "a.c:1:1: error: unknown type name 'foo'"
    traced = (
        "cc -Werror=format -c x.c\nTraceback:\n  File x\nValueError: bad version\nERROR: metadata-generation-failed: e"
    )
    assert "ValueError: bad version" in telling_lines(traced)
    assert telling_lines("one\ntwo\n\n")[0] == "two"
    assert telling_lines("") == ()


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("x.c:3:10: fatal error: 'openssl/ssl.h' file not found", "E444", "the header openssl/ssl.h, of OpenSSL"),
        ("x.c:3:10: fatal error: pq.h: No such file or directory", "E444", "the header pq.h,"),
        ("/usr/bin/ld: cannot find -lgeos_c: No such file", "E444", "the library libgeos_c"),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]", "E445", "Fortran"),
        ("OSError: mysql_config not found", "E444", "the program mysql_config"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'gdal-config'", "E444", "the program gdal-config"),
        ("LookupError: setuptools-scm was unable to detect version for /build", "E440", "unable to detect version"),
        ("Exception: anything else", "E440", "anything else"),
        ("", "E440", "its last resort"),
    ],
)
def test_a_failure_is_told_as_what_can_be_done_about_it(tmp_path: Path, said: str, code: str, words: str) -> None:
    (problem,) = build_failure("own", RUNTIMES["cp37"], "its last resort", said, tmp_path / "x.log").problems
    assert problem.code == code
    assert words in problem.message
    assert str(tmp_path / "x.log") in spell(problem.hint)
    assert ("SETUPTOOLS_SCM_PRETEND_VERSION" in spell(problem.hint)) == ("setuptools-scm" in said)


def test_a_program_that_metadata_asks_is_told_as_the_line_to_write() -> None:
    hint = more_to_build_with("FileNotFoundError: [Errno 2] No such file or directory: 'gdal-config': 'gdal-config'")
    assert hint is not None
    assert hint.startswith("write build: {programs: [vendor/gdal-config]} in the package")


@pytest.mark.parametrize(
    ("said", "need"),
    [
        ("error in demjson setup command: use_2to3 is invalid.", "setuptools<58"),
        ("ModuleNotFoundError: No module named 'Cython'", "Cython"),
        ("ImportError: No module named yaml.reader", "PyYAML"),
    ],
)
def test_what_a_build_lacks_is_told_as_the_line_to_write(tmp_path: Path, said: str, need: str) -> None:
    (problem,) = build_failure("own", RUNTIMES["cp37"], "", said, tmp_path / "x.log").problems
    assert spell(problem.hint).startswith(f"write build: {{requires: ['{need}']}} in the package")


def test_what_has_a_twin_with_wheels_is_told_so(tmp_path: Path) -> None:
    said = "error: unable to find dynamic system library 'pq' using strategy"
    for label, twin in (
        ("psycopg2 2.9.9", "psycopg2-binary"),
        ("psycopg2==2.9", "psycopg2-binary"),
        ("psycopg2-x 1", ""),
    ):
        (problem,) = build_failure(label, RUNTIMES["cp37"], "", said, tmp_path / "x.log").problems
        assert spell(problem.hint).startswith(f"{twin} is used in its place" if twin else "give the build its headers")
