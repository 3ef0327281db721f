"""
Launcher of sandboxes: compiled by who needs one, and run by a Python of its own as ``answer_launches(number)``, for as long as that lives.

To start a Python takes as long as all the rest. So this one waits for requests, and forks itself for each: what is forked is a child of who asked,
not of the launcher, and becomes what leads into the sandbox. Only that child reads what is to be started, and with which environment.

Where that is bubblewrap, it becomes bubblewrap. Else it makes the namespaces, for root, and for anybody where the kernel allows user namespaces. Two
processes stay then: the child, which dies with its parent and ends as the command ends, and the first process of the namespaces, which sets up the
file system, collects orphans, and takes all with it when it dies: so says pid_namespaces(7). The command has no capability, and can get none.

It imports nothing of ours, and of the standard library what is in C: the first sandbox waits for it.
"""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]
import _socket
import _struct as struct
import marshal
import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Plan: TypeAlias = dict[str, Any]
    Group: TypeAlias = tuple[str, str, bool]
    """Folder and entrance of a control group, and whether a process can begin in it."""

# Numbers of linux/sched.h, linux/mount.h, linux/prctl.h and linux/capability.h.
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _FDCWD, _RECURSIVE = 442, -100, 0x8000
_SIGKILL = 9
_KIND, _FOLDER = 0o170000, 0o040000
_SET_PDEATHSIG, _CAPBSET_DROP, _SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522
_SET_FLAGS, _IFF_UP = 0x8914, 1
_RLIMIT_DATA, _RLIMIT_CORE = 2, 4
_CLONE3, _CLONE_PARENT, _CLONE_INTO_CGROUP = 435, 0x8000, 0x200000000
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}
"""The call before that one: its number depends on the machine."""

_MOST_DESCRIPTORS = 253  # SCM_MAX_FD of the kernel
_SIZE_OF_REQUEST = 1 << 16

_DEVICES = ("full", "null", "random", "urandom", "zero")
_COVERED = ("bus", "irq", "sys", "sysrq-trigger")
"""Of /proc: user 0 may write there without any capability."""


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    """A function of libc. `ctypes` makes them so too, and takes as long to import as the interpreter takes to start."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


def _libc_function(name: str) -> Any:
    return _Function(_ctypes.dlsym(_HANDLE, name))


_RTLD_NOW = 2
_HANDLE = _ctypes.dlopen(None, _RTLD_NOW)  # type: ignore[arg-type]
_capset, _prctl, _syscall, _unshare = map(_libc_function, ("capset", "prctl", "syscall", "unshare"))
_mount_call, _pivot_root, _umount2 = map(_libc_function, ("mount", "pivot_root", "umount2"))
_ioctl, _setrlimit = map(_libc_function, ("ioctl", "setrlimit"))


class Failure(Exception):
    """What the kernel refuses."""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _check(outcome: int, action: str) -> None:
    if outcome != 0:
        raise Failure(f"{action}: {os.strerror(_ctypes.get_errno())}")


def _mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    texts = [None if text is None else _encode(text) for text in (source, target, kind, options)]
    outcome = _mount_call(texts[0], texts[1], texts[2], flags, texts[3])
    _check(outcome, f"mount {target}")


def _restrict(target: str, flags: int, recursive: int = 0) -> None:
    """Make a mount, and with `recursive` all below it, read-only: mount_setattr(2), or where that is missing the mount alone."""
    attributes = struct.pack("QQQQ", flags, 0, 0, 0)  # these flags are the same bits in both calls
    if _syscall(_MOUNT_SETATTR, _FDCWD, _encode(target), recursive, attributes, len(attributes)) != 0:
        _mount(None, target, None, _REMOUNT | _BIND | flags)


def _die_with_parent() -> None:
    _prctl(_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _make_folder(path: str) -> None:
    """Make a folder, and those above it, unless it is there."""
    try:
        os.mkdir(path)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make_folder(path.rpartition("/")[0])
        os.mkdir(path)


def _prepare_target(target: str, source: str) -> None:
    """Make what a mount is put on."""
    if os.stat(source).st_mode & _KIND == _FOLDER:
        _make_folder(target)
    else:
        _make_folder(target.rpartition("/")[0])
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o644))


def _build_root(plan: Plan) -> None:
    """Put the file system together, and leave the old one."""
    _mount(None, "/", None, _REC | _PRIVATE)
    # In the middle of it stands a root from which both can be seen: what is mounted hides what lies below, sources too.
    base = plan["base"]
    _mount("tmpfs", base, "tmpfs", _NOSUID | _NODEV, "mode=755")
    for name in ("newroot", "oldroot"):
        os.mkdir(f"{base}/{name}")
    _check(_pivot_root(_encode(base), _encode(f"{base}/oldroot")), "pivot_root")
    os.chdir("/")
    _mount("tmpfs", "/newroot", "tmpfs", _NOSUID | _NODEV, "mode=755,size=16m")
    for source, target in plan["binds"]:
        _prepare_target("/newroot" + target, "/oldroot" + source)
        _mount("/oldroot" + source, "/newroot" + target, None, _BIND | _REC)
        _restrict("/newroot" + target, _RDONLY | _NOSUID | _NODEV, _RECURSIVE)
    for link, target in plan["links"]:
        os.symlink(target, "/newroot" + link)
    _build_devices()
    _make_folder("/newroot/tmp")
    _mount("tmpfs", "/newroot/tmp", "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={plan['scratch']}")
    _build_proc()
    _restrict("/newroot", _RDONLY | _NOSUID | _NODEV)
    os.chdir("/newroot")
    _check(_pivot_root(b".", b"."), "pivot_root")
    _check(_umount2(b".", _DETACH), "umount")
    os.chdir("/")


def _build_devices() -> None:
    _make_folder("/newroot/dev")
    _mount("tmpfs", "/newroot/dev", "tmpfs", _NOSUID | _NOEXEC, "mode=755,size=1m")
    for name in _DEVICES:
        _prepare_target("/newroot/dev/" + name, "/oldroot/dev/" + name)
        _mount("/oldroot/dev/" + name, "/newroot/dev/" + name, None, _BIND)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, "/newroot/dev/" + name)
    os.mkdir("/newroot/dev/shm")
    _mount("tmpfs", "/newroot/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777,size=64m")


def _build_proc() -> None:
    _make_folder("/newroot/proc")
    _mount("proc", "/newroot/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    present = os.listdir("/newroot/proc")
    for name in _COVERED:
        path = "/newroot/proc/" + name
        if name in present:
            _mount(path, path, None, _BIND)
            _restrict(path, _RDONLY | _NOSUID | _NODEV | _NOEXEC)


def _map_user(user: int, group: int) -> None:
    """Be in the new user namespace who one was outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _start_loopback() -> None:
    end = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    _check(_ioctl(end.fileno(), _SET_FLAGS, struct.pack("16sh22x", b"lo", _IFF_UP)), "lo")
    end.close()


def _limit(kind: int, most: int) -> None:
    _check(_setrlimit(kind, struct.pack("2L", most, most)), "setrlimit")


def _drop_rights() -> None:
    _prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for number in range(64):
        if _prctl(_CAPBSET_DROP, number, 0, 0, 0) != 0:
            break
    _check(_capset(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)), "capset")


def _become(plan: Plan, command: list[str], entrance: int | None) -> None:
    """Become the command; its streams, and the descriptors that it inherits, are in place."""
    try:
        os.setsid()
        if entrance is not None:
            os.write(entrance, b"0")
        _accept_limits(plan["limit"])
        _drop_rights()
        os.chdir(plan["cwd"])
        os.execve(command[0], command, plan["environment"])
    except (OSError, Failure) as error:
        _complain(error)
    os._exit(127)


def _accept_limits(limit: int | None) -> None:
    """Be as a command begins, and within the limits that one has of its own."""
    if limit is not None:
        _limit(_RLIMIT_DATA, limit)
    _limit(_RLIMIT_CORE, 0)
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)


def _open_group(group: Group | None) -> tuple[int | None, int | None]:
    """Return the folder of a group, if a process can begin in it, and its entrance."""
    if group is None:
        return None, None
    folder, entrance, is_unified = group
    return (
        os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if is_unified else None,
        os.open(entrance, os.O_WRONLY | os.O_CLOEXEC),
    )


def _fork(folder: int | None, flags: int = 0) -> tuple[int, bool]:
    """
    Fork; return what fork(2) does, and whether the new process has begun in the group of this folder.

    Who begins in a group of version 2 waits for nothing. Who enters it waits until no processor is busy with an older state of all groups:
    5 to 15 milliseconds, as long as a Python starts.
    """
    signal = 0 if flags & _CLONE_PARENT else _signal.SIGCHLD
    if folder is not None:
        child = _clone(flags | _CLONE_INTO_CGROUP, signal, folder)
        if child >= 0:
            return child, True
    if not flags:
        return os.fork(), False
    child = _clone(flags, signal)
    if child < 0 and os.uname().machine in _CLONE:  # an older kernel, or a filter of system calls
        child = _syscall(_CLONE[os.uname().machine], flags | _signal.SIGCHLD, None, None, None, None)
    _check(min(child, 0), "clone")
    return child, False


def _clone(flags: int, signal: int, folder: int = 0) -> int:
    arguments = struct.pack("=11Q", flags, 0, 0, 0, signal, 0, 0, 0, 0, 0, folder)
    return int(_syscall(_CLONE3, arguments, len(arguments)))


def _complain(error: object) -> None:
    os.write(2, f"sandbox: {error}\n".encode("utf-8", "replace"))


def _be_first(plan: Plan, command: list[str], alive: int, outcome: int) -> None:
    """Be the first process of the namespaces: start the command, wait for it, and take all the others along."""
    try:
        _die_with_parent()
        if _has_ended(alive):  # the parent died before that
            os._exit(1)
        folder, entrance = _open_group(plan["group"])
        _build_root(plan)
        if plan["is_cut_off"]:
            _start_loopback()
        child, is_inside = _fork(folder)
    except (OSError, Failure) as error:
        _complain(error)
        os._exit(126)
    if child == 0:
        _become(plan, command, None if is_inside else entrance)
    _close_all_but(outcome)
    while True:
        process, status = os.wait()
        if process == child:
            os.write(outcome, struct.pack("i", status))
            os._exit(0)


def _has_ended(pipe: int) -> bool:
    """Say whether nobody holds the other end of a pipe on which nothing is written."""
    os.set_blocking(pipe, False)
    try:
        os.read(pipe, 1)
    except BlockingIOError:
        return False
    return True


def _close_all_but(kept: int) -> None:
    """Close what others read to its end."""
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)


def answer_launches(number: int) -> None:
    """Start what is asked for on a socket, until that ends or the parent does."""
    _die_with_parent()
    requests = _socket.socket(fileno=number)
    while True:
        message, descriptors = _receive(requests)
        if not message:
            os._exit(0)
        wanted, group = marshal.loads(message)
        folder = entrance = None
        complaint = b""
        try:
            folder, entrance = _open_group(group)
            child, is_inside = _fork(folder, _CLONE_PARENT)
        except (OSError, Failure) as error:
            child, is_inside = -1, False
            complaint = f"{error}".encode("utf-8", "replace")
        if child == 0:
            _begin(descriptors, wanted, None if is_inside else entrance)
        for each in (*descriptors, folder, entrance):
            if each is not None:
                os.close(each)
        requests.send(struct.pack("i", child) + complaint)


def _receive(requests: _socket.socket) -> tuple[bytes, list[int]]:
    """Return a request and the descriptors that came with it."""
    message, extra, _, _ = requests.recvmsg(_SIZE_OF_REQUEST, _socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS))
    content = b"".join(data for _, _, data in extra)
    return message, [*struct.unpack(f"{len(content) // 4}i", content)]


def _begin(descriptors: list[int], wanted: list[int], entrance: int | None) -> None:
    """Be what was asked for; the first descriptor is a file that says what, the others are wanted under these numbers."""
    try:
        if entrance is not None:
            os.write(entrance, b"0")
        with open(descriptors[0], "rb") as file:
            plan, command = marshal.loads(file.read())
        _arrange(descriptors[1:], wanted)
        _die_with_parent()
        if os.getppid() != plan["parent"]:  # it died before that
            os._exit(1)
        if plan["binds"] is not None:
            _launch(plan, command)
        _accept_limits(plan["limit"])
        os.execve(command[0], command, plan["environment"])
    except (OSError, Failure) as error:
        _complain(error)
    finally:
        os._exit(126)


def _arrange(descriptors: list[int], wanted: list[int]) -> None:
    """Give descriptors the numbers under which they are wanted, the first three of them 0, 1 and 2, and close all others."""
    for index, number in enumerate(wanted):
        for later in range(index + 1, len(descriptors)):
            if descriptors[later] == number:
                descriptors[later] = os.dup(number)
        if descriptors[index] != number:
            os.dup2(descriptors[index], number)
        os.set_inheritable(number, True)
    kept = 2
    for number in sorted(wanted)[3:]:
        if kept + 1 < number:
            os.closerange(kept + 1, number)
        kept = number
    os.closerange(kept + 1, 1 << 16)


def _launch(plan: Plan, command: list[str]) -> None:
    """Start a command in namespaces, and end as it ends."""
    user, group = os.getuid(), os.getgid()
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | (_NEWNET if plan["is_cut_off"] else 0)
    if _unshare(flags | (0 if plan["is_root"] else _NEWUSER)) != 0:
        _complain(f"unshare: {os.strerror(_ctypes.get_errno())}")
        os._exit(126)
    if not plan["is_root"]:
        _map_user(user, group)
    alive, held = os.pipe()
    answer, outcome = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(held)
        os.close(answer)
        _be_first(plan, command, alive, outcome)
    os.dup2(answer, 3)
    os.dup2(held, 4)
    os.closerange(5, 1 << 16)
    _end_like(os.waitpid(first, 0)[1], os.read(3, 4))


def _end_like(status: int, report: bytes) -> None:
    """End as the command did: with its exit code, or by its signal."""
    status = struct.unpack("i", report)[0] if report else status
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        _limit(_RLIMIT_CORE, 0)
        if number != _SIGKILL:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
