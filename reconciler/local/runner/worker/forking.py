"""
Forks of an interpreter that has imported already what several functions import; for Python 3 on Linux.

A function sees nothing of that. What was imported is hidden from `sys.modules` and from the packages that it is in, until an import finds,
on the function's own `sys.path`, the file that the module was made of. Then the module comes back, with what its import brought.
"""

from __future__ import absolute_import, division, print_function

import json
import os
import signal
import struct
import sys

from . import serving
from .frames import end_with_parent

MESSAGE_BYTES = 1 << 18


class ImportStep(object):
    """What one import brought, and what it needs of what was there."""

    def __init__(self, brought, needs):
        self.brought, self.needs = brought, needs


class ImportedModules(object):
    """Finder of modules, before all others: for a file that was imported before the fork it gives the module."""

    def __init__(self):
        self.steps = {}  # module -> the step that brought it
        self.hidden = {}
        self.specs = {}

    def find_spec(self, name, path=None, target=None):
        if name not in self.hidden:
            return None
        from _frozen_importlib_external import PathFinder

        spec = PathFinder.find_spec(name, path)
        try:
            if not os.path.samefile(spec.origin, self.hidden[name].__file__):
                return None
        except (AttributeError, OSError, TypeError):  # nothing was found, or no file
            return None
        spec.loader = self
        return spec

    def create_module(self, spec):
        self.bring_back(spec.name)
        module = sys.modules[spec.name]
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.specs.pop(module.__name__)

    def bring_back(self, name):
        """Bring back a module with all that its import brought or needs for."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name in self.hidden:
                module = sys.modules[name] = self.hidden.pop(name)
                parent, _, attribute = name.rpartition(".")
                if parent:
                    waiting.append(parent)
                    parent = self.hidden.get(parent) or sys.modules[parent]
                    parent.__dict__.setdefault(attribute, module)
                waiting += self.steps[name].brought
                waiting += self.steps[name].needs

    def hide(self):
        for name in set(self.steps).intersection(sys.modules):
            module = self.hidden[name] = sys.modules.pop(name)
            parent, _, attribute = name.rpartition(".")
            parent = self.hidden.get(parent) or sys.modules.get(parent)
            if parent is not None and parent.__dict__.get(attribute) is module:
                del parent.__dict__[attribute]

    def import_ahead(self, requests, paths):
        """Import from `paths` each (module, names that are imported from it), and hide what came with it."""
        for name in list(self.hidden):
            self.bring_back(name)
        path = list(sys.path)
        sys.path[:0] = paths
        for module, names in requests:
            parts = module.split(".")
            for end in range(len(parts)):
                self.take_step(".".join(parts[: end + 1]), ())
            for name in names:
                self.take_step(module, (name,))
        sys.path[:] = path
        self.hide()

    def take_step(self, module, names):
        import builtins

        before, needs, original = set(sys.modules), set(), builtins.__import__

        def record(name, globals=None, locals=None, fromlist=(), level=0):
            package = (globals or {}).get("__package__") or ""
            full = ".".join((package.split(".")[: -(level - 1) or None] if level else []) + ([name] if name else []))
            needs.add(full)
            needs.update(full + "." + attribute for attribute in fromlist or () if isinstance(attribute, str))
            return original(name, globals, locals, fromlist, level)

        builtins.__import__ = record
        try:
            original(module, {}, {}, names, 0)
        finally:
            builtins.__import__ = original
        # What no file is known of is built in, or made by a module in C, and stays.
        brought = [name for name in sys.modules if name not in before and getattr(sys.modules[name], "__file__", None)]
        if any(hasattr(sys.modules[name], "__path__") for name in sys.modules if name not in before and name not in brought):
            raise ImportError("a package without a file would be found before its archive is")
        step = ImportStep(brought, [name for name in needs if name in self.steps])
        self.steps.update(dict.fromkeys(brought, step))


def main(number, lifeline):
    """Import what is needs for, or fork, as each message says; a fork returns when its work is done."""
    import _socket

    end_with_parent(lifeline)
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    connection = _socket.socket(fileno=number)
    os.set_inheritable(number, False)
    modules, statuses = ImportedModules(), {}
    signal.signal(signal.SIGCHLD, lambda number, frame: report_ends(statuses))
    while True:
        message, rights, _, _ = connection.recvmsg(MESSAGE_BYTES, _socket.CMSG_SPACE(5 * 4))
        if not message:
            return
        request = json.loads(message.decode("ascii"))
        if "modules" in request:
            modules.import_ahead(request["modules"], request["paths"])
            threads = len(os.listdir("/proc/self/task"))
            connection.send(json.dumps({"threads": threads, "present": sorted(set(sys.modules).union(modules.steps))}).encode("ascii"))
            continue
        descriptors = struct.unpack("=5i", rights[0][2])
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        process = os.fork()
        if process == 0:
            connection.close()
            for descriptor in [lifeline, descriptors[4]] + list(statuses.values()):
                os.close(descriptor)
            return become_worker(request, descriptors[:4], modules)
        statuses[process] = descriptors[4]
        for descriptor in descriptors[:4]:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        connection.send(json.dumps({"process": process}).encode("ascii"))


def report_ends(statuses):
    """Write the status of each fork that has ended to where it is waited for."""
    while statuses:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        descriptor = statuses.pop(process)
        try:
            os.write(descriptor, struct.pack("=i", status))
        except OSError:
            pass  # nobody waits any more
        os.close(descriptor)


def become_worker(folders, descriptors, modules):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.setsid()
    requests, answers, lifeline, output = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    serving.add_folder(os.getcwd())
    os.chdir(folders["cwd"])
    os.environ.update(HOME=folders["cwd"], TMPDIR=folders["tmp"])
    sys.meta_path.insert(0, modules)
    serving.main(requests, answers, lifeline, folders["progress"])
