"""What lasts over a second is not silent: a line that is redrawn on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.activity import BYTES, Count, Standing, WorkItem, activity, watching
from reconciler.cli.entry import run
from reconciler.cli.support import progress
from reconciler.cli.support.output import print_lines
from reconciler.cli.support.progress import showing
from reconciler.render.progress import fit, progress_text, seconds_left
from reconciler.targets.maxcompute.target import MaxCompute
from tests.benchmarks.stack import Service, service, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UDFS = [sys.executable, "-m", "reconciler"]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Service]]:
    """Return a stack of 8 functions and a service that takes its time for every answer."""
    place = tmp_path_factory.mktemp("slow")
    write(place / "stack", 8)
    with service(place / "store", latency_ms=500) as running:
        yield place / "stack", running


def on_a_terminal(*arguments: str, folder: Path, env: dict[str, str], width: int = 80) -> tuple[str, str]:
    """Return what a command prints to stdout, which is a file, and to stderr, which is a terminal."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    clean = {name: value for name, value in env.items() if name not in {"CI", "UDFS_PROGRESS"}} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [*UDFS, *arguments], cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL
    )
    os.close(theirs)
    seen: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 1 << 16):
                seen.append(piece)
        except OSError:  # the other side is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=120)
    reader.join(30)
    os.close(ours)
    return out.decode(), b"".join(seen).decode()


def drawn(terminal: str) -> list[str]:
    """Return the texts that a terminal's last line had, one after the other."""
    return [text for text in re.split(r"\r\x1b\[2K|\r\n", terminal) if text]


def test_a_slow_apply_says_whom_it_asks_and_how_much_has_come_and_leaves_nothing_behind(
    slow: tuple[Path, Service],
) -> None:
    folder, running = slow
    _, terminal = on_a_terminal("apply", "--yes", "--writers", "2", folder=folder, env=running.env(), width=70)
    lines = drawn(terminal)
    host = running.url.removeprefix("http://").removesuffix("/api")
    assert any(f"reading project demo at {host}" in line for line in lines), lines
    told = [match for line in lines if (match := re.search(r"applying: (\d+) of 24 objects", line))]
    assert len({match[1] for match in told}) > 3, lines
    assert any(re.search(r"about \d+ s left", line) for line in lines), lines
    assert all(len(line) < 70 for line in lines if "objects" in line or "reading" in line)
    assert terminal.endswith("\r\x1b[2K"), "the line is gone when all is done"


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_program_that_reads_json_gets_json_and_silence(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UDFS_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_SOON", 0.0)
    assert run(["init"]) == 0
    capsys.readouterr()
    said, read = threading.Event(), MaxCompute.read

    def read_when_it_was_said(target: MaxCompute, **settings: Any) -> Any:
        """The service answers when a line has come, where one is to come; how long that takes is the machine's."""
        with activity("reading"):
            assert format == "json" or said.wait(60)
        return read(target, **settings)

    def say(*arguments: Any) -> None:
        print_lines(*arguments)
        said.set()

    monkeypatch.setattr(progress, "print_lines", say)
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    monkeypatch.setattr(MaxCompute, "read", read_when_it_was_said)
    assert run(["plan", "--format", format]) == 0
    printed = capsys.readouterr()
    assert bool(printed.err) == (format == "text"), printed.err
    assert not any(line in printed.out for line in printed.err.splitlines())


def test_off_a_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UDFS_PROGRESS", raising=False)
    monkeypatch.setattr(progress, "_SOON", 0.05)
    monkeypatch.setattr(progress, "_EVERY", 0.05)
    with showing(for_people=True), activity("reading project demo at there") as reading:
        reading.count("functions", 4000)
        err = ""
        for _ in range(600):
            threading.Event().wait(0.05)
            printed = capsys.readouterr()
            assert printed.out == ""
            err += printed.err
            if "\n" in err:
                break
    assert err.startswith("reading project demo at there: 4,000 functions")


def test_help_imports_nothing_of_it() -> None:
    script = (
        "import sys; from reconciler.cli.entry import run; run(['--help']); "
        "sys.exit('progress' in ' '.join(sys.modules) or 'reconciler.base.activity' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


# --- What is said ---------------------------------------------------------------------------------------------------------


def standing(words: str, *counts: Count, seconds: float = 9.0, minor: bool = False) -> Standing:
    return Standing(words, seconds, counts, (), minor)


def test_many_small_objects_are_not_hidden_by_their_few_bytes() -> None:
    # All bytes of 300 files are sent, and 300 functions are to be created: nothing near its end.
    counts = Count("objects", 300, 600, 30.0), Count(BYTES, 900, 900, 30.0)
    assert (
        progress_text([standing("applying", *counts)])
        == "applying: 300 of 600 objects, 900 B of 900 B, about 30 s left"
    )


def test_a_large_file_is_not_measured_by_the_objects_behind_it() -> None:
    counts = Count("objects", 0, 301, 60.0), Count(BYTES, 10**9, 2 * 10**9, 60.0)
    rest = seconds_left(counts)
    assert rest is not None
    assert 55 < rest < 70


@pytest.mark.parametrize(
    "counts",
    [
        (Count("functions", 4000, None, 30.0),),
        (Count("objects", 1, 900, 30.0),),
        (Count("objects", 450, 900, 0.5),),
        (Count("objects", 900, 900, 30.0),),
        (),
    ],
    ids=["no total", "hardly begun", "too soon", "all done", "nothing counted"],
)
def test_a_rest_that_nobody_can_know_is_not_told(counts: tuple[Count, ...]) -> None:
    assert seconds_left(counts) is None


def test_an_object_that_takes_longer_than_all_the_rest_should_disproves_the_rest() -> None:
    files = Count("objects", 3, 4, 12.0), Count(BYTES, 338, 338, 12.0)
    job = Standing("applying", 12.0, files, (WorkItem("create job marks", 11.0),), False)
    assert progress_text([job]) == "applying: 3 of 4 objects, 338 B of 338 B, 12 s, create job marks for 11 s"
    large = Count("objects", 0, 1, 60.0), Count(BYTES, 9 * 10**8, 10**9, 60.0)
    upload = Standing("applying", 60.0, large, (WorkItem("create resource a.zip", 60.0),), False)
    assert "about 7 s left" in progress_text([upload])


def test_threads_at_one_thing_are_one_activity_and_what_waits_only_is_told_last() -> None:
    with watching(lambda: 0.0) as watch, activity("fetching") as first, activity("fetching") as second:
        first.plan(BYTES, 100)
        second.expect(BYTES, 40)
        with first.at("a.whl"), second.at("b.whl"), activity("waiting for host", is_minor=True):
            second.count(BYTES, 10)
            assert progress_text(watch.standings()) == "fetching: 10 B of 100 B, 0 s, a.whl and 1 more"
    assert progress_text([standing("waiting for host", minor=True)]) == "waiting for host, 9 s"


def test_what_takes_as_long_as_all_of_it_is_not_timed_twice() -> None:
    whole = Standing("building", 9.0, (), (WorkItem("crcmod 1.7", 9.0),), False)
    part = Standing("building", 9.0, (), (WorkItem("crcmod 1.7", 5.0, "linking"),), False)
    assert progress_text([whole]) == "building, 9 s, crcmod 1.7"
    assert progress_text([part]) == "building, 9 s, crcmod 1.7 for 5 s: linking"


@pytest.mark.parametrize(
    ("text", "width", "fitting"), [("a" * 9, 9, "a" * 9), ("a" * 9, 5, "aaaa…"), ("读取项目", 5, "读取…")]
)
def test_a_line_never_wraps(text: str, width: int, fitting: str) -> None:
    assert fit(text, width) == fitting


def test_a_terminal_that_is_none_any_more_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with showing(for_people=True), activity("reading"):
        pass
