"""What a command in a sandbox sees, what it may use, and that nothing of it stays: on every road that this machine has."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.sandbox import Bind, Road, Sandbox, find_road, start_in_sandbox
from reconciler.local.sandbox.launch import LAUNCHER
from reconciler.local.sandbox.memory import MemoryGroup
from reconciler.local.sandbox.process import LIMIT_OF_EACH, WITHOUT_WALLS
from tests.local.walls import PYTHON, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[Road.BUBBLEWRAP, Road.NAMESPACES], ids=lambda road: str(road.value))
def road(request: pytest.FixtureRequest) -> Road:
    """Each road that has walls."""
    chosen: Road = request.param
    if (reason := why_not(chosen)) is not None:
        pytest.skip(reason)
    return chosen


def run(source: str, sandbox: Sandbox, road: Road, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of a Python program."""
    command = [PYTHON, "-I", "-S", "-c", textwrap.dedent(source), *arguments]
    running = start_in_sandbox(command, sandbox, road=road, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = running.process.communicate(timeout=60)
        return running.exit_code(running.process.returncode), output.decode()
    finally:
        running.close()


WRITES = """
import sys
for path in sys.argv[1:]:
    try:
        open(path, "w").close()
        print(path, "written")
    except OSError as error:
        print(path, error.errno)
"""


def test_all_but_tmp_is_read_only(road: Road, tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("")
    sandbox = Sandbox(binds=(Bind(tmp_path, "/code"), Bind(tmp_path, "/opt")))
    paths = ("/code/x", "/code/index.py", "/opt/x", "/usr/x", "/usr/bin/env", "/x", "/var/x", "/tmp/x", "/dev/shm/x")
    _, output = run(WRITES.replace("open(path", "open(path"), sandbox, road, *paths)
    answers = dict(line.split() for line in output.splitlines())
    assert answers.pop("/tmp/x") == answers.pop("/dev/shm/x") == "written"
    assert answers.pop("/var/x") in {"2", "30"}
    # Who is not root may not write what is root's, whatever the file system says.
    assert set(answers.values()) <= ({"30"} if os.getuid() == 0 else {"30", "13"})
    assert answers["/code/x"] == answers["/opt/x"] == answers["/usr/x"] == "30"
    assert not (tmp_path / "x").exists()


def test_settings_of_the_kernel_cannot_be_written_and_no_capability_is_left(road: Road) -> None:
    source = (
        WRITES
        + "print('caps', [int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith('Cap')])\n"
    )
    _, output = run(source, Sandbox(), road, "/proc/sys/kernel/hostname", "/proc/sysrq-trigger")
    assert "written" not in output
    assert "caps [0, 0, 0, 0, 0]" in output


def test_a_mount_cannot_be_made_writable_again(road: Road) -> None:
    source = """
        import ctypes
        libc = ctypes.CDLL(None)
        print(libc.mount(None, b"/usr", None, 32 | 4096, None), libc.unshare(0x10000000))
        print(libc.umount2(b"/usr", 2))
    """
    _, output = run(source, Sandbox(), road)
    assert "0" not in output.split()[:1]
    assert output.split()[2] == "-1"


def test_of_this_machine_only_its_programs_are_there(road: Road, tmp_path: Path) -> None:
    _, output = run("import os; print(*sorted(os.listdir('/')), *sorted(os.listdir('/etc')))", Sandbox(), road)
    assert {"home", "root", "run", "sys", "srv", "shadow", "hostname", "resolv.conf"}.isdisjoint(output.split())


def test_a_root_with_the_network_finds_names_as_this_machine_does(road: Road, tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "etc").mkdir()
    for name in ("resolv.conf", "hosts"):
        (tmp_path / "etc" / name).write_text("of the root\n", "ascii")
    for name in ("bin", "lib", "lib64"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    source = "print(*(open(f'/etc/{name}').read() for name in ('resolv.conf', 'hosts')), sep='')"
    kept, replaced = (
        run(source, Sandbox(root=tmp_path, binds=(Bind(Path("/usr"), "/usr"),), network=network), road)[1]
        for network in (False, True)
    )
    assert kept.split("\n")[:2] == ["of the root", "of the root"]
    files = [Path("/etc", name) for name in ("resolv.conf", "hosts")]
    assert replaced.strip() == "".join(file.read_text() if file.exists() else "of the root\n" for file in files).strip()


def test_the_environment_is_the_one_that_was_given(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_ACCESS_KEY_SECRET", "sing")
    source = """
        import os
        print(dict(os.environ))
        try:
            print(open("/proc/1/environ").read())
        except OSError:
            pass
    """
    _, output = run(source, Sandbox(environment={"A": "b c", "LC_ALL": "C.UTF-8"}), road)
    assert "'A': 'b c'" in output
    assert "sing" not in output


def test_processes_of_the_machine_are_not_to_be_seen(road: Road) -> None:
    _, output = run("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))", Sandbox(), road)
    assert int(output) <= 3


def test_there_is_no_network_unless_it_is_asked_for(road: Road) -> None:
    source = """
        import socket, sys
        try:
            socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
            print("connected")
        except OSError as error:
            print("refused")
        own = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(own.getsockname(), 5).close()
        print("loopback")
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert run(source, Sandbox(), road, port) == (0, "refused\nloopback\n")
        assert run(source, Sandbox(network=True), road, port) == (0, "connected\nloopback\n")


def test_scratch_has_the_size_that_was_given(road: Road) -> None:
    source = (
        "import os; os.write(os.open('/tmp/x', os.O_CREAT | os.O_WRONLY), bytes(3 << 20)) == 3 << 20 or print('full')"
    )
    assert run(source, Sandbox(scratch=4 << 20), road) == (0, "")
    code, output = run(source, Sandbox(scratch=1 << 20), road)
    assert "full" in output or "No space left" in output, code


def test_a_group_of_processes_ends_when_it_has_more_memory_than_it_may(road: Road) -> None:
    running = start_in_sandbox(
        [PYTHON, "-c", "bytearray(512 << 20)"],
        Sandbox(memory=128 << 20),
        road=road,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = running.process.communicate(timeout=60)
    running.close()
    if running.group is None:
        assert running.warnings == (LIMIT_OF_EACH,)
        assert b"MemoryError" in errors
    else:
        assert running.exit_code(running.process.returncode) == -signal.SIGKILL
        assert running.was_out_of_memory()
        assert running.peak() <= 128 << 20
        assert not running.group.folder.exists()


@pytest.fixture
def unified_group() -> Iterator[MemoryGroup]:
    """A control group of version 2, whether or not memory is counted there."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    folders = [Path(target, f"udfs-test-{os.getpid()}") for _, target, kind, *_ in mounts if kind == "cgroup2"]
    if not folders:
        pytest.skip("no control groups of version 2 are mounted")
    try:
        folders[0].mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    group = MemoryGroup(folders[0], is_unified=True)
    yield group
    group.remove()


def test_a_process_is_in_its_group_of_version_2_before_it_does_anything(
    road: Road, unified_group: MemoryGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.local.sandbox.process.make_group", lambda _: unified_group)
    running = start_in_sandbox(
        ["/bin/cat"], Sandbox(memory=1 << 30), road=road, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.process.stdin is not None
    assert running.process.stdout is not None
    running.process.stdin.write(b"x")
    running.process.stdin.flush()
    assert running.process.stdout.read(1) == b"x"
    members = [int(line) for line in (unified_group.folder / "cgroup.procs").read_text().split()]
    assert any(Path(f"/proc/{member}/cmdline").read_bytes() == b"/bin/cat\0" for member in members)
    running.process.communicate()
    running.close()
    assert not unified_group.folder.exists()


def test_descriptors_have_their_numbers_and_no_other_is_inherited(road: Road) -> None:
    pipes = [os.pipe() for _ in range(12)]
    readable = [ours for ours, _ in pipes]
    for number, (_, writable) in zip(readable, pipes, strict=True):
        os.write(writable, b"%d" % number)
        os.close(writable)
    source = """
        import os, sys
        print(*os.listdir("/proc/self/fd"))
        print(*(os.read(int(number), 9).decode() for number in sys.argv[1:]))
    """
    command = [PYTHON, "-I", "-S", "-c", textwrap.dedent(source), *map(str, readable)]
    # In this order some are where others belong.
    running = start_in_sandbox(command, Sandbox(), road=road, stdout=subprocess.PIPE, pass_fds=readable[::-1])
    output, _ = running.process.communicate(timeout=60)
    running.close()
    for number in readable:
        os.close(number)
    present, said = output.decode().splitlines()
    assert said.split() == [str(number) for number in readable]
    assert len(set(map(int, present.split())) - {0, 1, 2, *readable}) == 1  # the list's own


def test_a_launcher_that_is_killed_leaves_what_it_started_and_another_takes_its_place(road: Road) -> None:
    running = start_in_sandbox(["/bin/cat"], Sandbox(), road=road, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    first = LAUNCHER.process
    assert first is not None
    first.kill()
    first.wait()
    assert run("print('after')", Sandbox(), road) == (0, "after\n")
    assert LAUNCHER.process is not first
    assert running.process.communicate(b"before", timeout=60)[0] == b"before"
    running.close()


def test_exit_code_and_signal_of_the_command_are_told(road: Road) -> None:
    assert run("raise SystemExit(7)", Sandbox(), road)[0] == 7
    assert run("import os; os.kill(os.getpid(), 15)", Sandbox(), road)[0] == -15


def test_a_program_that_is_not_there_is_told(road: Road) -> None:
    running = start_in_sandbox(
        ["/usr/bin/nothing"], Sandbox(), road=road, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, errors = running.process.communicate(timeout=60)
    running.close()
    assert running.process.returncode != 0
    assert b"/usr/bin/nothing" in errors
    assert b"No such file" in errors


DEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
print("started", flush=True)
time.sleep(600)
"""
"""A grandchild that is in no group and no session of its parent's."""


def sharing(descriptor: int) -> list[int]:
    """Return the processes that have the other end of a pipe open."""
    inode = Path(f"/proc/self/fd/{descriptor}").readlink()
    holders = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                if any(link.readlink() == inode for link in (process / "fd").iterdir()):
                    holders.add(int(process.name))
            except OSError:
                continue
    return sorted(holders)


def test_closing_ends_a_grandchild_in_a_session_of_its_own_too(road: Road) -> None:
    running = start_in_sandbox([PYTHON, "-c", DEMON], Sandbox(), road=road, stdout=subprocess.PIPE)
    assert running.process.stdout is not None
    assert running.process.stdout.readline() == b"started\n"
    assert len(sharing(running.process.stdout.fileno())) >= 2
    running.close()
    # The pipe ends when the last process is gone that could write to it.
    assert running.process.stdout.read() == b""
    running.process.stdout.close()


def test_nothing_outlives_a_parent_that_is_killed(road: Road) -> None:
    script = f"""
import sys
from threading import Thread
from reconciler.local.sandbox import Road, Sandbox, start_in_sandbox
from reconciler.local.sandbox.launch import LAUNCHER
# From a thread that ends at once: the death of that is not the death of the process.
thread = Thread(target=lambda: start_in_sandbox([{PYTHON!r}, "-c", {DEMON!r}], Sandbox(), road=Road({road.value!r})))
thread.start()
thread.join()
print(LAUNCHER.process.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    lines = {parent.stdout.readline(), parent.stdout.readline()}
    assert b"started\n" in lines
    launcher = os.pidfd_open(int(*(lines - {b"started\n"})))
    assert len(sharing(parent.stdout.fileno())) >= 3
    parent.kill()
    parent.wait()
    assert parent.stdout.read() == b""  # which it would wait for as long as one of them lives
    assert select.select([launcher], [], [], 60)[0]
    os.close(launcher)
    parent.communicate()


def test_without_walls_a_warning_is_always_given(tmp_path: Path) -> None:
    running = start_in_sandbox([sys.executable, "-c", ""], Sandbox(cwd=str(tmp_path)), road=Road.PLAIN)
    assert running.process.wait(60) == 0
    running.close()
    assert running.warnings == (WITHOUT_WALLS,)


def test_the_road_with_the_most_walls_is_taken() -> None:
    reasons = {road: why_not(road) for road in (Road.BUBBLEWRAP, Road.NAMESPACES)}
    assert find_road() is next((road for road, reason in reasons.items() if reason is None), Road.PLAIN)
