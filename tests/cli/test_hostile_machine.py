"""Full disks, closed streams, narrow locales, a checkout that means harm: an error, never a traceback or a lost report."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO, cast

import pytest

from reconciler.base.activity import activity
from reconciler.base.explanations import load_explanations
from reconciler.cli.entry import run
from reconciler.cli.support import identity, output
from reconciler.cli.support.progress import Lines, showing
from reconciler.core.diff import Action, Change
from reconciler.core.plan import Plan
from reconciler.targets.maxcompute.objects import destination, resource_key

UDFS = [sys.executable, "-m", "reconciler"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    capsys.readouterr()
    return tmp_path


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $UDFS is the command."""
    udfs = " ".join(UDFS)
    root = str(Path(__file__).parents[2])
    full = {**os.environ, "PYTHONPATH": root, **env}
    return subprocess.run(
        ["sh", "-c", line.replace("$UDFS", udfs)], capture_output=True, text=True, env=full, timeout=120, check=False
    )


# --- The disk -------------------------------------------------------------------------------------------------------------


def test_a_file_where_the_store_should_be(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".udfs").write_text("")
    assert run(["plan"]) == 1
    assert ".udfs: File exists" in capsys.readouterr().err


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project.chmod(0o500)
    try:
        assert run(["plan"]) == 1
        assert "E904" in capsys.readouterr().err
    finally:
        project.chmod(0o700)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_damaged_store(form: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan"]) == 0
    capsys.readouterr()
    for file in (project / ".udfs" / "maxcompute").glob("maxcompute.db*"):
        file.write_bytes(b"not a database, and longer than a header of one would be" * 100)
    assert run(["plan", "--format", form]) == 1
    told = capsys.readouterr()
    if form == "json":
        [problem] = json.loads(told.out)["problems"]
        assert problem["code"] == "E904"
    else:
        assert "error[E904]" in told.err
        assert "Traceback" not in told.err


def test_init_writes_nothing_where_a_file_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    (tmp_path / "new" / "udfs").write_text("")
    assert run(["init"]) == 1
    assert "error[E904]: udfs: File exists" in capsys.readouterr().err
    assert not (tmp_path / "new" / "udfs.yaml").exists()


@pytest.mark.parametrize("link", [".gitignore"])
def test_a_link_in_the_store_is_not_written_through(link: str, project: Path) -> None:
    (project / ".udfs").mkdir()
    (project / ".udfs" / link).symlink_to(project / "victim")
    assert run(["plan"]) == 0
    assert not (project / "victim").exists()


def test_a_store_that_is_a_link_out_of_the_checkout_is_not_written_into(
    project: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project / ".udfs").symlink_to(elsewhere)
    assert run(["apply", "--yes"]) == 1
    assert "error[E904]" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


# --- Streams --------------------------------------------------------------------------------------------------------------


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    done = shell("$UDFS plan > /dev/full")
    assert done.returncode == 1
    assert "error[E904]: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", ["plan", "validate", "history", "test", "schema", "explain", "plan --bogus"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_cannot_be_printed_ends_with_a_code_and_a_line(command: str, form: str) -> None:
    done = shell(f"$UDFS {command} {'--format json' if form == 'json' and ' ' not in command else ''} > /dev/full")
    assert done.returncode in {1, 3}
    assert "error[E9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_is_written_to_and_stays_a_device() -> None:
    assert shell("$UDFS plan --out /dev/null").returncode == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    done = shell("$UDFS plan --out /dev/full")
    assert done.returncode == 1
    assert "error[E904]: '/dev/full' cannot be written: No space left on device" in done.stderr


def test_a_reader_that_has_gone_is_no_fault_of_the_command() -> None:
    done = shell("$UDFS explain | true; $UDFS schema | true")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "xx_XX.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {},
    ],
    ids=["C", "not installed", "as it is"],
)
def test_a_function_gets_the_same_text_whatever_the_locale(env: dict[str, str], project: Path) -> None:
    manifest = project / "käse.yaml"
    manifest.write_text((project / "udfs.yaml").read_text().replace("World", "Wörld"), encoding="utf-8")
    done = shell(
        "$UDFS test -f käse.yaml && $UDFS apply -f käse.yaml --yes >&2 && $UDFS call -f käse.yaml greet Wörld=Ünï",
        **env,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Hello, Wörld=Ünï!\n")


def test_an_argument_that_is_no_text_is_refused() -> None:
    done = shell("$UDFS call greet \"$(printf 'W\\377')\"; $UDFS call greet \"$(printf 'W\\377')\" --format json")
    assert "error[E907]: argument 3 is not text in UTF-8: W\\xff" in done.stderr
    assert json.loads(done.stdout)["problems"][0]["code"] == "E907"


@pytest.mark.parametrize("folder", ["x" * 300, "y/" * 2100], ids=["a name", "a path"])
def test_a_place_that_cannot_be_looked_into_on_the_way_to_a_cpython_is_passed_over(folder: str) -> None:
    """As root every folder may be read; a name longer than any ends a look at it in the same way."""
    long = f"/tmp/{folder}"
    done = shell("$UDFS test; $UDFS doctor", PATH=f"{long}:{os.environ['PATH']}", PYENV_ROOT=long, XDG_DATA_HOME=long)
    assert "E904" not in done.stderr + done.stdout
    assert "1 passed" in done.stdout or "no CPython" in done.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_on_the_way_to_a_cpython_is_passed_over(project: Path) -> None:
    closed = project / "closed"
    (closed / "bin").mkdir(parents=True)
    closed.chmod(0)
    done = shell("$UDFS test; $UDFS doctor", PATH=f"{closed}/bin:{os.environ['PATH']}", PYENV_ROOT=f"{closed}/pyenv")
    closed.chmod(0o700)
    assert "E904" not in done.stderr + done.stdout


def test_a_store_whose_path_is_too_long_is_an_error_with_a_code() -> None:
    done = shell(f"$UDFS serve --dir {'/'.join(['/tmp', *['x' * 250] * 17])}")
    assert done.returncode == 3
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr


def test_low_memory_is_an_error_with_a_code() -> None:
    """From where Python just begins to where all is well: some of these end in each step of the command."""
    for megabytes in (60, 90, 105):
        # With no memory to begin a thread in, CPython itself may wait for ever, or abort: then nothing of ours is tried.
        done = shell(f"ulimit -v {megabytes * 1024}; timeout 20 $UDFS validate")
        assert "E999" not in done.stderr, (megabytes, done.stderr)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        RuntimeError("can't allocate lock"),
        ImportError("libz.so.1: failed to map segment from shared object"),
        SystemError("error return without exception set"),
    ],
    ids=repr,
)
def test_memory_that_ran_out_has_many_words_and_one_code(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("reconciler.workflow.planning.make_plan", fail)
    assert run(["plan"]) == 1
    assert capsys.readouterr().err.startswith("error[E906]: there is not enough memory")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_stops_nothing(closed: str) -> None:
    done = shell(f"$UDFS apply --yes {closed}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert shell("$UDFS plan --exit-code").returncode == 0


def test_an_apply_whose_progress_cannot_be_shown_is_made() -> None:
    assert shell("$UDFS apply --yes 2> /dev/full").returncode == 0
    assert shell("$UDFS plan --exit-code").returncode == 0


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_locale_that_cannot_write_a_character_shows_it_as_an_escape(env: dict[str, str], project: Path) -> None:
    manifest = project / "udfs.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8") + '\n"käse": 1\n', encoding="utf-8")
    done = shell("$UDFS validate --format json; $UDFS validate; $UDFS validate --format github", **env)
    assert "Traceback" not in done.stderr
    assert "E214" in done.stdout
    assert "E214" in done.stderr


class Closed:
    """A stream that is a terminal which has gone away."""

    def __init__(self, lively: bool) -> None:
        self.lively = lively

    def isatty(self) -> bool:
        return self.lively

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise ValueError("I/O operation on closed file")

    def fileno(self) -> int:
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize("lively", [True, False])
def test_progress_never_raises_into_an_apply(lively: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("UDFS_PROGRESS")
    monkeypatch.setenv("TERM", "xterm")
    change = Change(Action.DELETE, resource_key("a\x1b[2J.py"), None, None)
    plan = Plan("risk", destination("local", "demo", None), (), (change,))
    monkeypatch.setattr(sys, "stderr", cast("TextIO", Closed(lively)))
    with showing(for_people=True), activity("applying"):
        shown = Lines(plan)
        shown.finished(change)
        time.sleep(1.2)
        shown.finished(change)


def test_what_a_service_says_is_not_obeyed_by_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.note("held by \x1b[2Jeve\nok")
    assert capsys.readouterr().err == "held by \\x1b[2Jeve\\nok\n"


# --- Bugs and signals -------------------------------------------------------------------------------------------------------


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("never thought of")

    monkeypatch.setattr("reconciler.workflow.planning.make_plan", fail)


@pytest.mark.usefixtures("bug")
def test_a_bug_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "never thought of" in told.err
    assert told.err.splitlines()[-1].startswith("error[E999]: this is a bug in udfs")


@pytest.mark.usefixtures("bug")
def test_a_bug_is_one_document_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--format", "json"]) == 1
    told = capsys.readouterr()
    [problem] = json.loads(told.out)["problems"]
    assert problem["code"] == "E999"
    assert "Traceback" in told.err


def test_a_terminal_that_goes_away_ends_a_run_as_ctrl_c_does(project: Path) -> None:
    # Under nohup, where tests may run, SIGHUP is ignored, and children inherit that.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        udfs = subprocess.Popen(
            [*UDFS, "serve", "--dir", "store"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    with udfs:
        assert udfs.stdout is not None
        assert udfs.stdout.readline().startswith("listening")
        udfs.send_signal(signal.SIGHUP)
        try:
            assert udfs.wait(30) == 0
        finally:
            udfs.kill()


def test_the_codes_of_the_machine_are_explained() -> None:
    assert {"E904", "E999"} <= set(load_explanations())


# --- Who applies -------------------------------------------------------------------------------------------------------------


def test_a_pipelines_address_is_written_down_without_secrets(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "CI_PIPELINE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI_PIPELINE_URL", "https://ann:canary@ci.example:8443/run/7?token=canary#canary")
    assert identity.holder(project).pipeline == "https://ci.example:8443/run/7"
    monkeypatch.setenv("CI_PIPELINE_URL", "https://[canary")
    assert identity.holder(project).pipeline == ""


def test_bytes_that_are_no_text_do_not_lock_the_stack(project: Path) -> None:
    odd = "b\udcff\u00e9"
    done = shell("$UDFS apply --yes", LOGNAME=odd, CI_PIPELINE_URL=f"https://ci.example/{odd}")
    assert done.returncode == 0, done.stderr
    done = shell("$UDFS history && $UDFS plan --exit-code")
    assert done.returncode == 0, done.stderr
    assert "b\\xff\u00e9" in done.stdout, "what can be read is kept"


def test_the_configuration_of_a_checkout_runs_nothing(project: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("config", "user.email", "ann@example.com")
    git("config", "user.name", "ann")
    git("add", "udfs.yaml", "udfs")
    git("commit", "-q", "-m", "first")
    harm = project / "harm"
    harm.write_text(f"#!/bin/sh\ntouch {project}/harmed\ncat\n")
    harm.chmod(0o755)
    hooks = project / "hooks"
    hooks.mkdir()
    (hooks / "post-index-change").symlink_to(harm)
    git("config", "core.fsmonitor", str(harm))
    git("config", "core.hooksPath", str(hooks))
    git("config", "filter.x.clean", str(harm))
    git("config", "filter.x.required", "true")
    (project / ".gitattributes").write_text("*.py filter=x\n")
    for file in (project / "udfs").iterdir():
        file.write_text(file.read_text() + "\n")
    found = identity.holder(project)
    assert found.commit
    assert found.dirty
    assert not (project / "harmed").exists()


def test_sqlite_is_what_the_store_is_made_of(project: Path) -> None:
    """The damage above is damage only as long as this holds."""
    assert run(["plan"]) == 0
    with sqlite3.connect(project / ".udfs" / "maxcompute" / "maxcompute.db") as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
    db.close()
