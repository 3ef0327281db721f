"""
Sandbox of a command: a root file system, read-only folders, a fresh /tmp, no network, and nothing left when it ends.

    sandbox = Sandbox(binds=(Bind(code, "/code"),), environment={…})        what it sees and may use: layout.py
    running = start_in_sandbox(["/usr/bin/python3", …], sandbox, stdout=…)  a process in it: process.py

Three roads lead into it, in this order: bubblewrap, where it is installed; namespaces made here, by root or where user
namespaces are allowed (launcher.py, which launch.py keeps ready for both); else a plain child, which sees the files of the machine and its network. Which was taken, and what it
cannot keep, is part of what it returns: nobody learns of a missing wall by its absence.
"""

from reconciler.local.sandbox.layout import Bind, Sandbox
from reconciler.local.sandbox.process import Road, SandboxedProcess, find_road, start_in_sandbox

__all__ = ["Bind", "Road", "Sandbox", "SandboxedProcess", "find_road", "start_in_sandbox"]
