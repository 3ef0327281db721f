"""
Process barrier: a program that is started cannot read the environment or the memory of any process outside it.

What is started may be anybody's code, and Linux lets it read ``/proc/PID/environ`` and ``/proc/PID/mem`` of whatever runs
under the same user: udfs, the shell that called it, the agent of a pipeline. Three things of the kernel keep it from that:

    landlock        a process in a domain may look only into processes of its own domain [landlock(7); Linux 5.19 or newer]
    capabilities    root without them may not look into a process that has more [capabilities(7), ptrace(2)]
    user namespace  from inside one, processes outside belong to somebody else; by ``unshare``, where that is allowed

The first two are of a thread, so a thread enters them, starts the program and ends; udfs itself stays as it was. Programs that
raise their rights (sudo) do not any more. Where the kernel has none of the three, udfs at least hides itself (PR_SET_DUMPABLE). macOS has nothing of the kind.

It is no sandbox: files, the network, and daemons that run things for others stay within reach.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread, local
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Numbers of linux/prctl.h, linux/capability.h and linux/landlock.h; Landlock's system calls have the same on all machines.
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION_3 = 0x20080522
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _RULE_PATH_BENEATH = 1, 1
_REFER = 1 << 13
_SCOPES = 0b11  # abstract sockets and signals
_FIRST_WITH_REFER, _FIRST_WITH_SCOPES = 2, 6

_NAMESPACE = ("--user", "--map-current-user", "--")
_PATIENCE = 10


class _Place(local):
    """Where a thread is."""

    delayed: list[Callable[[], object]] | None = None
    """Behind the barrier: what is to be done as soon as somebody before it can."""


_place = _Place()


def run_before_barrier(action: Callable[[], object]) -> None:
    """
    Do what needs rights over other processes, now, or soon where this thread is behind the barrier.

    Python collects garbage in whatever thread asks for memory, so the end of an unrelated worker may fall to one that starts another
    and may no longer signal any: it would wait forever.
    """
    if _place.delayed is None:
        action()
    else:
        _place.delayed.append(action)


class _Kernel:
    """System calls that Python does not have."""

    def __init__(self) -> None:
        import ctypes

        self._types = ctypes
        self._libc = ctypes.CDLL(None, use_errno=True)

    def set_process(self, option: int, value: int) -> bool:
        return bool(self._libc.prctl(option, value, 0, 0, 0) == 0)

    def landlock_version(self) -> int:
        return max(0, int(self._libc.syscall(_CREATE_RULESET, None, self._types.c_size_t(0), _ASK_VERSION)))

    def drop_capabilities(self) -> bool:
        """Drop those of this thread; without new privileges the programs that it starts have none either."""
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        return bool(self._libc.capset(self._types.c_char_p(header), self._types.c_char_p(bytes(24))) == 0)

    def enter_domain(self, version: int) -> bool:
        """Put this thread into a Landlock domain of its own, which forbids no access to files."""
        # A domain has to handle something, and moving files between folders is refused in any that does not allow it.
        words = (_REFER, 0, _SCOPES) if version >= _FIRST_WITH_SCOPES else (_REFER,)
        attributes = struct.pack(f"={len(words)}Q", *words)
        size = self._types.c_size_t(len(attributes))
        rules = int(self._libc.syscall(_CREATE_RULESET, self._types.c_char_p(attributes), size, 0))
        if rules < 0:
            return False
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            rule = self._types.c_char_p(struct.pack("=Qi", _REFER, root))
            return all(
                self._libc.syscall(*call) == 0
                for call in ((_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0), (_RESTRICT_SELF, rules, 0))
            )
        finally:
            os.close(root)
            os.close(rules)


@dataclass(frozen=True)
class Barrier:
    """What this machine has to keep programs from looking into others."""

    landlock: int = 0
    """The version of its interface, 0 without."""

    capabilities: bool = False
    """Whether this process has any that a program can be started without."""

    unshare: str | None = None
    """The program that makes a user namespace, where it is needed and allowed."""

    @property
    def name(self) -> str:
        names = (
            ("Landlock", self.landlock),
            ("no capabilities", self.capabilities),
            ("a user namespace", self.unshare),
        )
        return " and ".join(name for name, has in names if has)

    @property
    def is_complete(self) -> bool:
        return bool(self.landlock or self.capabilities or self.unshare)

    def prefix(self) -> list[str]:
        return [self.unshare, *_NAMESPACE] if self.unshare else []

    def enter(self) -> bool:
        """Put this thread behind the barrier, for good, and say whether the kernel did all of it."""
        kernel = _kernel()
        kernel.set_process(_PR_SET_NO_NEW_PRIVS, 1)
        is_bare = not self.capabilities or kernel.drop_capabilities()
        return is_bare and (not self.landlock or kernel.enter_domain(self.landlock))


@cache
def _kernel() -> _Kernel:
    return _Kernel()


@cache
def find_barrier() -> Barrier | None:
    """Return what this machine has; None on a system whose kernel has nothing of the kind."""
    if sys.platform != "linux":
        return None
    version = _kernel().landlock_version()
    version = version if version >= _FIRST_WITH_REFER and _can_be_entered(Barrier(landlock=version)) else 0
    capabilities = _has_capabilities() and _can_be_entered(Barrier(capabilities=True))
    barrier = Barrier(version, capabilities, None if version or capabilities else _find_unshare())
    if not barrier.is_complete:
        _kernel().set_process(_PR_SET_DUMPABLE, 0)
    return barrier


def _can_be_entered(barrier: Barrier) -> bool:
    """Try it in a thread that is then gone: a kernel may name what a container's filter of system calls forbids."""
    outcomes: list[bool] = []
    thread = Thread(target=lambda: outcomes.append(barrier.enter()), name="barrier")
    thread.start()
    thread.join()
    return outcomes == [True]


def _has_capabilities() -> bool:
    with suppress(OSError), Path("/proc/self/status").open(encoding="ascii") as status:
        return any(line.startswith("CapPrm:") and int(line[7:], 16) != 0 for line in status)
    return False


def _find_unshare() -> str | None:
    program = shutil.which("unshare", path=os.defpath)
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        attempt = subprocess.run(
            [program, *_NAMESPACE, "true"],
            env={"PATH": os.defpath},
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        return program if attempt.returncode == 0 else None
    return None


def start(command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program behind the barrier, with this environment and no other; `options` are those of Popen."""
    barrier = find_barrier()
    if barrier is None:
        return subprocess.Popen([*command], env=env, **options)
    started: list[subprocess.Popen[bytes]] = []
    failures: list[BaseException] = []
    delayed: list[Callable[[], object]] = []

    def work() -> None:
        _place.delayed = delayed
        try:
            if not barrier.enter():
                raise PermissionError(errno.EPERM, f"it cannot be started behind {barrier.name}", command[0])
            started.append(subprocess.Popen([*barrier.prefix(), *command], env=env, **options))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)

    thread = Thread(target=work, name="barrier", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:  # Ctrl-C: what has no owner yet is ended
        thread.join()
        for process in started:
            process.kill()
            process.wait()
        raise
    finally:
        for action in delayed:
            action()
    if failures:
        raise failures[0]
    return started[0]


_LOOK = """
import os
process, readable = os.getppid(), []
while process:
    for name in ("environ", "mem"):
        try:
            with open("/proc/%d/%s" % (process, name), "rb") as file:
                name == "mem" or file.read(1)
            readable.append(str(process))
        except OSError:
            pass
    with open("/proc/%d/stat" % process) as file:
        process = int(file.read().rpartition(")")[2].split()[1])
print(" ".join(readable))
"""


def find_leaks() -> set[int] | None:
    """Return the processes above a program that it can look into, found out by trying; None where there is no ``/proc`` to try."""
    if find_barrier() is None:
        return None
    options: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = start([sys.executable, "-I", "-S", "-c", _LOOK], env={}, start_new_session=True, **options)
    try:
        said, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return {int(number) for number in said.split()} if process.returncode == 0 else None
