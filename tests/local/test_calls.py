"""Calling functions: results in order, failures with their row and the user's own lines, nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import (
    ArgumentsRejected,
    Cancelled,
    FunctionNotLoadable,
    FunctionRaised,
    InterpreterUnsuitable,
    Job,
    ResourceUnusable,
    WorkerDied,
    WorkerTimedOut,
    WrongResult,
    call,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.conftest import Runner

ADD = """
    from odps.udf import annotate
    @annotate("bigint,bigint->bigint")
    class F(object):
        def evaluate(self, a, b):
            return a + b
"""


def udf(signature: str, body: str, before: str = "pass") -> str:
    """Return a module `m` with a class F, whose evaluate takes `*args`."""
    return (
        "from odps.udf import annotate\n"
        f"{before}\n"
        f"@annotate({signature!r})\n"
        "class F(object):\n"
        "    def evaluate(self, *args):\n" + textwrap.indent(textwrap.dedent(body), " " * 8)
    )


@pytest.fixture(autouse=True)
def own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let every test see that what was made for a call is gone after it."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    gc.collect()
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("width", [1, 200, 201, 300])
def test_a_row_may_be_wide(runner: Runner, width: int) -> None:
    source = udf(",".join(["bigint"] * width) + "->bigint", "return sum(args)")
    assert runner.results(source, [[n] * width for n in range(3)]) == [0, width, 2 * width]


def test_each_row_gives_one_value(runner: Runner) -> None:
    assert runner.results(ADD, [(1, 2), (3, 4)]) == [3, 7]


def test_no_row_gives_no_value(runner: Runner) -> None:
    assert runner.results(ADD, []) == []


def test_a_function_without_arguments_is_called_once_a_row(runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        @annotate("->bigint")
        class F(object):
            def __init__(self):
                self.calls = 0
            def evaluate(self):
                self.calls += 1
                return self.calls
    """
    assert runner.results(source, [()] * 1000) == list(range(1, 1001))


def test_the_class_says_what_it_is(runner: Runner) -> None:
    with runner.start(ADD, []) as running:
        assert running.description.kind == "udf"
        assert running.description.signature == "bigint,bigint->bigint"
        assert running.description.inputs == ("bigint", "bigint")
        assert running.description.outputs == ("bigint",)


def test_results_come_while_rows_are_still_being_made(some_runner: Runner) -> None:
    made = 0

    def rows() -> Iterator[tuple[int, int]]:
        nonlocal made
        while True:
            made += 1
            yield made, 0

    with some_runner.start(ADD, rows()) as running:
        results = iter(running)
        assert [next(results) for _ in range(100_000)] == list(range(1, 100_001))
    assert made < 150_000


def test_memory_does_not_grow_with_the_number_of_rows(some_runner: Runner) -> None:
    """A hundred thousand rows of a kilobyte, there and back: far more than either side may hold."""
    source = some_runner.job(udf("bigint,string->string", "return args[1]"))
    program = """
        import resource, sys
        from pathlib import Path
        from reconciler.local.runner import Interpreter, Job, ResourceFile, call
        interpreter = Interpreter(Path(sys.argv[1]), eval(sys.argv[2]), "", "")
        job = Job("m.F", (ResourceFile("m.py", "py", Path(sys.argv[3])),), sys.argv[4])
        text = "x" * 1000
        with call(interpreter, job, ((n, text) for n in range(1000))) as running:
            assert sum(1 for _ in running) == 1000
        peaks = lambda: [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        before = peaks()
        with call(interpreter, job, ((n, text) for n in range(100000))) as running:
            assert sum(map(len, running)) == 100000 * 1000
        print(*[after - then for after, then in zip(peaks(), before)])
    """
    interpreter = some_runner.interpreter
    arguments = [str(interpreter.path), str(interpreter.version), str(source.resources[0].path), some_runner.runtime]
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], capture_output=True, text=True, check=False
    )
    assert answer.stderr == ""
    unit = 1 if sys.platform == "darwin" else 1024
    # The rows alone are 100 MB.
    assert all(int(growth) * unit < 30e6 for growth in answer.stdout.split()), answer.stdout


def test_a_large_value_passes_both_ways(runner: Runner) -> None:
    text = "ä" * 1_000_000
    assert runner.results(udf("string->string", "return args[0]"), [(text,)] * 3) == [text] * 3


def test_an_exception_shows_the_users_lines_and_nothing_of_ours(runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        @annotate("bigint->double")
        class F(object):
            def evaluate(self, n):
                return self.inverse(n)
            def inverse(self, n):
                return 1.0 / n
    """
    results: list[object] = []
    with pytest.raises(FunctionRaised) as caught, runner.start(source, [(4,), (2,), (0,), (1,)]) as running:
        results.extend(running)
    error = caught.value
    assert results == [0.25, 0.5]
    assert str(error) == "m.F raised ZeroDivisionError: float division by zero at row 3"
    assert (error.row, error.arguments) == (2, (0,))
    lines = [line.strip() for line in error.traceback.splitlines() if "^" not in line]
    assert lines == [
        "Traceback (most recent call last):",
        'File "m.py", line 7, in evaluate',
        "return self.inverse(n)",
        'File "m.py", line 9, in inverse',
        "return 1.0 / n",
        "ZeroDivisionError: float division by zero",
    ]


def test_causes_of_an_exception_are_shown_without_our_frames(runner3: Runner) -> None:
    body = """
        from odps.distcache import get_cache_file
        try:
            get_cache_file("x")
        except IOError as error:
            raise ValueError("no x") from error
    """
    with pytest.raises(FunctionRaised) as caught:
        runner3.results(udf("->string", body))
    assert "OSError: resource 'x' is not in the list of this function (there: m.py)" in caught.value.traceback
    assert "The above exception was the direct cause" in caught.value.traceback
    assert "runner/worker/" not in caught.value.traceback


def test_text_of_an_exception_need_not_be_ascii(runner: Runner) -> None:
    with pytest.raises(FunctionRaised, match="größe") as caught:
        runner.results(udf("->string", "raise ValueError('größe')"))
    assert "größe" in caught.value.traceback


def test_an_exception_that_cannot_be_printed_is_still_reported(runner: Runner) -> None:
    before = """
class Bad(Exception):
    def __str__(self):
        raise RuntimeError
"""
    with pytest.raises(FunctionRaised, match="Bad"):
        runner.results(udf("->string", "raise Bad()", before))


def test_an_exception_is_named_by_its_first_line(runner: Runner) -> None:
    with pytest.raises(FunctionRaised) as caught:
        runner.results(udf("->bigint", "raise ValueError('first\\nsecond')"))
    assert caught.value.exception == "ValueError: first"


COUNTER = """
    from odps.udf import annotate
    loads = []
    print("imported")
    @annotate("bigint->string")
    class F(object):
        def __init__(self):
            self.calls = 0
            loads.append(self)
        def evaluate(self, number):
            self.calls += 1
            print("call %d" % self.calls)
            if number < 0:
                raise ValueError(number)
            if number == 0:
                import os
                os._exit(3)
            return "%d of %d" % (self.calls, len(loads))
"""


def test_a_session_imports_once_and_constructs_for_each_call(runner: Runner) -> None:
    running = session(runner.interpreter, runner.job(COUNTER))
    first = running.call([(1,), (1,)])
    assert (list(first), first.log) == (["1 of 1", "2 of 1"], "imported\ncall 1\ncall 2\n")
    with pytest.raises(FunctionRaised, match="at row 2") as caught:
        list(running.call([(1,), (-1,), *[(1,)] * 10_000]))
    assert caught.value.log == "call 1\ncall 2\n"
    with pytest.raises(ArgumentsRejected):
        list(running.call([(1,), ("x",)]))
    assert list(running.call([(1,)])) == ["1 of 4"]
    with pytest.raises(WorkerDied):
        list(running.call([(0,)]))
    assert not running.alive


def test_a_session_ends_with_a_call_that_is_left_half_way(some_runner: Runner) -> None:
    running = session(some_runner.interpreter, some_runner.job(COUNTER))
    results = iter(running.call([(1,)] * 100_000))
    next(results)
    del results
    assert not running.alive


def test_a_session_whose_class_fails_the_second_time_says_so(some_runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        known = []
        @annotate("->bigint")
        class F(object):
            def __init__(self):
                known.append(1)
                if len(known) == 2:
                    raise IOError("only once")
            def evaluate(self):
                return len(known)
    """
    running = session(some_runner.interpreter, some_runner.job(source))
    assert list(running.call([()])) == [1]
    with pytest.raises(FunctionNotLoadable, match="only once"):
        list(running.call([()]))
    assert list(running.call([()])) == [3]
    running.close()


def test_endless_recursion_is_an_exception_like_others(runner: Runner) -> None:
    with pytest.raises(FunctionRaised, match="maximum recursion depth") as caught:
        runner.results(udf("->string", "return self.evaluate()"))
    assert len(caught.value.traceback) < 50_000


def test_sys_exit_does_not_end_in_silence(runner: Runner) -> None:
    with pytest.raises(FunctionRaised, match="SystemExit: 3 at row 1"):
        runner.results(udf("->string", "import sys; sys.exit(3)"))


def test_stop_iteration_does_not_cut_the_results_short(runner: Runner) -> None:
    for rows in ([(n,) for n in range(10)], [()] * 10):
        body = "self.n = getattr(self, 'n', 0) + 1\nif self.n == 4: next(iter([]))\nreturn 1"
        with pytest.raises(FunctionRaised) as caught:
            runner.results(udf("*->bigint", body), rows)
        assert "StopIteration" in str(caught.value)
        assert caught.value.row == 3


def test_a_segmentation_fault_is_reported_with_its_row(runner: Runner) -> None:
    body = """
        if args[0] == 100:
            import ctypes
            ctypes.string_at(0)
        return args[0]
    """
    with pytest.raises(WorkerDied) as caught:
        runner.results(udf("bigint->bigint", body), ((n,) for n in range(200)))
    error = caught.value
    assert str(error) == "the process of m.F was killed by SIGSEGV at row 101"
    assert (error.row, error.arguments) == (100, (100,))
    if runner.runtime != "cp27":
        assert 'File "m.py", line 10 in evaluate' in error.log
    assert "runner/worker/" not in error.log


def test_a_process_that_exits_is_reported_with_its_code(runner: Runner) -> None:
    body = """
        import os
        print("about to leave")
        os._exit(7)
    """
    with pytest.raises(WorkerDied) as caught:
        runner.results(udf("->string", body))
    assert str(caught.value) == "the process of m.F ended with exit code 7 at row 1"
    assert caught.value.log == "about to leave\n"


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("import os; os._exit(1)", "while its module was imported"),
        (
            """
            import os
            from odps.udf import annotate
            @annotate("->string")
            class F(object):
                def __init__(self):
                    os._exit(1)
                def evaluate(self):
                    pass
            """,
            "while its class was constructed",
        ),
    ],
)
def test_an_exit_while_loading_says_so(runner: Runner, source: str, where: str) -> None:
    with pytest.raises(WorkerDied, match=f"exit code 1 {where}") as caught:
        runner.results(source)
    assert caught.value.row is None


def test_a_killed_process_hints_at_memory(some_runner: Runner) -> None:
    with pytest.raises(WorkerDied, match="was killed by SIGKILL at row 1") as caught:
        some_runner.results(udf("->string", "import os; os.kill(os.getpid(), 9)"))
    assert "memory" in caught.value.hint


def test_closing_every_descriptor_is_contained(some_runner: Runner) -> None:
    body = """
        import os, time
        os.closerange(0, 1000)
        time.sleep(60)
    """
    with pytest.raises(WorkerDied, match="closed the pipe it answers on at row 1"):
        some_runner.results(udf("->string", body))


def test_an_endless_loop_is_ended_and_its_row_told(runner: Runner) -> None:
    body = """
        while args[0] == 2:
            pass
        return 0
    """
    with pytest.raises(WorkerTimedOut) as caught:
        runner.results(udf("bigint->bigint", body), [(1,), (2,), (3,)], timeout=2)
    assert str(caught.value) == "m.F did not answer in 2 s, at row 2"
    assert caught.value.arguments == (2,)


def test_an_endless_loop_while_loading_is_ended(some_runner: Runner) -> None:
    with pytest.raises(WorkerTimedOut, match="while its module was imported"):
        some_runner.results("while True: pass", timeout=1)


def test_a_time_limit_is_for_a_batch_and_not_for_the_whole_call(some_runner: Runner) -> None:

    def rows() -> Iterator[tuple[int]]:
        for n in range(20_000):
            time.sleep(0.0001)
            yield (n,)

    assert len(some_runner.results(udf("bigint->bigint", "return 1"), rows(), timeout=1.5)) == 20_000


def test_a_call_that_nobody_wants_any_more_ends(some_runner: Runner) -> None:
    wanted = iter([False] * 3)
    source = udf("->bigint", "while True: print('still here')")
    with pytest.raises(Cancelled), some_runner.start(source, cancelled=lambda: next(wanted, True)) as running:
        list(running)


def test_what_the_function_started_ends_with_it(some_runner: Runner) -> None:
    body = """
        import subprocess
        return subprocess.Popen(["sleep", "300"]).pid
    """
    [pid] = some_runner.results(udf("->bigint", body))
    assert wait_until_gone(pid)


def test_a_forked_child_that_holds_the_pipes_does_not_hold_the_caller(some_runner: Runner) -> None:
    body = """
        import os, time
        if os.fork() == 0:
            time.sleep(300)
        os._exit(5)
    """
    with pytest.raises(WorkerDied, match="exit code 5"):
        some_runner.results(udf("->bigint", body))


def test_a_forked_child_that_comes_back_answers_nothing(runner: Runner) -> None:
    """Its answers, and the next requests, are its parent's."""
    body = "import os\nif args[0] == 3: os.fork()\nreturn args[0]"
    numbers = list(range(10_000))
    assert runner.results(udf("bigint->bigint", body), [(number,) for number in numbers]) == numbers


@pytest.mark.parametrize("said", [b"\\xff" * 100, b"\\0\\0\\0\\x03\\0\\0\\0\\0{}}", b"\\0\\0\\0\\x02\\0\\0\\0\\0[]"])
def test_what_a_function_writes_into_the_answers_is_told(some_runner: Runner, said: bytes) -> None:
    """A length out of four bytes of it would be waited for until the time is over."""
    body = f"""
        import os
        for descriptor in range(3, 200):
            try:
                os.write(descriptor, b"{said.decode()}")
            except OSError:
                pass
    """
    with pytest.raises(WorkerDied, match="wrote to the pipe it answers on"):
        some_runner.results(udf("->bigint", body))


def test_a_thread_left_running_does_not_hold_the_caller(some_runner: Runner) -> None:
    body = """
        import threading, time
        threading.Thread(target=time.sleep, args=(300,)).start()
        return 1
    """
    assert some_runner.results(udf("->bigint", body)) == [1]


def test_leaving_early_ends_the_process(some_runner: Runner) -> None:
    with some_runner.start(udf("bigint->bigint", "import os; return os.getpid()"), ((n,) for n in range(10**9))) as r:
        pid = next(iter(r))
    assert wait_until_gone(pid)


def test_an_error_of_whoever_makes_the_rows_ends_the_process(some_runner: Runner) -> None:
    def rows() -> Iterator[tuple[int, int]]:
        yield 1, 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        some_runner.results(ADD, rows())


def test_an_interrupt_ends_the_process_and_removes_its_directory(
    some_runner: Runner, own_temporary_directory: Path
) -> None:
    body = """
        import os, time
        while args[0]:
            time.sleep(1)
        return os.getpid()
    """
    job = some_runner.job(udf("bigint->bigint", body))
    program = """
        import sys, tempfile
        from pathlib import Path
        from reconciler.local.runner import Interpreter, Job, ResourceFile, call
        tempfile.tempdir = sys.argv[5]
        interpreter = Interpreter(Path(sys.argv[1]), eval(sys.argv[2]), "", "")
        job = Job("m.F", (ResourceFile("m.py", "py", Path(sys.argv[3])),), sys.argv[4])
        for pid in call(interpreter, job, ((n // 64,) for n in range(100))):
            print(pid, flush=True)
    """
    interpreter = some_runner.interpreter
    arguments = [str(interpreter.path), str(interpreter.version), str(job.resources[0].path), some_runner.runtime]
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments, str(own_temporary_directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pids = [int(running.stdout.readline()) for _ in range(64)]
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert errors.endswith("KeyboardInterrupt\n")
    assert wait_until_gone(pids[0])


def test_a_call_nobody_holds_any_more_leaves_nothing_behind(some_runner: Runner) -> None:
    running = some_runner.start(udf("->bigint", "import os; return os.getpid()"))
    pid = next(iter(running))
    del running
    gc.collect()
    assert wait_until_gone(pid)


def test_prints_go_to_the_log_and_not_between_the_results(runner: Runner) -> None:
    body = """
        import os, sys
        print("printed")
        sys.stderr.write("to stderr\\n")
        os.write(1, b"written\\n")
        os.system("echo from a child")
        return args[0]
    """
    with runner.start(udf("bigint->bigint", body), [(1,)]) as running:
        assert list(running) == [1]
    assert running.log == "printed\nto stderr\nwritten\nfrom a child\n"


def test_a_flood_of_output_is_contained_and_its_end_kept(runner: Runner) -> None:
    body = """
        for n in range(20000):
            print("x" * 99)
        print("the end")
        return 1
    """
    with runner.start(udf("->bigint", body)) as running:
        assert list(running) == [1]
    assert running.log.endswith("x\nthe end\n")
    assert len(running.log) < 21_000
    assert running.log.startswith("[1979528 bytes left out]\n")


def test_output_during_import_is_kept(some_runner: Runner) -> None:
    with some_runner.start(udf("->bigint", "return 1", "print('hello')")) as running:
        list(running)
    assert running.log == "hello\n"


def test_standard_input_is_empty(runner: Runner) -> None:
    assert runner.results(udf("->string", "import sys; return sys.stdin.read()")) == [""]


def test_memory_can_be_limited(some_runner: Runner) -> None:
    with pytest.raises(FunctionRaised, match="MemoryError"):
        some_runner.results(udf("->bigint", "return len(bytearray(3 << 30))"), memory=1 << 30)


def test_a_directory_that_was_given_is_kept(some_runner: Runner, tmp_path: Path) -> None:
    body = "open('left.txt', 'w').write('x'); import os; return os.getcwd()"
    [cwd] = some_runner.results(udf("->string", body), directory=tmp_path / "kept")
    assert cwd == str(tmp_path / "kept" / "worker")
    assert (tmp_path / "kept" / "worker" / "left.txt").read_text() == "x"
    with pytest.raises(ResourceUnusable, match="not empty"):
        some_runner.results(ADD, [], directory=tmp_path / "kept")


def test_a_directory_made_unreadable_is_removed_all_the_same(some_runner: Runner) -> None:
    body = "import os; os.makedirs('a/b'); open('a/b/c', 'w').close(); os.chmod('a/b', 0); os.chmod('a', 0); return 1"
    assert some_runner.results(udf("->bigint", body)) == [1]


# ---------------------------------------------------------------------------------------------- arguments and results


def test_a_row_of_another_width_is_refused_after_the_results_before_it(some_runner: Runner) -> None:
    results: list[object] = []
    rows = [(n, n) for n in range(100)] + [(1,)]
    with pytest.raises(ArgumentsRejected) as caught, some_runner.start(ADD, rows) as running:
        results.extend(running)
    assert str(caught.value) == (
        "m.F cannot take its arguments at row 101: 1 given where 2 arguments are expected; the signature is bigint,bigint->bigint"
    )
    assert caught.value.row == 100
    assert results == [2 * n for n in range(100)]


@pytest.mark.parametrize("bad", [0, 5, 63, 64, 70])
@pytest.mark.parametrize("value", ["x", object()])
def test_results_before_a_refused_row_are_delivered(some_runner: Runner, bad: int, value: object) -> None:
    results: list[object] = []
    rows = [(n, value if n == bad else n) for n in range(100)]
    rows[-1] = ("also bad, and never reached", 0)  # type: ignore[assignment]
    with pytest.raises(ArgumentsRejected) as caught, some_runner.start(ADD, rows) as running:
        results.extend(running)
    assert caught.value.row == bad
    assert results == [2 * n for n in range(bad)]


def test_the_first_refused_row_is_named_whatever_its_column(some_runner: Runner) -> None:
    with pytest.raises(ArgumentsRejected, match="at row 2: argument 2") as caught:
        some_runner.results(ADD, [(1, 1), (1, "y"), ("x", 1)])
    assert caught.value.arguments == (1, "y")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, "x"), "argument 2: 'x' is no BIGINT"),
        ((1, 1 << 63), "argument 2: 9223372036854775808 does not fit BIGINT"),
        ((1, 1.5), "argument 2: 1.5 is no BIGINT"),
        ((1, object), "a type is no value of a MaxCompute type: <class 'object'>"),
    ],
)
def test_a_value_that_does_not_fit_the_signature_is_refused(
    some_runner: Runner, row: tuple[object, ...], reason: str
) -> None:
    with pytest.raises(ArgumentsRejected) as caught:
        some_runner.results(ADD, [(1, 1), (2, 2), row])
    assert str(caught.value).startswith(f"m.F cannot take its arguments at row 3: {reason}")
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("signature", "result", "reason"),
    [
        ("->bigint", "'1'", "'1' (str), where the signature says bigint"),
        ("->bigint", "1.0", "1.0 (float), where the signature says bigint"),
        ("->bigint", "1 << 63", "9223372036854775808 does not fit BIGINT"),
        ("->string", "1", "1 (int), where the signature says string"),
        ("->array<bigint>", "['1']", "'1' (str), where the signature says bigint"),
        ("->map<string,bigint>", "[]", "[] (list), where the signature says map<string,bigint>"),
        ("->boolean", "0", "0 (int), where the signature says boolean"),
        ("->datetime", "'2024'", "'2024' (str), where the signature says datetime"),
    ],
)
def test_a_result_that_does_not_fit_the_signature_is_refused(
    runner: Runner, signature: str, result: str, reason: str
) -> None:
    with pytest.raises(WrongResult) as caught:
        runner.results(udf(signature, f"return {result}"))
    assert str(caught.value) == f"m.F: evaluate returned {reason}, at row 1"


def test_results_before_a_wrong_one_are_delivered(runner: Runner) -> None:
    results: list[object] = []
    source = udf("bigint->bigint", "return args[0] if args[0] < 30 else 'x'")
    with pytest.raises(WrongResult) as caught, runner.start(source, ((n,) for n in range(50))) as running:
        results.extend(running)
    assert results == list(range(30))
    assert caught.value.row == 30


# ---------------------------------------------------------------------------------------------------------- loading


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class G(object): pass", "module m has no class F"),
        (
            "from odps.udf import annotate\n@annotate('->bigint')\nclass G(object): pass",
            "module m has no class F; classes with a signature: G",
        ),
        ("F = 3", "m.F is no class"),
        ("class F(object): pass", "UDF m.F has no method evaluate"),
        (
            "class F(object):\n    def process(self): pass",
            "F has process() but does not derive from odps.udf.BaseUDTF",
        ),
        (
            "class F(object):\n    def iterate(self): pass",
            "F has iterate() but does not derive from odps.udf.BaseUDAF",
        ),
        (
            "from odps.udf import BaseUDAF\nclass F(BaseUDAF):\n    def iterate(self, b): pass",
            "UDAF m.F has no method new_buffer, merge, terminate",
        ),
        (
            "class F(object):\n    def evaluate(self): pass",
            "class F has no signature: decorate it with @annotate('...->...')",
        ),
        (udf("bigint", "pass"), "the signature 'bigint' is not understood at ''"),
        (udf("bigint->nosuch", "pass"), "the signature 'bigint->nosuch' is not understood at 'nosuch'"),
        (udf("->array<bigint", "pass"), "the signature '->array<bigint' is not understood at ''"),
        (udf("->bigint;", "pass"), "the signature '->bigint;' is not understood at ';'"),
        (
            udf("->bigint,bigint", "pass"),
            "the signature '->bigint,bigint' has 2 results; only a UDTF has more than one",
        ),
        (
            "from odps.udf import annotate\n@annotate(3)\nclass F(object):\n    def evaluate(self): pass",
            "the signature of F is no string: 3",
        ),
    ],
)
def test_a_class_that_the_service_could_not_call_is_refused(runner: Runner, source: str, reason: str) -> None:
    with pytest.raises(FunctionNotLoadable) as caught:
        runner.results(source)
    assert str(caught.value) == f"m.F cannot be loaded: {reason}"


def test_an_import_error_shows_the_line_and_what_the_worker_sees(runner: Runner) -> None:
    with pytest.raises(FunctionNotLoadable, match=r"No module named '?no_such_module") as caught:
        runner.results("x = 1\nimport no_such_module")
    assert 'File "m.py", line 3, in <module>' in caught.value.traceback
    assert "work/<its name>" in caught.value.hint


def test_a_syntax_error_shows_its_line(runner: Runner) -> None:
    with pytest.raises(FunctionNotLoadable, match="SyntaxError") as caught:
        runner.results("x = 1\ny = = 2")
    assert 'File "m.py", line 3' in caught.value.traceback


def test_an_error_of_the_constructor_is_a_loading_error(runner: Runner) -> None:
    source = """
        class F(object):
            def __init__(self):
                raise KeyError("setting")
            def evaluate(self):
                pass
        import odps.udf
        odps.udf.annotate("->bigint")(F)
    """
    with pytest.raises(FunctionNotLoadable, match="KeyError: 'setting'") as caught:
        runner.results(source)
    assert "in __init__" in caught.value.traceback


@pytest.mark.parametrize("path", ["m", "", ".F", "m."])
def test_a_class_path_has_a_module_and_a_class(some_runner: Runner, path: str) -> None:
    with pytest.raises(FunctionNotLoadable, match="not of the form"):
        call(some_runner.interpreter, Job(path, (), some_runner.runtime), [])


def test_the_module_is_one_of_the_py_resources(some_runner: Runner) -> None:
    resources = (some_runner.file("M.py", ADD, "py"), some_runner.file("data.py", "", "file"))
    with pytest.raises(FunctionNotLoadable, match=r"no PY resource is called m.py") as caught:
        call(some_runner.interpreter, Job("m.F", resources, some_runner.runtime), [])
    assert caught.value.hint == "PY resources of the function: M.py; the spelling counts"
    with pytest.raises(FunctionNotLoadable, match=r"no PY resource is called os.py"):
        call(some_runner.interpreter, Job("os.F", (), some_runner.runtime), [])


def test_an_interpreter_of_another_runtime_is_refused(some_runner: Runner) -> None:
    other = "cp27" if some_runner.runtime != "cp27" else "cp37"
    with pytest.raises(InterpreterUnsuitable, match=f"the job is for {other}"):
        call(some_runner.interpreter, Job("m.F", (), other), [])


def test_an_interpreter_that_has_gone_is_reported(some_runner: Runner) -> None:
    gone = replace(some_runner.interpreter, path=some_runner.directory / "gone")
    with pytest.raises(InterpreterUnsuitable, match="gone cannot be started: No such file or directory"):
        call(gone, some_runner.job(ADD), [])


# ------------------------------------------------------------------------------------------------------ UDTF and UDAF


def test_a_table_function_forwards_any_number_of_rows(runner: Runner) -> None:
    source = """
        from odps.udf import annotate, BaseUDTF
        @annotate("bigint->bigint,string")
        class F(BaseUDTF):
            def __init__(self):
                self.total = 0
            def process(self, n):
                for i in range(n):
                    self.forward(i, "row")
                self.total += n
            def close(self):
                self.forward(self.total, "closing")
    """
    assert runner.results(source, [(2,), (0,), (1,)]) == [(0, "row"), (1, "row"), (0, "row"), (3, "closing")]


def test_one_row_may_forward_more_than_memory_should_hold(some_runner: Runner) -> None:
    source = """
        from odps.udf import annotate, BaseUDTF
        @annotate("bigint->bigint")
        class F(BaseUDTF):
            def process(self, n):
                for i in range(n):
                    self.forward(i)
    """
    assert runner_sum(some_runner, source, [(200_000,)]) == sum(range(200_000))


def runner_sum(runner: Runner, source: str, rows: list[tuple[int]]) -> int:
    with runner.start(source, rows) as running:
        return sum(value for (value,) in running)


def test_a_table_function_without_a_signature_gives_strings(runner: Runner) -> None:
    source = """
        from odps.udf import BaseUDTF
        class F(BaseUDTF):
            def process(self, a, b):
                self.forward(a, b, None)
    """
    assert runner.results(source, [("x", "y")]) == [("x", "y", None)]


@pytest.mark.parametrize(
    ("forwarded", "reason"),
    [
        ("1", "forward() got 1 values, and the signature has 2"),
        ("1, 2", "forward() got 2 (int), where the signature says string"),
    ],
)
def test_a_forwarded_row_that_does_not_fit_is_named(runner: Runner, forwarded: str, reason: str) -> None:
    source = f"""
        from odps.udf import annotate, BaseUDTF
        @annotate("bigint->bigint,string")
        class F(BaseUDTF):
            def process(self, n):
                if n == 3:
                    self.forward({forwarded})
                self.forward(n, "x")
    """
    results: list[object] = []
    with pytest.raises(WrongResult) as caught, runner.start(source, [(n,) for n in range(10)]) as running:
        results.extend(running)
    assert str(caught.value) == f"m.F: {reason}, at row 4"
    assert results == [(0, "x"), (1, "x"), (2, "x")]


def test_an_error_in_close_is_after_the_last_row(runner: Runner) -> None:
    source = """
        from odps.udf import annotate, BaseUDTF
        @annotate("bigint->bigint")
        class F(BaseUDTF):
            def process(self, n):
                self.forward(n)
            def close(self):
                raise ValueError("too late")
    """
    with pytest.raises(FunctionRaised, match="ValueError: too late after the last row") as caught:
        runner.results(source, [(1,)])
    assert caught.value.row is None


AGGREGATE = """
    from odps.udf import annotate, BaseUDAF
    @annotate("double->double")
    class F(BaseUDAF):
        def new_buffer(self):
            return [0.0, 0]
        def iterate(self, buffer, value):
            if value is not None:
                buffer[0] += value
                buffer[1] += 1
        def merge(self, buffer, partial):
            buffer[0] += partial[0]
            buffer[1] += partial[1]
        def terminate(self, buffer):
            return buffer[0] / buffer[1] if buffer[1] else None
"""


def test_an_aggregate_gives_one_value(runner: Runner) -> None:
    assert runner.results(AGGREGATE, ((float(n),) for n in range(1001))) == [500.0]
    assert runner.results(AGGREGATE, [(None,), (3.0,)]) == [3.0]
    assert runner.results(AGGREGATE, []) == [None]


def test_a_wrong_merge_shows(runner: Runner) -> None:
    broken = AGGREGATE.replace("buffer[0] += partial[0]", "pass")
    assert runner.results(broken, [(1.0,)]) == [0.0]


@pytest.mark.parametrize(
    ("buffer", "reason"),
    [
        ("[object()]", "the buffer cannot be marshalled: ValueError: unmarshallable object, at row 2"),
        ("['x' * (3 << 20)]", "over the limit of 2 MB, at row 2"),
    ],
)
def test_a_buffer_that_could_not_travel_is_refused(runner: Runner, buffer: str, reason: str) -> None:
    source = f"""
        from odps.udf import annotate, BaseUDAF
        @annotate("bigint->bigint")
        class F(BaseUDAF):
            def new_buffer(self):
                return {buffer}
            def iterate(self, buffer, value):
                pass
            merge = iterate
            def terminate(self, buffer):
                return 0
    """
    with pytest.raises(WrongResult) as caught:
        runner.results(source, [(1,), (2,)])
    assert reason in str(caught.value)


def test_a_wrong_value_of_terminate_is_named(runner: Runner) -> None:
    source = AGGREGATE.replace("return buffer[0] / buffer[1] if buffer[1] else None", "return 'x'")
    with pytest.raises(WrongResult, match="terminate returned 'x'"):
        runner.results(source, [(1.0,)])


def wait_until_gone(pid: int) -> bool:
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return True  # dead; whoever adopted it has not looked yet
        time.sleep(0.01)
    return False


ORPHAN = """
import os, sys
from pathlib import Path
from reconciler.local.runner import Interpreter, Job, ResourceFile, call
path, version, abi, source, runtime = sys.argv[1:]
interpreter = Interpreter(Path(path), tuple(map(int, version.split("."))), abi, "test", os.uname().machine)
job = Job("m.F", (ResourceFile("m.py", "py", Path(source)),), runtime, isolated=True)
list(call(interpreter, job, [(1,)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is found by /proc")
def test_what_left_for_a_session_of_its_own_ends_with_its_worker(runner: Runner) -> None:
    body = """
        import os, subprocess
        shell = ["setsid", "sh", "-c", "exec env -i sleep 600 >/dev/null & echo $!"]
        stray = subprocess.Popen(shell, stdout=subprocess.PIPE).communicate()[0]
        return "%d %s" % (subprocess.Popen(["sleep", "600"], preexec_fn=os.setsid).pid, stray.decode())
    """
    [pids] = runner.results(udf("->string", body))
    assert all(wait_until_gone(int(pid)) for pid in pids.split())
    with runner.start(udf("bigint->string", body), ((n,) for n in range(10**9))) as left_early:
        pids = next(iter(left_early))
    assert all(wait_until_gone(int(pid)) for pid in pids.split())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux; a thread elsewhere")
@pytest.mark.parametrize("loop", ["while True: pass", "max(itertools.count())"], ids=["Python", "native"])
def test_a_function_that_never_ends_and_what_it_started_end_with_a_parent_that_is_killed(
    loop: str, runner: Runner, tmp_path: Path
) -> None:
    started, source = tmp_path / "started", tmp_path / "m.py"
    body = f"""
        child = subprocess.Popen(["sleep", "600"])
        # A child of a child that is gone, in a session of its own, with nothing in its environment.
        shell = ["setsid", "sh", "-c", "exec env -i sleep 600 >/dev/null & echo $!"]
        stray = int(subprocess.Popen(shell, stdout=subprocess.PIPE).communicate()[0])
        with open({str(tmp_path / "new")!r}, "w") as file:
            file.write("%d %d %d" % (os.getpid(), child.pid, stray))
        os.rename({str(tmp_path / "new")!r}, {str(started)!r})
        {loop}
    """
    source.write_text(udf("bigint->bigint", body, before="import itertools, os, subprocess"))
    interpreter = runner.interpreter
    version = ".".join(map(str, interpreter.version))
    command = [
        sys.executable,
        "-c",
        ORPHAN,
        str(interpreter.path),
        version,
        interpreter.abi,
        str(source),
        runner.runtime,
    ]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], env=env) as parent:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        processes = [int(number) for number in started.read_text().split()]
        assert all(Path(f"/proc/{process}").exists() for process in processes)
        parent.kill()
    assert all(map(wait_until_gone, processes))
