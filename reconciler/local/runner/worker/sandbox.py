"""
Sandbox of a function whose SQL does not set isolation: no local files, processes, threads, sockets, native libraries.

What is prohibited, and which C extensions 2.7 does load, stands in the documentation, "Python 2 UDFs", Limits. How a call
fails there is inferred from PyODPS, which works around it: it expects a RuntimeError where files are looked for
(codegen.py, importer.py), an ImportError of `socket`, and in 2.7 a `marshal.loads` that "has been blocked by MaxCompute
python sandbox" (cloudpickle.py). That Python 3 may read the function's own files is inferred from the same source: there
it opens resources by their name, whatever the settings.

Two layers: functions are replaced where Python code finds them, which gives the words; and where the kernel has seccomp(2) a filter of
system calls stands behind them, for what gets past. What imports modules goes past the first, as it must.
"""

from __future__ import absolute_import, division, print_function

import os
import struct
import sys

from .compat import PY2, text_type

if PY2:
    import __builtin__ as builtins
else:
    import builtins

BLOCKED = "%s has been blocked by sandbox"
MISSING = "No module named %s"

EXTENSIONS = frozenset((
    "_csv", "_ctypes", "_curses", "_curses_panel", "_elementtree", "_hotshot", "_multiprocessing", "_socket", "_sqlite3",
    "_ssl", "_tkinter", "bz2", "crypt", "ctypes", "dbm", "fcntl", "gdbm", "grp", "linuxaudiodev", "mmap", "nis",
    "ossaudiodev", "parser", "pyexpat", "readline", "resource", "select", "spwd", "syslog", "termios", "zlib",
))  # fmt: skip
"""Extensions of 2.7 that are not among those which the documentation lists, and what is nothing without one."""

ON_FILES = (
    "access", "chdir", "chflags", "chmod", "chown", "chroot", "fchmod", "fchown", "lchmod", "lchown", "link", "listxattr",
    "lstat", "makedev", "mkdir", "mkfifo", "mknod", "pathconf", "readlink", "remove", "rename", "replace", "rmdir", "scandir",
    "listdir", "setxattr", "getxattr", "removexattr", "stat", "statvfs", "symlink", "truncate", "unlink", "utime", "tmpfile",
    "tempnam", "tmpnam", "startfile",
)  # fmt: skip
READING = frozenset(("access", "listdir", "lstat", "readlink", "scandir", "stat"))
ON_PROCESSES = (
    "abort", "execv", "execve", "fork", "forkpty", "kill", "killpg", "nice", "popen", "popen2", "popen3", "popen4",
    "posix_spawn", "posix_spawnp", "setgid", "setsid", "setuid", "spawnv", "spawnve", "spawnvp", "spawnvpe", "system",
)  # fmt: skip
ON_NAMES = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo", "socketpair", "fromfd")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
READS_FOR_PYTHON = ("linecache", "tokenize", "pkgutil")  # a traceback shows source lines, get_data is how packages read theirs

machinery = {"outside": 0, "kept_by": None}


class outside(object):
    """Within it nothing is blocked: for what the service does for a function."""

    def __enter__(self):
        machinery["outside"] += 1

    def __exit__(self, *exc):
        machinery["outside"] -= 1


def sandbox_layer():
    """Return what keeps this process in the sandbox: ``seccomp`` behind replaced functions, or those alone, ``Python``; None outside."""
    return machinery["kept_by"]


def layer_behind(message):
    """Return which layer of the sandbox an exception may come from, ``seccomp`` or ``Python``; None for any other exception."""
    has_words = message.endswith(BLOCKED % "")
    misses = message.startswith("ImportError: " + MISSING % "") and message.split()[-1] in EXTENSIONS
    refused = "Operation not permitted" in message or "can't start new thread" in message
    by_filter = machinery["kept_by"] == "seccomp" and refused
    return machinery["kept_by"] if has_words or misses or by_filter else None


def may_read(path):
    """Return whether a function may read it: its own files, in Python 3, and those of the interpreter."""
    if isinstance(path, int):
        return True  # a file that is open already
    if hasattr(path, "__fspath__"):
        path = path.__fspath__()
    if not PY2 and isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, (str, text_type)):
        return False
    full = os.path.normpath(os.path.join(machinery["folder"], path))
    return any(full == root or full.startswith(root + os.sep) for root in machinery["readable"])


def is_trusted(depth):
    frame = sys._getframe(depth)
    while frame is not None and frame.f_globals.get("__name__") in ("posixpath", "genericpath"):
        frame = frame.f_back  # who asks is behind them
    return machinery["outside"] or (frame is not None and frame.f_globals.get("__name__") in READS_FOR_PYTHON)


class BlockedCall(object):
    """A function that raises, but for calls that are allowed; like a builtin it is no method where a class holds it."""

    def __init__(self, original, shown, is_allowed):
        self.original, self.shown, self.is_allowed = original, shown, is_allowed
        self.__name__ = self.__qualname__ = original.__name__
        self.__doc__ = original.__doc__

    def __call__(self, *args, **kwargs):
        if is_trusted(2) or (self.is_allowed is not None and self.is_allowed(*args, **kwargs)):
            return self.original(*args, **kwargs)
        raise RuntimeError(BLOCKED % self.shown)


def block(module, name, shown, is_allowed=None):
    original = getattr(module, name, None)
    if original is not None:
        setattr(module, name, BlockedCall(original, shown, is_allowed))


def block_class(module, name, shown):
    """Replace a class by one that cannot be constructed, and that knows its instances."""
    original = getattr(module, name, None)
    if original is None:
        return

    def refuse(self, *args, **kwargs):
        if not machinery["outside"]:
            raise RuntimeError(BLOCKED % shown)
        original.__init__(self, *args, **kwargs)

    setattr(module, name, type(original)(name, (original,), {"__init__": refuse, "__slots__": (), "__module__": original.__module__}))


class FileType(type):
    """`file` of 2.7."""

    def __instancecheck__(cls, value):
        return isinstance(value, cls.original)

    def __call__(cls, *args, **kwargs):
        if not is_trusted(2):
            raise RuntimeError(BLOCKED % "file")
        return cls.original(*args, **kwargs)


def reads_own(path=None, *args, **kwargs):
    return may_read("." if path is None else path)


def opens_own(path, mode="r", *args, **kwargs):
    return not set("wax+") & set(mode) and may_read(path)


def opens_own_descriptor(path, flags, *args, **kwargs):
    return not flags & WRITING and may_read(path)


def loads_nothing(name, *args):
    frame = sys._getframe(3)  # that of `ctypes` itself, as it is imported
    return name is None and frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "ctypes"


def block_os():
    for name in ON_FILES:
        block(os, name, "os." + name, reads_own if name in READING else None)
    for name in ON_PROCESSES:
        block(os, name, "os." + name)
    block(os, "open", "os.open", opens_own_descriptor)


def block_socket(module):
    block_class(module, "socket", "socket.socket")
    for name in ON_NAMES:
        block(module, name, "socket." + name)


def block_threads(module):
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        block(module, name, "thread." + name if PY2 else "threading.Thread")


def block_subprocess(module):
    block(module, "fork_exec", "subprocess.Popen")


def block_ctypes(module):
    block(module, "dlopen", "ctypes.CDLL", loads_nothing)


WHEN_IMPORTED = {
    "_socket": block_socket,
    "_posixsubprocess": block_subprocess,
    "_ctypes": block_ctypes,
}


class Gate(object):
    """Finder of modules, before all others: it leaves out extensions of 2.7, and replaces functions of what it lets in."""

    def find_module(self, name, path=None):
        names = EXTENSIONS if PY2 else WHEN_IMPORTED
        is_ours = name in names or (PY2 and name.partition(".")[0] in machinery["installed"])
        return self if is_ours and not machinery["outside"] else None

    def load_module(self, name):
        """Let what is installed have any extension of 2.7, and its importer none of them."""
        if name in EXTENSIONS:
            raise ImportError(MISSING % name)
        before = EXTENSIONS.intersection(sys.modules)
        try:
            with outside():
                __import__(name)
        finally:
            for extension in EXTENSIONS.intersection(sys.modules) - before:
                del sys.modules[extension]
        return sys.modules[name]

    def find_spec(self, name, path=None, target=None):
        if name not in WHEN_IMPORTED or machinery["outside"]:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self)

    def create_module(self, spec):
        with outside():
            module = __import__(spec.name)
        WHEN_IMPORTED[spec.name](module)
        return module

    def exec_module(self, module):
        pass


def enter_sandbox(folder, installed):
    """Put this process into the sandbox, for good, with `folder` as the function's own and `installed` beside the standard library."""
    roots = [os.path.dirname(os.__file__), os.path.realpath(os.path.dirname(os.__file__)), installed]
    machinery.update(folder=folder, readable=roots if PY2 else [folder] + roots, installed=frozenset(os.listdir(installed)))
    has_filter = sys.platform.startswith("linux") and filter_calls()
    machinery["kept_by"] = "seccomp" if has_filter else "Python"
    if PY2:
        for name in EXTENSIONS.intersection(sys.modules):
            del sys.modules[name]
        import marshal
        import thread

        block_threads(thread)
        block(marshal, "loads", "marshal.loads")
        builtins.file = FileType("file", (object,), {"original": file})  # noqa: F821
    else:
        import _thread

        block_threads(_thread)
        for name, replace in WHEN_IMPORTED.items():
            if name in sys.modules:
                replace(sys.modules[name])
    import io

    for module in (builtins, io):
        block(module, "open", "open", opens_own)
    block_class(io, "FileIO", "io.FileIO")
    block_os()
    sys.meta_path.insert(0, Gate())


# Numbers of x86_64 and aarch64 (asm/unistd.h), of linux/seccomp.h and linux/audit.h.
MACHINES = {
    "x86_64": (0xC000003E, 317, (
        41, 42, 49, 53, 56, 57, 58, 59, 62, 76, 82, 83, 84, 85, 86, 87, 88, 90, 92, 94, 101, 133, 258, 259, 260, 263, 264, 265,
        266, 268, 310, 311, 316, 322, 425, 435, 437,
    ), ((2, 1), (257, 2))),
    "aarch64": (0xC00000B7, 277, (
        33, 34, 35, 36, 37, 38, 45, 53, 54, 117, 129, 198, 199, 200, 203, 220, 221, 270, 271, 276, 281, 425, 435, 437,
    ), ((56, 2),)),
}  # fmt: skip
"""Machine → its audit number, the call `seccomp`, what is refused, and (call, argument) of those with flags of opening."""

LOAD, IS_EQUAL, IS_AT_LEAST, HAS_ANY, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # EPERM
OTHER_ABI = 0x40000000
NO_NEW_PRIVILEGES, SET_FILTER, ALLOW_SPECULATION = 38, 1, 4


def filter_program(audit, refused, opening):
    """
    Return the filter: processes, threads, sockets, and opening for writing or changing files are refused.

    It is a list of (operation, steps if so, steps if not, operand); `None` for steps stands for the end that refuses.
    """
    program = [(LOAD, 0, 0, 4), (IS_EQUAL, 1, 0, audit), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, 0)]
    program.append((IS_AT_LEAST, None, 0, OTHER_ABI))
    program += [(IS_EQUAL, None, 0, number) for number in refused]
    for number, argument in opening:
        program += [(IS_EQUAL, 0, 3, number), (LOAD, 0, 0, 16 + 8 * argument), (HAS_ANY, None, 0, WRITING), (RETURN, 0, 0, ALLOW)]
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    last = len(program) - 1
    steps = [(code, last - at - 1 if yes is None else yes, no, operand) for at, (code, yes, no, operand) in enumerate(program)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def filter_calls():
    """Have the kernel refuse system calls to this process; return whether it does."""
    if os.uname()[4] not in MACHINES:
        return False
    try:
        import _ctypes
    except ImportError:
        return False
    audit, seccomp, refused, opening = MACHINES[os.uname()[4]]
    program = filter_program(audit, refused, opening)
    libc = _ctypes.dlopen(None, 2)
    # A bytes object holds its content at its end, before a NUL: the kernel is told where.
    header = struct.pack("@HP", len(program) // 8, id(program) + bytes.__basicsize__ - 1)
    _ctypes.call_function(_ctypes.dlsym(libc, "prctl"), (NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    return _ctypes.call_function(_ctypes.dlsym(libc, "syscall"), (seccomp, SET_FILTER, ALLOW_SPECULATION, header)) == 0
