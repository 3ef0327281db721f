"""What a function cannot do whose SQL does not set isolation, by the words of the service, and what it still can."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import FunctionRaised
from tests.local.test_calls import udf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.local.conftest import Runner

TRIES = """
    import traceback
    scope = {}
    try:
        exec(args[0], scope)
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)
    return "%s" % scope.get("result")
"""
BLOCKED = "RuntimeError: {} has been blocked by sandbox".format

PROHIBITED = {
    "open('/etc/passwd')": "open",
    "open('x', 'w')": "open",
    "import io; io.open('m.py', 'a')": "open",
    "import codecs; codecs.open('x', 'w', 'utf-8')": "open",
    "import os; os.path.exists('/tmp')": "os.stat",
    "import os; os.listdir('/')": "os.listdir",
    "import os; os.remove('m.py')": "os.remove",
    "import tempfile; tempfile.mkdtemp()": "os.open",
    "import os; os.system('true')": "os.system",
    "import os; os.fork()": "os.fork",
}
"""Statement → the name that is blocked, in each Python."""

PROHIBITED_IN_3 = {
    "import threading; threading.Thread(target=int).start()": "threading.Thread",
    "import subprocess; subprocess.check_output(['true'])": "subprocess.Popen",
    "import multiprocessing as m; m.get_context('fork').Process(target=int).start()": "os.fork",
    "import socket; socket.socket()": "socket.socket",
    "import socket; socket.getaddrinfo('localhost', 80)": "socket.getaddrinfo",
    "import ctypes; ctypes.CDLL(None)": "ctypes.CDLL",
    "import pathlib; pathlib.Path('x').write_text('x')": "open",
}
PAST_PYTHON = ("import posix; posix.fork()", "import posix; posix.open('x', 66)", "import _io; _io.open('x', 'w')")
"""What the replaced functions do not see, and the kernel does."""


def attempts(runner: Runner, statements: Sequence[str]) -> list[str]:
    sandboxed = replace(runner, isolated=None)
    return sandboxed.results(udf("string->string", TRIES), [(statement,) for statement in statements])


def test_files_and_processes_are_blocked(runner: Runner) -> None:
    assert attempts(runner, [*PROHIBITED]) == [BLOCKED(name) for name in PROHIBITED.values()]


def test_threads_sockets_and_native_libraries_are_blocked_in_python_3(runner3: Runner) -> None:
    tried = dict(zip(PROHIBITED_IN_3, attempts(runner3, [*PROHIBITED_IN_3]), strict=True))
    expected = {statement: BLOCKED(name) for statement, name in PROHIBITED_IN_3.items()}
    if runner3.runtime != "cp37":  # the standard library opened files otherwise in 3.7
        assert tried == expected
    del tried["import pathlib; pathlib.Path('x').write_text('x')"]
    assert tried.items() <= expected.items()


def test_python_2_has_the_documented_extensions_and_no_others(runner2: Runner) -> None:
    statements = {
        "import threading; threading.Thread(target=int).start()": BLOCKED("thread.start_new_thread"),
        "import marshal; marshal.loads('i')": BLOCKED("marshal.loads"),
        "file('m.py')": BLOCKED("file"),
        "open('m.py')": BLOCKED("open"),
        "result = isinstance(1, file)": "False",
        **{
            f"import {module}": f"ImportError: No module named {extension}"
            for module, extension in {
                "ctypes": "ctypes", "csv": "_csv", "socket": "_socket", "subprocess": "select", "zlib": "zlib", "mmap": "mmap",
            }.items()
        },
    }  # fmt: skip
    assert dict(zip(statements, attempts(runner2, [*statements]), strict=True)) == statements


def test_the_kernel_refuses_what_python_did_not_see(runner: Runner) -> None:
    tried = attempts(runner, PAST_PYTHON)
    with pytest.raises(FunctionRaised) as raised:
        replace(runner, isolated=None).results(udf("->string", "open('/etc/passwd')"))
    if "seccomp)" not in raised.value.hint:
        pytest.skip("this kernel filters no system calls, and the error says so")
    assert ["Operation not permitted" in line for line in tried] == [True] * len(PAST_PYTHON)


def test_the_error_says_how_to_lift_it_and_what_keeps_it(runner: Runner) -> None:
    with pytest.raises(FunctionRaised, match="open has been blocked by sandbox at row 1") as raised:
        replace(runner, isolated=None).results(udf("->string", "open('/etc/passwd')"))
    assert "`isolation: true` at the function" in raised.value.hint
    assert "(kept here by replaced functions" in raised.value.hint


def test_with_isolation_all_of_it_works(runner: Runner) -> None:
    body = """
        import os, socket, subprocess, threading
        open("x", "w").close()
        threading.Thread(target=int).start()
        socket.socket().close()
        return subprocess.check_output(["echo", "x"]).decode()
    """
    assert runner.results(udf("->string", body)) == ["x\n"]


def test_resources_and_the_standard_library_are_there_in_the_sandbox(runner: Runner) -> None:
    body = """
        import collections, datetime, decimal, hashlib, json, logging, random, re, traceback, helper
        from odps.distcache import get_cache_file
        logging.getLogger("x").warning("said")
        try:
            1 / 0
        except ZeroDivisionError:
            shown = traceback.format_exc()
        with get_cache_file("words.txt") as words:
            return helper.double(words.read()) + shown
    """
    resources = [runner.file("helper.py", "def double(n): return 2 * n", "py"), runner.file("words.txt", "ab")]
    [said] = replace(runner, isolated=None).results(udf("->string", body), resources=resources)
    assert said.startswith("abab")
    assert "1 / 0" in said


def test_python_3_reads_its_own_files_by_name(runner3: Runner) -> None:
    statements = ["result = open('m.py').read(8)", "import os; result = os.listdir('.')", "import os; os.stat('..')"]
    assert attempts(runner3, statements) == ["# coding", "['m.py']", BLOCKED("os.stat")]
