"""Which CPython is taken for a runtime, and what is said when there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.interpreters import NotUsable, probe
from reconciler.local.runner import InterpreterNotFound, locate, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.local.conftest import Runner

    Pretend = Callable[[str, Mapping[str, object]], Path]


def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of this machine is found."""
    return {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}


def patch(number: int) -> dict[str, object]:
    return {"version": [3, 7, number]}


def test_pyenv_versions_are_found_without_being_activated(tmp_path: Path, pretend: Pretend) -> None:
    program = pretend("home/.pyenv/versions/3.7.17/bin/python3.7", {})
    interpreter = locate("cp37", home(tmp_path))
    assert (interpreter.path, interpreter.source, interpreter.abi) == (program, "pyenv", "cp37m")
    assert interpreter.version == (3, 7, 17)
    assert interpreter.stands_in_for is None


def test_pyenv_root_of_the_environment_is_used(tmp_path: Path, pretend: Pretend) -> None:
    program = pretend("elsewhere/versions/3.7.17/bin/python3.7", {})
    assert locate("cp37", {**home(tmp_path), "PYENV_ROOT": str(tmp_path / "elsewhere")}).path == program


def test_highest_patch_wins_in_one_place_and_is_compared_as_a_number(tmp_path: Path, pretend: Pretend) -> None:
    pretend("home/.pyenv/versions/3.7.9/bin/python3.7", patch(9))
    pretend("home/.pyenv/versions/3.7.17/bin/python3.7", patch(17))
    assert locate("cp37", home(tmp_path)).version == (3, 7, 17)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("HOME", "home", "home/.local/share/uv/python"),
        ("XDG_DATA_HOME", "data", "data/uv/python"),
        ("UV_PYTHON_INSTALL_DIR", "pythons", "pythons"),
    ],
)
def test_pythons_that_uv_manages_are_found(tmp_path: Path, pretend: Pretend, name: str, value: str, place: str) -> None:
    program = pretend(f"{place}/cpython-3.7.9-linux-x86_64-gnu/bin/python3.7", patch(9))
    interpreter = locate("cp37", {**home(tmp_path), name: str(tmp_path / value)})
    assert (interpreter.path, interpreter.source) == (program, "uv")


def test_path_is_the_last_place(tmp_path: Path, pretend: Pretend) -> None:
    on_path = pretend("bin/python3.7", patch(17))
    assert locate("cp37", home(tmp_path)).path == on_path
    pyenv = pretend("home/.pyenv/versions/3.7.1/bin/python3.7", patch(1))
    assert locate("cp37", home(tmp_path)).path == pyenv


def test_shims_of_pyenv_are_not_candidates(tmp_path: Path, pretend: Pretend) -> None:
    pretend("home/.pyenv/shims/python3.7", {})
    env = {**home(tmp_path), "PATH": str(tmp_path / "home/.pyenv/shims")}
    with pytest.raises(InterpreterNotFound):
        locate("cp37", env)


def test_relative_entries_of_path_are_not_looked_at(
    tmp_path: Path, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("python3.7", {})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InterpreterNotFound):
        locate("cp37", {**home(tmp_path), "PATH": ".:"})


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"implementation": "pypy"}, "is pypy, not CPython"),
        ({"version": [3, 8, 1]}, "is CPython 3.8.1"),
        ({"version": "?"}, "does not answer like a Python"),
    ],
)
def test_what_is_no_cpython_of_the_runtime_is_passed_over_with_the_reason(
    tmp_path: Path, pretend: Pretend, facts: dict[str, object], verdict: str
) -> None:
    program = pretend("bin/python3.7", facts)
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp37", home(tmp_path))
    assert {one.place: one.verdict for one in caught.value.looked_at}[str(program)] == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("#!/bin/sh\necho 'no such version' >&2; exit 127\n", "fails with exit code 127: no such version"),
        ("#!/bin/sh\nexit 3\n", "fails with exit code 3"),
        ("#!/nonexistent/python\n", "cannot be run: No such file or directory"),
        ("#!/bin/sh\necho hello\n", "does not answer like a Python"),
    ],
)
def test_a_program_that_fails_is_passed_over_with_the_reason(tmp_path: Path, text: str, verdict: str) -> None:
    program = tmp_path / "python3.7"
    program.write_text(text)
    program.chmod(0o755)
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp37", {}, explicit=program)
    assert [one.verdict for one in caught.value.looked_at] == [verdict]


def test_a_program_that_does_not_answer_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python3.7"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("reconciler.local.interpreters.PROBE_SECONDS", 0.2)
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp37", {}, explicit=program)
    assert caught.value.looked_at[0].verdict == "did not answer in 0.2 s"


def test_a_path_that_was_given_is_not_replaced_by_another(tmp_path: Path, pretend: Pretend) -> None:
    pretend("bin/python3.7", {})
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp37", home(tmp_path), explicit=tmp_path / "missing", substitute=Path(sys.executable))
    assert [one.place for one in caught.value.looked_at] == [str(tmp_path / "missing")]


def test_a_path_in_the_environment_is_not_replaced_by_another(tmp_path: Path, pretend: Pretend) -> None:
    named = pretend("named/python", patch(3))
    pretend("bin/python3.7", patch(17))
    env = {**home(tmp_path), "UDFS_PYTHON_CP37": str(named)}
    assert locate("cp37", env).path == named
    named.unlink()
    with pytest.raises(InterpreterNotFound):
        locate("cp37", env, substitute=Path(sys.executable))


@pytest.mark.parametrize(("maxunicode", "abi"), [(0xFFFF, "cp27m"), (0x10FFFF, "cp27mu")])
def test_narrow_and_wide_unicode_of_2_7_are_told_apart(
    tmp_path: Path, pretend: Pretend, maxunicode: int, abi: str
) -> None:
    pretend("bin/python2.7", {"version": [2, 7, 18], "maxunicode": maxunicode, "soabi": None})
    assert locate("cp27", home(tmp_path)).abi == abi


def test_narrow_2_7_of_a_later_place_is_better_than_a_wide_one(tmp_path: Path, pretend: Pretend) -> None:
    pretend("home/.pyenv/versions/2.7.18/bin/python2.7", {"version": [2, 7, 18], "soabi": None})
    narrow = pretend("bin/python2.7", {"version": [2, 7, 5], "soabi": None, "maxunicode": 0xFFFF})
    assert locate("cp27", home(tmp_path)).path == narrow


def test_the_error_says_where_it_looked_and_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp311", home(tmp_path))
    error = caught.value
    assert str(error) == "no CPython for runtime cp311 was found on this machine"
    assert [one.verdict for one in error.looked_at] == ["nothing there"] * 3
    assert error.hint.splitlines() == [
        "uv python install 3.11",
        "pyenv install 3.11",
        "or name one you have: UDFS_PYTHON_CP311=/path/to/python3.11",
    ]
    with pytest.raises(InterpreterNotFound, match="cp37") as caught:
        locate("cp37", {})
    assert "pyenv install 3.7.17" in caught.value.hint


def test_the_interpreter_of_the_tool_stands_in_for_a_missing_3_x(tmp_path: Path) -> None:
    interpreter = locate("cp37", home(tmp_path), substitute=Path(sys.executable))
    assert interpreter.stands_in_for == "cp37"
    assert interpreter.version == sys.version_info[:3]


def test_nothing_of_3_x_stands_in_for_2_7(tmp_path: Path) -> None:
    with pytest.raises(InterpreterNotFound):
        locate("cp27", home(tmp_path), substitute=Path(sys.executable))


@pytest.mark.parametrize("facts", [{"implementation": "pypy"}, {"version": [2, 7, 18]}])
def test_a_stand_in_is_a_cpython_3_or_nothing(tmp_path: Path, pretend: Pretend, facts: dict[str, object]) -> None:
    program = pretend("other/python", facts)
    with pytest.raises(InterpreterNotFound) as caught:
        locate("cp37", home(tmp_path), substitute=program)
    assert caught.value.looked_at[-1].place == str(program)


def test_an_unknown_runtime_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="cp39"):
        locate("cp39", {})


def test_a_build_without_its_abi_in_the_name_gets_the_plain_tag(tmp_path: Path, pretend: Pretend) -> None:
    pretend("bin/python3.7", {"soabi": None})
    assert locate("cp37", home(tmp_path)).abi == "cp37"


def test_an_interpreter_found_here_says_the_truth_about_itself(runner: Runner) -> None:
    interpreter = runner.interpreter
    source = """
        import sys
        from odps.udf import annotate
        @annotate("->string")
        class F(object):
            def evaluate(self):
                return ".".join(map(str, sys.version_info[:3]))
    """
    assert runner.results(source) == [".".join(map(str, interpreter.version))]
    assert interpreter.abi.startswith(interpreter.runtime)
    assert variable(interpreter.runtime) == f"UDFS_PYTHON_{interpreter.runtime.upper()}"
    assert shutil.which(str(interpreter.path))


def test_a_program_is_run_once_as_long_as_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "python"
    named.symlink_to(sys.executable)
    before = probe(named, "the path given")
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was run again"))
        assert probe(named, "PATH") == replace(before, source="PATH")
    named.unlink()
    named.symlink_to(shutil.which("true") or "/bin/true")
    with pytest.raises(NotUsable, match="does not answer like a Python"):
        probe(named, "PATH")


def test_a_script_that_starts_a_python_is_run_each_time(tmp_path: Path) -> None:
    script, chosen = tmp_path / "python", tmp_path / "chosen"
    script.write_text(f'#!/bin/sh\nexec "$(cat {chosen})" "$@"\n')
    script.chmod(0o755)
    chosen.write_text(sys.executable)
    assert probe(script, "PATH").version == sys.version_info[:3]
    chosen.write_text("/bin/false")
    with pytest.raises(NotUsable, match="fails with exit code 1"):
        probe(script, "PATH")
