"""
Keeper: the process that stays where the worker was started, and ends whatever a function started when the worker or the parent ends.

What leaves the worker's group and its session is nobody's then, and the kernel gives it to the nearest *child subreaper* above it
(prctl(2), PR_SET_CHILD_SUBREAPER): to the keeper, so that nothing below it gets away. The function runs in a fork, under another number.
Without such a thing (macOS, a Python without _ctypes) there is no keeper, and only the worker's group ends.
"""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import os
import select
import signal
import sys
import time

DUMPABLE, CHILD_SUBREAPER = 4, 36
MOST_DESCRIPTORS = 4096


def leave_keeper(lifeline):
    """Go on in a fork, with a keeper above it that has nothing open but the lifeline; or go on as before."""
    set_process = find_prctl()
    if set_process is None or not set_process(CHILD_SUBREAPER, 1):
        return
    worker = os.fork()
    if worker == 0:
        # The signal of the lifeline was for the whole group, to which the keeper belongs.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        return
    try:
        set_process(DUMPABLE, 0)  # so that the function cannot write into its memory
        keep(worker, lifeline)
    finally:
        os._exit(1)


def find_prctl():
    """Return what sets an attribute of this process and says whether it did, or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import _ctypes
    except ImportError:
        return None
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 2), "prctl")
    return lambda option, value: _ctypes.call_function(prctl, (option, value, 0, 0, 0)) == 0


def keep(worker, lifeline):
    """Wait for the end of the worker or of the parent, end all that is left, and end as the worker did."""
    wakes, wake = os.pipe()
    fcntl.fcntl(wake, fcntl.F_SETFL, fcntl.fcntl(wake, fcntl.F_GETFL) | os.O_NONBLOCK)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    kept = sorted((lifeline, wakes, wake))
    for low, high in zip([2] + kept, kept + [MOST_DESCRIPTORS]):
        os.closerange(low + 1, high)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    ended = []
    while not reap(worker, ended) and not ended and not is_alone(lifeline, wakes):
        pass
    end_descendants(worker, ended)
    end_like(ended[0] if ended else signal.SIGKILL)


def is_alone(lifeline, wakes):
    """Wait until a child ends or the lifeline does; say whether it was the lifeline."""
    try:
        ready = select.select([lifeline, wakes], [], [])[0]
    except select.error as error:  # 2.7 does not wait again behind a signal
        if error.args[0] != errno.EINTR:
            raise
        return False
    if wakes in ready:
        os.read(wakes, 4096)
    return lifeline in ready


def reap(worker, ended):
    """Take up all children that have ended, the worker's status into `ended`; return whether there are none any more."""
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except OSError:
            return True
        if process == worker:
            ended.append(status)
        if process == 0:
            return False


def end_descendants(worker, ended):
    """Kill children, and those that they leave behind, until there are none."""
    while not reap(worker, ended):
        for child in children():
            try:
                os.kill(child, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.001)


def children():
    own = str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as file:
                    parent = file.read().rpartition(")")[2].split()[1]
            except (IOError, OSError):
                continue
            if parent == own:
                yield int(name)


def end_like(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
