"""
Calls and imports that the sandbox of MaxCompute forbids unless the SQL sets isolation.

Without ``odps.isolation.session.enable`` a function may not read or write local files, start processes or threads, or open
sockets [doc "Python 2 UDFs", Limits; error ODPS-0140171 "Sandbox violation exception"]; and with it, the network is closed
until the project opens it [doc "Network connection"]. Whether a statement is ever reached cannot be seen, so these are
warnings. `udfs show` prints the SET lines.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.checks import Finding, Use
    from reconciler.checks.python.facts import Import, ModuleFacts
    from reconciler.checks.python.text import Page

_NETWORK = "the network"
_PROCESSES = "other processes"
_THREADS = "threads"
_MODULES = {
    **dict.fromkeys(
        (
            *("socket", "ssl", "ftplib", "smtplib", "telnetlib", "poplib", "imaplib", "asyncore", "asynchat"),
            *("asyncio", "socketserver", "SocketServer", "httplib", "urllib2", "xmlrpclib", "http.client"),
            *("http.server", "urllib.request", "xmlrpc.client", "requests", "httpx", "urllib3", "aiohttp"),
        ),
        _NETWORK,
    ),
    **dict.fromkeys(("subprocess", "multiprocessing", "commands", "popen2", "pty"), _PROCESSES),
    **dict.fromkeys(("threading", "thread", "_thread", "concurrent.futures"), _THREADS),
}
_CALLS = {
    **dict.fromkeys(("os.system", "os.popen", "os.fork", "os.spawnv", "os.spawnl", "os.execv", "os.kill"), _PROCESSES),
    **dict.fromkeys(
        ("os.remove", "os.unlink", "os.mkdir", "os.makedirs", "os.rename", "os.rmdir", "os.chmod"), "changes to files"
    ),
    **dict.fromkeys(("urllib.urlopen", "urllib.urlretrieve"), _NETWORK),
}
_ALONE = ("bz2", "crypt", "fcntl", "grp", "mmap", "parser", "readline", "resource", "select", "syslog", "termios")
EXTENSIONS = {
    **{name: name for name in _ALONE},
    **{name: f"_{name}" for name in ("csv", "ctypes", "curses", "hotshot", "sqlite3")},
    "compiler": "parser",
    "gzip": "zlib",
    "zlib": "zlib",
    "tty": "termios",
    "xml.etree.cElementTree": "_elementtree",
    "xml.parsers.expat": "pyexpat",
}
"""
Modules of 2.7 → the C extension that they are or cannot be imported without, and that the sandbox does not load.

The documentation lists the extensions that it does load [doc "Python 2 UDFs", Limits]. What hangs on `_io` or, as urllib does, on
`_socket` is left alone: whether those are really missing is not known, and nobody would like to hear of them so often.
"""

_LIFTS = "`isolation: true` at the function has SQL set odps.isolation.session.enable=true;"
WITHOUT_FILES = {"cp27": _LIFTS}
"""Runtimes whose sandbox has no files at all [doc "Python 2 UDFs", Limits]; that 3 may read a function's own is inferred from PyODPS."""

_WRITING = frozenset("wax+")


def check_sandbox(page: Page, facts: ModuleFacts, use: Use) -> Iterator[Finding]:
    """Yield the first place of each thing that the sandbox forbids."""
    reported: set[str] = set()
    for node, what, how in [*_imports(facts, use), *_calls(facts, use)]:
        is_network = what == _NETWORK
        if how in reported or (use.isolated and not is_network):
            continue
        reported.add(how)
        if is_network:
            message = f"'{how}' is for {what}, which is closed to functions until the project opens it"
            hint = "see the network settings of the project; pass data in as resources where that will do"
        else:
            message = f"'{how}' needs {what}, which the sandbox forbids"
            hint = _LIFTS
        yield page.finding(node, "E818", message, hint, "warning")


def _imports(facts: ModuleFacts, use: Use) -> Iterator[tuple[ast.AST, str, str]]:
    for statement in facts.imports:
        if name := _first_named(statement, _MODULES):
            yield statement.node, _MODULES[name], name
        if use.runtime == "cp27" and not statement.guarded and (name := _first_named(statement, EXTENSIONS)):
            yield statement.node, f"the C extension {EXTENSIONS[name]}", name


def _first_named(statement: Import, modules: Collection[str]) -> str | None:
    """Return the module among `modules` that an import names: itself, its package, or what is imported from it."""
    if statement.level:
        return None
    full = f"{statement.module}.{statement.alias.name}" if isinstance(statement.node, ast.ImportFrom) else ""
    return next(
        (name for name in (statement.module, statement.module.partition(".")[0], full) if name in modules), None
    )


def _calls(facts: ModuleFacts, use: Use) -> Iterator[tuple[ast.AST, str, str]]:
    for node in facts.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = facts.dotted_name(node.func)
        if name in _CALLS:
            yield node, _CALLS[name], name
        elif name in {"open", "io.open", "codecs.open", "file"}:
            modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
            mode = facts.text(modes[0]) if modes else None
            if mode is not None and _WRITING & set(mode.value):
                yield node, "to write a file", name
            elif use.runtime in WITHOUT_FILES:
                yield node, "to read a file", name
